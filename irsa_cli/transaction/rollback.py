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
        leftovers: list[Leftover] = []
        if not _needing_undo(steps):
            return leftovers
        in_use = Survey(steps, self.handler, run, self._late_seconds).ask()
        for number, stage in reversed(list(enumerate(stages))):
            begun = self._without_used(_needing_undo(stage), in_use, leftovers)
            begun = self._without_waiting(begun, steps, leftovers)
            later = sum(map(bool, map(_needing_undo, stages[:number])))
            self._undo_together(begun, later, run, leftovers)
        return leftovers

    def _undo_together(
        self, steps: Sequence[Tracked], later: int, run: Run, leftovers: list[Leftover]
    ) -> None:
        """Roll back the steps of a stage; so many stages come `later`, and need time as well."""
        # Parts for all are rolled back last.
        own = [step for step in steps if not step.change.kind.traits.for_all]
        for_all = [step for step in steps if step.change.kind.traits.for_all]
        batches = [batch for batch in (own, for_all) if batch]
        for number, batch in enumerate(batches, 1):
            turn = Turn.of(run, self.seconds, later + len(batches) - number)
            in_parallel(partial(self._undo_step, turn=turn, leftovers=leftovers), batch)

    def _without_used(
        self, steps: Sequence[Tracked], in_use: InUse | None, leftovers: list[Leftover]
    ) -> list[Tracked]:
        """Those of a stage that nobody else relies on."""
        free: list[Tracked] = []
        for step in steps:
            if in_use is not None and in_use.keeps(step):
                self._leave(step, in_use.error(step), leftovers)
            else:
                free.append(step)
        return free

    def _without_waiting(
        self, begun: Sequence[Tracked], steps: Sequence[Tracked], leftovers: list[Leftover]
    ) -> list[Tracked]:
        """Those of a stage that can be rolled back although some of the later ones could not."""
        stuck = [leftover for leftover in leftovers if not leftover.is_only_reported]
        stuck_changes = [leftover.change for leftover in stuck]
        plan = [step.change for step in steps]
        waiting = [step for step in begun if waits(step.change, plan, stuck_changes)]
        for step in waiting:
            self._leave(step, _waiting(step, stuck[0]), leftovers)
        return [step for step in begun if step not in waiting]

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


def _needing_undo(steps: Sequence[Tracked]) -> list[Tracked]:
    return [step for step in steps if step.record.needs_undo]


def _roles_of(steps: Sequence[Tracked]) -> frozenset[str]:
    """The roles that the changes are about."""
    return frozenset[str]().union(*(step.change.roles for step in steps))


def _own_on_it(step: Tracked, leftovers: Sequence[Leftover]) -> Leftover | None:
    """Additions of this run to an object of its own that it could not roll back: nobody else's."""
    if not step.change.kind.is_whole or step.change.action != "create":
        return None
    for leftover in leftovers:
        is_on_it = leftover.change.object == step.change.object and not leftover.is_only_reported
        if is_on_it and leftover.change.kind.traits.proof is Proof.PUT_ON:
            return leftover
    return None


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
        name = f"{step.change.kind.value} {step.change.name}"
        if self.unread:
            return errors.Waits(f"{name} stays as it is", reason=self.why)
        return errors.Claimed(f"{name} was left alone", reason=self.why, ended=self.ended)


def together(first: InUse | None, second: InUse | None) -> InUse | None:
    """The result of both checks; one that was read counts more than one that was not."""
    if first is None or second is None:
        return first or second
    evidence = second if first.unread else first
    if not first.roles or not second.roles:
        return replace(evidence, ended=first.ended or second.ended, roles=frozenset[str]())
    if first.roles == second.roles:
        return replace(evidence, ended=first.ended or second.ended)
    # Of two roles, one run may have ended and another not.
    ended = first.ended and second.ended
    return replace(evidence, ended=ended, roles=first.roles | second.roles)


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
        claims: list[tuple[Tracked, str]] = []

        def ask(step: Tracked) -> None:
            try:
                why = self._claimed(step)
            except Exception as error:  # Also a bug in a handler: it proves nothing.
                self.silent[step.index] = error
                return
            if why:
                claims.append((step, why))

        in_parallel(ask, self.steps)
        if not claims:
            return self._unread()
        claims.sort(key=lambda claim: claim[0].index)
        claimed = [step for step, _ in claims]
        why = claims[0][1]
        has_ended = self._has_ended(claimed)
        if not all(step.change.roles for step in claimed):
            return InUse(why, ended=has_ended)
        roles = _roles_of(claimed)
        return together(InUse(why, ended=has_ended, roles=roles), self._unmarked(roles))

    def _has_ended(self, claimed: Sequence[Tracked]) -> bool:
        """Whether who counts on them has come to its end: by what every run writes last, for those roles."""
        last = [step for step in claimed if step.change.kind.traits.ends_runs]
        last = last or [step for step in self.steps if self._is_back(step)]
        bound = _roles_of(last)
        return bool(last) and (not bound or _roles_of(claimed) <= bound)

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
        traits = [step.change.kind.traits for step in _needing_undo(self.steps)]
        # Whether it gives this run a role that another run has begun.
        goes_on = any(trait.takes_over and trait.owner_decides for trait in traits)
        last = [step for step in self.steps if step.change.kind.traits.ends_runs]
        silent = [step for step in last if step.index in self.silent]
        if not goes_on or not silent:
            return self._unmarked()
        error = self.silent[silent[0].index]
        return InUse(f"irsa can't check whether another run has finished: {error}", unread=True)

    def _unmarked(self, known: Collection[str] = ()) -> InUse | None:
        """Checks without an answer for roles that are not `known`: their present owner."""
        silent: list[Tracked] = []
        for step in _needing_undo(self.steps):
            is_marked = step.change.kind.traits.owner_decides
            if is_marked and step.index in self.silent and step.change.roles.isdisjoint(known):
                silent.append(step)
        if not silent:
            return None
        error = self.silent[silent[0].index]
        why = f"irsa can't check who owns it now: {error}"
        return InUse(why, unread=True, roles=_roles_of(silent))
