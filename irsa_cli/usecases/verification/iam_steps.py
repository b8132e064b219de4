"""The steps of IAM: the provider and the role's trust policy."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime, timezone
from typing import TYPE_CHECKING, TypeVar

from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.results.verification import Check, Name, StepStatus, VerificationStep
from irsa_cli.core.trust.evaluation import Answer, explain
from irsa_cli.core.values.arn import iam_arn, role_arn
from irsa_cli.core.values.errors import IrsaError, ServiceError
from irsa_cli.core.values.issuer import DEFAULT_AUDIENCE, provider_arn
from irsa_cli.core.values.shown import visible

if TYPE_CHECKING:
    from irsa_cli.core.plan.states import ProviderState, RoleState
    from irsa_cli.core.values.cluster import Cluster, Reach

T = TypeVar("T")
OK, FAILED, NOT_CHECKED = StepStatus.OK, StepStatus.FAILED, StepStatus.NOT_CHECKED


def step(name: Name, sent: str, *checks: Check, advice: tuple[str, ...] = ()) -> VerificationStep:
    """A step by its checks."""
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
    state = attempt(found.result)
    if isinstance(state, IrsaError):
        return step(Name.PROVIDER, sent, open_check("provider", state))
    if state is None:
        text = f"account {account} has no OIDC provider for {cluster.issuer}"
        command = reach.for_irsa("associate-oidc")
        if account != cluster.home:
            command = (
                f"aws iam create-open-id-connect-provider --url {shlex.quote(cluster.issuer)}"
                f" --client-id-list {shlex.quote(audience)}"
            )
            command += f"  # in account {account}, where the role is"
        return step(Name.PROVIDER, sent, Check("provider", FAILED, text), advice=(command,))
    there = Check("provider", OK, f"account {account} has a provider for {state.url}")
    accepted = ", ".join(state.audiences) or "nothing"
    if audience in state.audiences:
        return step(Name.PROVIDER, sent, there, Check("audiences", OK, f"it accepts {accepted}"))
    wrong = Check("audiences", FAILED, f"it accepts {accepted}, but not {audience}")
    advice = _accept(cluster, account, audience, reach)
    if audience != DEFAULT_AUDIENCE:  # Many may write an annotation.
        advice = f"# only if tokens for {visible(audience)} are meant for AWS: {advice}"
    return step(Name.PROVIDER, sent, there, wrong, advice=(advice,))


def _accept(cluster: Cluster, account: str, audience: str, reach: Reach) -> str:
    if account == cluster.home:
        return reach.for_irsa("associate-oidc", f"--audience {shlex.quote(audience)}")
    arn = shlex.quote(provider_arn(cluster.partition, account, cluster.issuer))
    return (
        f"aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn {arn}"
        f" --client-id {shlex.quote(audience)}  # in account {account}, where the role is"
    )


def trust(found: Future[RoleState | None], arn: str, identity: WebIdentity) -> VerificationStep:
    """The statement that allows the token, else the first failure of each."""
    parsed = role_arn(arn)
    sent = f"GetRole {parsed.name}, its trust policy evaluated for {identity.subject}"
    state = attempt(found.result)
    if isinstance(state, IrsaError):
        return step(Name.TRUST, sent, open_check("trust policy", state))
    if state is None:
        return step(Name.TRUST, sent, Check("role", FAILED, f"role {arn} does not exist"))
    real = iam_arn(parsed.partition, parsed.account, f"role{state.path}{parsed.name}")
    if real != arn:
        text = f"role {arn} does not exist; the ARN of role {parsed.name} is {real}"
        return step(Name.TRUST, sent, Check("role", FAILED, text))
    explanation = explain(state.trust, identity, now=datetime.now(timezone.utc))
    status = {Answer.YES: OK, Answer.NO: FAILED, Answer.UNKNOWN: NOT_CHECKED}[explanation.answer]
    lines = (Check("trust policy", status, line) for line in explanation.text)
    return VerificationStep(
        Name.TRUST, sent, (Check("role", OK, "it exists"), *lines), statements=explanation.verdicts
    )
