"""The list of deleted clusters that `irsa retire --list` prints. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from irsa_cli.core.planning.retire import DeadCluster, ReadAccount
from irsa_cli.core.results.envelope import DocumentKind, Envelope
from irsa_cli.core.results.scope import AnswerScope, Reading, by_design, not_read, unanswered


def as_json(item: DeadCluster, account: ReadAccount) -> dict[str, Any]:
    used = [role.last_used for role in item.roles if role.last_used is not None]
    created = [role.created for role in item.roles if role.created is not None]
    return {
        "name": item.name,
        "arn": item.arn or None,
        "issuers": [f"https://{issuer}" for issuer in item.issuers],
        "status": "unknown" if item.doubt or account.unread else "gone",
        "reason": item.doubt or "; ".join(account.unread) or None,
        "roles": len(item.roles),
        "ownRoles": sum(bool(role.owner) for role in item.roles),
        "providers": sum(arn in account.providers for arn in item.providers),
        "created": min(created).isoformat() if created else None,
        "lastUsed": max(used).isoformat() if used else None,
    }


@dataclass(frozen=True)
class DeadClusterList(Reading):
    """The rows; `quotas` have the used and the allowed number, `unread` says which regions were not read."""

    rows: Sequence[Mapping[str, Any]] = ()
    quotas: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    examined: Mapping[str, int] = field(default_factory=dict)
    unread: tuple[str, ...] = ()

    @property
    def own_scope(self) -> AnswerScope:
        question = "Which clusters are gone, and what did they leave in IAM?"
        if self.error is not None or self.signal:
            return unanswered(question, self.error)
        others = by_design("clusters of other accounts", "issuers outside EKS")
        return AnswerScope(question, self.examined, (*not_read(self.unread), *others))

    def envelope(self) -> Envelope:
        quotas = [{"what": name, "used": used, "quota": most} for name, (used, most) in self.quotas.items()]
        notes = (*self.unread, *self.recorded_notes)
        return self.document(
            DocumentKind.DEAD_CLUSTERS, items=self.rows, notes=notes, facts={"quotas": quotas}
        )
