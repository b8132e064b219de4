"""Broad trust policies that a plan leaves: warnings and refusals. Pure."""

from __future__ import annotations

from dataclasses import replace

from irsa_cli.core.binding.current import CurrentState
from irsa_cli.core.binding.role_changes import changed
from irsa_cli.core.binding.role_power import known_power
from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import RoleState
from irsa_cli.core.policies.statements import trusted_providers
from irsa_cli.core.trust.rules.judge import TrustContext, judge
from irsa_cli.core.trust.rules.rule import ORDER, Risk, Severity
from irsa_cli.core.values.errors import Refused


def _risks(role: Role, context: TrustContext) -> tuple[Risk, ...]:
    return judge(role.trust, replace(context, power=known_power(role)))


def _severities(role: Role, context: TrustContext) -> dict[tuple[str, str], int]:
    """How bad each of the risks is, whatever is behind it in words."""
    much = known_power(role)
    risks = judge(role.trust, context)
    return {(risk.rule.id, risk.reason): ORDER.index(risk.behind(much).severity) for risk in risks}


def _concerns(change: Change, context: TrustContext) -> bool:
    return change.object == (Kind.ROLE, (context.role.rsplit("/", 1)[-1],))


def _planned(role: Role | None, plan: Plan, context: TrustContext) -> Role:
    """The role as a plan leaves it; a bare one if nothing is there."""
    planned = role if role is not None else Role(context.role, RoleState("/", {}))
    for change in plan:
        if _concerns(change, context):
            planned = changed(planned, change)
    return planned


def planned_risks(role: Role | None, plan: Plan, context: TrustContext) -> tuple[Risk, ...]:
    """The risks of a role's trust policy after a plan; the context has its ARN and tokens."""
    return _risks(_planned(role, plan, context), context)


def of_desired_state(desired: DesiredState, current: CurrentState, plan: Plan) -> tuple[Risk, ...]:
    """The risks in the trust policy of the ServiceAccount's role, for all desired issuers."""
    return planned_risks(current.binding.seen_role, plan, _context(desired))


def broad_permissions(desired: DesiredState, current: CurrentState, plan: Plan) -> list[str]:
    """A note on powerful policies that a plan adds."""
    role = current.binding.seen_role
    before = known_power(role) if role is not None else ""
    after = known_power(_planned(role, plan, _context(desired)))
    return [] if after in ("", before) else [f"pods of {desired.full_name} get broad permissions: {after}"]


def _context(desired: DesiredState) -> TrustContext:
    more = trusted_providers(desired.role.trust) if desired.role is not None else frozenset()
    providers = tuple(dict.fromkeys((desired.identity.provider_arn, *sorted(more))))
    return TrustContext(providers, desired.audience, desired.role_arn)


REFUSED_FROM = Severity.HIGH
"""The severity from which a plan is refused."""


def check_desired_state(desired: DesiredState, current: CurrentState, plan: Plan) -> None:
    """Raise `Refused` if the plan leaves a trust policy too broad; existing risks may stay."""
    if not desired.allow_wide_trust:
        check(current.binding.seen_role, plan, _context(desired))


def check(role: Role | None, plan: Plan, context: TrustContext) -> None:
    """Raise `Refused` if a plan leaves the role's trust policy too broad."""
    if not any(_concerns(change, context) for change in plan):
        return
    before = _severities(role, context) if role is not None else {}
    planned = _planned(role, plan, context)
    least = ORDER.index(REFUSED_FROM)
    after = _severities(planned, context)
    ids = {key[0] for key, level in after.items() if level >= max(least, before.get(key, -1) + 1)}
    if not ids:
        return
    risks = [risk for risk in _risks(planned, context) if risk.rule.id in ids]
    raise Refused(
        f"the trust policy of {context.role} would be too broad",
        details=[risk.named for risk in risks],
        next_steps=(
            *dict.fromkeys(f"to narrow it: {risk.suggestion}" for risk in risks),
            *dict.fromkeys(f"why: {risk.explained_by}" for risk in risks),
            "to allow it: run this again with --allow-wide-trust",
        ),
    )
