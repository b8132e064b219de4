"""`irsa verify`: proves that ServiceAccounts can use their roles, or says what keeps them from it.

One ServiceAccount goes through its steps in `irsa_cli.usecases.verification.verifier`. Also here: the gate of
`create-sa --verify`, which tries the decisive step until IAM has spread what is new.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TYPE_CHECKING, Any

from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.objects.injection import Injection
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION, DocumentState
from irsa_cli.core.results.verification import StepStatus, Verification, VerificationReport
from irsa_cli.core.trust.chaining.chain import Chain
from irsa_cli.core.trust.evaluation import Answer, explain
from irsa_cli.core.values import limits, names
from irsa_cli.core.values.arn import role_arn
from irsa_cli.core.values.doing import Count
from irsa_cli.core.values.errors import InvalidInput, IrsaError, Refused, ServiceError, Unverified
from irsa_cli.transaction.events import Event, Listener, Step
from irsa_cli.usecases.command.caller import naming_caller
from irsa_cli.usecases.command.connect import Connection, Target, WireLog, connect
from irsa_cli.usecases.command.namespaces import check_namespace
from irsa_cli.usecases.command.pasting import pasted_options, reach_of
from irsa_cli.usecases.read.bindings import naming_roles
from irsa_cli.usecases.read.identity import NamedServiceAccount
from irsa_cli.usecases.read.reads import WORKERS, Reads
from irsa_cli.usecases.verification import steps
from irsa_cli.usecases.verification.chain import Link, assume_target
from irsa_cli.usecases.verification.verifier import Verifier, Wanted

if TYPE_CHECKING:
    from irsa_cli.aws.sts import Exchange
    from irsa_cli.kube.client import Json

PROPAGATION_SECONDS = 90.0
"""For how long STS may refuse what IAM has confirmed; measured in public reports at 2 to 60 seconds."""


@dataclass(frozen=True)
class Request:
    """What the user asked for. Without `name` it is every annotated ServiceAccount, of `namespace` or of all.

    `selector` is a label selector, for many.

    `pod` is the name of a pod that the token is to be bound to; `readers` are roles by which the IAM of other
    accounts is read.
    """

    target: Target
    namespace: str = ""
    name: str = ""
    pod: str = ""
    wanted: Wanted = field(default_factory=Wanted)
    readers: tuple[str, ...] = ()
    selector: str = ""


def verify_accounts(request: Request, log: WireLog, note: Callable[[str], None]) -> VerificationReport:
    """Verify one ServiceAccount or many; raises `IrsaError` when the cluster can't be reached.

    What keeps it from beginning after that is the report's error.
    """
    started = monotonic()
    connection = connect(request.target, kube=True, log=log, check=lambda aws: None)
    cluster = connection.cluster
    connection.announce(note)
    many = not request.name
    try:
        with naming_caller(connection.caller), Reads(connection, request.readers) as reads:
            reads.begin()
            options = looking_options(request)
            verifier = Verifier(connection, reads, request.wanted, options, many)
            items = _many(verifier, request) if many else (_one(verifier, request),)
    except IrsaError as error:
        return VerificationReport(cluster, many=many, error=error)
    where = f"-n {request.namespace}" if request.namespace else ""
    look = " ".join(filter(None, ("irsa doctor", where, options))) if many else items[0].look
    return VerificationReport(cluster, items, many=many, seconds=monotonic() - started, look=look)


def looking_options(request: Request) -> str:
    """The options by which `irsa doctor` looks at the same cluster, and into the same accounts."""
    readers = (f"--iam-assume-role {shlex.quote(arn)}" for arn in request.readers)
    return " ".join((pasted_options(request.target), *readers))


def _one(verifier: Verifier, request: Request) -> Verification:
    account = NamedServiceAccount(verifier.connection, request.namespace, request.name)
    with ThreadPoolExecutor(1) as pool:
        pod = pool.submit(_pod, verifier.connection, request)
        try:
            injection = account.settings_with_role()
        except Refused as error:
            raise naming_roles(error, verifier.connection, request.namespace, request.name) from error
    wanted = replace(verifier.wanted, pod=pod.result())
    return replace(verifier, wanted=wanted).verify(request.namespace, request.name, injection)


def _pod(connection: Connection, request: Request) -> tuple[str, str] | None:
    """The pod's name and uid; raises `Refused` when there is none, or it has another ServiceAccount."""
    if not request.pod:
        return None
    found = connection.kube.pod(request.namespace, request.pod)
    if found is None:
        raise Refused(f"there is no pod {request.namespace}/{request.pod}")
    used = found["spec"].get("serviceAccountName") or "default"
    if used != request.name:
        raise Refused(
            f"pod {request.namespace}/{request.pod} does not use {request.name}",
            reason=f"its ServiceAccount is {used}",
        )
    return request.pod, str(found["metadata"]["uid"])


def _many(verifier: Verifier, request: Request) -> tuple[Verification, ...]:
    with ThreadPoolExecutor(1) as pool:
        listing = pool.submit(
            verifier.connection.kube.service_accounts, request.namespace or None, request.selector
        )
        if request.namespace:
            check_namespace(verifier.connection, request.namespace)
        accounts = listing.result()
    annotated = [item for item in accounts if ROLE_ARN_ANNOTATION in _annotations(item)]
    count = Count("ServiceAccounts", len(annotated))

    def one(item: Json) -> Verification:
        found = _of_list(verifier, item)
        count.one()
        return found

    with ThreadPoolExecutor(WORKERS) as pool:
        return tuple(pool.map(one, annotated))


def _annotations(item: Json) -> dict[str, str]:
    found: dict[str, str] = item["metadata"].get("annotations") or {}
    return found


