"""One lock: taking it when it is free, renewing it, giving it back, and what is said when it can't be had.

Everything is compare-and-set on the Lease's version: of two that take the same at once, the server lets one.
Nothing here waits: waiting, and several locks, are in `irsa_cli.usecases.locks.hold`.
"""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from irsa_cli.core.marks import locks as lease
from irsa_cli.core.marks.locks import Lock
from irsa_cli.core.values import attempts
from irsa_cli.core.values.errors import FailedCall, IrsaError, LockLost, Refused, ServiceError
from irsa_cli.core.values.limits import boot_seconds
from irsa_cli.core.values.patience import within
from irsa_cli.kube.calls import Json
from irsa_cli.kube.client import Kube
from irsa_cli.kube.errors import CONFLICT, EXISTS, NOT_FOUND
from irsa_cli.usecases.locks.presence import is_dead

ROUNDS = 5
"""How often a Lease is looked at that others write at the same time, before it counts as held."""
DELETED = "somebody has deleted it"
RELEASE_SECONDS = 5.0
"""How long a release may take: the lock also expires by itself."""


@dataclass
class HeldLock:
    """A lock that this run holds: its Lease as it was written last, and when that was (boot clock)."""

    lock: Lock
    body: Json
    written: float
    lost: str = ""
    """Why it is this run's no more."""
    is_going: bool = False
    """Whether this run releases it; then only the release tells whether it was lost."""
    mutex: threading.Lock = field(default_factory=threading.Lock)

    def note_lost(self, why: str) -> None:
        """Note what a renewal has found, which may be the work of a release at the same time."""
        if not self.is_going:
            self.lost = why


@dataclass
class Watched:
    """A Lease of another run's while this one watches it."""

    begun: float = 0.0
    """The time of this run's first attempt to create it."""
    version: str = ""
    seen: float = 0.0
    """When (boot clock) this version was seen first."""

    def unchanged(self, version: str, now: float) -> float:
        """Seconds for which nobody has written it."""
        if version != self.version:
            self.version = version
            self.seen = now
        return now - self.seen


class _Quick:
    """Calls without repetition, or with one if there is time: their work is done again later anyhow."""

    persistent = False

    def __init__(self, seconds: float) -> None:
        self._until = boot_seconds() + seconds

    @property
    def remaining(self) -> float:
        return self._until - boot_seconds()

    def pause(self, seconds: float) -> None:
        threading.Event().wait(max(0.0, min(seconds, self.remaining)))

    def assure(self) -> None:
        pass


