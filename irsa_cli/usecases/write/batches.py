"""Deletions in batches: the locks of a batch are taken together, then its bindings are read in lists.

In this order, since a list tells what may be deleted only if no other run can change it afterwards. Whoever
does not get a lock ahead waits for it alone, and then reads alone.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from irsa_cli.core.marks.locks import Lock
from irsa_cli.core.results.result import Result
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.locks.ahead import LocksAhead, take_ahead, when_needed
from irsa_cli.usecases.locks.locks import Locks, binding_lock, pause_of
from irsa_cli.usecases.read.binding_reads import BindingLists
from irsa_cli.usecases.write import delete_sa

BATCH = 64
"""Deletions whose locks are held, and whose state was read, before they begin."""


@dataclass(frozen=True)
class Batch:
    """Lists of some bindings, and the locks taken before; None if each binding is read by itself."""

    lists: BindingLists | None = None
    ahead: LocksAhead | None = None


@dataclass
class Batches:
    """The batches of one stage of deletions, each prepared when its first deletion begins.

    For a `with` block; for several threads.
    """

    connection: Connection
    settings: Settings
    locks: Locks | None
    requests: Sequence[delete_sa.Request]
    _batches: list[Batch] = field(default_factory=list)
    _mutex: threading.Lock = field(default_factory=threading.Lock)
    _opened: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Batches:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def delete(self, number: int, settings: Settings, earlier: Sequence[Path] | None = None) -> Result:
        """Delete the binding with this place in the stage; see `delete_sa.delete_binding`."""
        request = self.requests[number]
        batch = self._of(number)

        def delete(held: Settings) -> Result:
            return delete_sa.delete_binding(self.connection, request, held, earlier, batch.lists)

        lock = binding_lock(request.namespace, request.name)
        return when_needed(self.locks, settings, lock, delete, batch.ahead)

    def _of(self, number: int) -> Batch:
        if len(self.requests) < delete_sa.FEW:
            return Batch()
        with self._mutex:
            while len(self._batches) <= number // BATCH:
                self._batches.append(self._prepared(len(self._batches) * BATCH))
        return self._batches[number // BATCH]

    def _prepared(self, start: int) -> Batch:
        """Lock the batch that starts there, as far as it has something to delete, and read it."""
        locks = self.locks
        if locks is None or locks.taker is None:
            return Batch(self._read(start))
        planning = self._lists_before() or self._read(start)
        needed: dict[Lock, frozenset[Lock]] = {}
        for request in self.requests[start : start + BATCH]:
            lock = binding_lock(request.namespace, request.name)
            every = delete_sa.needed_locks(self.connection, request, planning)
            if every:
                needed[lock] = every - {lock}
        if not needed:
            return Batch(planning)
        ahead = take_ahead(locks, self.settings, [*needed], BATCH, also=needed, pause=self._pause)
        self._opened.enter_context(ahead)
        ahead.take_free()
        return Batch(self._read(start), ahead)

    def _lists_before(self) -> BindingLists | None:
        """The lists of the batch before, if they were read for it, and tell of this one as well."""
        before = self._batches[-1] if self._batches else Batch()
        return before.lists if before.ahead is not None else None

    def _read(self, start: int) -> BindingLists:
        """Lists for a batch and, to plan the locks of it, for the next one."""
        requests = self.requests[start : start + 2 * BATCH]
        return self._opened.enter_context(delete_sa.lists_of(self.connection, requests))

    def _pause(self, seconds: float) -> None:
        """Wait for a lock: meanwhile this run keeps no lock that it does not use yet."""
        for batch in self._batches:
            if batch.ahead is not None:
                batch.ahead.give_up()
        pause_of(self.settings)(seconds)
