"""The locks of many works in one command: free ones are taken during the work before.

While one of them waits, this run keeps no lock that it does not use yet, so that no two runs wait for each
other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace

from irsa_cli.core.marks.locks import Lock
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.locks.hold import PARALLEL, Hold, Pause
from irsa_cli.usecases.locks.locks import Locks, T, WantedLocks, pause_of


class LocksAhead:
    """The locks of many works, in the order in which these begin. For a `with` block; for several threads.

    `make` makes what holds one lock. Of `most` works at the same time, as many locks are taken ahead.
    """

    def __init__(self, wanted: Sequence[Lock], make: Callable[[Lock], Hold], most: int, pause: Pause) -> None:
        self._wanted = frozenset(wanted)
        self._waiting = list(reversed(wanted))
        self._make = make
        self._most = most
        self._pause = pause
        self._pool = ThreadPoolExecutor(min(most, PARALLEL))
        self._mutex = threading.Lock()
        self._taken: dict[Lock, tuple[Hold, Future[None]]] = {}

    def __enter__(self) -> LocksAhead:
        return self

    def __exit__(self, *_: object) -> None:
        self.give_up()
        self._pool.shutdown()

    def of(self, lock: Lock) -> Hold | None:
        """The hold of a work that begins now, if its lock was free; None for a lock of another work."""
        if lock not in self._wanted:
            return None
        with self._mutex:
            while self._waiting and (lock not in self._taken or len(self._taken) <= self._most):
                self._begin(self._waiting.pop())
            found = self._taken.pop(lock, None)
        if found is None:
            return None
        hold, taking = found
        taking.result()
        return hold

    def take_free(self) -> None:
        """Take all that are free now, and return when that is done."""
        with self._mutex:
            while self._waiting:
                self._begin(self._waiting.pop())
            taking = [future for _, future in self._taken.values()]
        wait(taking)

    def pause(self, seconds: float) -> None:
        """Wait for a lock, as the run does it."""
        self.give_up()
        self._pause(seconds)

    def _begin(self, lock: Lock) -> None:
        hold = self._make(lock)
        self._taken[lock] = hold, self._pool.submit(hold.take_ahead)

    def give_up(self) -> None:
        """Give back what no work has yet, and take no more."""
        with self._mutex:
            self._waiting.clear()
            taken = list(self._taken.values())
            self._taken = {}
        for hold, taking in taken:
            self._pool.submit(_give_back, hold, taking)


def _give_back(hold: Hold, taking: Future[None]) -> None:
    wait([taking])
    hold.release()


def when_needed(
    locks: Locks | None,
    settings: Settings,
    lock: Lock,
    work: Callable[[Settings], T],
    ahead: LocksAhead | None = None,
) -> T:
    """Do one of many, which takes its lock as soon as it has something to change, or has it `ahead`.

    The others don't wait until it is released: it is at the latest when the command ends in this cluster.
    """
    if locks is None or locks.taker is None:
        return work(settings)
    ready, pause = (ahead.of(lock), ahead.pause) if ahead is not None else (None, None)
    hold = ready or locks.hold(locks.taker, settings, WantedLocks(when_needed=[lock]), pause)
    try:
        return work(replace(settings, hold=hold))
    finally:
        locks.releasing.submit(hold.release)


def take_ahead(
    locks: Locks,
    settings: Settings,
    wanted: Sequence[Lock],
    most: int,
    *,
    also: Mapping[Lock, Iterable[Lock]] | None = None,
    pause: Pause | None = None,
) -> LocksAhead:
    """Take these early, for the work that needs them in this order, of which `most` run at once.

    `also` are further locks of the work that needs a lock. `pause` waits for a lock that is not free.
    """
    taker = locks.taker

    def make(lock: Lock) -> Hold:
        assert taker is not None
        further = also.get(lock, ()) if also is not None else ()
        return locks.hold(taker, settings, WantedLocks(when_needed=[lock, *further]), ahead.pause)

    ahead = LocksAhead(wanted if taker is not None else (), make, most, pause or pause_of(settings))
    return ahead
