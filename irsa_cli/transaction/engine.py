"""Running a plan: stage by stage, every step journaled, everything taken back when one fails.

What a change does to the world is its handler's business (`irsa_cli.changes`); what the user sees of
it is decided by whoever listens to the events.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from typing import Any

from irsa_cli.core import limits
from irsa_cli.core.dismantling import waits
from irsa_cli.core.errors import (
    Claimed,
    Conflict,
    DeadlineExceeded,
    MadeAgain,
    Outcome,
    ServiceError,
    Waits,
)
from irsa_cli.core.patience import within
from irsa_cli.core.plan import Change, Kind, Plan
from irsa_cli.core.traits import Proof
from irsa_cli.core.unanswered import given_up
from irsa_cli.transaction.journal import Journal, JournalError, Record
from irsa_cli.transaction.protocol import Applied, Claim, Handler, Interrupted, Run

PARALLEL = 8
"""Changes of one stage that are under way at the same time."""

LATE_CALLS = 1.5
"""A write without an answer may be executed for that many call time-outs after it was given up."""

ROLLBACK_SECONDS = 60.0

TURN = 1 / 8
"""Of a rollback's time, what each stage that is yet to come has for itself; all of them have half at most."""


class Step(Enum):
    """What an event tells."""

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
    """Something that happened in a transaction; `seconds` is how long it took, `text` what is waited for."""

    step: Step
    change: Change | None = None
    seconds: float = 0.0
    error: Exception | None = None
    changed: bool = True
    text: str = ""


Listener = Callable[[Event], None]


@dataclass(frozen=True)
class Leftover:
    """A change that could not be taken back, and why."""

    change: Change
    error: Exception


def outcome_of(leftovers: Sequence[Leftover]) -> str:
    """How a rollback ended, for the journal.

    It is over also where what is left only has to be told: it was made again, or another run that has come to
    its end uses it.
    """
    if not all(map(_only_told, leftovers)):
        return "incomplete"
    used = any(isinstance(item.error, Claimed) for item in leftovers)
    return "superseded" if used else "rolled-back"


def _only_told(item: Leftover) -> bool:
    """Whether nothing can be done about what is left, nor has to be."""
    return isinstance(item.error, MadeAgain) or (isinstance(item.error, Claimed) and item.error.ended)


@dataclass
class ChangeReport:
    """How one change of the plan ended: pending, done, unchanged, failed, undone or left."""

    change: Change
    state: str = "pending"
    seconds: float = 0.0


@dataclass
class Report:
    """How a transaction ended: `committed`, `rolled-back` or `incomplete`."""

    outcome: str
    changes: list[ChangeReport]
    error: Exception | None = None
    leftovers: list[Leftover] = field(default_factory=list)


