"""The events of a running transaction for its listener, and the report at its end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from irsa_cli.core.plan.changes import Change
from irsa_cli.core.values.errors import Claimed, Gone, LockLost, MadeAgain
from irsa_cli.transaction.story import TAKEN_OVER


class Step(Enum):
    """The kind of an event."""

    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    GATE = "gate"
    WAITING = "waiting"
    GATE_PASSED = "gate passed"
    ROLLBACK = "rollback"
    UNDONE = "undone"
    LEFT = "left"


@dataclass(frozen=True)
class Event:
    """An event of a transaction; `seconds` is how long it took, `text` what it waits for."""

    step: Step
    change: Change | None = None
    seconds: float = 0.0
    error: Exception | None = None
    changed: bool = True
    text: str = ""


Listener = Callable[[Event], None]


def harmless(listen: Listener) -> Listener:
    """A listener whose failure (its terminal is gone, say) is no failure of the transaction."""

    def safely(event: Event) -> None:
        with contextlib.suppress(Exception):
            listen(event)

    return safely


@dataclass(frozen=True)
class Leftover:
    """A change that could not be rolled back, and why."""

    change: Change
    error: Exception

    @property
    def is_only_reported(self) -> bool:
        """Whether nothing can be done about what is left, nor has to be."""
        return isinstance(self.error, MadeAgain | Gone) or (
            isinstance(self.error, Claimed) and self.error.ended
        )


def end_of(leftovers: Sequence[Leftover]) -> dict[str, Any]:
    """The end of a rollback, for the journal; and, if another run then held the lock, that fact."""
    taken = any(isinstance(item.error, LockLost) and item.error.taken_over for item in leftovers)
    return {"outcome": outcome_of(leftovers), **({TAKEN_OVER: True} if taken else {})}


def outcome_of(leftovers: Sequence[Leftover]) -> str:
    """How a rollback ended; it is also complete if every leftover is only reported."""
    if not all(item.is_only_reported for item in leftovers):
        return "incomplete"
    used = any(isinstance(item.error, Claimed) for item in leftovers)
    return "superseded" if used else "rolled-back"


@dataclass
class ChangeReport:
    """How one change of the plan ended: pending, done, unchanged, failed, undone or left."""

    change: Change
    state: str = "pending"
    seconds: float = 0.0


@dataclass
class Report:
    """How a transaction ended: `committed`, `rolled-back` or `incomplete`; or not yet: `unfinished`."""

    outcome: str
    changes: list[ChangeReport]
    error: Exception | None = None
    leftovers: list[Leftover] = field(default_factory=list)
