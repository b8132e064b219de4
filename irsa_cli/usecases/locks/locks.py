"""The locks of one command in one cluster: whether it takes any, and holding them around its transactions.

Of many works in one command, free locks are taken during the work before. While one of them waits, this run
keeps no lock that it does not use yet, so that no two runs wait for each other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

from irsa_cli.core.marks.locks import Lock, LockScope, Timing, Writer, cluster_label, locks_of
from irsa_cli.core.results.result import Command
from irsa_cli.core.values import limits
from irsa_cli.core.values.patience import current
from irsa_cli.transaction.protocol import Interrupted
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.command.signals import late_signal
from irsa_cli.usecases.locks.hold import Hold, Pause, Registry
from irsa_cli.usecases.locks.presence import Presence, this_holder
from irsa_cli.usecases.locks.taking import LockRenewal, Taker

T = TypeVar("T")

RELEASING = 8
"""How many runs release their locks at the same time, while others continue."""


def binding_lock(namespace: str, name: str) -> Lock:
    """The lock of a ServiceAccount and its own objects, whether it exists or not."""
    return Lock(LockScope.BINDING, f"{namespace}/{name}")


@dataclass(frozen=True)
class WantedLocks:
    """The locks that a run needs: `first` before it reads anything, `meanwhile` while it reads.

    `when_needed`: as soon as its plan has a change at all.
    """

    first: Iterable[Lock] = ()
    meanwhile: Iterable[Lock] = ()
    when_needed: Iterable[Lock] = ()


@dataclass
class Locks:
    """The locks of one command in one cluster; `taker` is None if it takes none."""

    connection: Connection
    taker: Taker | None
    presence: Presence | None = None
    registry: Registry = field(default_factory=Registry)
    renewal: LockRenewal | None = None
    releasing: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(RELEASING))

    @classmethod
    @contextmanager
    def of(cls, connection: Connection, settings: Settings, command: Command) -> Iterator[Locks]:
        """While the command works in this cluster; a missing lock is reported once."""
        wanted = settings.lock.enabled and not settings.dry_run
        if wanted and not connection.asks_cluster:
            settings.note("Running without a lock: this command does not call the Kubernetes API.")
        if not wanted or not connection.asks_cluster:
            yield cls(connection, None)
            return
        holder, cluster = this_holder(), connection.cluster
        timing = Timing(limits.lock_seconds())
        label = cluster_label(cluster.arn, cluster.name)
        writer = Writer(holder, timing, label, f"irsa {command.value}")
        taker = Taker(connection.kube, settings.lock.namespace, writer, settings.state_dir)
        presence = Presence(settings.state_dir, holder.run)
        locks = cls(connection, taker, presence)
        locks.renewal = LockRenewal(taker, locks.registry.held)
        try:
            yield locks
        finally:
            locks.releasing.shutdown()
            locks.renewal.end()
            presence.end(left=locks.registry.uncertain)

    @contextmanager
    def holding(
        self,
        settings: Settings,
        wanted: WantedLocks,
        pause: Pause | None = None,
    ) -> Iterator[Settings]:
        """The settings of a run that holds what is wanted, and takes more when its plan needs it.

        Locks that `settings` already hold are not taken again.
        """
        if self.taker is None:
            yield settings
            return
        hold = self.hold(self.taker, settings, wanted, pause)
        try:
            hold.take(wanted.first)
            yield replace(settings, hold=hold)
        finally:
            hold.release()

    def hold(
        self,
        taker: Taker,
        settings: Settings,
        wanted: WantedLocks,
        pause: Pause | None = None,
    ) -> Hold:
        """The hold on the locks of one run: see `holding`."""
        return Hold(
            taker,
            self.registry,
            self._begin,
            lambda changes: locks_of(changes, self.connection.cluster),
            self.connection.cluster.name,
            settings.lock.timeout,
            pause or pause_of(settings),
            settings.note,
            late=frozenset(wanted.when_needed),
            meanwhile=frozenset(wanted.meanwhile),
            around=settings.hold if isinstance(settings.hold, Hold) else None,
        )

    def _begin(self) -> None:
        """The steps before the first lock is taken."""
        if self.presence is not None and self.renewal is not None:
            self.presence.show()
            self.renewal.begin()

    def run(
        self, work: Callable[[Settings], T], settings: Settings, wanted: Iterable[Lock], pause: Pause
    ) -> T:
        with self.holding(settings, WantedLocks(wanted), pause) as held:
            return work(held)


@contextmanager
def locked(
    connection: Connection,
    settings: Settings,
    command: Command,
    wanted: WantedLocks,
    pause: Pause | None = None,
) -> Iterator[Settings]:
    """For a command with one transaction: see `Locks.holding`."""
    with (
        Locks.of(connection, settings, command) as locks,
        locks.holding(settings, wanted, pause) as held,
    ):
        yield held


def pause_of(settings: Settings) -> Callable[[float], None]:
    """How a run waits for a lock: a signal ends that at once, as nothing is written."""
    if settings.group is not None:
        return settings.group.pause

    def pause(seconds: float) -> None:
        if number := late_signal():
            raise Interrupted(number)
        current().pause(seconds)

    return pause


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

    def __exit__(self, *_: object) -> None:
        self._give_up()
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


def take_ahead(locks: Locks, settings: Settings, wanted: Sequence[Lock], most: int) -> LocksAhead:
    """Take these early, for the work that needs them in this order, of which `most` run at once."""
    taker = locks.taker

    def make(lock: Lock) -> Hold:
        assert taker is not None
        return locks.hold(taker, settings, WantedLocks(when_needed=[lock]), found.pause)

    found = LocksAhead(wanted if taker is not None else (), make, most, pause_of(settings))
    return found
