"""The proof of `--verify`: the token exchange, repeated until IAM has propagated a change; or why it fails.

The steps of IAM are the provider, the role's trust policy, and the link from the role to its target role.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from irsa_cli.aws import bindings, iam
from irsa_cli.aws.recent_writes import recent_writes
from irsa_cli.aws.sts import Exchange, assume, exchange
from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.binding.targets import TargetRole
from irsa_cli.core.objects.aws import RoleCredentials
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.plan.states import DocumentState, ProviderState
from irsa_cli.core.policies.web_identity import REQUESTED_REGION, WebIdentity, region_called
from irsa_cli.core.results.steps import Check, Name, StepStatus, VerificationStep
from irsa_cli.core.trust.chain import POLICY_NAME, Chain, answer_of, target_of
from irsa_cli.core.trust.evaluation import Answer, explain
from irsa_cli.core.values import limits
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE, iam_arn, provider_arn, role_arn
from irsa_cli.core.values.cluster import Cluster, Reach
from irsa_cli.core.values.errors import IrsaError, ServiceError, Unreadable, Unverified
from irsa_cli.core.values.shown import visible
from irsa_cli.transaction.protocol import Event, Listener, Step
from irsa_cli.usecases.command.caller import reach_of
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.read.observe import read_target

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient


T = TypeVar("T")
PROPAGATION_SECONDS = 90.0
"""For how long STS may refuse what IAM has confirmed; measured in public reports at 2 to 60 seconds."""
OK = StepStatus.OK
FAILED = StepStatus.FAILED
NOT_CHECKED = StepStatus.NOT_CHECKED
STATUS = {Answer.YES: StepStatus.OK, Answer.NO: StepStatus.FAILED, Answer.UNKNOWN: StepStatus.NOT_CHECKED}


def step(name: Name, sent: str, *checks: Check, advice: tuple[str, ...] = ()) -> VerificationStep:
    return VerificationStep(name, sent, checks, advice)


def attempt(act: Callable[[], T]) -> T | IrsaError:
    """The result of `act`, or the error that it raises, as a value."""
    try:
        return act()
    except IrsaError as error:
        return error


def open_check(name: str, error: IrsaError, *, needed: bool = True) -> Check:
    """A check that was not possible, with the reason in the service's words."""
    why = error.reason or error.message
    if isinstance(error, ServiceError) and error.status in (401, 403) and error.details:
        why = f"{error.details[0]} ({why})"
    return Check(name, NOT_CHECKED, f"not checked: {why}", needed)


def provider(
    reading: Future[ProviderState | None], cluster: Cluster, account: str, audience: str, reach: Reach
) -> VerificationStep:
    """Whether IAM in the role's account knows the issuer, for this audience."""
    arn = provider_arn(cluster.partition, account, cluster.issuer)
    sent = f"GetOpenIDConnectProvider {arn}"
    state = attempt(reading.result)
    at_home = account == cluster.home
    if isinstance(state, IrsaError):
        return step(Name.PROVIDER, sent, open_check("provider", state))
    at_role = f"  # in account {account}, where the role is"
    if state is None:
        text = f"account {account} has no OIDC provider for {cluster.issuer}"
        command = f"aws iam create-open-id-connect-provider --url {shlex.quote(cluster.issuer)}"
        command += f" --client-id-list {shlex.quote(audience)}{at_role}"
        advice = reach.for_irsa("associate-oidc") if at_home else command
        return step(Name.PROVIDER, sent, Check("provider", FAILED, text), advice=(advice,))
    exists = Check("provider", OK, f"account {account} has a provider for {state.url}")
    accepted = ", ".join(state.audiences) or "nothing"
    if audience in state.audiences:
        return step(Name.PROVIDER, sent, exists, Check("audiences", OK, f"it accepts {accepted}"))
    wrong = Check("audiences", FAILED, f"it accepts {accepted}, but not {audience}")
    command = "aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn"
    command += f" {shlex.quote(arn)} --client-id {shlex.quote(audience)}{at_role}"
    advice = reach.for_irsa("associate-oidc", f"--audience {shlex.quote(audience)}") if at_home else command
    if audience != DEFAULT_AUDIENCE:  # Many may write an annotation.
        advice = f"# only if tokens for {visible(audience)} are meant for AWS: {advice}"
    return step(Name.PROVIDER, sent, exists, wrong, advice=(advice,))


def role_read(reading: Future[Role | None], arn: str, sent: str) -> Role | VerificationStep:
    """The role, or the step that says why its trust policy can't be judged."""
    state = attempt(reading.result)
    if isinstance(state, IrsaError):
        return step(Name.TRUST, sent, open_check("trust policy", state))
    return state or step(Name.TRUST, sent, Check("role", FAILED, f"role {arn} does not exist"))


