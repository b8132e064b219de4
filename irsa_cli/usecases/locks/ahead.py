"""Locks of works that are going to begin: taken beside the works before them.

Only what is free is taken here. Waiting is `irsa_cli.usecases.locks.hold`'s business. While one of the works
waits, this run keeps no lock that it does not use yet, so that no two runs wait for each other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType

from irsa_cli.core.marks.locks.names import Lock
from irsa_cli.usecases.locks.hold import Hold, Pause


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
        self._pool = ThreadPoolExecutor(most)
        self._mutex = threading.Lock()
        self._taken: dict[Lock, tuple[Hold, Future[None]]] = {}

    def __enter__(self) -> LocksAhead:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._give_up()
        self._pool.shutdown()

    def of(self, lock: Lock) -> Hold | None:
        """What holds the lock of a work that begins now, if it was free; None for a lock of another work."""
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

    def pause(self, seconds: float) -> None:
        """Wait for a lock, as the run does it."""
        self._give_up()
        self._pause(seconds)

    def _begin(self, lock: Lock) -> None:
        hold = self._make(lock)
        self._taken[lock] = hold, self._pool.submit(hold.take_ahead)

    def _give_up(self) -> None:
        """Give back what no work has yet, and take no more."""
        with self._mutex:
            self._waiting.clear()
            taken, self._taken = list(self._taken.values()), {}
        for hold, taking in taken:
            self._pool.submit(_give_back, hold, taking)


def _give_back(hold: Hold, taking: Future[None]) -> None:
    wait([taking])
    hold.release()
