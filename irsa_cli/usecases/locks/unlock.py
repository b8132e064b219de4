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
    found = sorted(place.look(), key=lambda item: (item.state.holder, item.state.name))
    return Unlocked(place.connection.cluster, request.namespace, items=[(item, None) for item in found])


def unlock(holder: str, request: Request, log: WireLog) -> Unlocked:
    """Remove all locks of a holder, given by its whole identity or by its run's name.

    Raises `Refused` for a holder without locks, for one that renews them, and without a confirmation;
    nothing is removed then.
    """
    place = _Place.of(request, log)
    seen = place.look()
    mine = of_holder(seen, holder)
    if not mine:
        raise _unheld(holder, seen, request)
    if not request.dry_run and not request.approve(mine):
        raise Refused("nothing was removed", reason="it was not confirmed")
    done = Unlocked(place.connection.cluster, request.namespace, holder, request.dry_run)
    # A dry run does not ask whether its process ran here and is gone: that removes the run's file.
    is_dead_here = not request.dry_run and is_dead(request.state_dir, mine[0].state)
    left = mine if is_dead_here else place.watch(holder, mine)
    names = {item.state.name for item in left}
    done.items = [(item, Removal.GONE) for item in mine if item.state.name not in names]
    if request.dry_run:
        done.items += [(item, Removal.PLANNED) for item in left]
    else:
        place.remove(left, done)
    return done


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
            found = self.connection.kube.leases(self.request.namespace, labels)
        except ServiceError as error:
            raise not_permitted(error, self.request.namespace) from error
        return [SeenLock(LeaseState.read(body), found.date) for body in found.items]

    def watch(self, holder: str, first: Sequence[SeenLock]) -> list[SeenLock]:
        """The holder's locks that it has not renewed for too long; raises `Refused` if one is renewed."""
        mine = list(first)
        seconds = max((item.timing.stop for item in mine if not item.ended), default=0.0)
        begun = boot_seconds()
        if seconds:
            self.request.note(f"Watching for {seconds:.0f} s whether {mine[0].holder} renews its locks")
        while (left := begun + seconds - boot_seconds()) > 0:
            current().pause(min(left, seconds / LOOKS))
            known = {item.state.name: item for item in mine}
            mine = of_holder(self.look(), holder)
            for item in mine:
                before = known.get(item.state.name)
                if before is None or before.state.version != item.state.version:
                    raise _renewed(item)
        return mine

    def remove(self, left: Sequence[SeenLock], done: Unlocked) -> None:
        """Delete them one by one; an error that ends that is in the outcome, next to the removed locks."""
        first = number = len(done.items)
        done.items += [(item, Removal.KEPT) for item in left]
        try:
            for number, item in enumerate(left, first):
                done.items[number] = (item, Removal.UNKNOWN)
                name = item.state.name
                uid = item.state.uid
                version = item.state.version
                self.connection.kube.delete_lease(self.request.namespace, name, uid=uid, version=version)
                done.items[number] = (item, Removal.REMOVED)
        except ServiceError as error:
            item = done.items[number][0]
            known = error.outcome is not Outcome.UNKNOWN
            if known:
                done.items[number] = (item, Removal.KEPT)
            is_renewed = known and error.code == CONFLICT
            done.error = _renewed(item) if is_renewed else not_permitted(error, self.request.namespace)
        except KeyboardInterrupt as stop:
            done.signal = stop.args[0] if stop.args else int(signal.SIGINT)
            done.error = IrsaError("interrupted while removing locks", code="Interrupted")


def _renewed(item: SeenLock) -> Refused:
    return Refused(
        f"{item.holder} renews its locks: it is still running",
        reason=f"the lock of {item.locked} was renewed while irsa watched it",
        details=(f"{item.doing}, since {item.since}",),
        next_steps=("wait until it has finished, or stop it: it then releases its locks",),
    )


def _unheld(holder: str, seen: Sequence[SeenLock], request: Request) -> Refused:
    """Nobody of that name has a lock; those who have some are named."""
    holders: dict[str, list[str]] = {}
    for item in seen:
        holders.setdefault(item.holder, []).append(item.locked)
    held = [f"{who}: {', '.join(what)}" for who, what in sorted(holders.items())]
    more = [f"and {len(held) - SHOWN} more"] if len(held) > SHOWN else []
    where = f"{request.target.cluster}, namespace {request.namespace}"
    return Refused(
        f"{holder} holds no lock in {where}",
        reason="these locks are held or have expired" if held else "no run holds a lock",
        details=[*held[:SHOWN], *more],
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