@dataclass(frozen=True)
class Taker:
    """Takes locks for one run, in one namespace of one cluster."""

    leases: Kube
    namespace: str
    writer: lease.Writer
    state_dir: Path

    @property
    def timing(self) -> lease.Timing:
        """For how long they hold."""
        return self.writer.timing

    @property
    def identity(self) -> str:
        return self.writer.holder.identity

    def take(self, lock: Lock, watched: Watched) -> HeldLock | lease.LeaseState:
        """Take a lock, or return its holder; raises `Refused` (no permission), or `ServiceError`."""
        try:
            return self._take(lock, watched)
        except ServiceError as error:
            raise denied(error, self.namespace) from error

    def _take(self, lock: Lock, watched: Watched) -> HeldLock | lease.LeaseState:
        state: lease.LeaseState | None = None
        for _ in range(ROUNDS):
            created = None if watched.version else self._create(lock, watched)
            if created:
                return created
            looked = boot_seconds()
            present = self.leases.lease(self.namespace, lock.name)
            if present is None:
                watched.version = ""
                continue
            state = lease.LeaseState.read(present.body)
            idle = watched.unchanged(state.version, looked)
            if state.holder == self.identity:
                # The answer to an earlier attempt was lost.
                return HeldLock(lock, present.body, watched.begun or looked)
            if not self._is_free(state, present.date, idle):
                return state
            taken = self._take_over(lock, present.body)
            if taken:
                return taken
        if state is None:
            raise ServiceError(
                f"the Lease {lock.name} keeps being created and deleted",
                FailedCall("kubernetes", "create leases", CONFLICT),
            )
        return state

    def _create(self, lock: Lock, watched: Watched) -> HeldLock | None:
        started = boot_seconds()
        watched.begun = watched.begun or started
        with _unless(EXISTS):
            answer = self.leases.create_lease(self.namespace, self.writer.body(lock, _now()))
            return HeldLock(lock, answer.body, started)
        return None

    def _take_over(self, lock: Lock, body: Json) -> HeldLock | None:
        started = boot_seconds()
        with _unless(CONFLICT, NOT_FOUND):
            mine = self.writer.body(lock, _now(), body)
            answer = self.leases.replace_lease(self.namespace, lock.name, mine)
            return HeldLock(lock, answer.body, started)
        return None

    def _is_free(self, state: lease.LeaseState, now: datetime | None, idle: float) -> bool:
        """Whether nobody holds it any more: by the server's clock, by watching it, or as its run is dead."""
        margin = self.timing.margin
        return state.is_over(now, margin) or idle > state.seconds + margin or is_dead(self.state_dir, state)

    def held_by_others(self) -> frozenset[str]:
        """The names of Leases of other runs of this cluster, also ended ones; raises as `take`."""
        labels = f"{lease.MANAGED_BY}={lease.MANAGER},{lease.CLUSTER_LABEL}={self.writer.cluster}"
        try:
            bodies = self.leases.leases(self.namespace, labels).items
        except ServiceError as error:
            raise denied(error, self.namespace) from error
        states = map(lease.LeaseState.read, bodies)
        return frozenset(state.name for state in states if state.holder not in ("", self.identity))

    def renew(self, held: HeldLock) -> None:
        """Write it once more; what fails in a way that passes is tried again by whoever asks for it."""
        with held.mutex:
            if held.lost or held.is_going:
                return
            seconds = self.timing.renew
            try:
                attempts.bounded(lambda: _quickly(seconds, lambda: self._renew(held)), seconds)
            except (ServiceError, attempts.Overran):
                return

    def _renew(self, held: HeldLock) -> None:
        for _ in range(2):
            started = boot_seconds()
            with _unless(CONFLICT, NOT_FOUND):
                body = lease.renewed(held.body, _now())
                answer = self.leases.replace_lease(self.namespace, held.lock.name, body)
                held.body = answer.body
                held.written = started
                return
            present = self.leases.lease(self.namespace, held.lock.name)
            state = None if present is None else lease.LeaseState.read(present.body)
            if present is None or state is None:
                held.note_lost(DELETED)
                return
            if state.uid != held.body["metadata"]["uid"] or state.holder != self.identity:
                held.note_lost(state.holding)
                return
            held.body = present.body  # An attempt before, whose answer was lost, has written it.

    def release(self, held: HeldLock) -> None:
        """Release it, if it is still this run's, else note why it is `lost`: the last look at it.

        `ServiceError` if that fails: then it expires.
        """
        held.is_going = True
        if held.lost:
            return
        try:
            attempts.bounded(lambda: _quickly(RELEASE_SECONDS, lambda: self._release(held)), RELEASE_SECONDS)
        except attempts.Overran as error:
            raise ServiceError(
                "kubernetes delete leases",
                FailedCall("kubernetes", "delete leases", "Overran"),
                reason=str(error),
            ) from error

    def _release(self, held: HeldLock) -> None:
        body = held.body
        for _ in range(ROUNDS):
            place = body["metadata"]
            with _unless(CONFLICT):
                is_deleted = self.leases.delete_lease(
                    self.namespace, held.lock.name, uid=place["uid"], version=place["resourceVersion"]
                )
                held.lost = "" if is_deleted else DELETED
                return
            present = self.leases.lease(self.namespace, held.lock.name)
            state = None if present is None else lease.LeaseState.read(present.body)
            if present is None or state is None or state.holder != self.identity:
                held.lost = DELETED if state is None else state.holding
                return
            body = present.body  # It was renewed in between.


