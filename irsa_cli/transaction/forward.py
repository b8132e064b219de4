"""Going on with a transaction whose process is gone: what its journal doesn't say is done is done now.

Nothing is taken back here, whatever happens; that is `irsa_cli.transaction.recover`'s business.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from irsa_cli.core.errors import Conflict, DeadlineExceeded, Outcome, ServiceError
from irsa_cli.core.patience import within
from irsa_cli.core.plan import Change, Kind
from irsa_cli.core.unanswered import given_up
from irsa_cli.transaction.engine import (
    PARALLEL,
    ChangeReport,
    Event,
    Listener,
    Report,
    Step,
    Tracked,
    Worker,
)
from irsa_cli.transaction.journal import Journal, JournalError, Record, Story, read
from irsa_cli.transaction.protocol import Applied, Handler, Interrupted, Run
from irsa_cli.transaction.recover import last_sent

UNFINISHED = "unfinished"
"""The outcome of a report whose transaction is still neither committed nor taken back."""


def roll_forward(
    path: Path, story: Story, handlers: Mapping[Kind, Handler], run: Run, listen: Listener
) -> Report:
    """Go on to the end of the plan; the report's outcome is `committed` or `unfinished`.

    `run` bears the transaction's own name, so that its marks are known again. Raises `JournalError` when the
    transaction's process still lives, or did when `story` was read.
    """
    journal = Journal.reopen(path)
    try:
        if read(path) != story:
            raise JournalError(f"transaction {path.stem} went on meanwhile", reason="look at it again")
        return _Forward(story, handlers, journal, run, listen, last_sent(path)).execute()
    finally:
        journal.close()


@dataclass
class _Step:
    """A change of the journal on its way; `state` as in a report.

    `over`: its state after it was found or made by this process. `unanswered` as in `Tracked`.
    """

    index: int
    record: Record
    state: str = "pending"
    seconds: float = 0.0
    over: bool = False
    unanswered: float | None = None

    @property
    def tracked(self) -> Tracked:
        """The same for who looks for what was not answered: by what this process knows, not the journal."""
        found = Tracked(self.record.change, self.index)
        found.record.begun, found.record.done = self.over or self.unanswered is not None, self.over
        found.state, found.unanswered = self.state, self.unanswered
        return found


@dataclass
class _Forward:
    story: Story
    handlers: Mapping[Kind, Handler]
    journal: Journal
    run: Run
    listen: Listener
    last_sent: float
    """When (monotonic) the process that is gone may have sent its last request."""
    stages: list[list[_Step]] = field(init=False)

    def __post_init__(self) -> None:
        steps = iter([self._step(index, record) for index, record in enumerate(self.story.records)])
        self.stages = [[next(steps) for _ in stage] for stage in self.story.stages]
        for record in self.story.records:
            if record.done and record.needs_undo and record.change.action == "create":
                self.run.made(record.change)  # IAM may still be spreading it.

    def _step(self, index: int, record: Record) -> _Step:
        sent = record.needs_undo and not record.done
        return _Step(index, record, unanswered=self.last_sent if sent else None)

    def execute(self) -> Report:
        error = self._all_stages()
        if error is None:
            # The world is as wished from here on: a journal that can't say so doesn't make it less true.
            with contextlib.suppress(JournalError):
                self.journal.event("outcome", outcome="committed")
        changes = [
            ChangeReport(step.record.change, step.state, step.seconds)
            for stage in self.stages
            for step in stage
        ]
        return Report("committed" if error is None else UNFINISHED, changes, error)

    def _all_stages(self) -> Exception | None:
        for number, stage in enumerate(self.stages, 1):
            error = self._at_once(stage)
            if error is not None:
                return None if number == len(self.stages) and self._has_committed(stage) else error
        return None

    def _has_committed(self, stage: Sequence[_Step]) -> bool:
        """Whether the last stage is done all the same; see `Transaction`."""
        tracked = [step.tracked for step in stage]
        worker = Worker(self.handlers, self.journal, self.listen)
        if not worker.finish_unanswered(tracked, self.run.transaction):
            return False
        for step in stage:
            step.state = "done" if step.state == "failed" else step.state
        return True

    def _at_once(self, stage: Sequence[_Step]) -> Exception | None:
        """Do a stage's changes at the same time and wait for all; the first error in the plan's order."""
        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            futures = [pool.submit(self._go_on, step) for step in stage]
        failures = (future.exception() for future in futures)
        return next((error for error in failures if isinstance(error, Exception)), None)

    def _go_on(self, step: _Step) -> None:
        self.run.check()
        started = time.monotonic()
        if self._is_over(step):
            step.state = "unchanged"
            return
        self._tell(Event(Step.STARTED, step.record.change))
        try:
            changed = self._is_there(step) or self._apply(step)
        except Exception as error:
            step.state, step.seconds = "failed", time.monotonic() - started
            self._tell(Event(Step.FAILED, step.record.change, step.seconds, error))
            raise
        step.state, step.seconds = "done" if changed else "unchanged", time.monotonic() - started

    def _is_over(self, step: _Step) -> bool:
        """Whether the plan has deleted later what the change is about."""
        change = step.record.change
        later = [item for item in self.story.records if _deletes(item, change) and item is not step.record]
        with within(self.run):
            return any(self.handlers[it.change.kind].look(it.change, self.run.transaction) for it in later)

    def _is_there(self, step: _Step) -> bool:
        """Whether what was begun is there, whoever may have changed it since; nothing is written then."""
        record = step.record
        # That something is gone bears no mark: to delete it again is as good as to look.
        if not record.needs_undo or record.change.after is None:
            return False
        with within(self.run):
            there = self.handlers[record.change.kind].look(record.change, self.run.transaction)
        if not there:
            return False
        step.over = True
        if not record.done:
            self.journal.event("done", step.index, changed=True, identity={})
        self._tell(Event(Step.DONE, record.change, changed=False))
        return True

    def _apply(self, step: _Step) -> bool:
        """Make a change; returns whether there is anything of it to take back."""
        record, change = step.record, step.record.change
        began, earlier, silent = time.monotonic(), record.needs_undo, given_up()
        self.journal.event("begin", step.index)
        try:
            with within(self.run):
                applied = self.handlers[change.kind].apply(change, self.run)
        except Exception as error:
            # An earlier attempt may have left something, whatever becomes of this one.
            if not _did_not_act(error):
                # A stop comes between two calls.
                if given_up() > silent or not isinstance(error, Interrupted | DeadlineExceeded):
                    step.unanswered = time.monotonic()
            elif not earlier:
                with contextlib.suppress(JournalError):
                    self.journal.event("refused", step.index)
            raise
        step.over = True
        changed = applied.changed or earlier
        if changed and change.action == "create":
            self.run.made(change)
        self._note_done(step, applied, changed=changed)
        self._tell(Event(Step.DONE, change, time.monotonic() - began, changed=applied.changed))
        return changed

    def _note_done(self, step: _Step, applied: Applied, *, changed: bool) -> None:
        self.journal.event("done", step.index, changed=changed, identity=dict(applied.identity))

    def _tell(self, event: Event) -> None:
        with contextlib.suppress(Exception):  # A terminal that is gone is no failure of the transaction.
            self.listen(event)


def _deletes(record: Record, change: Change) -> bool:
    """Whether it is a deletion, begun, of what the change is about."""
    whole = (record.change.kind, record.change.target) == change.object
    return whole and record.change.after is None and record.needs_undo


def _did_not_act(error: Exception) -> bool:
    """Whether it is certain that the failed write neither was nor will be executed."""
    if isinstance(error, ServiceError):
        return error.outcome is not Outcome.UNKNOWN
    return isinstance(error, Conflict)
