"""The locks of one command in one cluster: whether it takes any, and holding them around its transactions.

Those of many works in one command are in `irsa_cli.usecases.locks.ahead`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

from irsa_cli.core.marks.locks import Lock, LockScope, Timing, Writer, cluster_label, locks_of
from irsa_cli.core.results.result import Command
from irsa_cli.core.values import limits
from irsa_cli.core.values.patience import current
from irsa_cli.transaction.protocol import Interrupted
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.command.settings import Settings, late_signal
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
        holder = this_holder()
        cluster = connection.cluster
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
        *,
        ends_with_work: bool = False,
    ) -> Iterator[Settings]:
        """The settings of a run that holds what is wanted, and takes more when its plan needs it.

        Locks that `settings` already hold are not taken again. `ends_with_work`: see `Hold`.
        """
        if self.taker is None:
            yield settings
            return
        hold = self.hold(self.taker, settings, wanted, pause)
        hold.ends_with_work = ends_with_work
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
        locks.holding(settings, wanted, pause, ends_with_work=True) as held,
    ):
        yield held


def pause_of(settings: Settings) -> Callable[[float], None]:
    """How a run waits for a lock: a signal ends that at once, as nothing is written."""
    if settings.group is not None:
        return settings.group.pause

    def pause(seconds: float) -> None:
        number = late_signal()
        if number:
            raise Interrupted(number)
        current().pause(seconds)

    return pause
