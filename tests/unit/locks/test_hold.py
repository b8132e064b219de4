"""Locks on a cluster in memory: taken, waited for, taken over, renewed, lost and given back."""

import os
import socket
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import pytest

from irsa_cli.core.marks.locks import Holder, LeaseState, Lock, LockScope, Timing, Writer, is_all_new
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import (
    ROLE_ARN_ANNOTATION,
    NamespaceState,
    Present,
    RoleState,
    ServiceAccountState,
)
from irsa_cli.core.values.errors import FailedCall, IrsaError, LockLost, Refused, ServiceError
from irsa_cli.usecases.command.retry import Attempt, LookAgain, with_its_locks
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.locks import hold as holding
from irsa_cli.usecases.locks import taking
from irsa_cli.usecases.locks.hold import Hold, Registry
from irsa_cli.usecases.locks.presence import Presence
from irsa_cli.usecases.locks.taking import Taker
from tests.support.memory.cloud import LOST_AFTER, LOST_BEFORE, MemoryCloud
from tests.support.memory.iam import Refusal
from tests.support.named import named

A, B = Lock(LockScope.BINDING, "ns/a"), Lock(LockScope.BINDING, "ns/b")
SPACE, ROLE = Lock(LockScope.NAMESPACE, "ns"), Lock(LockScope.ROLE, "arn:aws:iam::111122223333:role/r")
CREATION = Change(Kind.NAMESPACE, ("ns",), None, NamespaceState())
DELETION = CREATION.inverse


def _gone(status: int) -> ServiceError:
    return ServiceError("no such role", FailedCall("iam", "ListAttachedRolePolicies", "X", status=status))


@dataclass
class Run:
    """One run; what it says is in `said`."""

    hold: Hold
    said: list[str]
    presence: Presence

    @property
    def held(self) -> list[Lock]:
        return sorted(self.hold.held)

    def take(self, *locks: Lock) -> None:
        self.hold.take([*locks])

    def refused(self, lock: Lock, why: str = ".", step: str = "") -> None:
        """It does not get a lock."""
        with pytest.raises(Refused, match=why) as refusal:
            self.take(lock)
        assert any(step in item for item in refusal.value.next_steps)

    def renew(self) -> None:
        self.hold.taker.renew(self.hold.held[A])

    def lost(self, why: str = ".", *, back: bool = False) -> None:
        """It finds out that it has lost a lock."""
        with pytest.raises(LockLost, match=why):
            self.hold.check(back=back)

    def looks_again(self, *changes: Change, **more: Any) -> None:
        """It gets its locks, and has to look again at what it is about to do."""
        with pytest.raises(LookAgain):
            self.hold.secure([*changes], **more)


@dataclass
class Table:
    """A cluster in memory, whose clock and the runs' pass together when somebody waits."""

    cloud: MemoryCloud
    folder: Path
    seconds: float = 1_800_000_000.0
    waits: int = 0
    meanwhile: Callable[[], None] = lambda: None
    needed: list[Lock] = field(default_factory=list)

    def pause(self, seconds: float) -> None:
        self.seconds += seconds
        self.waits += 1
        self.meanwhile()

    def run(
        self,
        name: str,
        timeout: float = 60.0,
        registry: Registry | None = None,
        folder: str = "state",
        **more: Any,
    ) -> Run:
        said: list[str] = []
        holder = Holder(name, "alice", more.pop("host", socket.gethostname()))
        writer = Writer(holder, Timing(), "demo-0", "irsa create-sa")
        state = self.folder / folder
        taker = Taker(self.cloud.clients()[1], "default", writer, state)
        needs: tuple[Any, Any] = (lambda: None, lambda _: self.needed)
        known = registry or Registry()
        hold = Hold(taker, known, *needs, "demo", timeout, self.pause, said.append, **more)
        return Run(hold, said, Presence(state, name))

    def two(self, timeout: float = 60.0, has: Lock = A, **more: Any) -> tuple[Run, Run]:
        """A run that has a lock, and one of another machine's folder."""
        first, second = self.run("r1"), self.run("r2", timeout, folder="other", **more)
        first.take(has)
        return first, second

    def released(self, run: Run, waits: int = 1) -> None:
        """Have a run give its locks back at such a wait of the other."""
        self.meanwhile = lambda: run.hold.release() if self.waits >= waits else None

    def dead(self, **more: Any) -> Run:
        """A run that had A and ROLE, and whose process is gone."""
        run = self.run("r1", **more)
        run.presence.show()
        run.take(A, ROLE)
        run.presence.end(left=True)
        return run

    @property
    def leases(self) -> dict[str, LeaseState]:
        found = self.cloud.kube.objects.items()
        return {name: LeaseState.read(body) for (kind, _, name), body in found if kind == "leases"}

    def holders(self, *locks: Lock) -> list[str]:
        return [self.leases[lock.name].run if lock.name in self.leases else "" for lock in locks]


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    cloud = MemoryCloud()
    with cloud.ruling():
        found = Table(cloud, tmp_path)
        monkeypatch.setattr(cloud.kube, "clock", lambda: found.seconds)
        modules: Iterable[ModuleType] = (holding, taking)
        for module in modules:
            monkeypatch.setattr(module, "boot_seconds", lambda: found.seconds)
        yield found


