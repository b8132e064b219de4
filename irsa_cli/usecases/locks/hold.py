"""The locks of a run: taken in one order, more when its plan is known, all released at its end.

One lock by itself is in `irsa_cli.usecases.locks.taking`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from random import uniform

from irsa_cli.core.marks.locks import LeaseState, Lock, is_all_new
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.values.errors import IrsaError, ServiceError
from irsa_cli.core.values.limits import boot_seconds
from irsa_cli.usecases.command.retry import LookAgain
from irsa_cli.usecases.command.settings import Note
from irsa_cli.usecases.locks.taking import HeldLock, Taker, Watched, all_at_once, lost
from irsa_cli.usecases.locks.taking import held as refused

PARALLEL = 16
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 2.0
Pause = Callable[[float], None]
"""Waits so many seconds; raises if the run must stop."""


@dataclass
class Registry:
    """The locks of all that runs in this process: two of its threads are kept apart as two runs are."""

    _owners: dict[Lock, Hold] = field(default_factory=dict)
    _held: dict[Lock, HeldLock] = field(default_factory=dict)
    _mutex: threading.Lock = field(default_factory=threading.Lock)
    uncertain: bool = False
    """Whether a Lease of this run's may be there when it has ended."""

    def claim(self, lock: Lock, owner: Hold) -> bool:
        """Whether no other thread has it, or is about to take it."""
        with self._mutex:
            return self._owners.setdefault(lock, owner) is owner

    def note(self, held: HeldLock) -> None:
        with self._mutex:
            self._held[held.lock] = held

    def forget(self, lock: Lock, owner: Hold) -> None:
        """It is held no more."""
        with self._mutex:
            if self._owners.get(lock) is owner:
                del self._owners[lock]
                self._held.pop(lock, None)

    def held(self) -> list[HeldLock]:
        with self._mutex:
            return list(self._held.values())


