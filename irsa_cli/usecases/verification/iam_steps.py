"""The steps of IAM: the provider, the role's trust policy, and the link from the role to its target role."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, TypeVar

from irsa_cli.aws import bindings
from irsa_cli.aws.sts import assume
from irsa_cli.core.objects.aws import Role
from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.core.plan.rules import UnreadableNote
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.results.steps import Check, Name, StepStatus, VerificationStep
from irsa_cli.core.trust.chain import POLICY_NAME, Chain, FoundTarget, answer_of, target_of
from irsa_cli.core.trust.evaluation import Answer, explain
from irsa_cli.core.values.arn import iam_arn, role_arn
from irsa_cli.core.values.errors import IrsaError, ServiceError
from irsa_cli.core.values.issuer import DEFAULT_AUDIENCE, provider_arn
from irsa_cli.core.values.shown import visible
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.read.observe import read_target

if TYPE_CHECKING:
    from irsa_cli.core.objects.aws import RoleCredentials
    from irsa_cli.core.plan.states import ProviderState, RoleState
    from irsa_cli.core.values.cluster import Cluster, Reach


T = TypeVar("T")
OK, FAILED, NOT_CHECKED = StepStatus.OK, StepStatus.FAILED, StepStatus.NOT_CHECKED
STATUS = {Answer.YES: StepStatus.OK, Answer.NO: StepStatus.FAILED, Answer.UNKNOWN: StepStatus.NOT_CHECKED}


def step(name: Name, sent: str, *checks: Check, advice: tuple[str, ...] = ()) -> VerificationStep:
    return VerificationStep(name, sent, checks, advice)


def attempt(work: Callable[[], T]) -> T | IrsaError:
    """The result of `work`, or the error that it raises, as a value."""
    try:
        return work()
    except IrsaError as error:
        return error


def is_refused(result: object) -> bool:
    """Whether a service answered with a refusal that stays: no failure that may pass, and no silence."""
    return isinstance(result, ServiceError) and bool(result.status) and not result.transient


def open_check(what: str, error: IrsaError, *, needed: bool = True) -> Check:
    """A check that was not possible, with the reason in the service's words."""
    why = error.reason or error.message
    if isinstance(error, ServiceError) and error.status in (401, 403) and error.details:
        why = f"{error.details[0]} ({why})"
    return Check(what, NOT_CHECKED, f"not checked: {why}", needed)


def provider(
    found: Future[ProviderState | None], cluster: Cluster, account: str, audience: str, reach: Reach
) -> VerificationStep:
    """Whether IAM in the role's account knows the issuer, for this audience."""
    arn = provider_arn(cluster.partition, account, cluster.issuer)
    sent = f"GetOpenIDConnectProvider {arn}"
    state, at_home = attempt(found.result), account == cluster.home
    if isinstance(state, IrsaError):
        return step(Name.PROVIDER, sent, open_check("provider", state))
    there = f"  # in account {account}, where the role is"
    if state is None:
        text = f"account {account} has no OIDC provider for {cluster.issuer}"
        command = f"aws iam create-open-id-connect-provider --url {shlex.quote(cluster.issuer)}"
        command += f" --client-id-list {shlex.quote(audience)}{there}"
        advice = reach.for_irsa("associate-oidc") if at_home else command
        return step(Name.PROVIDER, sent, Check("provider", FAILED, text), advice=(advice,))
    exists = Check("provider", OK, f"account {account} has a provider for {state.url}")
    accepted = ", ".join(state.audiences) or "nothing"
    if audience in state.audiences:
        return step(Name.PROVIDER, sent, exists, Check("audiences", OK, f"it accepts {accepted}"))
    wrong = Check("audiences", FAILED, f"it accepts {accepted}, but not {audience}")
    command = "aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn"
    command += f" {shlex.quote(arn)} --client-id {shlex.quote(audience)}{there}"
    advice = reach.for_irsa("associate-oidc", f"--audience {shlex.quote(audience)}") if at_home else command
    if audience != DEFAULT_AUDIENCE:  # Many may write an annotation.
        advice = f"# only if tokens for {visible(audience)} are meant for AWS: {advice}"
    return step(Name.PROVIDER, sent, exists, wrong, advice=(advice,))


def role_read(found: Future[RoleState | None], arn: str, sent: str) -> RoleState | VerificationStep:
    """The role, or the step that says why its trust policy can't be judged."""
    state = attempt(found.result)
    if isinstance(state, IrsaError):
        return step(Name.TRUST, sent, open_check("trust policy", state))
    return state or step(Name.TRUST, sent, Check("role", FAILED, f"role {arn} does not exist"))


