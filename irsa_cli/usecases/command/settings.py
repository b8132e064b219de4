"""Settings of a command's transactions: time limits, journals, listeners, locks; signals that stop them."""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from irsa_cli.core.plan.changes import Change, Plan, PlannedWork
from irsa_cli.core.planning.git_namespaces import GitNamespaces
from irsa_cli.core.values.errors import NotConfirmed
from irsa_cli.core.values.patience import extend
from irsa_cli.transaction.protocol import Fence, Listener, Run

Note = Callable[[str], None]


@dataclass(frozen=True)
class LockOptions:
    """Whether runs take locks, in which namespace, and for how long (seconds) they wait for one."""

    enabled: bool = True
    namespace: str = "default"
    timeout: float = 60.0


class HeldLocks(Fence, Protocol):
    """The locks of a run; see `irsa_cli.usecases.locks`."""

    @property
    def holder(self) -> str:
        """The holder, as in the Leases."""

    @property
    def waited(self) -> float:
        """Seconds for which it was waited for other runs' locks."""

    def take_meanwhile(self) -> None:
        """Take what is taken while it is looked what is there."""

    @property
    def is_begun(self) -> bool:
        """Whether any is held, or taken meanwhile."""

    def busy(self) -> frozenset[str]:
        """The locks of other runs, in the form that `secure` takes."""

    def secure(
        self, changes: Iterable[Change], /, *, counted_on: Iterable[Change] = (), busy: Collection[str] = ()
    ) -> None:
        """Hold the locks for these changes and for what they depend on.

        Raises `LookAgain` if a lock was missing during the read and this matters.
        """

    def settle(self) -> str:
        """Release them, as the last look at them; '' if all is well.

        Else it tells why one was another run's meanwhile, and they are held again.
        """

    def complete(self) -> bool:
        """Hold what is only taken when it is needed; whether another run may have been at work until then."""


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


@dataclass(frozen=True)
class Settings:
    """How to run: time limits in seconds, where the journal lives, who listens."""

    state_dir: Path
    timeout: float = 300.0
    rollback_timeout: float = 60.0
    dry_run: bool = False
    listen: Listener = lambda event: None
    note: Note = lambda text: None
    asks: bool = False
    """Whether somebody is asked before a deletion, and shown what goes then."""
    confirm_plan: Callable[[Plan, str], bool] = lambda plan, place: True
    """Whether a plan may be carried out; who is asked, and about which plans, is the caller's business."""
    confirm_names: Callable[[str, Sequence[str]], bool] = lambda heading, names: True
    """Whether all of these, under a heading, may be deleted."""
    group: RunGroup | None = None
    """The runs that this one is one of; signals are heard, and journals are pruned, for all of them."""
    lock: LockOptions = field(default_factory=LockOptions)
    hold: HeldLocks | None = None
    """The held locks; None without locking."""
    expected: Callable[[PlannedWork], None] | None = None
    """Raises `Refused` for another plan than the saved one; None where what is planned now is carried out."""
    allow_access_change: bool = False
    """Whether a plan may take a role from others, or give one to others, than its command names."""
    saves: bool = False
    """Whether the plan of a dry run is saved."""
    git: GitNamespaces = field(default_factory=GitNamespaces)
    """The namespaces whose ServiceAccounts irsa does not write."""
    started: float = field(default_factory=time.monotonic)
    thought: list[tuple[float, float]] = field(default_factory=list)
    """When somebody thought about a question, as `time.monotonic` has it."""

    def check_confirmed(self, confirm: Callable[[], bool]) -> None:
        """Ask; raises `NotConfirmed` where the user does not want it. The time they think does not count."""
        began = time.monotonic()
        answer = confirm()
        ended = time.monotonic()
        self.thought.append((began, ended))
        extend(ended - began)
        if not answer:
            raise NotConfirmed("nothing was deleted", reason="it was not confirmed")

    @property
    def keeps_plan(self) -> bool:
        """Whether the current state of a plan is compared, now or later."""
        return self.saves or self.expected is not None

    @property
    def is_rehearsal(self) -> bool:
        """Whether it is only looked what is in the way of a saved plan, before the first write."""
        return self.expected is not None and self.dry_run

    @property
    def seconds(self) -> float:
        """Seconds since the command started, without those in which somebody thought about a question."""
        thought = sum(ended - began for began, ended in tuple(self.thought) if began >= self.started)
        return time.monotonic() - self.started - thought

    @property
    def spent(self) -> float:
        """Seconds of the time limit that are over: waiting for locks has a limit of its own."""
        return self.seconds - (0.0 if self.hold is None else self.hold.waited)


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
