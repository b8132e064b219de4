"""How long a call may be repeated: the time limit of the current command, and whether it must stop.

A transaction's `Run` is one `Patience`, the command as a whole (`CommandPatience`) another. One listener of
the process hears of waits and of long work, as `irsa_cli.cli.terminal.progress` does.

Every call of AWS and Kubernetes passes `persist`. So here is also the record of the reads of a command that
failed for good (`unread`), whoever asked and whatever became of the error.
"""

from __future__ import annotations

import contextlib
import contextvars
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import uniform
from typing import Protocol, TypeVar

from irsa_cli.core.values import limits
from irsa_cli.core.values.errors import IrsaError, Outcome, ServiceError

T = TypeVar("T")
E = TypeVar("E", bound=IrsaError)

FEW = 4
"""Attempts of a call that reaches nobody, while nothing is under way that would have to be rolled back."""
FIRST_WAIT = 0.2
LONGEST_WAIT = 4.0
REPORT_AFTER = 2.0
REPORT_EVERY = 10.0
ONCE_MORE = 1 / 16
"""Of the time for repeating a call, what is left for a service that a command has waited for in vain."""


class Patience(Protocol):
    """The limit of the calls on its behalf."""

    persistent: bool
    """Whether it is worth while to try for long to reach a service that can't be reached at all."""

    @property
    def remaining(self) -> float:
        """Seconds until its time limit."""

    def pause(self, seconds: float) -> None:
        """Wait; raises if it must stop, or if its time is over."""

    def assure(self) -> None:
        """Raise when it must not write (any more): asked before each attempt of a write."""


class Stopped(IrsaError):
    """The command had to stop before it repeated a call."""


class CommandPatience:
    """A command as a whole: its time limit in seconds, and whom it tells what it waits for."""

    persistent = False

    def __init__(self, seconds: float = math.inf, tell: Callable[[str], None] = lambda text: None) -> None:
        self._until = time.monotonic() + seconds
        self._stop = threading.Event()
        self.tell = tell
        self._told = -math.inf
        self._lock = threading.Lock()
        self.waited_for: set[str] = set()
        """Services that irsa waited for in vain: a reading continues without them, and calls them no more."""
        self.unread: list[IrsaError] = []
        """The reads that were refused or failed for good."""

    def waits(self, text: str) -> None:
        """Report a wait; of simultaneous waits, one."""
        with self._lock:
            now = time.monotonic()
            if self._stop.is_set() or now - self._told < REPORT_EVERY:
                return
            self._told = now
        self.tell(text)

    @property
    def remaining(self) -> float:
        return self._until - time.monotonic()

    def extend(self, seconds: float) -> None:
        """So many seconds do not count for its time limit."""
        self._until += seconds

    def stop(self) -> None:
        """No call is repeated any more."""
        self._stop.set()

    def pause(self, seconds: float) -> None:
        if self._stop.wait(max(0.0, seconds)):
            raise Stopped("interrupted", code="Interrupted")

    def assure(self) -> None:
        """See `Patience.assure`; what is no part of a run holds no lock that it could lose."""