def test_it_is_taken_and_given_back(table: Table) -> None:
    run = table.run("r1")
    run.take(B, A)
    assert (run.held, table.holders(A, B)) == ([A, B], ["r1", "r1"])
    run.hold.release()
    assert (table.leases, table.waits) == ({}, 0)


def test_another_run_waits_and_then_goes_on(table: Table) -> None:
    first, second = table.two()
    table.released(first, 3)
    started = table.seconds
    second.take(A)
    # It does not count for the run's own time limit.
    assert second.hold.waited == pytest.approx(table.seconds - started)
    spent = replace(Settings(table.folder), hold=second.hold)
    assert spent.spent == pytest.approx(spent.seconds - second.hold.waited, abs=1.0)
    (told,) = second.said
    assert "Waiting for ServiceAccount ns/a" in told
    assert "r1_alice@" in told
    assert (table.waits, table.holders(A)) == (3, ["r2"])


@pytest.mark.parametrize("timeout", [0.0, 5.0])
def test_it_is_not_waited_for_longer_than_asked(table: Table, timeout: float) -> None:
    _, second = table.two(timeout)
    started = table.seconds
    second.refused(A, "another run is working on ServiceAccount ns/a", "irsa recover --unlock r1_alice@")
    second.hold.release()
    assert table.seconds - started == pytest.approx(timeout)
    assert table.holders(A) == ["r1"]


def test_one_that_is_not_renewed_is_taken_over(table: Table) -> None:
    first, second = table.two()
    started = table.seconds
    second.take(A)
    assert 45 < table.seconds - started < 60
    assert table.leases[A.name].transitions == 1
    for back in (False, True):
        first.lost("r2_alice", back=back)
    first.hold.release()
    assert table.holders(A) == ["r2"]


def test_one_that_is_renewed_is_not_taken_over(table: Table) -> None:
    first, second = table.two(300.0)
    table.meanwhile = first.renew
    second.refused(A)
    first.hold.check(back=False)


def test_without_the_servers_clock_it_is_watched(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LeaseState, "is_over", lambda *_: False)
    _, second = table.two()
    started = table.seconds
    second.take(A)
    assert table.seconds - started > 45


def test_a_dead_process_of_this_machine_is_not_waited_for(table: Table) -> None:
    first, second = table.run("r1"), table.run("r2", 0.0)
    first.presence.show()
    first.take(A, ROLE)
    second.refused(A)
    first.presence.end(left=True)  # As a process that is gone has it.
    second.take(A)
    second.take(ROLE)
    assert table.holders(A, ROLE) == ["r2", "r2"]


def test_a_process_of_another_machine_is_never_called_dead(table: Table) -> None:
    table.dead(host="elsewhere")
    table.run("r2", 0.0).refused(A)


def test_a_file_that_others_may_write_says_nothing(table: Table) -> None:
    table.dead()
    (table.folder / "state" / "locks").chmod(0o777)
    table.run("r2", 0.0).refused(A)


def test_files_of_the_dead_are_removed_after_a_day(table: Table) -> None:
    table.dead()
    second, living = table.run("r2"), table.run("r3")
    living.presence.show()
    folder = table.folder / "state" / "locks"
    for path in folder.iterdir():
        os.utime(path, (0, 0))
    second.presence.show()
    assert {path.name for path in folder.iterdir()} == {"r2.lock", "r3.lock"}
    second.presence.end()
    assert {path.name for path in folder.iterdir()} == {"r3.lock"}