class Transaction:
    """One run of a plan against the world."""

    def __init__(
        self,
        plan: Plan,
        handlers: Mapping[Kind, Handler],
        journal: Journal,
        run: Run,
        listen: Listener = lambda event: None,
        *,
        gate: Callable[[], None] | None = None,
        rollback_seconds: float = ROLLBACK_SECONDS,
        ends_later: bool = False,
    ) -> None:
        """`ends_later`: a plan that is carried out is not the end yet, `end` is."""
        self._plan = plan
        self._ends_later = ends_later
        self._journal = journal
        self._run = run
        self._listen = listen = _harmless(listen)
        self._gate = gate
        self._steps = [[Tracked(change, index) for index, change in stage] for stage in _numbered(plan)]
        self._worker = Worker(handlers, journal, listen, rollback_seconds=rollback_seconds)

    def execute(self) -> Report:
        """Run the plan to its end or back to its beginning; never raises for a failed change."""
        error = self._forward()
        if error is None or self._has_committed():
            return self._report("committed", None, [])
        self._listen(Event(Step.ROLLBACK, error=error))
        leftovers = self._worker.undo(self._steps, self._run.transaction)
        self._worker.note("outcome", outcome=outcome_of(leftovers))
        return self._report("incomplete" if leftovers else "rolled-back", error, leftovers)

    def release(self, stays: Callable[[Change], bool]) -> None:
        """Note what is not to be taken back any more, whatever becomes of the rest."""
        steps = [step for stage in self._steps for step in stage]
        for step in steps:
            if step.record.needs_undo and stays(step.change):
                step.record.changed = False
                self._worker.note("done", step.index, changed=False, identity={})

    def end(self) -> Report:
        """End a plan that was carried out, and `ends_later`: what was not released is taken back.

        What somebody else counts on by then stays, too; the report tells it as a leftover.
        """
        steps = [step for stage in self._steps for step in stage]
        leftovers = self._worker.undo(self._steps, self._run.transaction)
        stuck = any(not isinstance(item.error, Conflict) for item in leftovers)
        undone = bool(steps) and all(step.record.undone for step in steps)
        outcome = "incomplete" if stuck else "rolled-back" if undone else "committed"
        self._worker.note("outcome", outcome=outcome)
        return self._report(outcome, None, leftovers)

    def _forward(self) -> Exception | None:
        try:
            for number, stage in enumerate(self._steps, 1):
                if self._gate is not None and number == len(self._steps):
                    self._pass_gate()
                self._run_stage(stage)
            self._run_commit()
        except Exception as error:
            return error
        return None

    def _has_committed(self) -> bool:
        """Whether the last stage is done all the same, which makes the world as wished.

        Others may have seen it, and go by it: it is not taken back because its answer, or a line of the
        journal, was lost.
        """
        last = self._steps[-1] if self._steps else []
        if not last or not self._worker.finish_unanswered(last, self._run.transaction):
            return False
        self._run_commit()
        return True

    def _run_commit(self) -> None:
        if self._ends_later:
            return
        # The world is as wished from here on: a journal that can't say so doesn't make it less true.
        with contextlib.suppress(JournalError):
            self._journal.event("outcome", outcome="committed")

    def _pass_gate(self) -> None:
        assert self._gate is not None
        self._run.check()
        started = time.monotonic()
        self._listen(Event(Step.GATE))
        with within(self._run):
            self._gate()
        self._listen(Event(Step.GATE_PASSED, seconds=time.monotonic() - started))

    def _run_stage(self, stage: Sequence[Tracked]) -> None:
        errors = _in_parallel(lambda step: self._forward_step(step), stage)
        if errors:
            raise errors[0]

    def _forward_step(self, step: Tracked) -> None:
        self._run.check()
        self._journal.event("begin", step.index)
        step.record.begun = True
        started, silent = time.monotonic(), given_up()
        self._listen(Event(Step.STARTED, step.change))
        try:
            with within(self._run):
                applied = self._worker.handler(step.change).apply(step.change, self._run)
        except Exception as error:
            self._note_failure(step, error, time.monotonic() - started, silent=given_up() > silent)
            raise
        step.seconds = time.monotonic() - started
        step.record.done, step.record.changed = True, applied.changed
        step.record.identity = dict(applied.identity)
        if given_up() > silent:
            # An attempt before the one that was answered may strike yet, and make another incarnation.
            step.unanswered, step.record.identity = time.monotonic(), {}
        step.written = time.monotonic() if applied.changed else None
        step.state = "done" if applied.changed else "unchanged"
        if applied.changed and step.change.action == "create":
            self._run.made(step.change)
        self._journal.event("done", step.index, changed=applied.changed, identity=step.record.identity)
        self._listen(Event(Step.DONE, step.change, step.seconds, changed=applied.changed))

    def _note_failure(self, step: Tracked, error: Exception, seconds: float, *, silent: bool) -> None:
        step.seconds, step.state = seconds, "failed"
        if _did_not_act(error):
            step.record.refused = True
            self._worker.note("refused", step.index)
        # A stop comes between two calls: it tells nothing of a call before it that nobody answered.
        elif silent or not isinstance(error, Interrupted | DeadlineExceeded):
            step.unanswered = time.monotonic()
        self._listen(Event(Step.FAILED, step.change, seconds, error))

    def _report(self, outcome: str, error: Exception | None, leftovers: list[Leftover]) -> Report:
        changes = [
            ChangeReport(step.change, step.state, step.seconds) for stage in self._steps for step in stage
        ]
        return Report(outcome, changes, error, leftovers)