class CallRecord:
    """Calls on behalf of one `Patience`, and their results."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self.given_up = 0
        """Attempts of writes without an answer: they may still be executed."""
        self.refused: set[int] = set()
        """The statuses of attempts of writes that were refused, which may be untrue."""


_command = CommandPatience()
_current: contextvars.ContextVar[CallRecord | None] = contextvars.ContextVar("calls", default=None)


def begin(seconds: float, tell: Callable[[str], None]) -> CommandPatience:
    """Begin a command: what is called from now on outside of any transaction is called for its sake."""
    global _command
    _command = CommandPatience(seconds, tell)
    return _command


def extend(seconds: float) -> None:
    """So many seconds of the command that is under way do not count: a person has thought."""
    _command.extend(seconds)


def over() -> None:
    """The command is over: later calls have no time limit of their own."""
    global _command
    _command = CommandPatience()


def tell(text: str) -> None:
    """Tell the user something about the command that is under way."""
    _command.tell(text)


def current() -> Patience:
    """The patience that calls use here."""
    calls = _current.get()
    return _command if calls is None else calls.patience


@contextmanager
def within(patience: Patience) -> Iterator[CallRecord]:
    """Use this patience for the calls in the block; the record has their results."""
    calls = CallRecord(patience)
    token = _current.set(calls)
    try:
        yield calls
    finally:
        _current.reset(token)


def give_up() -> None:
    """Note that an attempt of a write was given up without an answer: it has to be looked for."""
    calls = _current.get()
    if calls is not None:
        calls.given_up += 1


def given_up() -> int:
    """How many such attempts were noted here."""
    calls = _current.get()
    return 0 if calls is None else calls.given_up


def note_unread(failure: E) -> E:
    """Put a read that failed for good on the command's record, and return it.

    "Not there" is an answer of the service (404), and no such failure.
    """
    if isinstance(failure, ServiceError) and failure.outcome is Outcome.REFUSED and failure.status == 404:
        return failure
    _command.unread.append(failure)
    return failure


def replaced(failure: IrsaError) -> None:
    """Take a failed read off the record: another read has given, or will give, the same answer."""
    with contextlib.suppress(ValueError):
        _command.unread.remove(failure)


def unread() -> tuple[IrsaError, ...]:
    """The reads of the command under way that failed for good, in their order."""
    return tuple(_command.unread)


def persist(attempt: Callable[[], T], *, writes: bool) -> T:
    """Call, and repeat the call while it fails temporarily; raises the last `ServiceError`.

    A read that fails for good is put on the record (`note_unread`). After an attempt of a write without an
    answer, the outcome stays unknown, whatever a later refusal says. A Retry-After sets the pause. Also
    raises as `Patience.pause` does.
    """
    attempts = _Attempts(current(), writes=writes)
    while True:
        attempts.begin()
        try:
            return attempt()
        except ServiceError as error:
            failure = attempts.note(error)
        try:
            attempts.pause_after(failure)
        except IrsaError:
            if not writes:
                note_unread(failure)
            raise


class _Attempts:
    """The attempts of one call: how many, since when, and whether one of them got no answer."""

    def __init__(self, patience: Patience, *, writes: bool) -> None:
        self._patience = patience
        self._writes = writes
        self._started = time.monotonic()
        self._number = 0
        self._lost = False

    def begin(self) -> None:
        """Begin an attempt; raises as `Patience.assure` does if nothing may be written any more."""
        self._number += 1
        if not self._writes:
            return
        try:
            self._patience.assure()
        except IrsaError:
            self._look_for_lost()
            raise

    def note(self, failure: ServiceError) -> ServiceError:
        """Note how the attempt failed; returns the failure with what the attempts before it make of it."""
        if self._writes:
            _note_failure(failure)
        self._lost = self._lost or failure.outcome is Outcome.UNKNOWN
        return failure.knowing(outcome=Outcome.UNKNOWN) if self._lost else failure

    def pause_after(self, failure: ServiceError) -> None:
        """Wait until the next attempt; raises the failure if there is none."""
        if not failure.transient:
            raise failure
        longest = self._longest(failure)
        wait = _wait(failure, self._number, longest)
        spent = time.monotonic() - self._started
        if spent + wait > longest or wait >= self._patience.remaining:
            if isinstance(self._patience, CommandPatience):
                self._patience.waited_for.add(_place(failure))
            raise failure
        if not self._is_worthwhile(failure):
            raise failure
        _tell_waiting(failure, spent, longest)
        try:
            self._patience.pause(wait)
        except IrsaError:
            # A caller that is stopped in the pause has to look for what was written.
            self._look_for_lost()
            raise

    def _longest(self, failure: ServiceError) -> float:
        """Seconds to repeat the call; fewer for a service that the command already waited for in vain."""
        seconds = limits.retry_seconds()
        if isinstance(self._patience, CommandPatience) and _place(failure) in self._patience.waited_for:
            return seconds * ONCE_MORE
        return seconds

    def _is_worthwhile(self, failure: ServiceError) -> bool:
        reached = failure.outcome is not Outcome.NOT_SENT
        return reached or self._patience.persistent or self._number < FEW

    def _look_for_lost(self) -> None:
        """Note that an attempt of a write got no answer, if one did."""
        if self._lost and self._writes:
            give_up()


def _tell_waiting(failure: ServiceError, spent: float, most: float) -> None:
    if spent >= REPORT_AFTER:
        so_far = f"{spent:.0f} s of at most {most:.0f} s"
        why = failure.code if failure.status else failure.reason or failure.code
        _command.waits(f"  … waiting: {failure.message}: {why} ({so_far})")


def _note_failure(failure: ServiceError) -> None:
    if failure.outcome is Outcome.UNKNOWN and not failure.status:
        give_up()
    if failure.outcome is Outcome.REFUSED and (calls := _current.get()) is not None:
        calls.refused.add(failure.status)


def _place(failure: ServiceError) -> str:
    """The service in its account: AWS throttles each account apart."""
    return f"{failure.service} {failure.account}"


def _wait(failure: ServiceError, number: int, most: float) -> float:
    """Seconds until the next attempt: what the service asks for, else longer each time, at random."""
    longest = min(LONGEST_WAIT, most / 8)
    wait = min(FIRST_WAIT * 2 ** (number - 1), longest)
    if failure.retry_after is not None:
        return max(failure.retry_after, 0.05)
    return uniform(wait / 2, wait)  # noqa: S311 - so that many don't come back at once, no secret


@dataclass(frozen=True)
class Doing:
    """The current activity: `done` of `total` things or, with a total of 0, the text."""

    text: str
    done: int = 0
    total: int = 0

    def __str__(self) -> str:
        return f"{self.done} of {self.total} {self.text}" if self.total else self.text


Hear = Callable[[Doing], None]
_hear: Hear | None = None


def heard_by(hear: Hear | None) -> None:
    """Set the listener from now on; None: nobody."""
    global _hear
    _hear = hear


def _tell(doing: Doing) -> None:
    """Tell it; that nobody can be shown it (a terminal that is gone, say) is no failure of the work."""
    with contextlib.suppress(Exception):
        if _hear is not None:
            _hear(doing)


def waiting(for_what: str, seconds: float, most: float) -> None:
    """Report a wait: the seconds so far, of at most so many."""
    _tell(Doing(f"waiting for {for_what}, {seconds:.0f} s of {most:.0f} s"))


class Count:
    """Tells how many of many are done; for several threads."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self._done = what, total, 0
        self._lock = threading.Lock()
        if total > 1:
            _tell(Doing(what, 0, total))

    def one(self) -> None:
        with self._lock:
            self._done += 1
            done = self._done
        if self._total > 1:
            _tell(Doing(self._what, done, self._total))
