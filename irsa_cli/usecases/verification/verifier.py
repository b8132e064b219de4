"""One ServiceAccount through all steps, in few round trips: what waits for nothing runs at once.

What each step's outcome means is in `irsa_cli.usecases.verification.steps`, what is read in
`irsa_cli.usecases.read.reads`; which ServiceAccounts are taken is `irsa_cli.usecases.verification.verify`'s
business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from irsa_cli.core.objects.credentials import RoleCredentials
from irsa_cli.core.objects.injection import Injection
from irsa_cli.core.plan.rules import UnreadableNote
from irsa_cli.core.results.verification import Permission, Verification, VerificationStep, agreed
from irsa_cli.core.trust.chain import chain_of_notes
from irsa_cli.core.values import names
from irsa_cli.core.values.arn import role_arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import IrsaError
from irsa_cli.usecases.command.pasting import reach_of
from irsa_cli.usecases.read.reads import WORKERS, Reads
from irsa_cli.usecases.verification import iam_steps, steps
from irsa_cli.usecases.verification.chain import Link, assume_target, unreadable_step

if TYPE_CHECKING:
    from irsa_cli.aws.permissions.calls import ReadCall
    from irsa_cli.aws.permissions.simulation import Simulated
    from irsa_cli.aws.sts import Exchange
    from irsa_cli.core.objects.aws import Association
    from irsa_cli.core.objects.unreadable import Unreadable
    from irsa_cli.kube.client import TokenAnswer
    from irsa_cli.usecases.command.connect import Connection

T = TypeVar("T")


@dataclass(frozen=True)
class Wanted:
    """What is to be verified beyond the six steps.

    `audience` in place of the annotation's; `pod` is the name and uid of the pod that the token is bound to.
    `chain` are roles to become one after the other with the credentials.
    """

    audience: str = ""
    pod: tuple[str, str] | None = None
    actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    calls: tuple[ReadCall, ...] = ()
    chain: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        *,
        audience: str,
        actions: Iterable[str],
        resources: Iterable[str],
        calls: Iterable[str],
        chain: tuple[str, ...],
    ) -> Wanted:
        """What a user has written; raises `InvalidInput` for what AWS has not, or what must not be called."""
        from irsa_cli.aws.permissions import calls as real_calls
        from irsa_cli.aws.permissions import simulation

        return cls(
            audience=audience,
            actions=tuple(simulation.action(text) for text in actions),
            resources=tuple(simulation.resource(text) for text in resources),
            calls=tuple(real_calls.read_call(text) for text in calls),
            chain=chain,
        )


def attempt(work: Callable[[], T]) -> T | IrsaError:
    """What `work` returns, or the error that it raises, as a value."""
    try:
        return work()
    except IrsaError as error:
        return error


@dataclass(frozen=True)
class Verifier:
    """Verifies ServiceAccounts of one cluster; what they share is read once. Thread-safe."""

    connection: Connection
    reads: Reads
    wanted: Wanted
    options: str = ""
    """The options by which `irsa doctor` looks at the same."""
    many: bool = False

    def verify(self, namespace: str, name: str, injection: Injection) -> Verification:
        """Go through the steps for a ServiceAccount whose annotations name a role."""
        from irsa_cli.aws.sts import SESSION_NAME

        started, reach = monotonic(), reach_of(self.connection.target)
        audience, arn = self.wanted.audience or injection.audience, injection.role_arn
        cluster, subject = self.connection.cluster, names.subject(namespace, name)
        account = role_arn(arn).account
        self._begin(arn)
        self._begin_association(namespace, name)
        answer = attempt(lambda: self._token(namespace, name, audience))
        exchanged = attempt(lambda: self._exchange(arn, answer))
        after, permissions = self._after(arn, exchanged, self._target(arn, injection))
        pod = self.wanted.pod[0] if self.wanted.pod else ""
        identity = steps.identity_of(
            cluster, arn, subject, audience, answer, regional_sts=injection.regional_sts
        )
        others = self._association(namespace, name)
        trusted = iam_steps.trust(self.reads.role(arn), arn, identity)
        endpoint = self.connection.aws.unsigned_sts().meta.endpoint_url
        return agreed(
            Verification(
                namespace,
                name,
                arn,
                audience,
                (
                    steps.token(answer, account=f"{namespace}/{name}", audience=audience, pod=pod),
                    steps.claims(
                        answer,
                        cluster,
                        subject,
                        audience,
                        self.reads.public_keys(),
                        self.reads.cluster_keys(),
                    ),
                    iam_steps.provider(self.reads.provider(account), cluster, account, audience, reach),
                    trusted,
                    steps.exchange(exchanged, arn, endpoint, SESSION_NAME, trusted),
                    *after,
                    *steps.completeness(self.reads.role(arn), arn, reach, subject, told=injection.told),
                    *steps.pods(others, arn, cluster),
                ),
                tuple(permissions),
                (*_notes(cluster, injection), *steps.of_pod_identity(others, arn)),
                warnings=steps.wide(self.reads.role(arn), arn, identity),
                seconds=monotonic() - started,
                look=" ".join(filter(None, ("irsa doctor", name, "-n", namespace, self.options))),
            )
        )

    def _target(self, arn: str, injection: Injection) -> Link | UnreadableNote | None:
        """The link to the target that the ServiceAccount notes, None without one."""
        try:
            chain = chain_of_notes(arn, injection.notes)
        except UnreadableNote as error:
            return error
        return None if chain is None else Link.read(self.connection, chain)

    def _begin(self, arn: str) -> None:
        """Start all reads that need only the role's ARN; they run while the token is asked for."""
        self.reads.role(arn)
        self.reads.provider(role_arn(arn).account)
        self._simulations(arn)

    def _begin_association(self, namespace: str, name: str) -> None:
        """Of many ServiceAccounts the associations are listed once."""
        if self.many:
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
        wanted = self.wanted
        if not wanted.actions:
            return None
        last = wanted.chain[-1] if wanted.chain else arn
        return self.reads.simulations(last, wanted.actions, wanted.resources, federated=not wanted.chain)

    def _token(self, namespace: str, name: str, audience: str) -> TokenAnswer:
        return self.connection.kube.token_request(namespace, name, audience, pod=self.wanted.pod)

    def _exchange(self, arn: str, answer: TokenAnswer | IrsaError) -> Exchange:
        from irsa_cli.aws.sts import exchange_once

        if isinstance(answer, IrsaError):
            raise IrsaError("there is no token")
        return exchange_once(self.connection.aws, arn, answer.token)

    def _after(
        self, arn: str, exchanged: Exchange | IrsaError, target: Link | UnreadableNote | None
    ) -> tuple[list[VerificationStep], list[Permission]]:
        """What is done with the credentials: asking whose they are, becoming further roles, calling AWS."""
        simulations = self._simulations(arn)
        with ThreadPoolExecutor(WORKERS) as pool:
            whose = pool.submit(attempt, lambda: self._caller(exchanged))
            links, credentials = self._chain(exchanged, target)
            calls = [pool.submit(attempt, self._call(credentials, wanted)) for wanted in self.wanted.calls]
        from irsa_cli.aws.sts import SESSION_NAME

        permissions: list[Permission] = []
        if simulations is not None:
            permissions += steps.simulated(attempt(simulations.result), self.wanted.actions)
        permissions += [
            steps.called(wanted, call.result()) for wanted, call in zip(self.wanted.calls, calls, strict=True)
        ]
        return [steps.whose(whose.result(), arn, SESSION_NAME), *links], permissions

    def _caller(self, exchanged: Exchange | IrsaError) -> str:
        from irsa_cli.aws.sts import identity

        return identity(self.connection.aws.client_of("sts", _credentials(exchanged)))

    def _chain(
        self, exchanged: Exchange | IrsaError, target: Link | UnreadableNote | None
    ) -> tuple[list[VerificationStep], RoleCredentials | IrsaError]:
        """Become the roles of the chain, each with the credentials of the one before."""
        from irsa_cli.aws.sts import assume

        found: list[VerificationStep] = []
        current = attempt(lambda: _credentials(exchanged))
        if isinstance(target, UnreadableNote):
            current = target
            found.append(unreadable_step(target))
        elif target is not None:
            current = attempt(lambda held=current: self._become(held, target))  # type: ignore[misc]
            found.append(target.step(current))
        for arn in self.wanted.chain:
            current = attempt(lambda arn=arn, held=current: assume(self._sts(held), arn))  # type: ignore[misc]
            found.append(
                steps.chained(current if isinstance(current, IrsaError) else current.role_session, arn)
            )
        return found, current

    def _become(self, credentials: RoleCredentials | IrsaError, target: Link) -> RoleCredentials:
        if isinstance(credentials, IrsaError):
            raise IrsaError("there are no credentials")
        return assume_target(self.connection, credentials, target.chain)

    def _sts(self, credentials: RoleCredentials | IrsaError) -> Any:
        if isinstance(credentials, IrsaError):
            raise IrsaError("there are no credentials")
        return self.connection.aws.client_of("sts", credentials)

    def _call(self, credentials: RoleCredentials | IrsaError, wanted: ReadCall) -> Callable[[], str]:
        from irsa_cli.aws.permissions.calls import make_call

        def call() -> str:
            if isinstance(credentials, IrsaError):
                raise IrsaError("there are no credentials")
            return make_call(self.connection.aws, credentials, wanted)

        return call


def _credentials(exchanged: Exchange | IrsaError) -> RoleCredentials:
    if isinstance(exchanged, IrsaError):
        raise IrsaError("there are no credentials")
    return exchanged.credentials


def _notes(cluster: Cluster, injection: Injection) -> Iterator[str]:
    account = role_arn(injection.role_arn).account
    if account != cluster.account:
        yield f"the role is in account {account}, the cluster in {cluster.account}"
    if not injection.regional_sts:
        yield "pods are told to use the global STS endpoint, this asked the regional one"