@dataclass
class Tracked:
    """A change on its way through a transaction."""

    change: Change
    index: int
    record: Record = field(init=False)
    state: str = "pending"
    seconds: float = 0.0
    unanswered: float | None = None
    """When (monotonic) the client gave up on a write, or an attempt, that may still be executed."""
    written: float | None = None
    """When (monotonic) its effect was confirmed, at the latest."""

    def __post_init__(self) -> None:
        self.record = Record(self.change)


def steps_of(stages: Sequence[Sequence[Record]], last_sent: float) -> list[list[Tracked]]:
    """The steps of a journal; what was sent was sent until `last_sent` (monotonic seconds)."""
    steps: list[list[Tracked]] = []
    index = 0
    for stage in stages:
        steps.append([])
        for record in stage:
            step = Tracked(record.change, index)
            step.record = record
            if record.begun and not record.done and not record.refused:
                step.unanswered = last_sent
            if record.done and record.changed:
                step.written = last_sent
            steps[-1].append(step)
            index += 1
    return steps


@dataclass(frozen=True)
class _Counts:
    """Why what the run made has to stay; `ended`: for another run that has come to its end.

    With `unread`, that could not be asked, and has to be taken for granted. `roles` are those that it is
    about, where one plan makes several; of what is no role's, all stays.
    """

    why: str
    ended: bool = False
    unread: bool = False
    roles: frozenset[str] = frozenset()

    def keeps(self, step: Tracked) -> bool:
        """Whether it keeps a step from being taken back.

        Who has ended has had the objects' marks before this run took them: they are given back, to who does
        not take anything back any more.
        """
        mine = step.change.roles
        concerns = not self.roles or not mine or not mine.isdisjoint(self.roles)
        return concerns and not (self.ended and step.change.kind.traits.takes_over)

    def error(self, step: Tracked) -> Exception:
        """What is told of a step that is left for its sake."""
        what = f"{step.change.kind.value} {step.change.name}"
        if self.unread:
            return Waits(f"{what} stays as it is", reason=self.why)
        return Claimed(f"{what} was left alone", reason=self.why, ended=self.ended)


def _together(one: _Counts | None, other: _Counts | None) -> _Counts | None:
    """What is known after asking twice; what could be read tells more than what could not."""
    if one is None or other is None:
        return one or other
    first = other if one.unread else one
    # Of two roles, one run may have ended and another not.
    same = not one.roles or not other.roles or one.roles == other.roles
    ended = (one.ended or other.ended) if same else (one.ended and other.ended)
    roles = one.roles | other.roles if one.roles and other.roles else frozenset[str]()
    return replace(first, ended=ended, roles=roles)


@dataclass(frozen=True)
class _Turn:
    """A rollback for the sake of a stage: what fails in it again and again leaves time for the rest."""

    run: Run
    reserve: float
    """Seconds that are for the stages before."""
    persistent = True

    @property
    def remaining(self) -> float:
        """See `irsa_cli.core.patience.Patience`."""
        return self.run.remaining - self.reserve

    def pause(self, seconds: float) -> None:
        """See `irsa_cli.core.patience.Patience`."""
        self.run.pause(seconds)


