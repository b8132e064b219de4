"""Locks on a cluster in memory: taken, waited for, taken over, renewed, lost and given back."""

import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

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
from irsa_cli.usecases.command.retry import LookAgain, with_its_locks
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.locks import hold as holding
from irsa_cli.usecases.locks import taking
from irsa_cli.usecases.locks.hold import Hold, Registry
from irsa_cli.usecases.locks.presence import Presence
from irsa_cli.usecases.locks.taking import Taker
from tests.support.memory.cloud import LOST_AFTER, LOST_BEFORE, MemoryCloud
from tests.support.memory.iam import Refusal

A, B = Lock(LockScope.BINDING, "ns/a"), Lock(LockScope.BINDING, "ns/b")
SPACE, ROLE = Lock(LockScope.NAMESPACE, "ns"), Lock(LockScope.ROLE, "arn:aws:iam::111122223333:role/r")
CREATION = Change(Kind.NAMESPACE, ("ns",), None, NamespaceState())
DELETION = CREATION.inverse


def _gone(status: int) -> ServiceError:
    operation = "ListAttachedRolePolicies"
    return ServiceError("no such role", FailedCall("iam", operation, "X", status=status))


@dataclass
class Run:
    """One run; what it says is in `said`."""

    hold: Hold
    said: list[str]
    presence: Presence

    @property
    def held(self) -> list[Lock]:
        return sorted(self.hold.held)


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
        folder: str = "",
        **more: Any,
    ) -> Run:
        said: list[str] = []
        holder = Holder(name, "alice", more.pop("host", socket.gethostname()))
        writer = Writer(holder, Timing(), "demo-0", "irsa create-sa")
        state = self.folder / (folder or "state")
        shown = Presence(state, name)
        _, kube = self.cloud.clients()
        hold = Hold(
            Taker(kube, "default", writer, state),
            registry or Registry(),
            lambda: None,
            lambda _: self.needed,
            "demo",
            timeout,
            self.pause,
            said.append,
            **more,
        )
        return Run(hold, said, shown)

    @property
    def leases(self) -> dict[str, LeaseState]:
        found = self.cloud.kube.objects.items()
        return {name: LeaseState.read(body) for (kind, _, name), body in found if kind == "leases"}

    def holder(self, lock: Lock) -> str:
        return self.leases[lock.name].run if lock.name in self.leases else ""


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
    run.hold.take([B, A])
    assert run.held == [A, B]
    assert table.holder(A) == table.holder(B) == "r1"
    run.hold.release()
    assert table.leases == {}
    assert table.waits == 0


def test_another_run_waits_and_then_goes_on(table: Table) -> None:
    first, second = table.run("r1"), table.run("r2", folder="other")
    first.hold.take([A])
    table.meanwhile = lambda: first.hold.release() if table.waits == 3 else None
    started = table.seconds
    second.hold.take([A])
    # It does not count for the run's own time limit.
    assert second.hold.waited == pytest.approx(table.seconds - started)
    spent = replace(Settings(table.folder), hold=second.hold)
    assert spent.spent == pytest.approx(spent.seconds - second.hold.waited, abs=1.0)
    assert table.holder(A) == "r2"
    assert len(second.said) == 1
    assert "Waiting for ServiceAccount ns/a" in second.said[0]
    assert "r1_alice@" in second.said[0]


@pytest.mark.parametrize("timeout", [0.0, 5.0])
def test_it_is_not_waited_for_longer_than_asked(table: Table, timeout: float) -> None:
    first, second = table.run("r1"), table.run("r2", timeout, folder="other")
    first.hold.take([A])
    started = table.seconds
    with pytest.raises(Refused, match="another run is working on ServiceAccount ns/a") as refusal:
        second.hold.take([A])
    second.hold.release()
    assert table.seconds - started == pytest.approx(timeout)
    assert any(step.startswith("irsa unlock r1_alice@") for step in refusal.value.next_steps)
    assert table.holder(A) == "r1"


def test_one_that_is_not_renewed_is_taken_over(table: Table) -> None:
    first, second = table.run("r1"), table.run("r2", folder="other")
    first.hold.take([A])
    started = table.seconds
    second.hold.take([A])
    assert 45 < table.seconds - started < 60
    assert table.leases[A.name].transitions == 1
    with pytest.raises(LockLost, match="r2_alice"):
        first.hold.check(back=True)
    first.hold.release()
    assert table.holder(A) == "r2"


def test_one_that_is_renewed_is_not_taken_over(table: Table) -> None:
    first, second = table.run("r1"), table.run("r2", 300.0, folder="other")
    first.hold.take([A])
    table.meanwhile = lambda: first.hold.taker.renew(first.hold.held[A])
    with pytest.raises(Refused):
        second.hold.take([A])
    first.hold.check(back=False)


def test_without_the_servers_clock_it_is_watched(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LeaseState, "is_over", lambda *_: False)
    first, second = table.run("r1"), table.run("r2", folder="other")
    first.hold.take([A])
    started = table.seconds
    second.hold.take([A])
    assert table.seconds - started > 45