def test_two_threads_of_a_process_are_two_runs(table: Table) -> None:
    registry = Registry()
    first, second = table.run("r1", registry=registry), table.run("r1", registry=registry)
    first.take(A)
    table.released(first, 2)
    second.take(A)
    assert (table.waits, table.holders(A)) == (2, ["r1"])


def test_who_waits_keeps_what_sorts_before_and_lets_go_of_what_sorts_behind(table: Table) -> None:
    first, second = table.two(has=B)
    seen: list[list[str]] = []

    def meanwhile() -> None:
        seen.append(table.holders(A, SPACE))
        first.hold.release()

    table.meanwhile = meanwhile
    second.take(A, B, SPACE)
    assert (seen[0], second.held) == (["r2", ""], [A, B, SPACE])


def test_what_a_plan_needs_besides_is_taken_in_order_and_looked_at_again(table: Table) -> None:
    run = table.run("r1", late=frozenset([A]))
    for needed, held in (([ROLE], [A, ROLE]), ([SPACE], [A, SPACE, ROLE])):
        table.needed = needed
        run.looks_again(DELETION)
        assert run.held == held
    run.hold.secure([DELETION])
    assert not run.hold.complete()
    assert table.cloud.calls.count("delete leases") == 1  # ROLE sorts behind SPACE.


def test_what_only_creates_is_not_looked_at_again(table: Table) -> None:
    """The servers find out when a name is taken by now."""
    run = table.run("r1", meanwhile=frozenset([A]))
    table.needed = [SPACE]
    run.hold.take_meanwhile()
    run.hold.secure([CREATION])
    assert run.held == [A, SPACE]


def test_what_was_waited_for_is_looked_at_again(table: Table) -> None:
    first, second = table.two(meanwhile=frozenset([A]))
    table.released(first)
    second.hold.take_meanwhile()
    second.looks_again(CREATION)
    second.hold.take_meanwhile()
    second.hold.secure([CREATION])


@named(
    "error waits looks",
    # The role was there, and its policies were not: the other run was rolling back.
    ("refused while another run is at work", Refused("somebody's"), True, 2),
    ("gone while another run is at work", _gone(404), True, 2),
    ("gone while nobody is", _gone(404), False, 1),
    ("denied while another run is at work", _gone(403), True, 1),
)
def test_what_is_half_there_while_another_run_is_at_work_is_read_again(
    table: Table, error: IrsaError, waits: bool, looks: int
) -> None:
    first, second = table.two(meanwhile=frozenset([A]))
    table.released(first)
    if not waits:
        first.hold.release()
    seen: list[list[Lock]] = []

    def read(_attempt: Attempt) -> str:
        second.hold.take_meanwhile()
        seen.append(second.held)
        if len(seen) < 2:
            raise error
        return "read"

    with pytest.raises(type(error)) if looks == 1 else nullcontext():
        assert with_its_locks(read, second.hold) == "read"
    assert seen == [[A]] * looks


def test_that_nothing_is_to_be_changed_is_true_only_with_the_lock(table: Table) -> None:
    run = table.run("r1", meanwhile=frozenset([A]))
    run.hold.take_meanwhile()
    run.looks_again()
    run.hold.take_meanwhile()
    run.hold.secure([])
    assert run.held == [A]


def test_what_is_counted_on_is_waited_for_where_another_run_is_at_work_on_it(table: Table) -> None:
    first, second = table.two(has=SPACE, late=frozenset([A]))
    busy = second.hold.busy()
    assert busy == {SPACE.name}
    table.needed = [SPACE]
    table.released(first)
    second.looks_again(counted_on=[CREATION], busy=busy)
    assert second.held == [SPACE]


BOUND = ServiceAccountState({ROLE_ARN_ANNOTATION: "arn:aws:iam::111122223333:role/r"}, {})
ACCOUNT = Change(Kind.SERVICE_ACCOUNT, ("ns", "app"), None, BOUND)