@dataclass
class Hold:
    """The locks of one transaction. It also keeps the run from writing without them (`Fence`).

    `needs` tells which locks the changes of a plan need, `late` is taken as soon as there is one, `meanwhile`
    while it is looked what is there, and what `around` holds is not taken again. `begin` is called before a
    lock is taken. `cluster` is its name.
    """

    taker: Taker
    registry: Registry
    begin: Callable[[], None]
    needs: Callable[[Iterable[Change]], Iterable[Lock]]
    cluster: str
    timeout: float
    pause: Pause
    note: Note
    late: frozenset[Lock] = frozenset()
    meanwhile: frozenset[Lock] = frozenset()
    around: Hold | None = None
    held: dict[Lock, HeldLock] = field(default_factory=dict)
    ends_with_work: bool = False
    """Whether the locks are released when the work of this run has ended, and not later by others."""
    waited: float = 0.0
    """See `HeldLocks`."""
    _without: bool = False
    """Whether it was looked before all was held."""
    _ahead: bool = False
    """Whether what is looked at first is older than what is held."""
    _waited_before: float = 0.0
    """The value of `waited` at the last look."""

    @property
    def holder(self) -> str:
        return self.taker.identity

    # Taking

    @property
    def is_begun(self) -> bool:
        return bool((self.held and not self._ahead) or self.meanwhile)

    def busy(self) -> frozenset[str]:
        return self.taker.held_by_others()

    def take_meanwhile(self) -> None:
        """Take what is taken while it is looked what is there; see `secure`."""
        self._waited_before = self.waited
        self._without = self._more(self.meanwhile) or self._ahead

    def take_ahead(self) -> None:
        """Take the locks that a change will need, if they are free. Errors here occur again later."""
        self._ahead = True
        for lock in self.late:
            with suppress(IrsaError):
                self._attempt_one(lock, Watched())

    def secure(
        self,
        changes: Iterable[Change],
        *,
        counted_on: Iterable[Change] = (),
        busy: Collection[str] = (),
    ) -> None:
        """Hold what a plan needs, and what it counts on where another run is `busy` with that.

        It also waits for another run on just this lock if there is nothing to change.

        Raises `LookAgain` when that was not held while it was looked what is there, except for a plan that
        only creates, and for which nobody was waited: the servers compare each of its changes themselves.
        """
        plan = tuple(changes)
        waited_for = {lock for lock in (*self.needs(counted_on), *self.late) if lock.name in busy}
        needed = {*self.needs(plan), *(self.late if plan else ()), *waited_for}
        taken = self._more(needed) or self._without
        compared = is_all_new(plan) and not waited_for and self.waited == self._waited_before
        self._without = False
        self._ahead = False
        self._waited_before = self.waited
        if taken and not compared:
            raise LookAgain

    def complete(self) -> bool:
        """Hold what is only taken when it is needed; whether another run may have been at work until then."""
        return self._more(self.late) or (self._without and self.waited != self._waited_before)

    def holds(self, lock: Lock) -> bool:
        """Whether it is held, here or by what is around this."""
        return lock in self.held or (self.around is not None and self.around.holds(lock))

    def _more(self, locks: Iterable[Lock]) -> bool:
        """Take those that are not held, in order; whether there are any."""
        missing = [lock for lock in locks if not self.holds(lock)]
        if not missing:
            return False
        behind = [lock for lock in self.held if lock > min(missing)]
        self._give_back(behind)
        self.take([*missing, *behind])
        return True

    def take(self, locks: Iterable[Lock]) -> None:
        """Take all of them, in order; waits for other runs, and raises `Refused` when that takes too long."""
        needed = sorted(lock for lock in set(locks) if not self.holds(lock))
        until = boot_seconds() + self.timeout
        watched = {lock: Watched() for lock in needed}
        while True:
            missing = [lock for lock in needed if lock not in self.held]
            if not missing:
                return
            states = self._attempt(missing, watched)
            if not states:
                return
            first = min(states)
            # A waiting run holds nothing that sorts behind what it waits for: so none waits in a circle.
            self._give_back([lock for lock in needed if lock in self.held and lock > first])
            started = boot_seconds()
            try:
                self._wait(first, states[first], watched[first], until)
            finally:
                self.waited += boot_seconds() - started

    def _attempt(self, locks: list[Lock], watched: dict[Lock, Watched]) -> dict[Lock, LeaseState | None]:
        """Try all at once; returns those that others hold (None: another thread of this process)."""
        if len(locks) == 1:
            states = [self._attempt_one(locks[0], watched[locks[0]])]
        else:
            with ThreadPoolExecutor(PARALLEL) as pool:
                futures = [pool.submit(self._attempt_one, lock, watched[lock]) for lock in locks]
            states = [future.result() for future in futures]
        return {
            lock: None if isinstance(state, bool) else state
            for lock, state in zip(locks, states, strict=True)
            if state is not True
        }

    def _attempt_one(self, lock: Lock, watched: Watched) -> LeaseState | bool:
        """True: it is held now; else who holds it (False: another thread)."""
        self.begin()
        if not self.registry.claim(lock, self):
            return False
        try:
            answer = self.taker.take(lock, watched)
        except BaseException:
            self.registry.uncertain = True  # It may still be created.
            self.registry.forget(lock, self)
            raise
        if isinstance(answer, LeaseState):
            self.registry.forget(lock, self)
            return answer
        self.held[lock] = answer
        self.registry.note(answer)
        return True

    def _wait(self, lock: Lock, state: LeaseState | None, watched: Watched, until: float) -> None:
        started = boot_seconds()
        wait = FIRST_PAUSE
        reported = ""
        while True:
            now = boot_seconds()
            if state is not None:
                if now >= until:
                    raise refused(lock, state, self.cluster, now - started)
                if state.holder != reported:
                    reported = state.holder
                    seconds = until - now
                    self.note(f"Waiting for {lock.words}, at most {seconds:.0f} s: {state.holding}")
            self.pause(max(0.0, min(uniform(wait / 2, wait), until - now) if state else wait / 5))  # noqa: S311
            wait = min(wait * 1.5, LONGEST_PAUSE)
            found = self._attempt_one(lock, watched)
            if found is True:
                return
            state = found if isinstance(found, LeaseState) else None

    # Holding

    def check(self, *, back: bool) -> None:
        """See `irsa_cli.transaction.protocol.Fence`; a late renewal is tried here, as the server compares."""
        if self.around is not None:
            self.around.check(back=back)
        timing = self.taker.timing
        longest = timing.back if back else timing.stop
        for held in list(self.held.values()):
            if not held.lost and boot_seconds() - held.written > longest:
                self.taker.renew(held)
            age = boot_seconds() - held.written
            if held.lost or age > longest:
                why = held.lost or f"it could not be renewed for {age:.0f} s"
                raise lost(held.lock, why, taken_over=bool(held.lost))

    # Giving back

    def settle(self) -> str:
        """Release all, as the last look at them; why one was another run's meanwhile, else ''.

        Then they are taken again: what the other run did may have to be seen. Raises as `take` does. A lock
        that others release is looked at only if it may have expired.
        """
        stop = self.taker.timing.stop
        old = any(held.lost or boot_seconds() - held.written > stop for held in self.held.values())
        if not (self.ends_with_work or old):
            return ""
        released = list(self.held.values())
        self._give_back([held.lock for held in released])
        lost = next((held for held in released if held.lost), None)
        if lost is None:
            return ""
        self.take(held.lock for held in released)
        return f"the lock of {lost.lock.words} was another run's: {lost.lost}"

    def release(self) -> None:
        """Release all; those that can't be released are reported, and expire by themselves."""
        self._give_back(list(self.held))

    def _give_back(self, locks: Iterable[Lock]) -> None:
        held = [self.held.pop(lock) for lock in locks]
        try:
            all_at_once(self._give_back_one, held, PARALLEL)
        except KeyboardInterrupt:
            # A signal, when nothing else is under way any more: what was begun here is finished.
            all_at_once(self._give_back_one, held, PARALLEL)
            raise

    def _give_back_one(self, held: HeldLock) -> None:
        try:
            self.taker.release(held)
        except ServiceError as error:
            self.registry.uncertain = True
            seconds = self.taker.timing.lease
            self.note(
                f"Note: the lock of {held.lock.words} could not be released ({error});"
                f" it expires in {seconds:.0f} s."
            )
        finally:
            # Not before: another thread would take the Lease for its own, which goes under its hands.
            self.registry.forget(held.lock, self)
