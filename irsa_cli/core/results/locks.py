"""Results of `irsa unlock`: a cluster's locks, or the removal of one holder's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from irsa_cli.core.marks.locks.seen import SeenLock
from irsa_cli.core.results.envelope import DocumentKind, Envelope, ReadOutcome, exit_code_of, whole
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import ExitCode, IrsaError


@dataclass(frozen=True)
class LockList:
    """The locks of a cluster's runs in one namespace, held or ended."""

    cluster: Cluster
    namespace: str
    items: tuple[SeenLock, ...]

    exit_code = ExitCode.DONE

    def envelope(self) -> Envelope:
        return Envelope(
            DocumentKind.LOCKS,
            ReadOutcome.OK,
            cluster=self.cluster,
            items=[{**item.to_json(), "removal": None} for item in self.items],
            summary=_summary(self.items),
            facts={"lockNamespace": self.namespace, "holder": None, "dryRun": False},
        )


class Removal(str, Enum):
    """The outcome for one Lease, as in JSON."""

    PLANNED = "planned"
    REMOVED = "removed"
    GONE = "gone"
    """Its holder released it, or another run took it over."""
    KEPT = "kept"
    UNKNOWN = "unknown"
    """Unknown: the call was not answered."""


@dataclass
class Unlocked:
    """The outcome for one holder's locks; `error` is why some remain."""

    cluster: Cluster
    namespace: str
    holder: str
    dry_run: bool = False
    items: list[tuple[SeenLock, Removal]] = field(default_factory=list)
    error: IrsaError | None = None
    signal: int = 0

    @property
    def exit_code(self) -> int:
        return exit_code_of(self.error, self.signal)

    def envelope(self) -> Envelope:
        return Envelope(
            DocumentKind.LOCKS,
            ReadOutcome.of(self.error),
            self.exit_code,
            self.cluster,
            [{**seen.to_json(), "removal": state.value} for seen, state in self.items],
            _summary(seen for seen, _ in self.items),
            errors=whole(self.error),
            facts={"lockNamespace": self.namespace, "holder": self.holder, "dryRun": self.dry_run},
        )


def _summary(locks: Iterable[SeenLock]) -> dict[str, int]:
    found = Counter(lock.ended for lock in locks)
    return {"held": found[False], "ended": found[True], "unknown": found[None]}