def test_a_dead_process_of_this_machine_is_not_waited_for(table: Table) -> None:
    first, second = table.run("r1"), table.run("r2", 0.0)
    first.presence.show()
    first.hold.take([A, ROLE])
    with pytest.raises(Refused):
        second.hold.take([A])
    first.presence.end(left=True)  # As a process that is gone has it.
    second.hold.take([A])
    second.hold.take([ROLE])
    assert table.holder(A) == table.holder(ROLE) == "r2"


def test_files_of_the_dead_are_removed_after_a_day(table: Table) -> None:
    first, second, living = table.run("r1"), table.run("r2"), table.run("r3")
    for run in (first, living):
        run.presence.show()
    first.presence.end(left=True)
    folder = table.folder / "state" / "locks"
    for path in folder.iterdir():
        os.utime(path, (0, 0))
    second.presence.show()
    assert {path.name for path in folder.iterdir()} == {"r2.lock", "r3.lock"}
    second.presence.end()
    assert {path.name for path in folder.iterdir()} == {"r3.lock"}


def test_a_process_of_another_machine_is_never_called_dead(table: Table) -> None:
    first, second = table.run("r1", host="elsewhere"), table.run("r2", 0.0)
    first.presence.show()
    first.hold.take([A])
    first.presence.end(left=True)
    with pytest.raises(Refused):
        second.hold.take([A])


def test_a_file_that_others_may_write_says_nothing(table: Table) -> None:
    first, second = table.run("r1"), table.run("r2", 0.0)
    first.presence.show()
    first.hold.take([A])
    first.presence.end(left=True)
    (table.folder / "state" / "locks").chmod(0o777)
    with pytest.raises(Refused):
        second.hold.take([A])


def test_two_threads_of_a_process_are_two_runs(table: Table) -> None:
    registry = Registry()
    first, second = table.run("r1", registry=registry), table.run("r1", registry=registry)
    first.hold.take([A])
    table.meanwhile = lambda: first.hold.release() if table.waits == 2 else None
    second.hold.take([A])
    assert table.waits == 2
    assert table.holder(A) == "r1"


def test_who_waits_keeps_what_sorts_before_and_lets_go_of_what_sorts_behind(table: Table) -> None:
    first, second = table.run("r1"), table.run("r2", folder="other")
    first.hold.take([B])
    seen: list[tuple[str, str]] = []

    def meanwhile() -> None:
        seen.append((table.holder(A), table.holder(SPACE)))
        first.hold.release()

    table.meanwhile = meanwhile
    second.hold.take([A, B, SPACE])
    assert seen[0] == ("r2", "")
    assert second.held == [A, B, SPACE]


def test_what_a_plan_needs_besides_is_taken_in_order_and_looked_at_again(table: Table) -> None:
    run = table.run("r1", late=frozenset([A]))
    table.needed = [ROLE]
    with pytest.raises(LookAgain):
        run.hold.secure([DELETION])
    assert run.held == [A, ROLE]
    table.needed = [SPACE]
    with pytest.raises(LookAgain):
        run.hold.secure([DELETION])
    assert run.held == [A, SPACE, ROLE]
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
    first, second = table.run("r1"), table.run("r2", meanwhile=frozenset([A]))
    first.hold.take([A])
    table.meanwhile = first.hold.release
    second.hold.take_meanwhile()
    with pytest.raises(LookAgain):
        second.hold.secure([CREATION])
    second.hold.take_meanwhile()
    second.hold.secure([CREATION])


@pytest.mark.parametrize("error", [Refused("somebody's"), _gone(404)])
def test_what_is_half_there_while_another_run_is_at_work_is_read_again(
    table: Table, error: IrsaError
) -> None:
    """The role was there, and its policies were not: the other run was rolling back."""
    first, second = table.run("r1"), table.run("r2", meanwhile=frozenset([A]))
    first.hold.take([A])
    table.meanwhile = first.hold.release
    looks: list[list[Lock]] = []

    def attempt() -> str:
        second.hold.take_meanwhile()
        looks.append(second.held)
        if len(looks) == 1:
            raise error
        return "read"

    assert with_its_locks(attempt, second.hold) == "read"
    assert looks == [[A], [A]]


@pytest.mark.parametrize(("status", "waits"), [(404, False), (403, True)])
def test_what_can_not_be_read_for_another_reason_is_not_read_again(
    table: Table, status: int, waits: bool
) -> None:
    first, second = table.run("r1"), table.run("r2", meanwhile=frozenset([A]))
    if waits:
        first.hold.take([A])
        table.meanwhile = first.hold.release
    looks: list[int] = []

    def attempt() -> None:
        second.hold.take_meanwhile()
        looks.append(status)
        raise _gone(status)

    with pytest.raises(ServiceError):
        with_its_locks(attempt, second.hold)
    assert len(looks) == 1


def test_that_nothing_is_to_be_changed_is_true_only_with_the_lock(table: Table) -> None:
    run = table.run("r1", meanwhile=frozenset([A]))
    run.hold.take_meanwhile()
    with pytest.raises(LookAgain):
        run.hold.secure([])
    run.hold.take_meanwhile()
    run.hold.secure([])
    assert run.held == [A]


