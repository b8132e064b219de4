"""Doubles for the engine: a world of plain values that compares and sets, a clock, a journal in memory.

The world fails where it is told to, in every way a service can, so that the engine is judged by what
is there afterwards.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from unittest import mock

from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import State
from irsa_cli.core.values.errors import Conflict, FailedCall, IrsaError, Outcome, ServiceError
from irsa_cli.core.values.limits import DEFAULT_SECONDS
from irsa_cli.transaction import protocol, recover, rollback, runner, steps
from irsa_cli.transaction.journal import Journal, JournalError
from irsa_cli.transaction.protocol import Applied, Claim, Handler, Run

LATE_WINDOW = steps.LATE_CALLS * DEFAULT_SECONDS
"""Seconds for which a rollback looks for a write without an answer, with the default time-out of a call."""

Key = tuple[Kind, tuple[str, ...]]


def key_of(change: Change) -> Key:
    return change.kind, change.target


class Clock:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.naps: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds

    @contextmanager
    def ruling(self) -> Iterator[Clock]:
        """The transaction's modules look at this clock."""
        with ExitStack() as stack:
            for module in (protocol, recover, rollback, runner):
                stack.enter_context(mock.patch.object(module, "time", self))
            yield self


class Failure(Enum):
    """How a write fails."""

    REFUSED = "the service says no"
    DONE_UNKNOWN = "it is done, and the answer is lost"
    NOT_DONE_UNKNOWN = "it never arrives, and nobody knows"
    LATE = "it is executed although the client gave up"
    CONFLICT = "somebody else wrote before"
    BUG = "the handler itself breaks"
    NOT_SENT = "no connection"


STOLEN = "somebody else's"


@dataclass
class Entry:
    """An object: its state (or somebody else's), and the run that made it."""

    state: State | str
    owner: str = ""


