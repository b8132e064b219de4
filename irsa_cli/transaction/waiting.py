"""For how long a rollback waits for writes without an answer, and how its time is shared out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from irsa_cli.core.plan.changes import Change
from irsa_cli.core.values import limits
from irsa_cli.transaction.protocol import Run

LATE_CALLS = 1.5
"""A write without an answer may be executed for that many call time-outs after it was given up."""

ROLLBACK_SECONDS = 60.0

TURN = 1 / 8
"""Of a rollback's time, what each stage that is yet to come has for itself; all of them have half at most."""


def late_seconds() -> float:
    """For how long a write without an answer may be executed after it was given up."""
    return LATE_CALLS * limits.call_seconds()


def happens_once(change: Change) -> bool:
    """Whether a write that is executed late can't undo what a rollback has done in the meantime.

    Where the server compares, it changes nothing any more. Any other write that is still on its way strikes
    again: a call is attempted more than once, and an object that was rolled back has freed its name.
    """
    return change.before is not None and change.kind.traits.service.compares


def pauses() -> Iterator[float]:
    """Seconds to wait between two looks, longer each time."""
    wait = 0.1
    while True:
        yield wait
        wait = min(wait * 2, 3.0)


@dataclass(frozen=True)
class Turn:
    """A rollback for the sake of a stage: what fails in it again and again leaves time for the rest."""

    run: Run
    reserve: float
    """Seconds that are for the stages before."""
    persistent = True

    @classmethod
    def of(cls, run: Run, seconds: float, waiting: int) -> Turn:
        """The turn of a stage in a rollback of `seconds` in all, while `waiting` stages wait for theirs."""
        return cls(run, seconds * min(TURN * waiting, 0.5))

    @property
    def remaining(self) -> float:
        """See `irsa_cli.core.values.patience.Patience`."""
        return self.run.remaining - self.reserve

    def pause(self, seconds: float) -> None:
        """See `irsa_cli.core.values.patience.Patience`."""
        self.run.pause(seconds)

    def assure(self) -> None:
        """See `irsa_cli.core.values.patience.Patience`."""
        self.run.assure()
