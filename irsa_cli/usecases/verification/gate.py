"""The gate of `--verify`: the token exchange, repeated until IAM has propagated a change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from irsa_cli.aws import iam
from irsa_cli.aws.recent_writes import recent_writes
from irsa_cli.aws.sts import Exchange, exchange
from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.plan.states import DocumentState
from irsa_cli.core.policies.web_identity import REQUESTED_REGION, region_called
from irsa_cli.core.results.steps import StepStatus
from irsa_cli.core.trust.chain import Chain
from irsa_cli.core.trust.evaluation import Answer, explain
from irsa_cli.core.values import limits
from irsa_cli.core.values.errors import IrsaError, ServiceError, Unverified
from irsa_cli.transaction.protocol import Event, Listener, Step
from irsa_cli.usecases.command.caller import reach_of
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.verification import iam_steps
from irsa_cli.usecases.verification.iam_steps import Link, assume_target

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

PROPAGATION_SECONDS = 90.0
"""For how long STS may refuse what IAM has confirmed; measured in public reports at 2 to 60 seconds."""


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
        checks = Link.read(connection, chain).checks()
        found = (f"{check.what}: {check.text}" for check in checks if check.status is not StepStatus.OK)
        raise _unverified(f"{chain.role_arn} cannot assume {chain.target_arn}", error, found) from error


def _unverified(text: str, error: ServiceError, found: Iterable[str]) -> Unverified:
    reason = f"{error.message}: {error.reason}"
    return Unverified(text, reason=reason, details=(*error.details, *found), code=error.code)


def _explained(connection: Connection, desired: DesiredState, error: ServiceError) -> Iterator[str]:
    if error.service != "sts":
        return
    cluster, account = connection.cluster, desired.role_account
    identity = replace(
        desired.identity, request={REQUESTED_REGION: region_called(cluster.region, regional=True)}
    )

    def client() -> IAMClient:
        session = connection.session_of(account)
        if session is None:
            raise IrsaError(f"irsa cannot read account {account}", reason="irsa has no credentials for it")
        return session.client("iam")

    provider, name = desired.identity.provider_arn, desired.role_name
    with ThreadPoolExecutor(2) as pool:
        known = pool.submit(lambda: iam.provider(client(), provider))
        role = pool.submit(lambda: (iam.role_state(client(), name) or (None,))[0])
        found = [
            iam_steps.provider(known, cluster, account, desired.audience, reach_of(connection.target)),
            iam_steps.trust(role, desired.role_arn, identity),
        ]
    for step in found:
        yield from (f"{step.name.value}: {c.text}" for c in step.checks if c.status is not StepStatus.OK)
    if all(step.status is StepStatus.OK for step in found):
        yield "trust: the current provider and trust policy allow the token"
