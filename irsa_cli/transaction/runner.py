"""Running a plan: stage by stage, every step journaled, everything rolled back when one fails.

One runner for a new plan (`Transaction`) and for one whose process is gone (`irsa_cli.transaction.recover`).
The effect of a change is its handler's business (`irsa_cli.changes`), the way back is in
`irsa_cli.transaction.rollback`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence

from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.values.errors import (
    Conflict,
    DeadlineExceeded,
    LockLost,
    Outcome,
    Overwritten,
    ServiceError,
)
from irsa_cli.core.values.patience import within
from irsa_cli.transaction import steps as tracking
from irsa_cli.transaction.journal import Journal, JournalError
from irsa_cli.transaction.protocol import (
    Event,
    Handler,
    Interrupted,
    Leftover,
    Listener,
    Run,
    RunReport,
    Step,
    carry_out,
    end_of,
    harmless,
)
from irsa_cli.transaction.reading import concurrent_changes
from irsa_cli.transaction.rollback import Rollback
from irsa_cli.transaction.steps import ROLLBACK_SECONDS, Stages, Tracked, all_of, in_parallel


class Runner:
    """Carries out stages of steps, some of which an earlier process may have begun."""

    def __init__(
        self,
        stages: Stages,
        handlers: Mapping[Kind, Handler],
        journal: Journal,
        run: Run,
        listen: Listener,
        rollback_seconds: float = ROLLBACK_SECONDS,
    ) -> None:
        self._stages = stages
        self._journal = journal
        self._run = run
        self._listen = harmless(listen)
        self._rollback = Rollback(handlers, journal, listen, seconds=rollback_seconds, fence=run.fence)
        self._earlier = [step for step in all_of(stages) if step.earlier]

    def go_on(self, gate: Callable[[], None] | None = None) -> Exception | None:
        """Go to the end of the last stage; returns why not, if not."""
        for number, stage in enumerate(self._stages, 1):
            is_last = number == len(self._stages)
            try:
                if gate is not None and is_last:
                    self._run.check()
                    started = time.monotonic()
                    self._listen(Event(Step.GATE))
                    with within(self._run):
                        gate()
                    self._listen(Event(Step.GATE_PASSED, seconds=time.monotonic() - started))
                errors = in_parallel(self._go, stage)
                if errors:
                    raise errors[0]
            except Exception as error:
                return None if is_last and self._has_committed(stage) else error
        return None

    def end_well(self) -> RunReport:
        """Note the end of a plan that was carried out, and look whether others have undone some of it.

        Others may go by what was reached. So the run has committed before, whatever becomes of this.
        """
        commit(self._journal)
        notes: list[str] = []
        lost: list[Leftover] = []
        by_document: dict[str, list[Tracked]] = {}
        for step in all_of(self._stages):
            if step.change.kind.traits.is_shared and step.written:
                by_document.setdefault(step.change.target[0], []).append(step)

        def confirm(last: Tracked) -> None:
            steps = by_document[last.change.target[0]]
            try:
                note = self._confirm(steps)
            except Overwritten as error:
                for step in steps:
                    step.state = "left"
                    lost.append(Leftover(step.change, error))
                return
            except Exception as error:  # Also a bug: it undoes nothing of what was reached.
                name = f"{last.change.kind.value} {last.change.name}"
                note = f"irsa could not check whether another write undid {name}: {error}"
            if note:
                notes.append(note)

        in_parallel(confirm, [steps[-1] for steps in by_document.values()])
        if not lost:
            return tracking.report(self._stages, "committed", None, lost, notes)
        self._rollback.note("outcome", outcome="incomplete")
        return tracking.report(self._stages, "incomplete", lost[0].error, lost, notes)

    def _confirm(self, steps: Sequence[Tracked]) -> str:
        """Confirm the changes of one document, and what they may have undone of this machine's other runs."""
        mine = [step.change for step in steps]
        written = max(step.written or 0.0 for step in steps)
        began = min((step.written or 0.0) - step.seconds for step in steps)
        theirs = concurrent_changes(self._journal.path, time.time() - (time.monotonic() - began), mine)
        with within(self._run):
            return self._rollback.handler(mine[0]).confirm([*mine, *theirs], self._run, written)

    def recall(self) -> None:
        self._rollback.recall(self._stages, self._run.transaction)

    def _has_committed(self, stage: Sequence[Tracked]) -> bool:
        """Whether the last stage is done after all, which reaches the desired state.

        Others may have seen it, and go by it: it is not rolled back because its answer, or a line of the
        journal, was lost.
        """
        if not stage or not self._rollback.finish_unanswered(stage, self._run.transaction):
            return False
        for step in stage:
            if step.state == "failed":
                step.state = "done"
        return True

    def _go(self, step: Tracked) -> None:
        self._run.check()
        self._run.assure()
        if self._is_deleted_later(step):
            step.state = "unchanged"
        elif not self._is_there(step):
            self._apply(step)

    def _is_deleted_later(self, step: Tracked) -> bool:
        """Whether the plan has deleted by now, in an earlier process, what the change is about."""
        earlier = [step_before.change for step_before in self._earlier if step_before is not step]
        same = (change for change in earlier if (change.kind, change.target) == step.change.object)
        deletions = [change for change in same if change.after is None]
        with within(self._run):
            for change in deletions:
                if self._rollback.handler(change).look(change, self._run.transaction):
                    return True
        return False

    def _is_there(self, step: Tracked) -> bool:
        """Whether the state that an earlier process began exists; a deletion has no mark and is repeated."""
        if not step.is_looked_for:
            return False
        started = time.monotonic()
        self._listen(Event(Step.STARTED, step.change))
        try:
            with within(self._run):
                is_there = self._rollback.handler(step.change).look(step.change, self._run.transaction)
            if is_there:
                step.record.done = True
                if not step.noted:
                    self._journal.event("done", step.index, changed=True, identity={})
        except Exception as error:
            self._tell_failure(step, error, time.monotonic() - started)
            raise
        if is_there:
            step.state = "done"
            step.seconds = time.monotonic() - started
            self._listen(Event(Step.DONE, step.change, changed=False))
        return is_there

    def _apply(self, step: Tracked) -> None:
        self._journal.event("begin", step.index)
        step.record.begin()
        started = time.monotonic()
        if not step.is_looked_for:
            self._listen(Event(Step.STARTED, step.change))
        try:
            with within(self._run) as calls:
                applied = carry_out(self._rollback.handler(step.change), step.change, self._run, calls)
        except Exception as error:
            if _did_not_act(error):
                # An earlier process may have left something, whatever becomes of this attempt.
                if not step.earlier:
                    step.record.refused = True
                    self._rollback.note("refused", step.index)
            # A stop comes between two calls: it tells nothing of a call before it that nobody answered.
            elif calls.given_up > 0 or not isinstance(error, Interrupted | DeadlineExceeded | LockLost):
                step.unanswered = time.monotonic()
            self._tell_failure(step, error, time.monotonic() - started)
            raise
        step.seconds = time.monotonic() - started
        # The steps of an earlier process are also rolled back.
        changed = applied.changed or step.earlier
        step.record.done = True
        step.record.changed = changed
        step.record.identity = dict(applied.identity)
        if calls.given_up:
            # An attempt before the one that was answered may strike yet, and make another incarnation.
            step.unanswered = time.monotonic()
            step.record.identity = {}
        step.written = time.monotonic() if changed else None
        step.state = "done" if changed else "unchanged"
        if changed and step.change.action == "create":
            self._run.made(step.change)
        self._journal.event("done", step.index, changed=changed, identity=step.record.identity)
        self._listen(Event(Step.DONE, step.change, step.seconds, changed=applied.changed))

    def _tell_failure(self, step: Tracked, error: Exception, seconds: float) -> None:
        step.seconds = seconds
        step.state = "failed"
        self._listen(Event(Step.FAILED, step.change, seconds, error))


