"""The changes of a plan on their way through a transaction: what is known of each, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from irsa_cli.core.plan.changes import Change, Plan
from irsa_cli.transaction.events import ChangeReport, Leftover, Report
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
        """The change itself."""
        return self.record.change

    @property
    def is_looked_for(self) -> bool:
        """Whether it may be there by an earlier process, and bears a mark that tells."""
        return self.earlier and self.change.after is not None


Stages = Sequence[Sequence[Tracked]]


def all_of(stages: Stages) -> list[Tracked]:
    """The steps of all stages, in the order of the plan."""
    return [step for stage in stages for step in stage]


def of_plan(plan: Plan) -> list[list[Tracked]]:
    """The steps of a plan of which nothing is begun."""
    return _numbered([[Record(change) for change in stage] for stage in plan.stages])


def of_journal(stages: Sequence[Sequence[Record]], last_sent: float) -> list[list[Tracked]]:
    """The steps of a journal, to roll back; what was sent was sent until `last_sent` (monotonic seconds)."""
    steps = _numbered(stages)
    for step in all_of(steps):
        record = step.record
        if record.begun and not record.done and not record.refused:
            step.unanswered = last_sent
        if record.done and record.changed:
            step.written = last_sent
    return steps


def to_go_on(stages: Sequence[Sequence[Record]], last_sent: float) -> list[list[Tracked]]:
    """The steps of a journal to continue: none counts as done before this process has checked it."""
    steps = _numbered([[replace(record) for record in stage] for stage in stages])
    for step in all_of(steps):
        record = step.record
        step.earlier, step.noted, record.done = record.needs_undo, record.done, False
        step.unanswered = last_sent if step.earlier and not step.noted else None
        step.written = last_sent if step.noted and record.changed else None
    return steps


def _numbered(stages: Iterable[Iterable[Record]]) -> list[list[Tracked]]:
    found: list[list[Tracked]] = []
    index = 0
    for stage in stages:
        found.append([Tracked(record, number) for number, record in enumerate(stage, index)])
        index += len(found[-1])
    return found


def report(stages: Stages, outcome: str, error: Exception | None, leftovers: list[Leftover]) -> Report:
    """How the steps ended."""
    changes = [ChangeReport(step.change, step.state, step.seconds) for step in all_of(stages)]
    return Report(outcome, changes, error, leftovers)


def in_parallel(work: Callable[[Tracked], None], steps: Sequence[Tracked]) -> list[Exception]:
    """Run `work` for all steps at once and wait for all; the errors, in the order of the steps."""
    if len(steps) == 1:
        try:
            work(steps[0])
        except Exception as error:
            return [error]
        return []
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        futures = [pool.submit(work, step) for step in steps]
    failures = (future.exception() for future in futures)
    return [error for error in failures if isinstance(error, Exception)]
