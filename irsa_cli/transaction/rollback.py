"""The way back: stages in reverse order, each change until it is gone, or until it is not ours to touch.

An object stays if another run relies on it: one that continues from it, or that is over. Locks keep runs
apart while they work; this is for what comes later, or without a lock: for a run that is recovered after
another one has continued from its leftovers. For how long what can't be seen may show yet is in
`irsa_cli.transaction.steps`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from irsa_cli.core.plan.changes import Change, Kind, waits
from irsa_cli.core.plan.traits import Proof
from irsa_cli.core.values import errors
from irsa_cli.core.values.patience import within
from irsa_cli.transaction.journal import Journal, JournalError
from irsa_cli.transaction.protocol import (
    Applied,
    Claim,
    Event,
    Fence,
    Handler,
    Leftover,
    Listener,
    Run,
    Step,
    harmless,
)
from irsa_cli.transaction.steps import (
    ROLLBACK_SECONDS,
    Stages,
    Tracked,
    Turn,
    all_of,
    happens_once,
    in_parallel,
    late_seconds,
    pauses,
)


@dataclass
class Rollback:
    """Takes changes back, and looks for what nobody answered. Its time begins with the first of either."""

    _handlers: Mapping[Kind, Handler]
    _journal: Journal
    _listen: Listener
    seconds: float = ROLLBACK_SECONDS
    fence: Fence | None = None
    _late_seconds: float = field(default_factory=late_seconds)
    _started: Run | None = None

    def __post_init__(self) -> None:
        self._listen = harmless(self._listen)

    def handler(self, change: Change) -> Handler:
        return self._handlers[change.kind]

    def note(self, event: str, index: int | None = None, **facts: Any) -> None:
        """Journal while rolling back: a journal that fails then must not stop the rollback."""
        with contextlib.suppress(JournalError):
            self._journal.event(event, index, **facts)

    def _run(self, transaction: str) -> Run:
        """The rollback as a run, with a deadline of its own."""
        if self._started is None:
            self._started = Run(transaction, self.seconds, fence=self.fence, back=True)
        return self._started

    def finish_unanswered(self, stage: Sequence[Tracked], transaction: str) -> bool:
        """Look for what a stage began and nobody answered; whether all of the stage is done now."""
        begun = all(step.record.begun and not step.record.refused for step in stage)
        if not begun or any(not step.record.done and step.unanswered is None for step in stage):
            return False
        run = self._run(transaction)
        missing = [step for step in stage if not step.record.done]
        return not in_parallel(lambda step: self._find(step, run), missing)

    def _find(self, step: Tracked, run: Run) -> None:
        """Wait until a change shows that nobody answered; raises when it doesn't, or can't be looked for."""
        until = self._late_until(step)
        waits = pauses()
        while not self._is_there(step, run):
            if time.monotonic() >= until or run.remaining <= 0:
                raise errors.DeadlineExceeded(f"{step.change.name} did not appear")
            time.sleep(min(next(waits), run.remaining))
        step.record.done = True
        step.state = "done"
        self.note("done", step.index, changed=True, identity={})
        self._listen(Event(Step.DONE, step.change))

    def _is_there(self, step: Tracked, run: Run) -> bool:
        try:
            with within(run):
                return self.handler(step.change).look(step.change, run.transaction)
        except errors.ServiceError as error:
            if not error.transient:
                raise
            return False

    def undo(self, stages: Stages, transaction: str) -> list[Leftover]:
        """Roll back what needs it and nobody else relies on; returns what could not be rolled back."""
        run = self._run(transaction)
        steps = all_of(stages)
        for step in steps:
            # An earlier rollback recreated an object: what was on it goes to the new one.
            if step.record.undone and step.change.after is None and step.change.kind.traits.recreated:
                run.made(step.change.inverse)
        survey = Survey(steps, self.handler, run, self._late_seconds)
        leftovers: list[Leftover] = []
        in_use = survey.ask() if any(step.record.needs_undo for step in steps) else None
        for number, stage in reversed(list(enumerate(stages))):
            todo = [step for step in stage if step.record.needs_undo]
            if not todo:
                continue
            if in_use is not None:
                for step in filter(in_use.keeps, todo):
                    self._leave(step, in_use.error(step), leftovers)
                todo = [step for step in todo if not in_use.keeps(step)]
            todo = self._without_waiting(todo, steps, leftovers)
            earlier = sum(any(step.record.needs_undo for step in other) for other in stages[:number])
            # Parts for all are rolled back last.
            last = [step for step in todo if step.change.kind.traits.for_all]
            others = [step for step in todo if not step.change.kind.traits.for_all]
            parts = [part for part in (others, last) if part]
            for later, part in zip(reversed(range(len(parts))), parts, strict=True):
                turn = Turn.of(run, self.seconds, earlier + later)
                in_parallel(partial(self._undo_step, turn=turn, leftovers=leftovers), part)
        return leftovers

    def _without_waiting(
        self, todo: Sequence[Tracked], steps: Sequence[Tracked], leftovers: list[Leftover]
    ) -> list[Tracked]:
        """Those of a stage that can be rolled back although some of the later ones could not."""
        stuck = [item for item in leftovers if not item.is_only_reported]
        left = [item.change for item in stuck]
        plan = [step.change for step in steps]
        waiting = [step for step in todo if waits(step.change, plan, left)]
        for step in waiting:
            self._leave(step, _waiting(step, stuck[0]), leftovers)
        return [step for step in todo if step not in waiting]

    def _leave(self, step: Tracked, error: Exception, leftovers: list[Leftover]) -> None:
        step.state = "left"
        leftovers.append(Leftover(step.change, error))
        self._listen(Event(Step.LEFT, step.change, error=error))

    def _undo_step(self, step: Tracked, turn: Turn, leftovers: list[Leftover]) -> None:
        self.note("undo", step.index)
        started = time.monotonic()
        try:
            changed = self._undo_until_gone(step, turn)
        except (errors.MadeAgain, errors.Gone) as error:
            step.record.undone = True
            self.note("undone", step.index)
            self._leave(step, error, leftovers)
            return
        except Exception as error:  # Also a bug in a handler leaves something behind.
            on_it = _own_on_it(step, leftovers) if type(error) is errors.Conflict else None
            self._leave(step, error if on_it is None else _waiting(step, on_it), leftovers)
            return
        step.record.undone = True
        step.state = "undone"
        self.note("undone", step.index)
        self._listen(Event(Step.UNDONE, step.change, time.monotonic() - started, changed=changed))

    def _undo_until_gone(self, step: Tracked, turn: Turn) -> bool:
        """Take a step back until no write of it can strike any more, and no old reading hides it."""
        run = turn.run
        claim = Claim(turn.run.transaction, step.record.identity)
        until = self._late_until(step)
        changed = False
        waits = pauses()
        while True:
            applied = self._attempt(step.change.inverse, turn, claim)
            changed = changed or (applied is not None and applied.changed)
            if applied is not None and (
                time.monotonic() >= until or (applied.changed and happens_once(step.change))
            ):
                return changed
            # A deadline of its own ends this: the forward one may be over already.
            if run.remaining <= 0:
                raise errors.DeadlineExceeded("the rollback timed out, and it may still appear")
            time.sleep(min(next(waits), run.remaining))

    def _late_until(self, step: Tracked) -> float:
        """Until when (monotonic seconds) a write of it without an answer may be executed."""
        return 0.0 if step.unanswered is None else step.unanswered + self._late_seconds

    def _attempt(self, inverse: Change, turn: Turn, claim: Claim) -> Applied | None:
        """One attempt to roll something back, None if it failed temporarily."""
        with within(turn) as calls:
            try:
                turn.run.assure()  # Another run's changes to it are not for this one to roll back.
                applied = self.handler(inverse).apply(inverse, turn.run, claim)
            except errors.ServiceError as error:
                # A refusal may be untrue: then it is seen to be done when it is asked again.
                again = error.transient or (calls.refused and self._has_rolled_back(inverse, turn.run))
                if not again or turn.remaining <= 0:
                    raise
                return None
        if applied.changed and inverse.action == "create":
            turn.run.made(inverse)
        return applied

    def recall(self, stages: Stages, transaction: str) -> None:
        """Tell the handlers what an earlier process has carried out, and when at the latest."""
        for step in all_of(stages):
            if step.written is not None:
                claim = Claim(transaction, step.record.identity)
                self.handler(step.change).recall(
                    step.change, claim, max(0.0, time.monotonic() - step.written)
                )

    def _has_rolled_back(self, inverse: Change, run: Run) -> bool:
        with contextlib.suppress(errors.ServiceError):
            return self.handler(inverse).look(inverse, run.transaction)
        return False


def _own_on_it(step: Tracked, leftovers: Sequence[Leftover]) -> Leftover | None:
    """Additions of this run to an object of its own that it could not roll back: nobody else's."""
    if not step.change.kind.is_whole or step.change.action != "create":
        return None
    stuck = (
        item for item in leftovers if item.change.object == step.change.object and not item.is_only_reported
    )
    return next((item for item in stuck if item.change.kind.traits.proof is Proof.PUT_ON), None)


