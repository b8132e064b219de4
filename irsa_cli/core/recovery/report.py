"""The report of `irsa recover` on several transactions, and on leftovers without a journal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from irsa_cli.core.recovery.leftovers import Leftovers, Spared
from irsa_cli.core.results.envelope import DocumentKind, Envelope, ReadOutcome
from irsa_cli.core.results.result import Result, results_envelope, worst
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import ExitCode
from irsa_cli.core.values.names import account_json


@dataclass(frozen=True)
class Skipped:
    """A transaction that was not touched, and why; a failure only if it was too `young`."""

    transaction: str
    why: str
    young: bool = False


@dataclass
class Recoveries:
    """How each of several transactions ended; `signal` is the one that stopped the work in between."""

    items: list[Result] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    signal: int = 0

    @property
    def exit_code(self) -> int:
        codes = [int(item.exit_code) for item in self.items]
        codes += [int(ExitCode.REFUSED)] if any(item.young for item in self.skipped) else []
        return worst([*codes, *([128 + self.signal] if self.signal else [])])

    def envelope(self) -> Envelope:
        skipped = [{"transaction": item.transaction, "why": item.why} for item in self.skipped]
        return results_envelope(
            self.items,
            exit_code=self.exit_code,
            all_begun=not self.signal,
            facts={"skipped": skipped},
        )


def spared_text(item: Spared) -> str:
    """A spared object, and why it is spared."""
    return f"{item.kind.value} {item.name}: {item.why}"


@dataclass(frozen=True)
class Found:
    """The leftovers of runs in a cluster, in the order of their rollback.

    `running` are transactions whose processes live on this machine; what is younger than `minimum_age`
    (seconds) may belong to one that lives elsewhere.
    """

    cluster: Cluster
    leftovers: tuple[Leftovers, ...]
    minimum_age: float
    running: frozenset[str] = frozenset()

    def is_young(self, leftovers: Leftovers) -> bool:
        """Whether its run may still live, as far as its age tells."""
        return leftovers.age < self.minimum_age

    def why_not(self, leftovers: Leftovers) -> str:
        """Why nothing of these remains is rolled back, '' when something is."""
        if leftovers.transaction in self.running:
            return "its process is still running on this machine"
        if not leftovers.stages:
            return f"irsa keeps all that is left of it: {'; '.join(map(spared_text, leftovers.spared))}"
        if self.is_young(leftovers):
            return f"it is {leftovers.age:.0f} s old: its run may still be active (to override: --min-age 0s)"
        return ""

    def envelope(self) -> Envelope:
        return Envelope(
            DocumentKind.LEFTOVERS,
            ReadOutcome.OK,
            cluster=self.cluster,
            items=[self._item(item) for item in self.leftovers],
        )

    def _item(self, item: Leftovers) -> dict[str, Any]:
        return {
            "transaction": item.transaction,
            "serviceAccounts": [found for name in item.accounts if (found := account_json(name)) is not None],
            "why": item.why,
            "ageSeconds": round(item.age),
            "skipped": self.why_not(item) or None,
            "objects": [
                {"kind": piece.change.kind.value, "target": piece.change.name} for piece in item.pieces
            ],
            "notes": list(item.notes),
            "leftAlone": [
                {
                    "kind": spared.kind.value,
                    "target": spared.name,
                    "why": spared.why,
                    "next": list(spared.next_steps),
                }
                for spared in item.spared
            ],
        }