@dataclass
class MemoryWorld(Handler):
    """Objects by key. `failures` break forward writes, `stuck` breaks taking them back."""

    clock: Clock
    objects: dict[Key, Entry] = field(default_factory=dict)
    failures: dict[Key, Failure] = field(default_factory=dict)
    stuck: dict[Key, Exception] = field(default_factory=dict)
    passing: dict[Key, int] = field(default_factory=dict)
    """How many times taking back fails before it works."""
    blind: dict[Key, Exception] = field(default_factory=dict)
    """What can't be looked at."""
    claim_of: Callable[[Change, bool], str] = lambda change, ours: ""
    """Why somebody else counts on a change's object."""
    latency: float = 0.0
    late_after: float = 5.0
    on_write: Callable[[Change], None] = lambda change: None
    calls: list[Change] = field(default_factory=list)
    undos: list[Change] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    recalled: list[tuple[Change, float]] = field(default_factory=list)
    _late: list[tuple[float, Change, str]] = field(default_factory=list)
    _mutex: Any = field(default_factory=threading.RLock)

    @property
    def handlers(self) -> Mapping[Kind, Handler]:
        return dict.fromkeys(Kind, self)

    def states(self) -> dict[Key, State | str]:
        """What is there, whoever made it."""
        return {key: entry.state for key, entry in self.objects.items()}

    def copy(self) -> MemoryWorld:
        """The same objects, without the failures."""
        return MemoryWorld(self.clock, copy.deepcopy(self.objects))

    def apply(self, change: Change, run: Run, claim: Claim | None = None) -> Applied:
        with self._mutex:
            self.clock.now += self.latency
            self.arrive()
            (self.calls if claim is None else self.undos).append(change)
            if claim is not None:
                self.claims.append(claim)
                return self._take_back(change, run, claim)
            self.on_write(change)
            return self._forward(change, run)

    def look(self, change: Change, transaction: str) -> bool:
        with self._mutex:
            self.clock.now += self.latency
            self.arrive()
            if key_of(change) in self.blind:
                raise self.blind[key_of(change)]
            entry = self.objects.get(key_of(change))
            return entry == (None if change.after is None else Entry(change.after, transaction))

    def recall(self, change: Change, claim: Claim, ago: float) -> None:
        self.recalled.append((change, ago))

    def claimed(self, change: Change, transaction: str, *, ours: bool) -> str:
        with self._mutex:
            return self.claim_of(change, ours)

    def late(self, change: Change, transaction: str) -> None:
        """Have a request executed later, for which nobody waits."""
        self._late.append((self.clock.now + self.late_after, change, transaction))

    def arrive(self) -> None:
        """Execute the late requests whose time has come."""
        for due in [item for item in self._late if item[0] <= self.clock.now]:
            self._late.remove(due)
            self._set(due[1], due[2])

    def _forward(self, change: Change, run: Run) -> Applied:
        failure = self.failures.get(key_of(change))
        if failure is Failure.CONFLICT:
            self.objects[key_of(change)] = Entry(STOLEN)
        if failure is Failure.LATE:
            self.late(change, run.transaction)
        if failure in _ERRORS:
            raise _ERRORS[failure]()
        applied = self._compare_and_set(change, run.transaction)
        if failure is Failure.DONE_UNKNOWN:
            raise unknown()
        return applied

    def _take_back(self, change: Change, run: Run, claim: Claim) -> Applied:
        key = key_of(change)
        if key in self.stuck:
            raise self.stuck[key]
        if self.passing.get(key, 0) > 0:
            self.passing[key] -= 1
            raise service_error(Outcome.REFUSED, transient=True)
        entry = self.objects.get(key)
        if change.after is None and entry is not None and entry.owner != claim.transaction:
            raise Conflict("not ours")
        return self._compare_and_set(change, run.transaction)

    def _compare_and_set(self, change: Change, owner: str) -> Applied:
        state = self.states().get(key_of(change))
        if state == change.after:
            return Applied(changed=False)
        if state != change.before:
            raise Conflict("neither the one nor the other")
        self._set(change, owner)
        return Applied(changed=True, identity={"uid": "1"})

    def _set(self, change: Change, owner: str) -> None:
        self.objects.pop(key_of(change), None)
        if change.after is not None:
            self.objects[key_of(change)] = Entry(change.after, owner)


def service_error(outcome: Outcome, *, transient: bool = False) -> ServiceError:
    return ServiceError("call", FailedCall("iam", "X", "X", outcome=outcome, transient=transient))


def unknown() -> ServiceError:
    return service_error(Outcome.UNKNOWN, transient=True)


_ERRORS: dict[Failure | None, Callable[[], Exception]] = {
    Failure.BUG: lambda: RuntimeError("a bug"),
    Failure.LATE: unknown,
    Failure.NOT_DONE_UNKNOWN: unknown,
    Failure.REFUSED: lambda: service_error(Outcome.REFUSED),
    Failure.NOT_SENT: lambda: service_error(Outcome.NOT_SENT),
}


class MemoryJournal(Journal):
    """A journal that is not on disk; it takes so many lines, and then can't be written."""

    def __init__(self, most: float = float("inf")) -> None:
        self.lines: list[tuple[str, int | None, dict[str, Any]]] = []
        self._most, self._guard = most, threading.Lock()

    def event(self, event: str, index: int | None = None, **facts: Any) -> None:
        with self._guard:
            if len(self.lines) >= self._most:
                raise JournalError("no space left")
            self.lines.append((event, index, facts))

    def close(self) -> None: ...


def before(plan: Plan, clock: Clock) -> MemoryWorld:
    """The world that the plan was made for, with a bystander."""
    objects = {key_of(item): Entry(item.before, "earlier") for item in plan if item.before is not None}
    return MemoryWorld(clock, {**objects, (Kind.ROLE, ("bystander", "of", "nobody")): Entry(STOLEN)})


STUCK = IrsaError("it can't be taken back")
