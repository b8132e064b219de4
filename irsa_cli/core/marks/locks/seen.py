"""A lock as others see it: what its Lease says, by the clock of the server."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from irsa_cli.core.marks.locks.lease import COMMAND, HOST, LOCKED, USER, LeaseState, Timing, short_time, shown
from irsa_cli.core.values.names import account_json


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
        return None if written is None else written + timedelta(seconds=self.state.seconds)

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
        state, notes = self.state, self.state.annotations
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


def of_holder(seen: Iterable[SeenLock], holder: str) -> list[SeenLock]:
    """Those that a holder has, by its whole identity or by its run's name."""
    return [item for item in seen if item.state.holder and holder in (item.state.holder, item.state.run)]
