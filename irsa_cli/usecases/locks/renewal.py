"""A thread that renews what a run holds for as long as it holds it; it does not keep the process alive."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from irsa_cli.usecases.locks.taking import HeldLock, Taker

PARALLEL = 8


class LockRenewal:
    """Renews all that `held` tells, from the first `begin` on until it is ended."""

    def __init__(self, taker: Taker, held: Callable[[], Iterable[HeldLock]]) -> None:
        self._taker = taker
        self._held = held
        self._ended = threading.Event()
        self._mutex = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Begin, where it is not begun."""
        with self._mutex:
            if self._thread is None:
                self._thread = threading.Thread(target=self._go_on, daemon=True)
                self._thread.start()

    def end(self) -> None:
        """Renew nothing any more; the call that is under way is not waited for."""
        self._ended.set()

    def _go_on(self) -> None:
        while not self._ended.wait(self._taker.timing.renew):
            self.renew(list(self._held()))

    def renew(self, held: list[HeldLock]) -> None:
        """Renew them, many at the same time."""
        if len(held) == 1:
            self._taker.renew(held[0])
        elif held:
            with ThreadPoolExecutor(PARALLEL) as pool:
                list(pool.map(self._taker.renew, held))