@named(
    "changes is_new",
    ("a creation", [CREATION], True),
    ("nothing", [], False),
    ("a deletion", [DELETION], False),
    (
        "an audience of a provider that was there before",
        [CREATION, Change(Kind.AUDIENCE, ("ns", "sts.amazonaws.com"), None, Present())],
        False,
    ),
    ("another's deletion", [CREATION, Change(Kind.NAMESPACE, ("other",), NamespaceState(), None)], False),
    ("a role and its user", [Change(Kind.ROLE, ("r",), None, RoleState("/", {})), ACCOUNT], True),
    ("a user whose role may be deleted by now", [ACCOUNT], False),
)
def test_new_are_creations_and_what_is_put_onto_them(changes: list[Change], is_new: bool) -> None:
    assert is_all_new(changes) is is_new


def test_what_is_around_is_not_taken_again(table: Table) -> None:
    registry = Registry()
    outer = table.run("r1", registry=registry)
    outer.take(SPACE)
    inner = table.run("r1", registry=registry, around=outer.hold)
    inner.take(A, SPACE)
    assert inner.held == [A]
    inner.hold.release()
    assert table.holders(SPACE) == ["r1"]


def test_who_can_not_renew_stops_and_may_take_back_for_a_while(table: Table) -> None:
    run = table.run("r1")
    run.take(A)
    table.cloud.break_("update leases", Refusal("InternalError", 500), times=1000)
    table.seconds += 20
    run.hold.check(back=False)
    table.seconds += 1
    run.lost("could not be renewed for 21 s")
    run.hold.check(back=True)
    table.seconds += 15
    run.lost(back=True)
    table.cloud.faults.clear()
    run.hold.check(back=True)  # Nobody has taken it over meanwhile: the server says so.


def test_a_lock_that_somebody_deletes_is_lost(table: Table) -> None:
    run = table.run("r1")
    run.take(A)
    table.cloud.kube.objects.clear()
    run.renew()
    run.lost("somebody has deleted it")


def test_a_renewal_during_the_release_does_not_lose_the_lock(table: Table) -> None:
    """Before it is sent, or while it is under way."""
    run = table.run("r1")
    run.hold.ends_with_work = True
    run.take(A)
    held, taker = run.hold.held[A], run.hold.taker
    replace_lease, settled = taker.leases.replace_lease, list[str]()

    def released_first(*given: Any) -> Any:
        settled.append(run.hold.settle())
        return replace_lease(*given)

    with mock.patch.object(taker.leases, "replace_lease", released_first):
        taker.renew(held)
    taker.renew(held)
    assert (settled, held.lost, table.leases) == ([""], "", {})


def test_another_thread_does_not_take_a_lock_that_is_being_released(table: Table) -> None:
    registry = Registry()
    first = table.run("r1", registry=registry)
    second = table.run("r1", registry=registry, late=frozenset([A]))
    first.take(A)
    leases = first.hold.taker.leases
    delete_lease = leases.delete_lease

    def looked_at_first(*given: Any, **exactly: Any) -> bool:
        second.hold.take_ahead()
        return delete_lease(*given, **exactly)

    with mock.patch.object(leases, "delete_lease", looked_at_first):
        first.hold.release()
    assert (second.held, table.leases) == ([], {})


@pytest.mark.parametrize("how", [LOST_BEFORE, LOST_AFTER, Refusal("InternalError", 500)])
@pytest.mark.parametrize("operation", ["create leases", "update leases", "delete leases", "get leases"])
def test_a_lost_answer_leaves_no_lock_that_nobody_knows_of(table: Table, operation: str, how: Any) -> None:
    table.cloud.break_(operation, how)
    run = table.run("r1")
    try:
        run.take(A)
        run.renew()
        run.renew()
        run.hold.check(back=False)
    except IrsaError:
        assert operation == "create leases"
    run.hold.release()
    assert not table.leases or run.hold.registry.uncertain  # Then this machine's next run takes it over.


@pytest.mark.parametrize("verb", ["create", "get", "update"])
def test_who_may_not_is_told_so_before_anything_is_written(table: Table, verb: str) -> None:
    _, second = table.two()
    table.seconds += 60
    table.cloud.break_(f"{verb} leases", Refusal("Forbidden", 403))
    second.refused(A, f"not allowed to {verb} Leases", "--no-lock")


def test_two_that_take_over_at_once_do_not_both_have_it(table: Table) -> None:
    table.two()
    table.seconds += 60
    runs = [table.run(f"r{number}", 0.0, folder=f"s{number}") for number in range(3, 7)]

    def take(run: Run) -> bool:
        with suppress(Refused):
            run.take(A)
        return A in run.held

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(take, runs)) == [False, False, False, True]
