"""`irsa verify`: proves that ServiceAccounts can use their roles, or reports the obstacle."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from time import monotonic
from typing import Any

from irsa_cli.aws.permissions import ReadCall, Simulated, action, make_call, read_call, resource
from irsa_cli.aws.sts import SESSION_NAME, Exchange, assume, exchange_for_pod, exchange_once, identity
from irsa_cli.core.objects import kinds, service_accounts
from irsa_cli.core.objects.aws import Association, RoleCredentials
from irsa_cli.core.objects.kinds import Injection
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan.rules import UnreadableNote
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.results import verification
from irsa_cli.core.results.steps import VerificationStep
from irsa_cli.core.trust.chain import chain_of_notes
from irsa_cli.core.values import names
from irsa_cli.core.values.arn import role_arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import InvalidInput, IrsaError, Refused, Unreadable, read
from irsa_cli.core.values.patience import Count
from irsa_cli.kube.client import TokenAnswer
from irsa_cli.usecases.command.caller import naming_caller, pasted_options, reach_of
from irsa_cli.usecases.command.connect import Connection, Target, WireLog, connect
from irsa_cli.usecases.read.absence import check_namespace
from irsa_cli.usecases.read.associations import unread
from irsa_cli.usecases.read.bindings import naming_roles
from irsa_cli.usecases.read.identity import NamedServiceAccount
from irsa_cli.usecases.read.pod_identity import runs_agent
from irsa_cli.usecases.read.reads import WORKERS, Reads
from irsa_cli.usecases.verification import iam_steps, steps
from irsa_cli.usecases.verification.iam_steps import Link, assume_target, attempt

Texts = Iterable[str]


@dataclass(frozen=True)
class Wanted:
    """Options of a verification beyond the six steps.

    `audience` replaces the annotation's; `pod` is the name and uid of the pod that the token is bound to;
    `chain` are further roles to assume one after the other.
    """

    audience: str = ""
    pod: tuple[str, str] | None = None
    actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    calls: tuple[ReadCall, ...] = ()
    chain: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, audience: str, actions: Texts, resources: Texts, calls: Texts, chain: tuple[str, ...]
    ) -> Wanted:
        """The options as a user wrote them; raises `InvalidInput` for an unknown or a forbidden action."""
        tested = tuple(map(action, actions)), tuple(map(resource, resources))
        return cls(audience, None, *tested, tuple(map(read_call, calls)), chain)


@dataclass(frozen=True)
class Request:
    """The request of a user. Without `name`: all annotated ServiceAccounts of `namespace`, or of the cluster.

    `selector` is a label selector, `pod` a pod that the token is bound to, `readers` are roles for reading
    IAM of other accounts.
    """

    target: Target
    namespace: str = ""
    name: str = ""
    pod: str = ""
    wanted: Wanted = field(default_factory=Wanted)
    readers: tuple[str, ...] = ()
    selector: str = ""


def verify_accounts(
    request: Request, log: WireLog, note: Callable[[str], None]
) -> verification.VerificationReport:
    """Verify one ServiceAccount or many; raises `IrsaError` if irsa cannot reach the cluster."""
    started = monotonic()
    connection = connect(request.target, kube=True, log=log)
    cluster = connection.cluster
    connection.announce(note)
    many = not request.name
    try:
        with naming_caller(connection.caller), Reads(connection, request.readers) as reads:
            reads.begin()
            readers = (f"--iam-assume-role {shlex.quote(arn)}" for arn in request.readers)
            options = " ".join((pasted_options(request.target), *readers))
            verifier = Verifier(connection, reads, request.wanted, options, many)
            accounts, verifications = _many(verifier, request) if many else (1, (_one(verifier, request),))
            listed = reads.associations().result() if many and accounts else None
    except IrsaError as error:
        return verification.VerificationReport(cluster, many=many, error=error)
    where = f"-n {request.namespace}" if request.namespace else ""
    look = " ".join(filter(None, ("irsa doctor", where, options))) if many else verifications[0].look
    return verification.VerificationReport(
        cluster,
        verifications,
        many=many,
        seconds=monotonic() - started,
        look=look,
        accounts=accounts,
        selector=request.selector,
        notes=(unread(listed),) if isinstance(listed, Unreadable) else (),
    )


def _one(verifier: Verifier, request: Request) -> verification.Verification:
    account = NamedServiceAccount(verifier.connection, request.namespace, request.name)
    with ThreadPoolExecutor(1) as pool:
        pod = pool.submit(_pod, verifier.connection, request)
        try:
            injection, association = account.identity()
        except Refused as error:
            raise naming_roles(error, verifier.connection, request.namespace, request.name) from error
    request_of_pod = replace(verifier.wanted, pod=pod.result())
    return replace(verifier, wanted=request_of_pod).verify(
        request.namespace, request.name, injection, association
    )


def _pod(connection: Connection, request: Request) -> tuple[str, str] | None:
    """The pod's name and uid; raises `Refused` when there is none, or it has another ServiceAccount."""
    if not request.pod:
        return None
    body = connection.kube.one("pods", request.namespace, request.pod)
    if body is None:
        pods = map(kinds.pod, connection.kube.pods(request.namespace))
        names_used = [pod.name for pod in pods if pod.service_account == request.name]
        raise Refused(
            f"there is no pod {request.namespace}/{request.pod}",
            reason=f"pods that use {request.name}: {', '.join(names_used[:10]) or 'none'}",
        )
    used = body["spec"].get("serviceAccountName") or "default"
    if used != request.name:
        raise Refused(
            f"pod {request.namespace}/{request.pod} does not use {request.name}",
            reason=f"its ServiceAccount is {used}",
        )
    return request.pod, str(body["metadata"]["uid"])


