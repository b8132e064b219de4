"""Whether somebody else relies on an object of a run: another run that continues from it, or that is over.

Locks keep runs apart while they work. This is for what comes later, or without a lock: for a run that is
recovered after another one has continued from its leftovers.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from irsa_cli.core.plan.changes import Change
from irsa_cli.core.values.errors import Claimed, ServiceError, Waits
from irsa_cli.core.values.patience import within
from irsa_cli.transaction.protocol import Handler, Run
from irsa_cli.transaction.steps import Tracked, in_parallel, pauses


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
            return Waits(f"{what} stays as it is", reason=self.why)
        return Claimed(f"{what} was left alone", reason=self.why, ended=self.ended)


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
        with contextlib.suppress(ServiceError), within(self.run):
            return bool(self.handler(back).claimed(back, self.run.transaction, ours=False))
        return False

    def _claimed(self, step: Tracked) -> str:
        """Why somebody else relies on an object; irsa waits for a mark that decides: IAM may recover."""
        ours = step.record.needs_undo and step.state != "left"
        until, waits = time.monotonic() + self.late_seconds, pauses()
        while True:
            try:
                with within(self.run):
                    return self.handler(step.change).claimed(step.change, self.run.transaction, ours=ours)
            except ServiceError as error:
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