def _waiting(step: Tracked, first: Leftover) -> errors.Waits:
    return errors.Waits(
        f"{step.change.kind.value} {step.change.name} is not rolled back",
        reason=f"{first.change.kind.value} {first.change.name} must be rolled back first",
    )


@dataclass(frozen=True)
class InUse:
    """Why what the run made has to stay; `ended`: for another run that has come to its end.

    With `unread`, that could not be asked, and has to be taken for granted. `roles` are those that it is
    about, if one plan creates several; without a role, everything stays.
    """

    why: str
    ended: bool = False
    unread: bool = False
    roles: frozenset[str] = frozenset()

    def keeps(self, step: Tracked) -> bool:
        """Whether it keeps a step from being rolled back.

        Who has ended has had the objects' marks before this run took them: they are given back, to who does
        not take anything back any more.
        """
        mine = step.change.roles
        concerns = not self.roles or not mine or not mine.isdisjoint(self.roles)
        return concerns and not (self.ended and step.change.kind.traits.takes_over)

    def error(self, step: Tracked) -> Exception:
        """The report of a step that is left for its sake."""
        what = f"{step.change.kind.value} {step.change.name}"
        if self.unread:
            return errors.Waits(f"{what} stays as it is", reason=self.why)
        return errors.Claimed(f"{what} was left alone", reason=self.why, ended=self.ended)