def trust(reading: Future[Role | None], arn: str, identity: WebIdentity) -> VerificationStep:
    """The statement that allows the token, else the first failure of each."""
    parsed = role_arn(arn)
    sent = f"GetRole {parsed.name}, its trust policy evaluated for {identity.subject}"
    state = role_read(reading, arn, sent)
    if isinstance(state, VerificationStep):
        return state
    real = iam_arn(parsed.partition, parsed.account, f"role{state.path}{parsed.name}")
    if real != arn:
        text = f"role {arn} does not exist; the ARN of role {parsed.name} is {real}"
        return step(Name.TRUST, sent, Check("role", FAILED, text))
    explanation = explain(state.trust, identity, now=datetime.now(timezone.utc))
    lines = (Check("trust policy", STATUS[explanation.answer], line) for line in explanation.text)
    return VerificationStep(
        Name.TRUST, sent, (Check("role", OK, "it exists"), *lines), statements=explanation.verdicts
    )


_TAGS = {"irsa": "verify"}
"""A session tag, for a role that needs sts:TagSession."""


@dataclass(frozen=True)
class Link:
    """The policies that decide if a role can assume its target."""

    chain: Chain
    role: Role | Unreadable | None
    target: TargetRole

    @classmethod
    def read(cls, connection: Connection, chain: Chain) -> Link:
        """Read both sides at the same time; what can't be read is said, and nothing is raised."""
        with ThreadPoolExecutor(2) as pool:
            role = pool.submit(_role, connection, chain.role_arn)
            target = pool.submit(_target, connection, chain.target_arn)
        state = role.result()
        own = state.policy_documents if isinstance(state, Role) else {}
        own = {} if isinstance(own, Unreadable) else own
        target_arn, tags = target_of(own.get(POLICY_NAME, {}))
        chain = replace(chain, tag_session=tags) if target_arn == chain.target_arn else chain
        return cls(chain, state, target.result())

    def checks(self) -> tuple[Check, ...]:
        """How the policies of both sides decide; if one is unreadable, only STS decides."""
        return (*self._permission(), *self._trust())

    def _permission(self) -> tuple[Check, ...]:
        role = self.role
        if role is None:
            return (Check("permission", FAILED, f"role {self.chain.role_arn} does not exist"),)
        policies = role if isinstance(role, Unreadable) else role.policy_documents
        if isinstance(role, Unreadable) or isinstance(policies, Unreadable):
            why = role.why if isinstance(role, Unreadable) else policies.why  # type: ignore[union-attr]
            return (Check("permission", NOT_CHECKED, f"not checked: {why}", needed=False),)
        boundary = None if isinstance(role.boundary_policy, Unreadable) else role.boundary_policy
        verdicts = self.chain.allowed(policies, boundary=boundary, has_boundary=bool(role.boundary))
        return tuple(
            Check("permission", STATUS[verdict.answer], verdict.why, needed=False) for verdict in verdicts
        )

    def _trust(self) -> tuple[Check, ...]:
        target = self.target
        arn = self.chain.target_arn
        if isinstance(target, Unreadable):
            return (Check("trust policy", NOT_CHECKED, f"not checked: {target.why}", needed=False),)
        if target is None:
            return (Check("role", FAILED, f"role {arn} does not exist"),)
        verdicts = self.chain.judge(target.trust)
        status = STATUS[answer_of(verdicts)]
        why = "; ".join(f"{verdict.action}: {verdict.why}" for verdict in verdicts if verdict.why)
        text = f"the trust policy of {arn} allows the role" if status is OK else why
        return (Check("trust policy", status, text, needed=False),)


def assume_target(
    connection: Connection,
    credentials: RoleCredentials,
    chain: Chain,
    wait: Callable[[ServiceError], bool] = lambda error: False,
) -> RoleCredentials:
    """Assume the target with the role's credentials; raises `ServiceError` if STS rejects it for good.

    After a rejection that may be due to IAM's propagation, `wait` decides whether to try again.
    """
    sts = connection.aws.client_of("sts", credentials)
    tags = _TAGS if chain.tag_session else {}
    while True:
        try:
            return assume(sts, chain.target_arn, external_id=chain.external_id, tags=tags)
        except ServiceError as error:
            if (error.code == "AccessDenied" or error.transient) and wait(error):
                continue
            raise


def _role(connection: Connection, arn: str) -> Role | Unreadable | None:
    account = role_arn(arn).account
    name = role_arn(arn).name
    session = connection.session_of(account)
    if session is None:
        return Unreadable(f"irsa has no credentials for account {account}")
    answer = attempt(lambda: bindings.whole_role(session.client("iam"), name))
    return Unreadable(answer.reason or answer.message) if isinstance(answer, IrsaError) else answer


def _target(connection: Connection, arn: str) -> TargetRole:
    answer = attempt(lambda: read_target(connection, arn))
    return Unreadable(answer.reason or answer.message) if isinstance(answer, IrsaError) else answer