def test_what_is_counted_on_is_waited_for_where_another_run_is_at_work_on_it(table: Table) -> None:
    first, second = table.run("r1"), table.run("r2", late=frozenset([A]))
    first.hold.take([SPACE])
    busy = second.hold.busy()
    assert busy == {SPACE.name}
    table.needed = [SPACE]
    table.meanwhile = first.hold.release
    with pytest.raises(LookAgain):
        second.hold.secure([], counted_on=[CREATION], busy=busy)
    assert second.held == [SPACE]


def test_new_are_creations_and_what_is_put_onto_them() -> None:
    policy = Change(Kind.AUDIENCE, ("ns", "sts.amazonaws.com"), None, Present())
    assert is_all_new([CREATION])
    assert not is_all_new([])
    assert not is_all_new([DELETION])
    assert not is_all_new([CREATION, policy])  # Of a provider that was there before.
    assert not is_all_new([CREATION, Change(Kind.NAMESPACE, ("other",), NamespaceState(), None)])


def test_a_service_account_is_all_new_only_together_with_its_role() -> None:
    arn = "arn:aws:iam::111122223333:role/r"
    state = ServiceAccountState(annotations={ROLE_ARN_ANNOTATION: arn}, labels={})
    account = Change(Kind.SERVICE_ACCOUNT, ("ns", "app"), None, state)
    role = Change(Kind.ROLE, ("r",), None, RoleState(path="/", trust={}))
    assert is_all_new([role, account])
    assert not is_all_new([account])  # The role may be deleted by now.


def test_what_is_around_is_not_taken_again(table: Table) -> None:
    registry = Registry()
    outer = table.run("r1", registry=registry)
    outer.hold.take([SPACE])
    inner = table.run("r1", registry=registry, around=outer.hold)
    inner.hold.take([A, SPACE])
    assert inner.held == [A]
    inner.hold.release()
    assert table.holder(SPACE) == "r1"


def test_who_can_not_renew_stops_and_may_take_back_for_a_while(table: Table) -> None:
    run = table.run("r1")
    run.hold.take([A])
    table.cloud.break_("update leases", Refusal("InternalError", 500), times=1000)
    table.seconds += 20
    run.hold.check(back=False)
    table.seconds += 1
    with pytest.raises(LockLost, match="could not be renewed for 21 s"):
        run.hold.check(back=False)
    run.hold.check(back=True)
    table.seconds += 15
    with pytest.raises(LockLost):
        run.hold.check(back=True)
    table.cloud.faults.clear()
    run.hold.check(back=True)  # Nobody has taken it over meanwhile: the server says so.


def test_who_was_paused_finds_out_before_it_writes(table: Table) -> None:
    first, second = table.run("r1"), table.run("r2", folder="other")
    first.hold.take([A])
    table.seconds += 60
    second.hold.take([A])
    for back in (False, True):
        with pytest.raises(LockLost):
            first.hold.check(back=back)


def test_a_lock_that_somebody_deletes_is_lost(table: Table) -> None:
    run = table.run("r1")
    run.hold.take([A])
    table.cloud.kube.objects.clear()
    run.hold.taker.renew(run.hold.held[A])
    with pytest.raises(LockLost, match="somebody has deleted it"):
        run.hold.check(back=False)


@pytest.mark.parametrize("how", [LOST_BEFORE, LOST_AFTER, Refusal("InternalError", 500)])
@pytest.mark.parametrize("operation", ["create leases", "update leases", "delete leases", "get leases"])
def test_a_lost_answer_leaves_no_lock_that_nobody_knows_of(table: Table, operation: str, how: Any) -> None:
    table.cloud.break_(operation, how)
    run = table.run("r1", folder="other")
    try:
        run.hold.take([A])
        run.hold.taker.renew(run.hold.held[A])
        run.hold.taker.renew(run.hold.held[A])
        run.hold.check(back=False)
    except IrsaError:
        assert operation == "create leases"
    run.hold.release()
    assert not table.leases or run.hold.registry.uncertain  # Then this machine's next run takes it over.


@pytest.mark.parametrize("verb", ["create", "get", "update"])
def test_who_may_not_is_told_so_before_anything_is_written(table: Table, verb: str) -> None:
    first, second = table.run("r1", folder="other"), table.run("r2")
    first.hold.take([A])
    table.seconds += 60
    table.cloud.break_(f"{verb} leases", Refusal("Forbidden", 403))
    with pytest.raises(Refused, match=f"not allowed to {verb} Leases") as refusal:
        second.hold.take([A])
    assert any("--no-lock" in step for step in refusal.value.next_steps)


def test_two_that_take_over_at_once_do_not_both_have_it(table: Table) -> None:
    table.run("r0", folder="other").hold.take([A])
    table.seconds += 60
    runs = [table.run(f"r{number}", 0.0, folder=f"s{number}") for number in range(1, 5)]
    refused: list[Refused] = []

    def take(run: Run) -> None:
        try:
            run.hold.take([A])
        except Refused as error:
            refused.append(error)

    threads = [threading.Thread(target=take, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([run for run in runs if run.held]) == 1
    assert len(refused) == 3
