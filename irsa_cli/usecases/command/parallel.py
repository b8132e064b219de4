"""Run many transactions, at the same time or in turn; an error ends only its own."""

from __future__ import annotations

import shlex
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from irsa_cli.aws.errors import THROTTLED
from irsa_cli.aws.session import WireCall, WireLog
from irsa_cli.core.results.applied import AppliedList, Item, NotBegun
from irsa_cli.core.results.result import Ended, Result
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import IrsaError, Refused
from irsa_cli.core.values.patience import Count, current, extend
from irsa_cli.transaction.journal import JournalError
from irsa_cli.transaction.protocol import Interrupted
from irsa_cli.usecases.command.execute import recording, standing
from irsa_cli.usecases.command.settings import RunGroup, Settings

T = TypeVar("T")

_WELL = (Ended.COMMITTED, Ended.UNCHANGED, Ended.PLANNED)

PARALLEL = 16
"""Transactions at the same time, unless the user says otherwise."""
_SHRINK = 0.5
_GROW = 0.25
_PAUSE = 1.0
"""Seconds in which several throttled calls count as one: they come from the same burst."""


class Pace:
    """The number of parallel runs: halved when AWS throttles, then slowly increased (as in RFC 5681).

    After `max_failures`, no other run begins. Thread-safe. `of`: another account of the same command, whose
    failures and runs count, and not its throttled calls.
    """

    def __init__(self, most: int, max_failures: int | None = None, *, of: Pace | None = None) -> None:
        self._whole = of or self
        self._failures = 0
        self._max_failures = max_failures
        self.slots: threading.BoundedSemaphore = of.slots if of else threading.BoundedSemaphore(most)
        """Each run takes one, whatever its account."""
        self._most = float(most)
        self._now = float(most)
        self._throttled = float("-inf")
        self._lock = threading.Lock()

    @property
    def limit(self) -> int:
        """How many may be under way now, at least one."""
        with self._lock:
            return max(1, int(self._now))

    def heard(self, call: WireCall) -> None:
        """Slow down for a throttled call."""
        if call.code not in THROTTLED and call.status != 429:
            return
        with self._lock:
            now = time.monotonic()
            if now - self._throttled >= _PAUSE:
                self._now = max(1.0, self._now * _SHRINK)
                self._throttled = now

    def hearing(self, log: WireLog) -> WireLog:
        """The same log, which slows this down for throttled calls."""

        def hear(call: WireCall) -> None:
            self.heard(call)
            log(call)

        return hear

    def ended(self, result: Result) -> None:
        if result.ended not in _WELL:
            with self._whole._lock:
                self._whole._failures += 1

    @property
    def is_over(self) -> bool:
        """Whether so many have failed that nothing more is begun."""
        most = self._whole._max_failures
        return most is not None and self._whole._failures >= most

    def done(self) -> None:
        """One has ended: a little more may be tried."""
        with self._lock:
            self._now = min(self._most, self._now + _GROW)


def run_all(
    works: Sequence[Callable[[], T]],
    pace: Pace,
    most: int,
    stopped: Callable[[], bool],
    what: str = "ServiceAccounts",
) -> Iterator[tuple[int, T]]:
    """Do all of it, and yield results with their places as they come in; none is begun once `stopped`."""
    waiting = deque(enumerate(works))
    count = Count(what, len(works))

    def one(work: Callable[[], T]) -> T:
        try:
            return work()
        finally:
            pace.slots.release()

    running: dict[Future[T], int] = {}
    with ThreadPoolExecutor(most) as pool:
        while True:
            while waiting and len(running) < pace.limit and pace.slots.acquire(blocking=not running):
                if stopped() or pace.is_over:
                    pace.slots.release()
                    waiting.clear()
                    break
                number, work = waiting.popleft()
                running[pool.submit(one, work)] = number
            if not running:
                return
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                pace.done()
                count.one()
                yield running.pop(future), future.result()


@dataclass(frozen=True)
class Task:
    """One transaction; `deletes`: it counts for the limit of deletions of a run."""

    cluster: Cluster
    name: str
    place: str
    run: Callable[[Settings], Result]
    deletes: bool = False


