"""The interface of a transaction: handlers of changes, listeners, and the report at its end."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.results.result import ChangeResult
from irsa_cli.core.values import errors
from irsa_cli.core.values.patience import CallRecord
from irsa_cli.transaction.story import TAKEN_OVER

Identity = Mapping[str, str]
"""The identity of one incarnation of an object: a uid, a RoleId. Empty if there is none."""


@dataclass(frozen=True)
class Applied:
    """The result of a change: `changed` is False if the state after it already existed."""

    changed: bool
    identity: Identity = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """The right to roll back what a run made: by its identity where the answer came, else by its mark."""

    transaction: str
    identity: Identity = field(default_factory=dict)


class Interrupted(errors.IrsaError):
    """A signal asked the run to stop; `number` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.number = number


class Fence(Protocol):
    """The right of a run to write. Safe to use from several threads."""

    def check(self, *, back: bool) -> None:
        """Raise `LockLost` when nothing may be written; `back`: nor be taken back."""


class Run:
    """One run of a plan: its name, its deadline (monotonic seconds), and whether it was asked to stop.

    `limit` is the time limit as its user knows it, where some of it was over before the run. `fence` is the
    lock that it holds; `back`: it takes back. Safe to use from several threads.
    """

    def __init__(
        self,
        transaction: str,
        seconds: float,
        limit: float | None = None,
        *,
        fence: Fence | None = None,
        back: bool = False,
    ) -> None:
        self.transaction = transaction
        self.fence = fence
        self._back = back
        self._until = time.monotonic() + seconds
        self._limit = seconds if limit is None else limit
        self._stop = threading.Event()
        self._signal = 0
        self._made: set[tuple[Kind, tuple[str, ...]]] = set()
        self.persistent = True
        """See `irsa_cli.core.values.patience.Patience`: what is under way would have to be rolled back."""
        self.forgettable = True
        """Whether, when it has ended, there is nothing to tell of that a later signal must not cut off."""

    def notice(self, number: int) -> None:
        """Let no other call begin; without a lock, so that a signal's handler can do it."""
        self._signal = number

    def interrupt(self, number: int) -> None:
        """Ask the run to stop before its next call; the current call is completed, a pause ends."""
        self.notice(number)
        self._stop.set()

    @property
    def remaining(self) -> float:
        return self._until - time.monotonic()

    def check(self) -> None:
        """Raise `Interrupted` or `DeadlineExceeded` when the run has to stop; called before each write."""
        if self._signal:
            raise Interrupted(self._signal)
        if self.remaining <= 0:
            raise errors.DeadlineExceeded(f"the time limit of {self._limit:g} s was reached")

    def pause(self, seconds: float) -> None:
        """Wait, and raise as `check` does when the run is asked to stop meanwhile."""
        self._stop.wait(max(0.0, min(seconds, self.remaining)))
        self.check()

    def assure(self) -> None:
        """Raise `LockLost` when the run has lost its lock."""
        if self.fence is not None:
            self.fence.check(back=self._back)

    def made(self, change: Change) -> None:
        """Note that this run created the change's target."""
        self._made.add((change.kind, change.target))

    def has_made(self, kind: Kind, *target: str) -> bool:
        """Whether this run created the object, so that nobody else's state is in it."""
        return (kind, target) in self._made


class Handler(Protocol):
    """How one kind of change is carried out."""

    def apply(self, change: Change, run: Run, claim: Claim | None = None) -> Applied:
        """Compare and set: write when `before` is there, do nothing when `after` is there.

        With a claim, only what the claim's run made is touched. Raises `Conflict` when neither state
        is there, `ServiceError` when the call failed (its `outcome` says whether it may have acted).
        """

    def look(self, change: Change, transaction: str) -> bool:
        """Whether the state after the change exists, by this run if marked; raises `ServiceError`."""

    def recall(self, change: Change, claim: Claim, ago: float) -> None:
        """Note that an earlier process applied it `ago` seconds before: older states are late reads."""

    def confirm(self, changes: Sequence[Change], run: Run, written: float) -> str:
        """Read again whether changes of one document that others write as well still stand.

        If another write has undone them, they are written again. `written`: when (monotonic) the last of
        them was written. Returns a note on what is not known, or ''; raises `Overwritten` if they are gone
        for good, `ServiceError` if the document can't be read.
        """
        return ""

    def claimed(self, change: Change, transaction: str, *, ours: bool) -> str:
        """Why somebody else relies on the object (`ours`: it is in effect), or ''; raises `ServiceError`."""


def carry_out(handler: Handler, change: Change, run: Run, calls: CallRecord) -> Applied:
    """Apply a change; a service's refusal counts if reading confirms it, else the outcome is unknown."""
    failure: errors.ServiceError | None = None
    applied = Applied(changed=False)
    try:
        applied = handler.apply(change, run)
    except errors.ServiceError as error:
        if not calls.refused or error.outcome is errors.Outcome.UNKNOWN:
            raise
        failure = error
    # That somebody else has deleted it (404) is no refusal.
    if failure is None and (applied.changed or not calls.refused - {404}):
        return applied
    try:
        is_there = handler.look(change, run.transaction)
    except errors.ServiceError as error:
        raise (failure or error).knowing(outcome=errors.Outcome.UNKNOWN) from error
    if failure is not None and not is_there:
        raise failure
    return Applied(is_there, applied.identity)


class Step(Enum):
    """The kind of an event."""

    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    GATE = "gate"
    WAITING = "waiting"
    GATE_PASSED = "gate passed"
    ROLLBACK = "rollback"
    UNDONE = "undone"
    LEFT = "left"


@dataclass(frozen=True)
class Event:
    """An event of a transaction; `seconds` is how long it took, `text` what it waits for."""

    step: Step
    change: Change | None = None
    seconds: float = 0.0
    error: Exception | None = None
    changed: bool = True
    text: str = ""


Listener = Callable[[Event], None]


def harmless(listen: Listener) -> Listener:
    """A listener whose failure (its terminal is gone, say) is no failure of the transaction."""

    def safely(event: Event) -> None:
        with contextlib.suppress(Exception):
            listen(event)

    return safely


@dataclass(frozen=True)
class Leftover:
    """A change that could not be rolled back, and why."""

    change: Change
    error: Exception

    @property
    def is_only_reported(self) -> bool:
        """Whether nothing can be done about what is left, nor has to be."""
        return isinstance(self.error, errors.MadeAgain | errors.Gone) or (
            isinstance(self.error, errors.Claimed) and self.error.ended
        )


def end_of(leftovers: Sequence[Leftover]) -> dict[str, Any]:
    """The end of a rollback, for the journal; and, if another run then held the lock, that fact."""
    end: dict[str, Any] = {"outcome": "rolled-back"}  # Also if every leftover is only reported.
    failures = [leftover.error for leftover in leftovers]
    if not all(leftover.is_only_reported for leftover in leftovers):
        end["outcome"] = "incomplete"
    elif any(isinstance(error, errors.Claimed) for error in failures):
        end["outcome"] = "superseded"
    if any(isinstance(error, errors.LockLost) and error.taken_over for error in failures):
        end[TAKEN_OVER] = True
    return end


@dataclass
class RunReport:
    """How a transaction ended: `committed`, `rolled-back` or `incomplete`; or not yet: `unfinished`."""

    outcome: str
    changes: list[ChangeResult]
    error: Exception | None = None
    leftovers: list[Leftover] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