def _many(verifier: Verifier, request: Request) -> tuple[int, tuple[verification.Verification, ...]]:
    with ThreadPoolExecutor(1) as pool:
        listing = pool.submit(
            verifier.connection.kube.service_accounts, request.namespace or None, request.selector
        )
        if request.namespace:
            check_namespace(verifier.connection, request.namespace)
        accounts = tuple(map(service_accounts.service_account, listing.result()))
    listed = verifier.reads.associations().result()
    associations = {} if isinstance(listed, Unreadable) else listed
    with_role: list[ServiceAccount] = []
    for account in accounts:
        has_association = (account.namespace, account.name) in associations
        if has_association or ROLE_ARN_ANNOTATION in account.annotations:
            with_role.append(account)
    count = Count("ServiceAccounts", len(with_role))

    def verify_one(account: ServiceAccount) -> verification.Verification:
        names = (account.namespace, account.name)
        injection = Injection.read(account.annotations)
        association = None
        try:
            if not injection.annotated:
                injection, association = NamedServiceAccount(verifier.connection, *names).given(injection)
            role_arn(injection.role_arn)
            result = verifier.verify(*names, injection, association)
        except IrsaError as error:
            wrong = error
            if isinstance(error, InvalidInput):
                wrong = Refused(f"the annotation {ROLE_ARN_ANNOTATION} is invalid", reason=str(error))
            result = verification.Verification(*names, injection.role_arn, injection.audience, error=wrong)
        count.one()
        return result

    with ThreadPoolExecutor(WORKERS) as pool:
        return len(accounts), tuple(pool.map(verify_one, with_role))