def begin_time_limit(settings: Settings) -> None:
    """Begin a time limit: each of many transactions has its own, and so have the reads before it."""
    extend(max(0.0, settings.timeout - current().remaining))


def carry_out(
    works: Sequence[Task], settings: Settings, pace: Pace, done: AppliedList, tell: Callable[[Item], None]
) -> None:
    """Carry out the transactions, several at the same time; one that fails stops no other.

    Items are shown in the order of their names. A signal to `settings.group` stops the works; those that have
    not begun are `done.pending`.
    """
    works = sorted(works, key=lambda work: (work.place, work.name))
    found: list[Item | None] = [None] * len(works)
    group = settings.group or RunGroup()
    shown = 0

    def one(work: Task) -> Item:
        begin_time_limit(settings)
        mine = replace(settings, group=group, started=time.monotonic())
        return ended(work.cluster, work.name, result_of(lambda: work.run(mine)), place=work.place)

    every = [partial(one, work) for work in works]
    for number, item in run_all(every, pace, PARALLEL, lambda: bool(group.number), f"{done.noun}s"):
        found[number] = item
        while shown < len(found) and (following := found[shown]) is not None:
            shown += 1
            done.items.append(following)
            tell(following)
    # Works begin in their order, so all that have begun have been shown.
    done.pending += [NotBegun(work.cluster, work.name, work.place) for work in works[shown:]]


def in_turn(items: Iterable[T], role: Callable[[T], str]) -> list[list[T]]:
    """The items in stages, so that changes of one role run in turn: IAM has no conditional writes."""
    stages: list[list[T]] = []
    before: Counter[str] = Counter()
    for item in items:
        name = role(item)
        turn = before[name] if name else 0
        before[name] += 1
        if turn == len(stages):
            stages.append([])
        stages[turn].append(item)
    return stages


def result_of(work: Callable[[], Result]) -> Result:
    """The result of one of many: what goes wrong with it is its own affair."""
    with recording() as done:
        try:
            return work()
        except Refused as error:
            return standing(done, error) or Result(Ended.REFUSED, error=error)
        except Exception as error:
            return standing(done, error) or Result(Ended.FAILED, error=error)


def ended(cluster: Cluster, name: str, result: Result, *, where: str = "", place: str = "") -> Item:
    """The ended item; its result names the cluster even after an early failure."""
    named = result if result.cluster else replace(result, cluster=cluster)
    return Item(cluster.name, name, named, where, place)


def attempt(transaction: str, work: Callable[[], Result]) -> Result:
    """The result of one of several: an error ends its own transaction, and not the others."""
    try:
        with advising():
            return work()
    except IrsaError as error:
        ended = Ended.REFUSED if isinstance(error, Refused) else Ended.FAILED
        number = error.number if isinstance(error, Interrupted) else 0
        return Result(ended, transaction=transaction, error=error, signal=number)


def warning(settings: Settings, *, forward: bool) -> Callable[[str], None]:
    what = "waiting for the current call" if forward else "rolling back this transaction first"
    return lambda _: settings.note(f"Stopping: {what}. Press Ctrl-C again to stop immediately.")


@contextmanager
def advising() -> Iterator[None]:
    """Add to the error of a journal that can't be read what finds the run's remains without it."""
    try:
        yield
    except JournalError as error:
        if error.next_steps:
            raise
        raise advised(error) from error


def advised(error: JournalError) -> JournalError:
    """The error of a journal that can't be read, with what finds the run's leftovers without it."""
    if error.next_steps:
        return error
    target = error.target
    options = {
        "--cluster": None if target.get("issuer_url") else target.get("cluster"),
        **{
            f"--{key.replace('_', '-')}": target.get(key)
            for key in ("region", "profile", "assume_role", "issuer_url", "account", "kubeconfig", "context")
        },
    }
    given = " ".join(f"{flag} {shlex.quote(text)}" for flag, text in options.items() if text)
    found = f"irsa recover {given or '--cluster CLUSTER'}  # finds what runs have left without their journals"
    return error.but(next_steps=(found,))