def trust(found: Future[RoleState | None], arn: str, identity: WebIdentity) -> VerificationStep:
    """The statement that allows the token, else the first failure of each."""
    parsed = role_arn(arn)
    sent = f"GetRole {parsed.name}, its trust policy evaluated for {identity.subject}"
    state = role_read(found, arn, sent)
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
    target: FoundTarget

    @classmethod
    def read(cls, connection: Connection, chain: Chain) -> Link:
        """Read both sides at the same time; what can't be read is said, and nothing is raised."""
        with ThreadPoolExecutor(2) as pool:
            role = pool.submit(_role, connection, chain.role_arn)
            target = pool.submit(_target, connection, chain.target_arn)
        found = role.result()
        own = found.policies if isinstance(found, Role) else {}
        own = {} if isinstance(own, Unreadable) else own
        named, tags = target_of(own.get(POLICY_NAME, {}))
        chain = replace(chain, tag_session=tags) if named == chain.target_arn else chain
        return cls(chain, found, target.result())

    def checks(self) -> tuple[Check, ...]:
        """How the policies of both sides decide; if one is unreadable, only STS decides."""
        return (*self._permission(), *self._trust())

    def _permission(self) -> tuple[Check, ...]:
        role = self.role
        if role is None:
            return (Check("permission", FAILED, f"role {self.chain.role_arn} does not exist"),)
        if isinstance(role, Unreadable) or isinstance(role.policies, Unreadable):
            why = role.why if isinstance(role, Unreadable) else role.policies.why  # type: ignore[union-attr]
            return (Check("permission", NOT_CHECKED, f"not checked: {why}", needed=False),)
        boundary = None if isinstance(role.boundary_policy, Unreadable) else role.boundary_policy
        said = self.chain.allowed(role.policies, boundary=boundary, has_boundary=bool(role.boundary))
        return tuple(Check("permission", STATUS[item.answer], item.why, needed=False) for item in said)

    def _trust(self) -> tuple[Check, ...]:
        target, arn = self.target, self.chain.target_arn
        if target.unread:
            return (Check("trust policy", NOT_CHECKED, f"not checked: {target.unread}", needed=False),)
        if target.trust is None:
            return (Check("role", FAILED, f"role {arn} does not exist"),)
        said = self.chain.judge(target.trust)
        status = STATUS[answer_of(said)]
        why = "; ".join(f"{item.action}: {item.why}" for item in said if item.why)
        text = f"the trust policy of {arn} allows the role" if status is OK else why
        return (Check("trust policy", status, text, needed=False),)

    def step(self, result: RoleCredentials | IrsaError) -> VerificationStep:
        """The whole link: what STS said, and what the policies say."""
        sent = f"AssumeRole {self.chain.target_arn} with the role's credentials"
        sent += f", external id {self.chain.external_id}" if self.chain.external_id else ""
        if not isinstance(result, IrsaError):
            # STS's answer is proof, whatever a policy seems to say.
            own = (check for check in self.checks() if check.status is not FAILED)
            return step(Name.CHAIN, sent, *own, Check("credentials", OK, result.role_session))
        why = f"not checked: {result.reason or result.message}"
        tried = Check("credentials", NOT_CHECKED, why)
        if is_refused(result):
            tried = Check("credentials", FAILED, result.reason)
        return step(Name.CHAIN, sent, *self.checks(), tried)


def unreadable_step(note: UnreadableNote) -> VerificationStep:
    """The link that is noted in a way that nobody can follow."""
    check = Check("annotation", StepStatus.NOT_CHECKED, f"not checked: {note.message}: {note.reason}")
    return step(Name.CHAIN, "nothing, because the target role is unknown", check)


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
    account, name = role_arn(arn).account, role_arn(arn).name
    session = connection.session_of(account)
    if session is None:
        return Unreadable(f"irsa has no credentials for account {account}")
    found = attempt(lambda: bindings.role(session.client("iam"), name))
    return Unreadable(found.reason or found.message) if isinstance(found, IrsaError) else found


def _target(connection: Connection, arn: str) -> FoundTarget:
    found = attempt(lambda: read_target(connection, arn))
    return FoundTarget(unread=found.reason or found.message) if isinstance(found, IrsaError) else found