@contextmanager
def _unless(*codes: str) -> Iterator[None]:
    """Go on behind the block if the server refuses its call with one of these codes."""
    try:
        yield
    except ServiceError as error:
        if error.code not in codes:
            raise


def all_at_once(act: Callable[[HeldLock], None], locks: Sequence[HeldLock], most: int) -> None:
    """Do it for all of them, so many at the same time."""
    if len(locks) == 1:
        act(locks[0])
    elif locks:
        with ThreadPoolExecutor(most) as pool:
            list(pool.map(act, locks))


def _quickly(seconds: float, act: Callable[[], None]) -> None:
    with within(_Quick(seconds)):
        act()


def _now() -> datetime:
    """For people who read the Lease; nothing is decided by this machine's clock."""
    return datetime.now(timezone.utc)


RENEWING = 8


class LockRenewal:
    """Renews all that `held` tells, from the first `begin` on until it is ended."""

    def __init__(self, taker: Taker, held: Callable[[], Iterable[HeldLock]]) -> None:
        self._taker = taker
        self._held = held
        self._ended = threading.Event()
        self._mutex = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Begin, unless it has begun."""
        with self._mutex:
            if self._thread is None:
                self._thread = threading.Thread(target=self._go_on, daemon=True)
                self._thread.start()

    def end(self) -> None:
        """Renew nothing any more; the call that is under way is not waited for."""
        self._ended.set()

    def _go_on(self) -> None:
        while not self._ended.wait(self._taker.timing.renew):
            self.renew(list(self._held()))

    def renew(self, held: list[HeldLock]) -> None:
        all_at_once(self._taker.renew, held, RENEWING)


WITHOUT = (
    "run this again with --no-lock: parallel runs for the same ServiceAccount can then conflict, because"
    " only their tags protect them"
)
VERBS = ("get", "list", "create", "update", "delete")


def held(lock: Lock, state: lease.LeaseState, cluster: str, waited: float) -> Refused:
    """Another run holds it, and did not let go in time. Nothing was written."""
    after = f" (waited for {waited:.0f} s)" if waited >= 1 else ""
    return Refused(
        f"another run is working on {lock.words}{after}",
        reason=state.holding,
        next_steps=(
            "run this again when the other run has finished, or wait longer: --lock-timeout 10m",
            f"irsa recover --unlock {shlex.quote(state.holder)} -c {cluster}  # if you know that it is dead",
        ),
    )


def denied(error: ServiceError, namespace: str) -> IrsaError:
    """The error of a call about a Lease: a missing permission, or a missing place, ends the run early."""
    if error.status not in (403, 404, 405):
        return error
    verb = error.operation.partition(" ")[0]
    if error.permitted:
        return Refused(
            f"no lock: a quota or an admission policy of namespace {namespace} denies {verb} for Leases",
            reason=error.reason,
            next_steps=(
                "ask the owner of these quotas and policies to allow Leases (coordination.k8s.io)",
                "or set a namespace that allows them, the same for all runs: --lock-namespace NAMESPACE",
            ),
        )
    who = "this caller is not allowed to" if error.status == 403 else "the cluster allows nobody to"
    return Refused(
        f"can't take a lock: {who} {verb} Leases (coordination.k8s.io) in namespace {namespace}",
        reason=error.reason,
        next_steps=(
            f"grant {', '.join(VERBS)} on leases there: irsa docs how-to/permissions shows the Role",
            "or set a namespace that grants them, the same for all runs: --lock-namespace NAMESPACE",
            f"or {WITHOUT}",
        ),
    )


def lost(lock: Lock, why: str, *, taken_over: bool) -> LockLost:
    """The lock is another's by now, or nobody knows."""
    return LockLost(f"the lock of {lock.words} is lost", reason=why, taken_over=taken_over)