class Worker:
    """Takes changes back: stages in reverse order, each change until it is gone or not ours to touch."""

    def __init__(
        self,
        handlers: Mapping[Kind, Handler],
        journal: Journal,
        listen: Listener,
        *,
        rollback_seconds: float = ROLLBACK_SECONDS,
    ) -> None:
        self._handlers = handlers
        self._journal = journal
        self._listen = _harmless(listen)
        self._rollback_seconds = rollback_seconds
        self._late_window = LATE_CALLS * limits.call_seconds()
        self._silent: dict[int, Exception] = {}
        self._made_again: dict[tuple[Kind, tuple[str, ...]], float] = {}
        self._trust_until = 0.0
        """Until when (monotonic) IAM may show a trust policy that this rollback has changed back."""
        self._rollback: Run | None = None

    def handler(self, change: Change) -> Handler:
        """The handler of a change's kind."""
        return self._handlers[change.kind]

    def note(self, event: str, index: int | None = None, **facts: Any) -> None:
        """Journal while rolling back: a journal that fails then must not stop the rollback."""
        with contextlib.suppress(JournalError):
            self._journal.event(event, index, **facts)

    def _run(self, transaction: str) -> Run:
        """The rollback as a run; its time begins with the first look for what nobody answered."""
        if self._rollback is None:
            self._rollback = Run(transaction, self._rollback_seconds)
        return self._rollback

    def finish_unanswered(self, stage: Sequence[Tracked], transaction: str) -> bool:
        """Look for what a stage began and nobody answered; whether all of the stage is done now."""
        begun = all(step.record.begun and not step.record.refused for step in stage)
        if not begun or any(not step.record.done and step.unanswered is None for step in stage):
            return False
        run = self._run(transaction)
        missing = [step for step in stage if not step.record.done]
        return not _in_parallel(lambda step: self._find(step, run), missing)

    def _find(self, step: Tracked, run: Run) -> None:
        """Wait until a change shows that nobody answered; raises when it doesn't, or can't be looked for."""
        handler, until = self.handler(step.change), self._late_until(step)
        waits = _backoff()
        while not self._is_there(handler, step, run):
            if time.monotonic() >= until or run.remaining <= 0:
                raise DeadlineExceeded(f"{step.change.name} did not show")
            time.sleep(min(next(waits), run.remaining))
        step.record.done, step.state = True, "done"
        self.note("done", step.index, changed=True, identity={})
        self._listen(Event(Step.DONE, step.change))

    def _is_there(self, handler: Handler, step: Tracked, run: Run) -> bool:
        try:
            with within(run):
                return handler.look(step.change, run.transaction)
        except ServiceError as error:
            if not error.transient:
                raise
            return False

    def undo(self, stages: Sequence[Sequence[Tracked]], transaction: str) -> list[Leftover]:
        """Take back what needs it; returns what could not be taken back.

        Between the stages it is asked whether somebody else counts on what this run made: another run that
        goes on from it, or has ended meanwhile. Then the rest stays, and what was taken away in the moment
        before is put back: of two that each write first and then look, at least one sees the other.
        """
        run = self._run(transaction)
        steps = [step for stage in stages for step in stage]
        leftovers: list[Leftover] = []
        counts: _Counts | None = None
        asked = False
        for step in steps:
            # An earlier rollback has made it again, as another object: what was on it is given to that one.
            anew = step.change.kind.traits.made_anew and step.change.after is None
            if step.record.undone and anew:
                run.made(step.change.inverse)
        for number, stage in reversed(list(enumerate(stages))):
            todo: Sequence[Tracked] = [step for step in stage if step.record.needs_undo]
            if not todo:
                continue
            if not asked:
                counts, asked = self._counts(steps, run), True
            todo = self._without_kept(todo, counts, leftovers)
            todo = self._without_waiting(todo, steps, leftovers)
            earlier = sum(any(step.record.needs_undo for step in other) for other in stages[:number])
            parts = _trusted_last(todo)
            for later, part in zip(reversed(range(len(parts))), parts, strict=True):
                turn = _Turn(run, self._rollback_seconds * min(TURN * (earlier + later), 0.5))
                _in_parallel(partial(self._undo_step, turn=turn, leftovers=leftovers), part)
            if counts is None or counts.unread or counts.roles:
                counts = _together(counts, self._counts(steps, run))
        if counts is not None:
            self._put_back(stages, run, counts, leftovers)
        return leftovers

    def _without_kept(
        self, todo: Sequence[Tracked], counts: _Counts | None, leftovers: list[Leftover]
    ) -> Sequence[Tracked]:
        """Those of a stage that nobody else counts on."""
        if counts is None:
            return todo
        for step in filter(counts.keeps, todo):
            self._leave(step, counts.error(step), leftovers)
        return [step for step in todo if not counts.keeps(step)]

    def _without_waiting(
        self, todo: Sequence[Tracked], steps: Sequence[Tracked], leftovers: list[Leftover]
    ) -> list[Tracked]:
        """Those of a stage that can be taken back although some of the later ones could not."""
        stuck = [item for item in leftovers if not _only_told(item)]
        left, plan = [item.change for item in stuck], [step.change for step in steps]
        waiting = [step for step in todo if waits(step.change, plan, left)]
        for step in waiting:
            self._leave(step, _waiting(step, stuck[0]), leftovers)
        return [step for step in todo if step not in waiting]

    def _counts(self, steps: Sequence[Tracked], run: Run) -> _Counts | None:
        """Why somebody else counts on what the run made.

        Where that can't be read, nobody does; but for roles, whose mark tells it, and for a run that goes on
        from what another one has begun: that one may have ended meanwhile.
        """
        found: list[tuple[Tracked, str]] = []

        def ask(step: Tracked) -> None:
            try:
                why = self._claimed(step, run)
            except Exception as error:  # A bug in a handler tells nothing, too.
                self._silent[step.index] = error
                return
            self._silent.pop(step.index, None)
            if why:
                found.append((step, why))

        # To wait for it again and again would cost the rollback its time.
        again = run.remaining > self._rollback_seconds / 2
        _in_parallel(ask, [step for step in steps if again or step.index not in self._silent])
        if not found:
            return self._unread(steps)
        found.sort(key=lambda item: item[0].index)
        mine = [step.change.roles for step, _ in found]
        roles = frozenset[str]().union(*mine) if all(mine) else frozenset[str]()
        ended = self._has_ended([step for step, _ in found], steps, run)
        counts = _Counts(found[0][1], ended=ended, roles=roles)
        return _together(counts, self._unmarked(steps, roles)) if roles else counts

    def _has_ended(self, found: Sequence[Tracked], steps: Sequence[Tracked], run: Run) -> bool:
        """Whether who counts on them has come to its end: by the ServiceAccounts, that have those roles."""
        accounts = [step for step in found if step.change.kind.traits.ends_runs]
        accounts = accounts or [step for step in steps if self._is_bound_again(step, run)]
        bound = set[str]().union(*(step.change.roles for step in accounts))
        roles = set[str]().union(*(step.change.roles for step in found))
        return bool(accounts) and (not bound or roles <= bound)

    def _is_bound_again(self, step: Tracked, run: Run) -> bool:
        """Whether a ServiceAccount that lost its role in a deletion has it again."""
        lost = step.change.kind.traits.ends_runs and step.change.action == "update"
        if not lost or not step.record.done or not step.record.needs_undo:
            return False
        back = step.change.inverse
        with contextlib.suppress(ServiceError), within(run):
            return bool(self.handler(back).claimed(back, run.transaction, ours=False))
        return False

    def _claimed(self, step: Tracked, run: Run) -> str:
        """Why somebody else counts on an object; a role's mark is waited for, as IAM may come back."""
        ours = step.record.needs_undo and step.state != "left"
        handler, until, pauses = self.handler(step.change), time.monotonic() + self._late_window, _backoff()
        while True:
            try:
                with within(run):
                    return handler.claimed(step.change, run.transaction, ours=ours)
            except ServiceError as error:
                waits_for_it = step.change.kind.traits.owner_decides and error.transient and ours
                if not waits_for_it or time.monotonic() >= until or run.remaining <= 0:
                    raise
            time.sleep(min(next(pauses), max(run.remaining, 0)))

    def _unread(self, steps: Sequence[Tracked]) -> _Counts | None:
        """What could not be asked, and must not be taken for a no."""
        builds = any(_goes_on(step.change) and step.record.needs_undo for step in steps)
        accounts = [step for step in steps if step.change.kind.traits.ends_runs]
        silent = [step for step in accounts if step.index in self._silent]
        if not builds or not silent:
            return self._unmarked(steps)
        error = self._silent[silent[0].index]
        return _Counts(f"whether another run has ended meanwhile can't be read: {error}", unread=True)

    def _unmarked(self, steps: Sequence[Tracked], known: Collection[str] = ()) -> _Counts | None:
        """What could not be asked of roles other than those that are `known`: whose they are by now."""
        silent = [
            step
            for step in steps
            if step.change.kind.traits.owner_decides
            and step.record.needs_undo
            and step.index in self._silent
            and step.change.roles.isdisjoint(known)
        ]
        if not silent:
            return None
        roles = frozenset[str]().union(*(step.change.roles for step in silent))
        error = self._silent[silent[0].index]
        return _Counts(f"whose it is by now can't be read: {error}", unread=True, roles=roles)

    def _put_back(
        self, stages: Sequence[Sequence[Tracked]], run: Run, counts: _Counts, leftovers: list[Leftover]
    ) -> None:
        """Make again what was taken back, for who counts on it."""
        for stage in stages:
            undone = [
                step
                for step in stage
                if step.record.undone
                and counts.keeps(step)
                and not step.change.kind.traits.service.compares
                and step.change.after is not None
            ]
            for step in undone:
                step.record.undone = False
            _in_parallel(lambda step: self._put_back_step(step, run, counts, leftovers), undone)

    def _put_back_step(self, step: Tracked, run: Run, counts: _Counts, leftovers: list[Leftover]) -> None:
        error = counts.error(step)
        self.note("begin", step.index)
        try:
            with within(run):
                self.handler(step.change).apply(step.change, run)
        except Exception as failure:
            error = failure
        self._leave(step, error, leftovers)

    def _leave(self, step: Tracked, error: Exception, leftovers: list[Leftover]) -> None:
        step.state = "left"
        leftovers.append(Leftover(step.change, error))
        self._listen(Event(Step.LEFT, step.change, error=error))

    def _undo_step(self, step: Tracked, turn: _Turn, leftovers: list[Leftover]) -> None:
        self.note("undo", step.index)
        started = time.monotonic()
        try:
            changed = self._undo_until_gone(step, turn)
        except MadeAgain as error:
            step.record.undone = True
            self.note("undone", step.index)
            self._leave(step, error, leftovers)
            return
        except Exception as error:  # A bug in a handler leaves something behind, too.
            on_it = _own_on_it(step, leftovers) if type(error) is Conflict else None
            self._leave(step, error if on_it is None else _waiting(step, on_it), leftovers)
            return
        step.record.undone, step.state = True, "undone"
        if changed and step.change.kind.traits.changes_trust:
            self._trust_until = time.monotonic() + limits.PROPAGATION_SECONDS
        self.note("undone", step.index)
        self._listen(Event(Step.UNDONE, step.change, time.monotonic() - started, changed=changed))

    def _undo_until_gone(self, step: Tracked, turn: _Turn) -> bool:
        run = turn.run
        claim = Claim(run.transaction, step.record.identity)
        handler, inverse = self.handler(step.change), step.change.inverse
        look_until, spread_until = self._late_until(step), self._spread_until(step)
        changed, silent = False, given_up()
        waits = _backoff()
        while True:
            try:
                with within(turn):
                    applied = handler.apply(inverse, run, claim)
            except Claimed:
                # That may be a role whose trust policy was changed back, which IAM doesn't show yet.
                if time.monotonic() >= self._trust_until or run.remaining <= 0:
                    raise
                applied = None
            except ServiceError as error:
                if not error.transient or turn.remaining <= 0:
                    raise
                applied = None
            changed = changed or (applied is not None and applied.changed)
            if applied is not None and applied.changed and inverse.action == "create":
                run.made(inverse)
                self._made_again[inverse.kind, inverse.target] = time.monotonic()
            # What was tried to be taken back was there to be seen. Until then an old reading may hide it.
            seen = changed or given_up() > silent
            until = look_until if seen else max(look_until, spread_until)
            if applied is not None and (
                time.monotonic() >= until or (applied.changed and _happens_once(step.change))
            ):
                return changed
            # A deadline of its own ends this: the forward one may be over already.
            if run.remaining <= 0:
                raise DeadlineExceeded("the time limit of the rollback was reached, and it may yet appear")
            time.sleep(min(next(waits), run.remaining))

    def _late_until(self, step: Tracked) -> float:
        """Until when (monotonic) a write without an answer may be executed."""
        return 0.0 if step.unanswered is None else step.unanswered + self._late_window

    def _spread_until(self, step: Tracked) -> float:
        """Until when (monotonic) a reading may not show what the step has done.

        Nor what this rollback has done before: a role that it had to make again.
        """
        if not step.change.kind.traits.service.spreads:
            return 0.0
        written = [step.written, self._made_again.get(step.change.object)]
        return max((at + limits.PROPAGATION_SECONDS for at in written if at is not None), default=0.0)


