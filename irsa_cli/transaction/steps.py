"""The changes of a plan on their way through a transaction: what is known of each, in this process.

Also for how long a rollback waits for writes without an answer, and how its time is shared out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

from irsa_cli.core.plan.changes import Change, Plan
from irsa_cli.core.results.result import ChangeResult
from irsa_cli.core.values import limits
from irsa_cli.transaction.protocol import Leftover, Run, RunReport
from irsa_cli.transaction.story import Record

PARALLEL = 8
"""Changes of one stage that are under way at the same time."""


@dataclass
class Tracked:
    """A change on its way through a transaction."""

    record: Record
    index: int
    state: str = "pending"
    seconds: float = 0.0
    unanswered: float | None = None
    """When (monotonic) the client gave up on a write, or an attempt, that may still be executed."""
    written: float | None = None
    """When (monotonic) its effect was confirmed, at the latest."""
    earlier: bool = False
    """Whether the world may hold its effect by an earlier process."""
    noted: bool = False
    """Whether that one noted it as done."""

    @property
    def change(self) -> Change:
        return self.record.change

    @property
    def is_looked_for(self) -> bool:
        """Whether it may be there by an earlier process, and bears a mark that tells."""
        return self.earlier and self.change.after is not None


Stages = Sequence[Sequence[Tracked]]


def all_of(stages: Stages) -> list[Tracked]:
    """The steps of all stages, in the order of the plan."""
    return list(chain.from_iterable(stages))


def of_plan(plan: Plan) -> list[list[Tracked]]:
    return numbered(map(Record, stage) for stage in plan.stages)


def numbered(stages: Iterable[Iterable[Record]]) -> list[list[Tracked]]:
    """The steps of stages, in the order of the plan."""
    steps: list[list[Tracked]] = []
    index = 0
    for stage in stages:
        steps.append([Tracked(record, number) for number, record in enumerate(stage, index)])
        index += len(steps[-1])
    return steps


def report(
    stages: Stages,
    outcome: str,
    error: Exception | None,
    leftovers: list[Leftover],
    notes: Sequence[str] = (),
) -> RunReport:
    changes = [ChangeResult(step.change, step.state, step.seconds) for step in all_of(stages)]
    return RunReport(outcome, changes, error, leftovers, list(notes))


def in_parallel(act: Callable[[Tracked], None], steps: Sequence[Tracked]) -> list[Exception]:
    """Run `act` for all steps at once and wait for all; the errors, in the order of the steps."""
    if len(steps) == 1:
        try:
            act(steps[0])
        except Exception as error:
            return [error]
        return []
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        futures = [pool.submit(act, step) for step in steps]
    failures = (future.exception() for future in futures)
    return [error for error in failures if isinstance(error, Exception)]


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
        return self.run.remaining - self.reserve

    def pause(self, seconds: float) -> None:
        self.run.pause(seconds)

    def assure(self) -> None:
        self.run.assure()