def verify(
    connection: Connection,
    desired: DesiredState,
    *,
    seconds: float,
    pause: Callable[[float], None],
    listen: Listener,
    plan: Iterable[Change] = (),
) -> dict[str, Any]:
    """Exchange a token of the ServiceAccount for the role's credentials, and discard them.

    Retries for at most `seconds`. If the trust policy that `plan` replaced also allows the token, repeat the
    exchange after STS stops using it. Raises `Unverified`, with the explanation of the trust policy.
    """
    most = min(seconds, PROPAGATION_SECONDS)
    started = monotonic()
    until = started + most
    wait = iter([0.5, 1.0, 2.0, 3.0] + [5.0] * 100)  # Quick at first, then every five seconds.

    def again(error: ServiceError) -> bool:
        step = next(wait)
        if monotonic() + step > until:
            return False
        so_far = f"{monotonic() - started:.0f} s of {most:.0f} s"
        listen(Event(Step.WAITING, text=f"for STS to accept the token, {so_far} (STS: {error.code})"))
        pause(step)
        return True

    settled: dict[str, Any] = {}
    try:
        accepted = _exchanged(connection, desired, again)
        if _may_be_former(desired, plan):
            honoured = limits.honoured_seconds()
            settled = {"newTrust": most > honoured}
            if most > honoured:
                listen(
                    Event(Step.WAITING, text=f"{honoured:.0f} s: STS may still use the previous trust policy")
                )
                pause(max(0.0, honoured - (monotonic() - started)))
                accepted = _exchanged(connection, desired, again)
    except ServiceError as error:
        text = f"STS rejected the token of {desired.namespace}/{desired.name} for {desired.role_arn}"
        raise _unverified(text, error, _explained(connection, desired, error)) from error
    target = {} if desired.chain is None else _prove_target(connection, desired.chain, accepted, again)
    return {**_facts(accepted), **settled, **target}


def _facts(accepted: Exchange) -> dict[str, Any]:
    return {
        "subject": accepted.subject,
        "audience": accepted.audience,
        "provider": accepted.provider,
        "roleSession": accepted.role_session,
        "endpoint": accepted.endpoint,
    }


def _exchanged(
    connection: Connection, desired: DesiredState, again: Callable[[ServiceError], bool]
) -> Exchange:
    created = recent_writes(connection.iam).created_role(desired.role_name)
    token = partial(connection.kube.token, desired.namespace, desired.name, desired.audience)
    return exchange(connection.aws, desired.role_arn, token, again, role_id=created)


def _may_be_former(desired: DesiredState, plan: Iterable[Change]) -> bool:
    """Whether STS may accept the token by the trust policy as it was before the plan."""
    trusts = (change for change in plan if change.kind.traits.changes_trust)
    states = [change.before for change in trusts if desired.role_name in change.target]
    written = [state.document for state in states if isinstance(state, DocumentState)]
    documents = [{"Statement": [change]} if "Effect" in change else change for change in written]
    return any(explain(change, desired.identity).answer is not Answer.NO for change in documents)


def _prove_target(
    connection: Connection, chain: Chain, accepted: Exchange, again: Callable[[ServiceError], bool]
) -> dict[str, Any]:
    """Go on to the target with the role's credentials; raises `Unverified` with what keeps it out."""
    try:
        return {"targetSession": assume_target(connection, accepted.credentials, chain, again).role_session}
    except ServiceError as error:
        checks = Link.read(connection, chain).checks()
        failures = (f"{check.what}: {check.text}" for check in checks if check.status is not StepStatus.OK)
        raise _unverified(f"{chain.role_arn} cannot assume {chain.target_arn}", error, failures) from error


def _unverified(text: str, error: ServiceError, failures: Iterable[str]) -> Unverified:
    reason = f"{error.message}: {error.reason}"
    return Unverified(text, reason=reason, details=(*error.details, *failures), code=error.code)


def _explained(connection: Connection, desired: DesiredState, error: ServiceError) -> Iterator[str]:
    if error.service != "sts":
        return
    cluster = connection.cluster
    account = desired.role_account
    identity = replace(
        desired.identity, request={REQUESTED_REGION: region_called(cluster.region, regional=True)}
    )

    def client() -> IAMClient:
        session = connection.session_of(account)
        if session is None:
            raise IrsaError(f"irsa cannot read account {account}", reason="irsa has no credentials for it")
        return session.client("iam")

    arn = desired.identity.provider_arn
    name = desired.role_name
    with ThreadPoolExecutor(2) as pool:
        known = pool.submit(lambda: iam.provider(client(), arn))
        role = pool.submit(lambda: iam.read_role(client(), name))
        checks = [
            provider(known, cluster, account, desired.audience, reach_of(connection.target)),
            trust(role, desired.role_arn, identity),
        ]
    for step in checks:
        yield from (f"{step.name.value}: {c.text}" for c in step.checks if c.status is not StepStatus.OK)
    if all(step.status is StepStatus.OK for step in checks):
        yield "trust: the current provider and trust policy allow the token"