def together(one: InUse | None, other: InUse | None) -> InUse | None:
    """The result of both checks; one that was read counts more than one that was not."""
    if one is None or other is None:
        return one or other
    first = other if one.unread else one
    # Of two roles, one run may have ended and another not.
    same = not one.roles or not other.roles or one.roles == other.roles
    ended = (one.ended or other.ended) if same else (one.ended and other.ended)
    roles = one.roles | other.roles if one.roles and other.roles else frozenset[str]()
    return replace(first, ended=ended, roles=roles)


@dataclass
class Survey:
    """Asks, before a rollback begins, who counts on what its run made; for a mark, `late_seconds` long."""

    steps: Sequence[Tracked]
    handler: Callable[[Change], Handler]
    run: Run
    late_seconds: float
    silent: dict[int, Exception] = field(default_factory=dict)
    """Why nothing could be read of a step."""

    def ask(self) -> InUse | None:
        """Why somebody else counts on what the run made.

        If that can't be read, nobody does; except for roles, whose mark shows it, and for a run that
        continues from what another one has begun: that one may have ended meanwhile.
        """
        found: list[tuple[Tracked, str]] = []

        def ask(step: Tracked) -> None:
            try:
                why = self._claimed(step)
            except Exception as error:  # Also a bug in a handler: it proves nothing.
                self.silent[step.index] = error
                return
            if why:
                found.append((step, why))

        in_parallel(ask, self.steps)
        if not found:
            return self._unread()
        found.sort(key=lambda item: item[0].index)
        mine = [step.change.roles for step, _ in found]
        roles = frozenset[str]().union(*mine) if all(mine) else frozenset[str]()
        in_use = InUse(found[0][1], ended=self._has_ended([step for step, _ in found]), roles=roles)
        return together(in_use, self._unmarked(roles)) if roles else in_use

    def _has_ended(self, found: Sequence[Tracked]) -> bool:
        """Whether who counts on them has come to its end: by what every run writes last, for those roles."""
        last = [step for step in found if step.change.kind.traits.ends_runs]
        last = last or [step for step in self.steps if self._is_back(step)]
        bound = frozenset[str]().union(*(step.change.roles for step in last))
        roles = frozenset[str]().union(*(step.change.roles for step in found))
        return bool(last) and (not bound or roles <= bound)

    def _is_back(self, step: Tracked) -> bool:
        """Whether the last object of every run, which a deletion removed, exists again."""
        lost = step.change.kind.traits.ends_runs and step.change.action == "update"
        if not lost or not step.record.done or not step.record.needs_undo:
            return False
        back = step.change.inverse
        with contextlib.suppress(errors.ServiceError), within(self.run):
            return bool(self.handler(back).claimed(back, self.run.transaction, ours=False))
        return False

    def _claimed(self, step: Tracked) -> str:
        """Why somebody else relies on an object; irsa waits for a mark that decides: IAM may recover."""
        ours = step.record.needs_undo and step.state != "left"
        until = time.monotonic() + self.late_seconds
        waits = pauses()
        while True:
            try:
                with within(self.run):
                    return self.handler(step.change).claimed(step.change, self.run.transaction, ours=ours)
            except errors.ServiceError as error:
                waits_for_it = step.change.kind.traits.owner_decides and error.transient and ours
                if not waits_for_it or time.monotonic() >= until or self.run.remaining <= 0:
                    raise
            time.sleep(min(next(waits), max(self.run.remaining, 0)))

    def _unread(self) -> InUse | None:
        """Checks without an answer, which must not count as a no."""
        traits = [step.change.kind.traits for step in self.steps if step.record.needs_undo]
        # Whether it gives this run a role that another run has begun.
        goes_on = any(it.takes_over and it.owner_decides for it in traits)
        last = [step for step in self.steps if step.change.kind.traits.ends_runs]
        silent = [step for step in last if step.index in self.silent]
        if not goes_on or not silent:
            return self._unmarked()
        error = self.silent[silent[0].index]
        return InUse(f"irsa can't check whether another run has finished: {error}", unread=True)

    def _unmarked(self, known: Collection[str] = ()) -> InUse | None:
        """Checks without an answer for roles that are not `known`: their present owner."""
        silent = [
            step
            for step in self.steps
            if step.change.kind.traits.owner_decides
            and step.record.needs_undo
            and step.index in self.silent
            and step.change.roles.isdisjoint(known)
        ]
        if not silent:
            return None
        roles = frozenset[str]().union(*(step.change.roles for step in silent))
        error = self.silent[silent[0].index]
        return InUse(f"irsa can't check who owns it now: {error}", unread=True, roles=roles)
