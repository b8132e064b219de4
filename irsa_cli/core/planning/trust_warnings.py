"""Broad trust policies that a plan leaves: warnings and refusals. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from irsa_cli.core.binding.current import CurrentRole, CurrentState
from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import BoundaryState, DocumentState, RoleState
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.policies.statements import trusted_providers
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.trust.rules.judge import TrustContext, judge
from irsa_cli.core.trust.rules.power import power
from irsa_cli.core.trust.rules.rule import ORDER, Risk, Severity
from irsa_cli.core.values.errors import Refused


@dataclass
class _PlannedRole:
    """A role, change by change."""

    trust: Document = field(default_factory=dict)
    attached: set[str] = field(default_factory=set)
    inline: dict[str, Document] = field(default_factory=dict)
    boundary: str = ""

    @classmethod
    def of(cls, role: CurrentRole | None) -> _PlannedRole:
        if role is None:
            return cls()
        boundary = role.state.permissions_boundary
        return cls(role.state.trust, set(role.attached), dict(role.inline), boundary)

    def apply(self, change: Change) -> None:
        after = change.after
        if change.kind is Kind.ROLE and isinstance(after, RoleState):
            self.trust, self.boundary = after.trust, after.permissions_boundary
        elif change.kind is Kind.TRUST_POLICY and isinstance(after, DocumentState):
            self.trust = after.document
        elif change.kind is Kind.TRUST_STATEMENT:
            if isinstance(change.before, DocumentState):
                self.trust = trust_policy.without_statement(self.trust, change.before.document)
            if isinstance(after, DocumentState):
                self.trust = trust_policy.with_statement(self.trust, after.document)
        elif change.kind is Kind.ATTACHMENT:
            (self.attached.discard if after is None else self.attached.add)(change.target[-1])
        elif change.kind is Kind.INLINE_POLICY:
            self.inline.pop(change.target[-1], None)
            if isinstance(after, DocumentState):
                self.inline[change.target[-1]] = after.document
        elif change.kind is Kind.BOUNDARY:
            self.boundary = after.arn if isinstance(after, BoundaryState) else ""

    @property
    def power(self) -> str:
        """The role's power, if it is large."""
        return power(self.attached, self.inline, self.boundary)

    def risks(self, context: TrustContext) -> tuple[Risk, ...]:
        return judge(self.trust, replace(context, power=self.power))

    def severities(self, context: TrustContext) -> dict[tuple[str, str], int]:
        """How bad each of them is, whatever is behind it in words."""
        much = self.power
        found = judge(self.trust, context)
        return {(item.rule.id, item.reason): ORDER.index(item.behind(much).severity) for item in found}


def _concerns(change: Change, context: TrustContext) -> bool:
    return change.object == (Kind.ROLE, (context.role.rsplit("/", 1)[-1],))


def _planned_role(role: CurrentRole | None, plan: Plan, context: TrustContext) -> _PlannedRole:
    found = _PlannedRole.of(role)
    for change in plan:
        if _concerns(change, context):
            found.apply(change)
    return found


def planned_risks(role: CurrentRole | None, plan: Plan, context: TrustContext) -> tuple[Risk, ...]:
    """The risks of a role's trust policy after a plan; the context has its ARN and tokens."""
    return _planned_role(role, plan, context).risks(context)


def of_desired_state(desired: DesiredState, current: CurrentState, plan: Plan) -> tuple[Risk, ...]:
    """The risks in the trust policy of the ServiceAccount's role, for all desired issuers."""
    return planned_risks(current.role, plan, _context(desired))


def broad_permissions(desired: DesiredState, current: CurrentState, plan: Plan) -> list[str]:
    """A note on powerful policies that a plan adds."""
    before = _PlannedRole.of(current.role).power
    after = _planned_role(current.role, plan, _context(desired)).power
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
        check(current.role, plan, _context(desired))


def check(role: CurrentRole | None, plan: Plan, context: TrustContext) -> None:
    """Raise `Refused` if a plan leaves the role's trust policy too broad."""
    if not any(_concerns(change, context) for change in plan):
        return
    before = _PlannedRole.of(role).severities(context) if role is not None else {}
    planned = _planned_role(role, plan, context)
    least, after = ORDER.index(REFUSED_FROM), planned.severities(context)
    ids = {key[0] for key, level in after.items() if level >= max(least, before.get(key, -1) + 1)}
    if not ids:
        return
    found = [item for item in planned.risks(context) if item.rule.id in ids]
    raise Refused(
        f"the trust policy of {context.role} would be too broad",
        details=[item.named for item in found],
        next_steps=(
            *dict.fromkeys(f"to narrow it: {item.suggestion}" for item in found),
            *dict.fromkeys(f"why: {item.explained_by}" for item in found),
            "to allow it: run this again with --allow-wide-trust",
        ),
    )