def _own_on_it(step: Tracked, leftovers: Sequence[Leftover]) -> Leftover | None:
    """What this run has put onto a role of its own, and could not take back: nobody else's doing."""
    if not step.change.kind.is_whole or step.change.action != "create":
        return None
    stuck = (item for item in leftovers if item.change.object == step.change.object and not _only_told(item))
    return next((item for item in stuck if item.change.kind.traits.proof is Proof.PUT_ON), None)


def _goes_on(change: Change) -> bool:
    """Whether it makes a role, that another run has begun, this run's own."""
    return change.kind.traits.takes_over and change.kind.traits.owner_decides


def _waiting(step: Tracked, first: Leftover) -> Waits:
    return Waits(
        f"{step.change.kind.value} {step.change.name} stays as it is",
        reason=f"{first.change.kind.value} {first.change.name} has to be taken back before it",
    )


def _happens_once(change: Change) -> bool:
    """Whether a write that is executed late can't undo what a rollback has done in the meantime.

    Kubernetes compares what it changes. Any other write that is still on its way strikes again: a call is
    attempted more than once, and what was made and taken back has freed its name.
    """
    return change.before is not None and change.kind.traits.service.compares


def _harmless(listen: Listener) -> Listener:
    """A listener whose failure (its terminal is gone, say) is no failure of the transaction."""

    def safely(event: Event) -> None:
        with contextlib.suppress(Exception):
            listen(event)

    return safely


