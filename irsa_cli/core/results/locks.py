"""A lock as others see it, and the result of `irsa recover --unlock`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from irsa_cli.core.marks.locks import COMMAND, HOST, LOCKED, USER, LeaseState, Timing, short_time, shown
from irsa_cli.core.results.envelope import DocumentKind, Envelope, ReadOutcome, whole
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import IrsaError, exit_code_of
from irsa_cli.core.values.names import account_json


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
    """The outcome for one holder's locks, or without one a list of all; `error` is why some remain."""

    cluster: Cluster
    namespace: str
    holder: str = ""
    dry_run: bool = False
    items: list[tuple[SeenLock, Removal | None]] = field(default_factory=list)
    error: IrsaError | None = None
    signal: int = 0

    @property
    def exit_code(self) -> int:
        return exit_code_of(self.error, self.signal)

    def envelope(self) -> Envelope:
        counts = Counter(lock.ended for lock, _ in self.items)
        return Envelope(
            DocumentKind.LOCKS,
            ReadOutcome.of(self.error),
            self.exit_code,
            self.cluster,
            [{**lock.to_json(), "removal": removal and removal.value} for lock, removal in self.items],
            {"held": counts[False], "ended": counts[True], "unknown": counts[None]},
            errors=whole(self.error),
            facts={"lockNamespace": self.namespace, "holder": self.holder or None, "dryRun": self.dry_run},
        )


@dataclass(frozen=True)
class SeenLock:
    """A Lease, and what the server's clock said when it was read (None: it said nothing)."""

    state: LeaseState
    date: datetime | None

    @property
    def timing(self) -> Timing:
        """How often its holder renews it, and what follows from that."""
        return Timing(self.state.seconds)

    @property
    def ended(self) -> bool | None:
        """Whether nobody holds it any more, None where the server's clock does not tell."""
        written = self.state.written
        if self.state.holder and (self.date is None or written is None or written > self.date):
            return None
        return self.state.is_over(self.date, self.timing.margin)

    @property
    def end(self) -> datetime | None:
        """The end unless it is renewed (server's clock), None if it is unknown."""
        written = self.state.written
        if written is None:
            return None
        return written + timedelta(seconds=self.state.seconds)

    @property
    def locked(self) -> str:
        """The locked object, in its holder's words."""
        return shown(self.state.annotations.get(LOCKED) or self.state.name)

    @property
    def holder(self) -> str:
        """The holder, for people."""
        return shown(self.state.holder) or "nobody"

    @property
    def doing(self) -> str:
        """The command that holds it, as its holder says."""
        return shown(self.state.annotations.get(COMMAND, "")) or "unknown command"

    @property
    def since(self) -> str:
        """When it was taken, as its holder says."""
        return shown(short_time(self.state.since)) or "unknown"

    @property
    def until(self) -> str:
        """Until when it is held, or since when no more."""
        moment = "unknown" if self.end is None else f"{self.end:%Y-%m-%d %H:%M:%S} UTC"
        if self.ended:
            return f"expired at {moment} and was not released"
        return f"held until {moment} unless it is renewed"

    def to_json(self) -> dict[str, Any]:
        state = self.state
        notes = self.state.annotations
        return {
            "lease": state.name,
            "locked": notes.get(LOCKED),
            "serviceAccount": account_json(notes.get(LOCKED, "").removeprefix("ServiceAccount ")),
            "holder": state.holder,
            "run": state.run,
            "user": notes.get(USER),
            "host": notes.get(HOST),
            "command": notes.get(COMMAND),
            "since": state.since or None,
            "renewed": None if state.written is None else state.written.isoformat(),
            "until": None if self.end is None else self.end.isoformat(),
            "ended": self.ended,
        }


def of_holder(locks: Iterable[SeenLock], holder: str) -> list[SeenLock]:
    """Those that a holder has, by its whole identity or by its run's name."""
    return [lock for lock in locks if lock.state.holder and holder in (lock.state.holder, lock.state.run)]