class Transaction(Runner):
    """One run of a plan against the world."""

    def __init__(
        self,
        plan: Plan,
        handlers: Mapping[Kind, Handler],
        journal: Journal,
        run: Run,
        listen: Listener = lambda event: None,
        rollback_seconds: float = ROLLBACK_SECONDS,
    ) -> None:
        super().__init__(tracking.of_plan(plan), handlers, journal, run, listen, rollback_seconds)

    def execute(self, gate: Callable[[], None] | None = None, *, ends_later: bool = False) -> RunReport:
        """Run the plan to its end or back to its beginning; never raises for a failed change.

        `ends_later`: a plan that is carried out is not the end yet, `end` is.
        """
        error = self.go_on(gate)
        if error is None and not ends_later:
            return self.end_well()
        if error is None:
            return tracking.report(self._stages, "committed", None, [])
        self._listen(Event(Step.ROLLBACK, error=error))
        leftovers = self._rollback.undo(self._stages, self._run.transaction)
        self._rollback.note("outcome", **end_of(leftovers))
        outcome = "incomplete" if leftovers else "rolled-back"
        return tracking.report(self._stages, outcome, error, leftovers)

    def release(self, stays: Callable[[Change], bool]) -> None:
        """Note what is not to be rolled back any more, whatever becomes of the rest."""
        for step in all_of(self._stages):
            if step.record.needs_undo and stays(step.change):
                step.record.changed = False
                self._rollback.note("done", step.index, changed=False, identity={})

    def end(self) -> RunReport:
        """End a plan that `ends_later`: roll back what was not released, except objects in use."""
        steps = all_of(self._stages)
        leftovers = self._rollback.undo(self._stages, self._run.transaction)
        stuck = any(not isinstance(leftover.error, Conflict) for leftover in leftovers)
        undone = bool(steps) and all(step.record.undone for step in steps)
        outcome = "committed"
        if stuck:
            outcome = "incomplete"
        elif undone:
            outcome = "rolled-back"
        self._rollback.note("outcome", **{**end_of(leftovers), "outcome": outcome})
        return tracking.report(self._stages, outcome, None, leftovers)


def commit(journal: Journal) -> None:
    """Note the end: the desired state is reached, and a journal that can't record it doesn't change that."""
    with contextlib.suppress(JournalError):
        journal.event("outcome", outcome="committed")


def _did_not_act(error: Exception) -> bool:
    """Whether it is certain that the failed write neither was nor will be executed."""
    if isinstance(error, ServiceError):
        return error.outcome is not Outcome.UNKNOWN
    return isinstance(error, Conflict)