@dataclass(frozen=True)
class Verifier:
    """Verifies ServiceAccounts of one cluster; what they share is read once. Thread-safe."""

    connection: Connection
    reads: Reads
    wanted: Wanted
    options: str = ""
    """The options by which `irsa doctor` looks at the same."""
    many: bool = False

    def verify(
        self, namespace: str, name: str, injection: Injection, association: Association | None = None
    ) -> verification.Verification:
        """Go through the steps for a ServiceAccount; `association` is its own if it has no annotation."""
        started = monotonic()
        reads = self.reads
        cluster = self.connection.cluster
        audience = self.wanted.audience or injection.audience
        arn = injection.role_arn
        reach = reach_of(self.connection.target)
        subject = names.subject(namespace, name)
        account = role_arn(arn).account
        role = reads.role(arn)
        self._begin(arn, namespace, name)
        answer = attempt(
            lambda: self.connection.kube.token_request(namespace, name, audience, pod=self.wanted.pod)
        )
        exchanged = attempt(lambda: self._exchange(arn, answer, association))
        after, permissions = self._after(arn, exchanged, self._target(arn, injection))
        pod, _ = self.wanted.pod or ("", "")
        regional = injection.regional_sts
        identity = steps.identity_of(cluster, arn, subject, audience, answer, regional_sts=regional)
        shared = self._association(namespace, name) if association is None else None
        if association is None:
            trusted = iam_steps.trust(role, arn, identity)
            endpoint = self.connection.aws.unsigned_sts().meta.endpoint_url
            sent = f"AssumeRoleWithWebIdentity {arn} at {endpoint}, session {SESSION_NAME}"
            at_aws: Iterable[VerificationStep] = (
                iam_steps.provider(reads.provider(account), cluster, account, audience, reach),
                trusted,
                steps.exchange(exchanged, sent, SESSION_NAME, trusted),
            )
        else:
            at_aws = self._by_association(association, namespace, name, exchanged)
        steps_made = (
            steps.token(answer, account=f"{namespace}/{name}", audience=audience, pod=pod),
            steps.claims(answer, cluster, subject, audience, reads.public_keys(), reads.cluster_keys()),
            *at_aws,
            *after,
            *steps.completeness(
                role, arn, reach, subject, annotated=injection.by_irsa or association is not None
            ),
            *steps.pods(shared, arn, cluster),
        )
        return verification.agreed(
            verification.Verification(
                namespace,
                name,
                arn,
                audience,
                steps_made,
                tuple(permissions),
                (*_notes(cluster, injection), *steps.of_pod_identity(shared, arn)),
                warnings=steps.wide(role, arn, identity),
                seconds=monotonic() - started,
                look=" ".join(filter(None, ("irsa doctor", name, "-n", namespace, self.options))),
            )
        )

    def _by_association(
        self, association: Association, namespace: str, name: str, exchanged: Any
    ) -> Iterator[VerificationStep]:
        first = self.reads.role(association.role_arn)
        bound = bool(self.wanted.pod)
        account = NamedServiceAccount(self.connection, namespace, name)
        yield from steps.at_aws(first, exchanged, association, self.connection.cluster, account, bound=bound)
        yield from steps.missing_agent(read(lambda: runs_agent(self.connection)))

    def _target(self, arn: str, injection: Injection) -> Link | UnreadableNote | None:
        try:
            chain = chain_of_notes(arn, injection.notes)
        except UnreadableNote as error:
            return error
        return None if chain is None else Link.read(self.connection, chain)

    def _begin(self, arn: str, namespace: str, name: str) -> None:
        """Start the reads that need no token; they run while it is asked for."""
        self.reads.provider(role_arn(arn).account)
        self._simulations(arn)
        if self.many:  # Of many ServiceAccounts the associations are listed once.
            self.reads.associations()
        else:
            self.reads.association(namespace, name)

    def _association(self, namespace: str, name: str) -> Association | Unreadable | None:
        if self.many:
            listed = self.reads.associations().result()
            if not isinstance(listed, dict):
                return listed
            if (namespace, name) not in listed:
                return None
        return self.reads.association(namespace, name).result()

    def _simulations(self, arn: str) -> Future[list[Simulated]] | None:
        request = self.wanted
        if not request.actions:
            return None
        last = request.chain[-1] if request.chain else arn
        return self.reads.simulations(last, request.actions, request.resources, federated=not request.chain)

    def _exchange(
        self, arn: str, answer: TokenAnswer | IrsaError, association: Association | None
    ) -> Exchange:
        if isinstance(answer, IrsaError):
            raise IrsaError("there is no token")
        if association is not None:
            return exchange_for_pod(self.connection.aws, self.connection.cluster.name, answer.token)
        return exchange_once(self.connection.aws, arn, answer.token)

    def _after(
        self, arn: str, exchanged: Exchange | IrsaError, target: Link | UnreadableNote | None
    ) -> tuple[list[VerificationStep], list[verification.Permission]]:
        """Use the credentials: ask for their identity, assume further roles, call AWS."""
        aws = self.connection.aws
        calls = self.wanted.calls
        first = exchanged if isinstance(exchanged, IrsaError) else exchanged.credentials
        with ThreadPoolExecutor(WORKERS) as pool:
            whose = pool.submit(attempt, lambda: identity(aws.client_of("sts", _held(first))))
            links, last = self._chain(first, target)
            answers = pool.map(lambda call: attempt(lambda: make_call(aws, _held(last), call)), calls)
        permissions: list[verification.Permission] = []
        simulations = self._simulations(arn)
        if simulations is not None:
            permissions += steps.simulated(attempt(simulations.result), self.wanted.actions)
        permissions += [steps.called(call, answer) for call, answer in zip(calls, answers, strict=True)]
        session = SESSION_NAME if isinstance(exchanged, IrsaError) else exchanged.role_session
        return [steps.whose(whose.result(), arn, session.rsplit("/", 1)[-1]), *links], permissions

    def _chain(
        self, current: RoleCredentials | IrsaError, target: Link | UnreadableNote | None
    ) -> tuple[list[VerificationStep], RoleCredentials | IrsaError]:
        """Become the roles of the chain, each with the credentials of the one before."""
        links: list[VerificationStep] = []
        if isinstance(target, UnreadableNote):
            current = target
            links.append(steps.unreadable_step(target))
        elif target is not None:
            current = attempt(lambda held=current: assume_target(self.connection, _held(held), target.chain))  # type: ignore[misc]
            links.append(steps.link(target, current))
        for arn in self.wanted.chain:
            current = attempt(partial(self._assumed, current, arn))
            session = current if isinstance(current, IrsaError) else current.role_session
            links.append(steps.chained(session, arn))
        return links, current

    def _assumed(self, held: RoleCredentials | IrsaError, arn: str) -> RoleCredentials:
        return assume(self.connection.aws.client_of("sts", _held(held)), arn)


def _held(credentials: RoleCredentials | IrsaError) -> RoleCredentials:
    if isinstance(credentials, IrsaError):
        raise IrsaError("there are no credentials")
    return credentials


def _notes(cluster: Cluster, injection: Injection) -> Iterator[str]:
    account = role_arn(injection.role_arn).account
    if account != cluster.account:
        yield f"the role is in account {account}, the cluster in {cluster.account}"
    if not injection.regional_sts:
        yield "pods use the global STS endpoint; irsa used the regional one"
