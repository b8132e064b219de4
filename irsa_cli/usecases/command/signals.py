"""SIGINT and SIGTERM during transactions: stop before the next call."""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from irsa_cli.transaction.protocol import Run


class RunGroup(Run):
    """Several runs that a signal stops together; thread-safe. `command` follows `irsa recover`."""

    def __init__(self, command: str = "--all") -> None:
        super().__init__(command, math.inf)
        self.forgettable = False
        self.number = 0
        self._runs: set[Run] = set()
        self._lock = threading.Lock()

    def notice(self, number: int) -> None:
        super().notice(number)
        self.number = number
        for run in tuple(self._runs):  # copied in one step of the interpreter, as no lock may be taken
            run.notice(number)

    def interrupt(self, number: int) -> None:
        super().interrupt(number)
        with self._lock:
            for run in self._runs:
                run.interrupt(number)

    @contextmanager
    def holding(self, run: Run) -> Iterator[None]:
        """The time of one run; interrupted from the start when the group is."""
        with self._lock:
            self._runs.add(run)
            if self.number:
                run.interrupt(self.number)
        try:
            yield
        finally:
            with self._lock:
                self._runs.discard(run)


@contextmanager
def stoppable(run: Run, warn: Callable[[str], None], way: str = "") -> Iterator[None]:
    """Turn SIGINT and SIGTERM into a stop before the next call; a second one ends the process.

    A handler must not raise: the current request may be executed after the rollback.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard, writer = os.pipe()
    watcher = threading.Thread(target=_watch, args=(heard, run, warn), daemon=True)
    watcher.start()
    seen: list[int] = []
    last_words = f"stopped; finish with: irsa recover {run.transaction}{way}\n".encode()
    handle = _handler(writer, run, seen, last_words)
    late = late_signal()
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    if late:
        run.interrupt(late)
    try:
        yield
    finally:
        os.write(writer, b"\0")
        watcher.join()
        after = _Late(second=bool(seen))
        for number, handler in before.items():
            signal.signal(number, handler if run.forgettable else after)
        os.close(writer)
        os.close(heard)


@contextmanager
def telling_first() -> Iterator[None]:
    """Let no signal that comes when this ends keep a command from telling how it ended; a second one does."""
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            after = _Late(second=False)
            for number in (signal.SIGINT, signal.SIGTERM):
                now = signal.getsignal(number)
                if now is not signal.SIG_IGN and not isinstance(now, _Late):
                    signal.signal(number, after)


class _Late:
    """Handles signals after a run: notes the first one, ends the process at the second."""

    def __init__(self, *, second: bool) -> None:
        self.number = 0
        self._second = second

    def __call__(self, number: int, _frame: object) -> None:
        if self.number or self._second:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.number = number
        with suppress(OSError):
            os.write(
                sys.stderr.fileno(), b"Stopping after the result. Press Ctrl-C again to stop immediately.\n"
            )


def late_signal() -> int:
    """The signal that came when the run before had ended and had something to tell; 0 for none."""
    handler = signal.getsignal(signal.SIGTERM)
    return handler.number if isinstance(handler, _Late) else 0


def _handler(writer: int, run: Run, seen: list[int], last_words: bytes) -> Callable[[int, object], None]:
    """Handles signals without a lock: the code that it interrupts may hold any. They are noted as `seen`."""

    def handle(number: int, _frame: object) -> None:
        if seen:
            with suppress(OSError):
                os.write(sys.stderr.fileno(), last_words)
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        seen.append(number)
        run.notice(number)
        os.write(writer, bytes([number]))

    return handle


def _watch(heard: int, run: Run, warn: Callable[[str], None]) -> None:
    """End what waits when the first signal is heard, and say so; what a handler must not do is done here."""
    (number,) = os.read(heard, 1)
    if number:
        run.interrupt(number)
        how = "waiting for the current call, then rolling back"
        warn(f"Stopping: {how}. Press Ctrl-C again to stop immediately.")
