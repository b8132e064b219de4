"""The warnings of commands that write: how wide the trust policy of a role is as the plan leaves it.

Pure. What is wide is decided in `irsa_cli.core.trust.rules.judge`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from irsa_cli.core.binding.spec import CurrentRole, CurrentState, DesiredState
from irsa_cli.core.binding.update_request import Pairing
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import BoundaryState, DocumentState, RoleState
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.trust.principal_flaws import trusted_providers
from irsa_cli.core.trust.rules.judge import wide_trusts
from irsa_cli.core.trust.rules.power import power
from irsa_cli.core.trust.rules.rule import Risk


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
    found = _left(current.role, desired.role_name, plan)
    more = trusted_providers(desired.role.trust) if desired.role is not None else frozenset()
    providers = dict.fromkeys((desired.identity.provider_arn, *sorted(more)))
    return wide_trusts(found.trust, providers, desired.audience, role=desired.role_arn, power=found.power)


def of_pair(pair: Pairing, plan: Plan) -> tuple[Risk, ...]:
    """The same for a ServiceAccount and its role that are there; nothing where the role was not read."""
    if pair.role is None:
        return ()
    found = _left(pair.role, pair.role_name, plan)
    own = pair.identity(pair.audience)
    return wide_trusts(found.trust, (own.provider_arn,), pair.audience, role=pair.role_arn, power=found.power)
