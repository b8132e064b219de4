"""Locks that are taken ahead, on a cluster in memory: which ones, what a wait does to them, none is left."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.marks.locks import Lock, LockScope
from irsa_cli.core.values.errors import IrsaError, Refused
from irsa_cli.usecases.command.retry import LookAgain
from irsa_cli.usecases.locks.ahead import LocksAhead
from irsa_cli.usecases.locks.hold import Hold, Registry
from tests.support.memory.cloud import MemoryCloud
from tests.unit.locks.test_hold import CREATION, DELETION, Table, table

__all__ = ["table"]  # A fixture.

LOCKS = [Lock(LockScope.BINDING, f"ns/app-{number}") for number in range(9)]
OTHER = Lock(LockScope.BINDING, "ns/other")


@dataclass
class Runs:
    """One run that does many works, and another one beside it."""

    table: Table
    registry: Registry = field(default_factory=Registry)

    def ahead(self, wanted: list[Lock], most: int = 3) -> LocksAhead:
        def make(lock: Lock) -> Hold:
            hold = self.table.run("r1", 5.0, self.registry, late=frozenset([lock])).hold
            hold.pause = found.pause
            return hold

        found = LocksAhead(wanted, make, most, self.table.pause)
        return found

    def held_by(self, run: str) -> set[str]:
        return {name for name, state in self.table.leases.items() if state.run == run}


@pytest.fixture
def runs(table: Table) -> Runs:
    return Runs(table)


def names(*locks: Lock) -> set[str]:
    return {lock.name for lock in locks}


def own(ahead: LocksAhead, lock: Lock) -> Hold:
    """What a work holds."""
    found = ahead.of(lock)
    assert found is not None
    return found


def settled(ahead: LocksAhead) -> None:
    """All that was begun has ended."""
    for _, taking in list(ahead._taken.values()):
        taking.result()


def test_as_many_are_taken_ahead_as_works_are_under_way(runs: Runs) -> None:
    with runs.ahead(LOCKS) as ahead:
        first = own(ahead, LOCKS[0])
        settled(ahead)
        assert runs.held_by("r1") == names(*LOCKS[:4])
        second = own(ahead, LOCKS[1])
        settled(ahead)
        assert runs.held_by("r1") == names(*LOCKS[:5])
        first.release()
        second.release()
    assert runs.table.leases == {}


def test_a_work_whose_lock_is_not_taken_ahead_takes_none_of_the_others(runs: Runs) -> None:
    with runs.ahead(LOCKS) as ahead:
        assert ahead.of(OTHER) is None
        assert runs.table.leases == {}


def test_what_was_looked_at_before_the_lock_is_looked_at_again_unless_it_only_creates(runs: Runs) -> None:
    with runs.ahead(LOCKS[:2]) as ahead:
        for lock, change, again in ((LOCKS[0], CREATION, False), (LOCKS[1], DELETION, True)):
            hold = own(ahead, lock)
            assert not hold.is_begun  # Who else is at work was asked once for all.
            hold.take_meanwhile()
            if again:
                with pytest.raises(LookAgain):
                    hold.secure([change])
                hold.take_meanwhile()
            hold.secure([change])
            assert hold.holds(lock)
            hold.release()


def test_while_one_waits_nothing_is_kept_that_no_work_uses(runs: Runs) -> None:
    other = runs.table.run("r2", folder="other").hold
    other.take([LOCKS[1]])
    seen: list[set[str]] = []

    def meanwhile() -> None:
        ahead._pool.shutdown()  # What was given up is given back by now.
        seen.append(runs.held_by("r1"))
        other.release()

    runs.table.meanwhile = meanwhile
    with runs.ahead(LOCKS) as ahead:
        used, waiting = own(ahead, LOCKS[0]), own(ahead, LOCKS[1])
        settled(ahead)
        with pytest.raises(LookAgain):
            waiting.secure([CREATION])
        assert seen == [names(LOCKS[0])]
        assert ahead.of(LOCKS[2]) is None  # It takes its own lock.
        assert runs.held_by("r1") == names(*LOCKS[:2])
        used.release()
        waiting.release()
    assert runs.table.leases == {}


def test_what_goes_wrong_ahead_is_told_to_the_work_that_needs_it(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied = mock.Mock(side_effect=Refused("no permission for Leases"))
    with runs.ahead(LOCKS) as ahead:
        monkeypatch.setattr(type(runs.table.run("r1").hold.taker), "take", denied)
        with pytest.raises(IrsaError, match="no permission for Leases"):
            own(ahead, LOCKS[0]).secure([CREATION])
    assert runs.table.leases == {}


@given(
    st.lists(st.sampled_from(range(9)), unique=True),
    st.lists(st.sampled_from(range(9)), unique=True),
    st.integers(1, 4),
    st.integers(0, 9),
)
def test_however_it_ends_no_lock_is_left(
    tmp_path_factory: pytest.TempPathFactory, wanted: list[int], order: list[int], most: int, failing: int
) -> None:
    """Works of several threads, one of which fails, in an order of their own."""
    cloud = MemoryCloud()
    with cloud.ruling():
        runs = Runs(Table(cloud, tmp_path_factory.mktemp("ahead")))
        held: list[bool] = []
        with suppress(ZeroDivisionError), runs.ahead([LOCKS[number] for number in wanted], most) as ahead:

            def work(number: int) -> None:
                hold = ahead.of(LOCKS[number])
                if hold is None:
                    return
                try:
                    held.append(hold.holds(LOCKS[number]))
                    if number == failing:
                        raise ZeroDivisionError
                finally:
                    hold.release()

            with ThreadPoolExecutor(most) as pool:
                works: list[Callable[[], None]] = [lambda number=number: work(number) for number in order]  # type: ignore[misc]
                for future in [pool.submit(item) for item in works]:
                    future.result()
        assert runs.table.leases == {}
        assert runs.registry.held() == []
        assert all(held)
