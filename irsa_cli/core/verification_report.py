"""The outcome of `irsa verify`: one ServiceAccount's verification or many, their summary and exit code.

What was found of one is in `irsa_cli.core.verification`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from irsa_cli.core.binding import Cluster
from irsa_cli.core.errors import ExitCode, IrsaError
from irsa_cli.core.result import API_VERSION, cluster_json, error_json
from irsa_cli.core.verification import Outcome, Verification


@dataclass(frozen=True)
class Report:
    """The outcome of a command: one ServiceAccount, or (`many`) all that were asked for."""

    cluster: Cluster | None
    items: tuple[Verification, ...] = ()
    many: bool = False
    notes: tuple[str, ...] = ()
    error: Exception | None = None
    signal: int = 0
    seconds: float = field(default=0.0, compare=False)

    def count(self, outcome: Outcome) -> int:
        """How many ended so."""
        return sum(item.outcome is outcome for item in self.items)

    @property
    def outcome(self) -> Outcome:
        """The worst of all."""
        if self.count(Outcome.FAILED):
            return Outcome.FAILED
        undetermined = self.error is not None or self.count(Outcome.UNDETERMINED)
        return Outcome.UNDETERMINED if undetermined else Outcome.VERIFIED

    @property
    def exit_code(self) -> int:
        """The process's exit code: an error's own, else the worst outcome's."""
        if self.signal:
            return 128 + self.signal
        if self.error is not None:
            return self.error.exit_code if isinstance(self.error, IrsaError) else ExitCode.FAILED
        return self.outcome.exit_code

    def to_json(self) -> dict[str, Any]:
        """The document that `-o json` and `-o yaml` print."""
        head = {
            "apiVersion": API_VERSION,
            "kind": "VerificationList" if self.many else "Verification",
            "outcome": self.outcome.value,
            "exitCode": int(self.exit_code),
            "cluster": None if self.cluster is None else cluster_json(self.cluster),
        }
        tail = {
            "notes": list(self.notes),
            "error": None if self.error is None else error_json(self.error),
        }
        if not self.many:
            # One that could not be begun has an error and nothing else.
            return {**head, **(self.items[0].to_json() if self.items else tail)}
        summary = {outcome.value: self.count(outcome) for outcome in Outcome}
        return {**head, "summary": summary, "items": [item.to_json() for item in self.items], **tail}
