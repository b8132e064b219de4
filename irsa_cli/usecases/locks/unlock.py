"""`irsa recover --unlock`: the locks of a cluster's runs, and removing those of a holder known to be dead.

Removed is only what its holder does not renew, by uid and version: the server compares. How runs take and
renew locks is in `irsa_cli.usecases.locks.taking`.
"""

from __future__ import annotations

import shlex
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from irsa_cli.core.marks.locks import LeaseState, selector
from irsa_cli.core.results.locks import Removal, SeenLock, Unlocked, of_holder
from irsa_cli.core.values.errors import IrsaError, Outcome, Refused, ServiceError
from irsa_cli.core.values.limits import boot_seconds
from irsa_cli.core.values.patience import current
from irsa_cli.kube.errors import CONFLICT
from irsa_cli.usecases.command.connect import Connection, Target, WireLog, connect
from irsa_cli.usecases.command.settings import Note
from irsa_cli.usecases.locks.presence import is_dead

LOOKS = 8
"""How often a holder that may live is looked at while it is watched."""
SHOWN = 20
"""How many other locks are named at most."""

Approve = Callable[[Sequence[SeenLock]], bool]


@dataclass(frozen=True)
class Request:
    """The cluster, identity and namespace of the locks; `approve` is asked before they are watched."""

    target: Target
    namespace: str
    state_dir: Path
    approve: Approve = lambda _: True
    dry_run: bool = False
    note: Note = lambda _: None


def find_locks(request: Request, log: WireLog) -> Unlocked:
    """The locks of the cluster's runs, by their holders. Raises `Refused` for a caller who may not list."""
    place = _Place.of(request, log)
    locks = sorted(place.look(), key=lambda lock: (lock.state.holder, lock.state.name))
    return Unlocked(place.connection.cluster, request.namespace, items=[(lock, None) for lock in locks])


def unlock(holder: str, request: Request, log: WireLog) -> Unlocked:
    """Remove all locks of a holder, given by its whole identity or by its run's name.

    Raises `Refused` for a holder without locks, for one that renews them, and without a confirmation;
    nothing is removed then.
    """
    place = _Place.of(request, log)
    locks = place.look()
    held = of_holder(locks, holder)
    if not held:
        raise _unheld(holder, locks, request)
    if not request.dry_run and not request.approve(held):
        raise Refused("nothing was removed", reason="it was not confirmed")
    unlocked = Unlocked(place.connection.cluster, request.namespace, holder, request.dry_run)
    # A dry run does not ask whether its process ran here and is gone: that removes the run's file.
    is_dead_here = not request.dry_run and is_dead(request.state_dir, held[0].state)
    dead = held if is_dead_here else place.watch(holder, held)
    names = {lock.state.name for lock in dead}
    unlocked.items = [(lock, Removal.GONE) for lock in held if lock.state.name not in names]
    if request.dry_run:
        unlocked.items += [(lock, Removal.PLANNED) for lock in dead]
    else:
        place.remove(dead, unlocked)
    return unlocked


@dataclass(frozen=True)
class _Place:
    """Where a cluster's locks are."""

    connection: Connection
    request: Request

    @classmethod
    def of(cls, request: Request, log: WireLog) -> _Place:
        connection = connect(request.target, kube=True, log=log)
        connection.announce(request.note)
        return cls(connection, request)

    def look(self) -> list[SeenLock]:
        """All locks of the cluster's runs, with the server's clock."""
        cluster = self.connection.cluster
        labels = selector(cluster.arn, cluster.name)
        try:
            leases = self.connection.kube.leases(self.request.namespace, labels)
        except ServiceError as error:
            raise not_permitted(error, self.request.namespace) from error
        return [SeenLock(LeaseState.read(body), leases.date) for body in leases.items]

    def watch(self, holder: str, first: Sequence[SeenLock]) -> list[SeenLock]:
        """The holder's locks that it has not renewed for too long; raises `Refused` if one is renewed."""
        locks = list(first)
        seconds = max((lock.timing.stop for lock in locks if not lock.ended), default=0.0)
        begun = boot_seconds()
        if seconds:
            self.request.note(f"Watching for {seconds:.0f} s whether {locks[0].holder} renews its locks")
        while (remaining := begun + seconds - boot_seconds()) > 0:
            current().pause(min(remaining, seconds / LOOKS))
            versions = {lock.state.name: lock.state.version for lock in locks}
            locks = of_holder(self.look(), holder)
            for lock in locks:
                # Without a version: it was taken meanwhile.
                if versions.get(lock.state.name) != lock.state.version:
                    raise _renewed(lock)
        return locks

    def remove(self, locks: Sequence[SeenLock], unlocked: Unlocked) -> None:
        """Delete them one by one; an error that ends that is in the outcome, next to the removed locks."""
        first = number = len(unlocked.items)
        unlocked.items += [(lock, Removal.KEPT) for lock in locks]
        try:
            for number, lock in enumerate(locks, first):
                unlocked.items[number] = (lock, Removal.UNKNOWN)
                lease = lock.state
                self.connection.kube.delete_lease(
                    self.request.namespace, lease.name, uid=lease.uid, version=lease.version
                )
                unlocked.items[number] = (lock, Removal.REMOVED)
        except ServiceError as error:
            lock = unlocked.items[number][0]
            unlocked.error = not_permitted(error, self.request.namespace)
            if error.outcome is not Outcome.UNKNOWN:
                unlocked.items[number] = (lock, Removal.KEPT)
                if error.code == CONFLICT:
                    unlocked.error = _renewed(lock)
        except KeyboardInterrupt as stop:
            unlocked.signal = stop.args[0] if stop.args else int(signal.SIGINT)
            unlocked.error = IrsaError("interrupted while removing locks", code="Interrupted")


def _renewed(lock: SeenLock) -> Refused:
    return Refused(
        f"{lock.holder} renews its locks: it is still running",
        reason=f"the lock of {lock.locked} was renewed while irsa watched it",
        details=(f"{lock.doing}, since {lock.since}",),
        next_steps=("wait until it has finished, or stop it: it then releases its locks",),
    )


def _unheld(holder: str, locks: Sequence[SeenLock], request: Request) -> Refused:
    """Nobody of that name has a lock; those who have some are named."""
    by_holder: dict[str, list[str]] = {}
    for lock in locks:
        by_holder.setdefault(lock.holder, []).append(lock.locked)
    lines = [f"{other}: {', '.join(locked)}" for other, locked in sorted(by_holder.items())]
    if len(lines) > SHOWN:
        lines = [*lines[:SHOWN], f"and {len(lines) - SHOWN} more"]
    where = f"{request.target.cluster}, namespace {request.namespace}"
    return Refused(
        f"{holder} holds no lock in {where}",
        reason="these locks are held or have expired" if lines else "no run holds a lock",
        details=lines,
        next_steps=(
            f"irsa recover --unlock -c {shlex.quote(request.target.cluster)}  # lists them",
            "for locks in another namespace: --lock-namespace NAMESPACE",
        ),
    )


def not_permitted(error: ServiceError, namespace: str) -> IrsaError:
    """The error of a call of `irsa recover --unlock`: a missing permission is named, and where to find it."""
    if error.status != 403 or error.permitted:
        return error
    verb = error.operation.partition(" ")[0]
    return Refused(
        f"this caller is not allowed to {verb} Leases (coordination.k8s.io) in namespace {namespace}",
        reason=error.reason,
        next_steps=(
            "grant list and delete on leases there: irsa docs how-to/permissions shows the Role",
            "or set the namespace of the locks: --lock-namespace NAMESPACE",
        ),
    )