def _did_not_act(error: Exception) -> bool:
    """Whether it is certain that the failed write neither was nor will be executed."""
    if isinstance(error, ServiceError):
        return error.outcome is not Outcome.UNKNOWN
    return isinstance(error, Conflict)


def _trusted_last(steps: Sequence[Tracked]) -> list[list[Tracked]]:
    """The steps of a stage in up to two parts, in the order in which they are taken back."""
    trusted = [step for step in steps if step.change.kind.traits.for_all]
    others = [step for step in steps if not step.change.kind.traits.for_all]
    return [part for part in (others, trusted) if part]


def _numbered(plan: Plan) -> Iterator[list[tuple[int, Change]]]:
    index = 0
    for stage in plan.stages:
        yield list(enumerate(stage, index))
        index += len(stage)


def _backoff() -> Iterator[float]:
    wait = 0.1
    while True:
        yield wait
        wait = min(wait * 2, 3.0)


def _in_parallel(work: Callable[[Tracked], None], steps: Sequence[Tracked]) -> list[Exception]:
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


__all__ = [
    "Applied",
    "ChangeReport",
    "Event",
    "Leftover",
    "Listener",
    "Report",
    "Step",
    "Tracked",
    "Transaction",
    "Worker",
    "outcome_of",
    "steps_of",
]