def _of_list(verifier: Verifier, item: Json) -> Verification:
    """One of many: an error of its own does not end the others."""
    namespace, name = item["metadata"]["namespace"], item["metadata"]["name"]
    injection = Injection.read(_annotations(item))
    try:
        role_arn(injection.role_arn)
        return verifier.verify(namespace, name, injection)
    except InvalidInput as error:
        wrong = Refused(f"the annotation {ROLE_ARN_ANNOTATION} can't be right", reason=str(error))
        return Verification(namespace, name, injection.role_arn, injection.audience, error=wrong)
    except IrsaError as error:
        return Verification(namespace, name, injection.role_arn, injection.audience, error=error)


def verify(
    connection: Connection,
    desired: DesiredState,
    *,
    seconds: float,
    pause: Callable[[float], None],
    listen: Listener,
    plan: Iterable[Change] = (),
) -> dict[str, Any]:
    """Exchange a token of the ServiceAccount for the role's credentials, and throw them away.

    Waits out IAM's propagation for at most `seconds`. If the trust policy that `plan` has replaced admits the
    token, too, it is exchanged again after the time for which STS honours that. Raises `Unverified` when STS
    refuses until then, with what the role's trust policy says to the token.
    """
    most = min(seconds, PROPAGATION_SECONDS)
    started = monotonic()
    until = started + most
    wait = iter(_waits())

    def again(error: ServiceError) -> bool:
        step = next(wait)
        if monotonic() + step > until:
            return False
        so_far = f"{monotonic() - started:.0f} s of {most:.0f} s"
        listen(Event(Step.WAITING, text=f"for IAM to show the role, {so_far} (STS says {error.code})"))
        pause(step)
        return True

    settled: dict[str, Any] = {}
    try:
        accepted = _exchanged(connection, desired, again)
        if _may_be_former(desired, plan):
            honoured = limits.honoured_seconds()
            settled = {"newTrust": most > honoured}
            if most > honoured:
                listen(Event(Step.WAITING, text=f"{honoured:.0f} s: STS may honour the former trust policy"))
                pause(max(0.0, honoured - (monotonic() - started)))
                accepted = _exchanged(connection, desired, again)
    except ServiceError as error:
        raise Unverified(
            f"the token of {desired.namespace}/{desired.name} was not accepted for {desired.role_arn}",
            reason=f"{error.message}: {error.reason}",
            details=(*error.details, *_explained(connection, desired, error)),
            code=error.code,
        ) from error
    target = {} if desired.chain is None else _prove_target(connection, desired.chain, accepted, again)
    return {**_facts(accepted), **settled, **target}


def _exchanged(
    connection: Connection, desired: DesiredState, again: Callable[[ServiceError], bool]
) -> Exchange:
    """The exchange of a token for the role; for the one of that name that this run created, if it did."""
    from irsa_cli.aws.recent_writes import recent_writes
    from irsa_cli.aws.sts import exchange

    def token() -> str:
        return connection.kube.token(desired.namespace, desired.name, desired.audience)

    created = recent_writes(connection.iam).created_role(desired.role_name)
    return exchange(connection.aws, desired.role_arn, token, again, role_id=created)


def _facts(accepted: Exchange) -> dict[str, Any]:
    return {
        "subject": accepted.subject,
        "audience": accepted.audience,
        "provider": accepted.provider,
        "roleSession": accepted.role_session,
        "endpoint": accepted.endpoint,
    }


def _may_be_former(desired: DesiredState, plan: Iterable[Change]) -> bool:
    """Whether STS may accept the token by the trust policy as it was before the plan."""
    trusts = (item for item in plan if item.kind.traits.changes_trust)
    found = [item.before for item in trusts if desired.role_name in item.target]
    said = [state.document for state in found if isinstance(state, DocumentState)]
    documents = [{"Statement": [item]} if "Effect" in item else item for item in said]
    return any(explain(item, desired.identity).answer is not Answer.NO for item in documents)


def _prove_target(
    connection: Connection, chain: Chain, accepted: Exchange, again: Callable[[ServiceError], bool]
) -> dict[str, Any]:
    """Go on to the target with the role's credentials; raises `Unverified` with what keeps it out."""
    try:
        return {"targetSession": assume_target(connection, accepted.credentials, chain, again).role_session}
    except ServiceError as error:
        found = Link.read(connection, chain).checks()
        raise Unverified(
            f"{chain.role_arn} may not go on to {chain.target_arn}",
            reason=f"{error.message}: {error.reason}",
            details=(
                *error.details,
                *(f"{check.what}: {check.text}" for check in found if check.status is not StepStatus.OK),
            ),
            code=error.code,
        ) from error


def _explained(connection: Connection, desired: DesiredState, error: ServiceError) -> Iterator[str]:
    """What the provider and the trust policy, as they are now, say to a token that STS refused."""
    if error.service != "sts":
        return
    cluster, arn = connection.cluster, desired.role_arn
    nothing = IrsaError("the token is not checked again")
    identity = steps.identity_of(
        cluster, arn, names.subject(desired.namespace, desired.name), desired.audience, nothing
    )
    account = role_arn(arn).account
    with Reads(connection) as reads:
        provider, role = reads.provider(account), reads.role(arn)
        found = [
            steps.provider(provider, cluster, account, desired.audience, reach_of(connection.target)),
            steps.trust(role, arn, identity),
        ]
    for step in found:
        yield from (f"{step.name.value}: {c.text}" for c in step.checks if c.status is not StepStatus.OK)
    if all(step.status is StepStatus.OK for step in found):
        yield "trust: by provider and trust policy, as they are read now, STS should accept it"


def _waits() -> list[float]:
    """Seconds between tries: quick at first, then every five."""
    return [0.5, 1.0, 2.0, 3.0] + [5.0] * 100
