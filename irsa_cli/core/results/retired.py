"""The list of `irsa retire --list`: clusters that are gone, what they left, and the account's quotas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from irsa_cli.core.results.envelope import DocumentKind, Envelope
from irsa_cli.core.results.scope import AnswerScope, Reading, by_design, not_read, unanswered


@dataclass(frozen=True)
class DeadClusterList(Reading):
    """The rows; `quotas` have the used and the allowed number, `unread` says which regions were not read."""

    rows: Sequence[Mapping[str, Any]] = ()
    quotas: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    examined: Mapping[str, int] = field(default_factory=dict)
    unread: tuple[str, ...] = ()

    @property
    def scope(self) -> AnswerScope:
        """The parts that were read and those that were not."""
        question = "Which clusters are gone, and what did they leave in IAM?"
        if self.error is not None or self.signal:
            return unanswered(question, self.error)
        others = by_design("clusters of other accounts", "issuers outside EKS")
        return AnswerScope(question, self.examined, (*not_read(self.unread), *others))

    def envelope(self) -> Envelope:
        """The document that `-o json` and `-o yaml` print."""
        quotas = [{"what": name, "used": used, "quota": most} for name, (used, most) in self.quotas.items()]
        document = self.document(DocumentKind.DEAD_CLUSTERS)
        return replace(document, items=self.rows, notes=self.unread, facts={"quotas": quotas})
