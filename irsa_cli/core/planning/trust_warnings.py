"""How wide the trust policy of a role is as the plan of a command leaves it: warnings, and what is refused.

Pure. What is wide is decided in `irsa_cli.core.trust.rules.judge`; the same for a ServiceAccount and a role
that are there is in `irsa_cli.core.planning.update`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from irsa_cli.core.binding.spec import CurrentRole, CurrentState, DesiredState
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import BoundaryState, DocumentState, RoleState
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.policies.statements import trusted_providers
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.trust.rules.judge import wide_trusts
from irsa_cli.core.trust.rules.power import power
from irsa_cli.core.trust.rules.rule import ORDER, Risk, Severity
from irsa_cli.core.values.errors import Refused


@dataclass
class _Left:
    """A role, change by change."""

    trust: Document = field(default_factory=dict)
    attached: set[str] = field(default_factory=set)
    inline: dict[str, Document] = field(default_factory=dict)
    boundary: str = ""

    @classmethod
    def of(cls, role: CurrentRole | None) -> _Left:
        if role is None:
            return cls()
        boundary = role.state.permissions_boundary
        return cls(role.state.trust, set(role.attached), dict(role.inline), boundary)

    def take(self, change: Change) -> None:
        """Make one change of the role."""
        after = change.after
        if change.kind is Kind.ROLE and isinstance(after, RoleState):
            self.trust, self.boundary = after.trust, after.permissions_boundary
        elif change.kind is Kind.TRUST_POLICY and isinstance(after, DocumentState):
            self.trust = after.document
        elif change.kind is Kind.TRUST_STATEMENT:
            self._take_statement(change)
        elif change.kind is Kind.ATTACHMENT:
            (self.attached.discard if after is None else self.attached.add)(change.target[-1])
        elif change.kind is Kind.INLINE_POLICY:
            self.inline.pop(change.target[-1], None)
            if isinstance(after, DocumentState):
                self.inline[change.target[-1]] = after.document
        elif change.kind is Kind.BOUNDARY:
            self.boundary = after.arn if isinstance(after, BoundaryState) else ""

    def _take_statement(self, change: Change) -> None:
        before, after = change.before, change.after
        if isinstance(before, DocumentState):
            self.trust = trust_policy.without_statement(self.trust, before.document)
        if isinstance(after, DocumentState):
            self.trust = trust_policy.with_statement(self.trust, after.document)

    @property
    def power(self) -> str:
        """What the role may do, where that is much."""
        return power(self.attached, self.inline, self.boundary)

    def risks(self, whose: Trusted) -> tuple[Risk, ...]:
        """What is wide in its trust policy."""
        return wide_trusts(self.trust, whose.providers, whose.audience, role=whose.role_arn, power=self.power)

    def severities(self, whose: Trusted) -> dict[tuple[str, str], int]:
        """How bad each of them is, whatever is behind it in words."""
        much = self.power
        found = wide_trusts(self.trust, whose.providers, whose.audience, role=whose.role_arn)
        return {(item.rule.id, item.reason): ORDER.index(item.behind(much).severity) for item in found}


@dataclass(frozen=True)
class Trusted:
    """A role, and the tokens for which its trust policy is judged."""

    role_arn: str
    providers: tuple[str, ...]
    audience: str


def risks_left(role: CurrentRole | None, name: str, plan: Plan, whose: Trusted) -> tuple[Risk, ...]:
    """What is wide in a role's trust policy as a plan leaves it."""
    return _left(role, name, plan).risks(whose)


def _left(role: CurrentRole | None, name: str, plan: Plan) -> _Left:
    found = _Left.of(role)
    for change in plan:
        if change.object == (Kind.ROLE, (name,)):
            found.take(change)
    return found


def of_desired_state(desired: DesiredState, current: CurrentState, plan: Plan) -> tuple[Risk, ...]:
    """What is wide in the trust policy of the role that a ServiceAccount gets.

    For its own cluster and for those whose issuers are desired besides.
    """
    return risks_left(current.role, desired.role_name, plan, _desired(desired))


def _desired(desired: DesiredState) -> Trusted:
    more = trusted_providers(desired.role.trust) if desired.role is not None else frozenset()
    providers = tuple(dict.fromkeys((desired.identity.provider_arn, *sorted(more))))
    return Trusted(desired.role_arn, providers, desired.audience)


REFUSED_FROM = Severity.HIGH
"""How bad it has to be that a plan which makes it so is refused."""


def check_desired_state(desired: DesiredState, current: CurrentState, plan: Plan) -> None:
    """Raise `Refused` where the plan makes a trust policy too wide; what was so before, it may leave so."""
    if not desired.allow_wide_trust:
        check(current.role, desired.role_name, plan, _desired(desired))


def _concerns(plan: Plan, name: str) -> bool:
    return any(change.object == (Kind.ROLE, (name,)) for change in plan)


def check(role: CurrentRole | None, name: str, plan: Plan, whose: Trusted) -> None:
    """Raise `Refused` where a plan makes a role's trust policy too wide."""
    if not _concerns(plan, name):
        return
    before = _Left.of(role).severities(whose) if role is not None else {}
    left = _left(role, name, plan)
    least = ORDER.index(REFUSED_FROM)
    worse = {
        key for key, level in left.severities(whose).items() if level >= max(least, before.get(key, -1) + 1)
    }
    if not worse:
        return
    ids = {rule for rule, _ in worse}
    found = [item for item in left.risks(whose) if item.rule.id in ids]
    raise Refused(
        f"the trust policy of {whose.role_arn} would be too wide",
        details=[item.named for item in found],
        next_steps=(
            *dict.fromkeys(f"to keep it tight: {item.suggestion}" for item in found),
            *dict.fromkeys(f"why: {item.explained_by}" for item in found),
            "if it has to be so: run this again with --allow-wide-trust",
        ),
    )
