"""For how long a rollback has to wait before what it sees can be believed, and how its time is shared out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.values import limits
from irsa_cli.transaction.protocol import Run
from irsa_cli.transaction.steps import Tracked

LATE_CALLS = 1.5
"""A write without an answer may be executed for that many call time-outs after it was given up."""

ROLLBACK_SECONDS = 60.0

TURN = 1 / 8
"""Of a rollback's time, what each stage that is yet to come has for itself; all of them have half at most."""


class Windows:
    """Until when (monotonic seconds) what is not to be seen may show yet."""

    def __init__(self) -> None:
        self.late_seconds = LATE_CALLS * limits.call_seconds()
        self.trust_until = 0.0
        """Until when IAM may show a trust policy that this rollback has changed back."""
        self._made_again: dict[tuple[Kind, tuple[str, ...]], float] = {}

    def late_until(self, step: Tracked) -> float:
        """Until when a write without an answer may be executed."""
        return 0.0 if step.unanswered is None else step.unanswered + self.late_seconds

    def spread_until(self, step: Tracked) -> float:
        """Until when a reading may not show what the step has done.

        Nor what this rollback has done before: a role that it had to make again.
        """
        if not step.change.kind.traits.service.spreads:
            return 0.0
        written = [step.written, self._made_again.get(step.change.object)]
        return max((at + limits.PROPAGATION_SECONDS for at in written if at is not None), default=0.0)

    def note_taken_back(self, change: Change) -> None:
        """A change was rolled back just now."""
        if change.kind.traits.changes_trust:
            self.trust_until = time.monotonic() + limits.PROPAGATION_SECONDS

    def note_made_again(self, change: Change) -> None:
        """An object was made again just now."""
        self._made_again[change.kind, change.target] = time.monotonic()


def happens_once(change: Change) -> bool:
    """Whether a write that is executed late can't undo what a rollback has done in the meantime.

    Where the server compares, it changes nothing any more. Any other write that is still on its way strikes
    again: a call is attempted more than once, and what was made and rolled back has freed its name.
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
