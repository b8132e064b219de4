"""A process that was killed at any point: its journal is enough to have the world as it was."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import NamespaceState
from irsa_cli.transaction import steps
from irsa_cli.transaction.journal import Journal, JournalError
from irsa_cli.transaction.protocol import Run
from irsa_cli.transaction.reading import read
from irsa_cli.transaction.recover import roll_back, unfinished
from irsa_cli.transaction.runner import Transaction
from tests.support.thoroughness import examples
from tests.unit.plan import strategies as some
from tests.unit.transaction.doubles import (
    LATE_WINDOW,
    STOLEN,
    STUCK,
    Clock,
    Failure,
    MemoryWorld,
    before,
    key_of,
)
from tests.unit.transaction.test_engine import a_plan

Moment = tuple[bytes, MemoryWorld]


class Filmed:
    """A journal that keeps, for each moment, the file and the world as a killed process would leave them."""

    def __init__(self, journal: Journal, world: MemoryWorld) -> None:
        self.moments: list[Moment] = []
        self._journal = journal
        self._world = world

    def event(self, event: str, index: int | None = None, **facts: Any) -> None:
        self.film()  # Killed before this line: the call of the line before may have been executed.
        self._journal.event(event, index, **facts)
        self.film()  # Killed after it: the next call has not gone out.

    def film(self) -> None:
        self.moments.append((self._journal.path.read_bytes(), self._world.copy()))


def film(folder: Path, plan: Plan, clock: Clock, prepare: Callable[[MemoryWorld], object]) -> list[Moment]:
    """Run a plan and return what there was at each moment, the end not included."""
    world = before(plan, clock)
    prepare(world)
    journal = Journal.open(folder, "t1", plan, {})
    filmed = Filmed(journal, world)
    with mock.patch.object(steps, "PARALLEL", 1):
        run = Run("t1", 100.0)
        Transaction(plan, world.handlers, filmed, run).execute()  # type: ignore[arg-type]
    journal.close()
    return filmed.moments


@contextmanager
def killed(content: bytes, age: float = 3600.0) -> Iterator[Path]:
    """A journal as it was left on disk, so many seconds ago."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t1.jsonl"
        path.write_bytes(content)
        os.utime(path, (1000.0 - age, 1000.0 - age))
        yield path


@settings(max_examples=examples(40))
@given(some.plans(max_stages=2), st.none() | st.sampled_from(Failure), st.data())
def test_a_process_killed_at_any_moment_is_taken_back(
    plan: Plan, failure: Failure | None, data: st.DataObject
) -> None:
    broken = key_of(data.draw(st.sampled_from(list(plan))))
    clock = Clock()
    with mock.patch("os.fsync"), tempfile.TemporaryDirectory() as folder, clock.ruling():
        moments = film(
            Path(folder),
            plan,
            clock,
            lambda world: world.failures.update({broken: failure} if failure else {}),
        )
    original = before(plan, clock).states()
    # The last moment is the end of the run itself.
    for content, world in moments[:-1]:
        stolen = world.states().get(broken) == STOLEN
        with mock.patch("os.fsync"), killed(content) as path, Clock().ruling():
            if read(path).finished:
                # All of it was done: the run has ended well, though it could not say so.
                assert (read(path).outcome, unfinished(path.parent)) == ("committed", [])
                assert world.states() == moments[-1][1].states()
                continue
            ((found, story),) = unfinished(path.parent)
            leftovers = roll_back(found, story, world.handlers, lambda event: None)
            # Somebody else's object under our name is let alone, and named where nobody knows better.
            assert {key_of(item.change) for item in leftovers} <= ({broken} if stolen else set())
            assert read(path).outcome == ("incomplete" if leftovers else "rolled-back")
        expected = {**original, broken: STOLEN} if stolen else original
        assert world.states() == expected


def test_a_finished_transaction_is_not_found(tmp_path: Path) -> None:
    with Clock().ruling() as clock:
        film(tmp_path, a_plan(1, 1), clock, lambda world: None)
    assert read(tmp_path / "t1.jsonl").outcome == "committed"
    assert unfinished(tmp_path) == []


def last_moment(folder: Path) -> Moment:
    """All of a plan is done, and the process was killed before it could say so of the last change."""
    with Clock().ruling() as clock:
        return film(folder, a_plan(1, 1), clock, lambda world: None)[-4]


def recovered(path: Path, world: MemoryWorld, clock: Clock) -> list[Mapping[str, str] | str]:
    with clock.ruling():
        leftovers = roll_back(path, read(path), world.handlers, lambda event: None)
    return [item.change.name for item in leftovers]


def test_what_could_not_be_taken_back_is_left_for_another_try(tmp_path: Path) -> None:
    content, world = last_moment(tmp_path)
    world.stuck[Kind.NAMESPACE, ("a",)] = STUCK
    with killed(content) as path:
        assert recovered(path, world, Clock()) == ["a"]
        assert read(path).outcome == "incomplete"
        world.stuck.clear()
        world.undos.clear()
        assert recovered(path, world, Clock()) == []
        assert [change.target for change in world.undos] == [("a",)], "what was taken back is let alone"
        assert read(path).outcome == "rolled-back"
    assert world.states().keys() == before(a_plan(), Clock()).states().keys()


def test_nothing_of_another_run_is_taken_back(tmp_path: Path) -> None:
    content, world = last_moment(tmp_path)
    world.objects[Kind.NAMESPACE, ("a",)].owner = "another run"
    with killed(content) as path:
        assert recovered(path, world, Clock()) == ["a"]
    assert (Kind.NAMESPACE, ("a",)) in world.objects
    assert (Kind.NAMESPACE, ("b",)) not in world.objects


@pytest.mark.parametrize(("age", "waits"), [(0.0, True), (5.0, True), (16.0, False), (3600.0, False)])
def test_the_last_request_is_waited_for_only_while_it_may_come(
    tmp_path: Path, age: float, waits: bool
) -> None:
    with Clock().ruling() as clock:
        moments = film(tmp_path, a_plan(1), clock, lambda world: None)
    content, world = moments[1]  # Begun, and the call has not arrived.
    assert world.states().keys() == before(a_plan(), Clock()).states().keys()
    clock = Clock()
    with killed(content, age) as path:
        assert recovered(path, world, clock) == []
    assert (clock.naps != []) is waits
    assert sum(clock.naps) >= (LATE_WINDOW - age if waits else 0)


def test_a_request_of_the_dead_process_that_arrives_late_is_caught(tmp_path: Path) -> None:
    with Clock().ruling() as clock:
        content, world = film(tmp_path, a_plan(1), clock, lambda world: None)[1]
    world.clock = Clock()
    change = Change(Kind.NAMESPACE, ("a",), None, NamespaceState())
    first = world.states()
    world._late.append((1008.0, change, "t1"))
    with killed(content, age=1.0) as path:
        assert recovered(path, world, world.clock) == []
    assert world.states() == first
    assert world.clock.now >= 1008.0


def test_a_transaction_that_lives_is_let_alone(tmp_path: Path) -> None:
    content, world = last_moment(tmp_path)
    with killed(content) as path:
        story = read(path)
        journal = Journal.reopen(path)
        with pytest.raises(JournalError):
            roll_back(path, story, world.handlers, lambda event: None)
        journal.event("outcome", outcome="committed")
        journal.close()
        # It has ended since its journal was read: what was read is not true any more.
        with pytest.raises(JournalError):
            roll_back(path, story, world.handlers, lambda event: None)
        assert read(path).outcome == "committed"
    assert world.undos == []
