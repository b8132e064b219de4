"""A process that was killed at any point: its journal is enough to have the world as it was."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.core.plan.changes import Kind, Plan
from irsa_cli.transaction import steps
from irsa_cli.transaction.journal import Journal, JournalError
from irsa_cli.transaction.protocol import Listener, Run, RunReport
from irsa_cli.transaction.reading import read
from irsa_cli.transaction.recover import roll_back, roll_forward, unfinished
from irsa_cli.transaction.runner import Transaction
from irsa_cli.transaction.story import Story
from tests.support.thoroughness import examples
from tests.unit.plan import strategies as some
from tests.unit.transaction.doubles import (
    LATE_WINDOW,
    STOLEN,
    STUCK,
    Clock,
    Failure,
    Key,
    MemoryWorld,
    before,
    key_of,
)
from tests.unit.transaction.test_engine import a_plan, targets

Moment = tuple[bytes, MemoryWorld]
A, B = ((Kind.NAMESPACE, (name,)) for name in "ab")


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


def filmed(plan: Plan | str, prepare: Callable[[MemoryWorld], object] = lambda world: None) -> list[Moment]:
    """Run a plan and return what there was at each moment, the end not included."""
    plan = a_plan(plan) if isinstance(plan, str) else plan
    with (
        mock.patch("os.fsync"),
        mock.patch.object(steps, "PARALLEL", 1),
        tempfile.TemporaryDirectory() as folder,
        Clock().ruling() as clock,
    ):
        world = before(plan, clock)
        prepare(world)
        journal = Journal.open(Path(folder), "t1", plan, {})
        watched: Any = Filmed(journal, world)
        Transaction(plan, world.handlers, watched, Run("t1", 100.0)).execute()
        journal.close()
    moments: list[Moment] = watched.moments
    return moments


@dataclass
class Remains:
    """What a killed process has left: its journal and its world."""

    path: Path
    world: MemoryWorld
    clock: Clock

    @property
    def story(self) -> Story:
        return read(self.path)

    def back(self) -> str:
        """Take it back; the names of what is left."""
        leftovers = roll_back(self.path, self.story, self.world.handlers, lambda event: None)
        return targets(item.change for item in leftovers)

    def forward(self, run: Run | None = None, listen: Listener = lambda event: None) -> RunReport:
        """Go on with it, one change at a time."""
        run = run or Run("t1", 100.0)
        with mock.patch.object(steps, "PARALLEL", 1):
            return roll_forward(self.path, self.story, self.world.handlers, run, listen)


@contextmanager
def remains(moment: Moment, age: float = 3600.0) -> Iterator[Remains]:
    """A journal as it was left on disk, so many seconds ago, and its world."""
    content, world = moment
    with mock.patch("os.fsync"), tempfile.TemporaryDirectory() as folder, Clock().ruling() as world.clock:
        path = Path(folder) / "t1.jsonl"
        path.write_bytes(content)
        os.utime(path, (1000.0 - age, 1000.0 - age))
        yield Remains(path, world, world.clock)


@pytest.fixture
def left() -> Iterator[Remains]:
    """`a` and `b` are done, and the process was killed before it could say so of the last one."""
    with remains(filmed("a b")[-4]) as found:
        yield found


def failing(key: Key, failure: Failure | None) -> Callable[[MemoryWorld], object]:
    return lambda world: world.failures.update({key: failure} if failure else {})


@settings(max_examples=examples(40))
@given(some.plans(max_stages=2), st.none() | st.sampled_from(Failure), st.data())
def test_a_process_killed_at_any_moment_is_taken_back(
    plan: Plan, failure: Failure | None, data: st.DataObject
) -> None:
    broken = key_of(data.draw(st.sampled_from(list(plan))))
    moments = filmed(plan, failing(broken, failure))
    original = before(plan, Clock()).states()
    # The last moment is the end of the run itself.
    for content, world in moments[:-1]:
        stolen = world.states().get(broken) == STOLEN
        with remains((content, world)) as found:
            if found.story.finished:
                # All of it was done: the run has ended well, though it could not say so.
                assert (found.story.outcome, unfinished(found.path.parent)) == ("committed", [])
                assert world.states() == moments[-1][1].states()
                continue
            ((path, _),) = unfinished(found.path.parent)
            assert path == found.path
            left = found.back()
            # Somebody else's object under our name is let alone, and named where nobody knows better.
            assert left in ("", broken[1][-1] if stolen else "")
            assert found.story.outcome == ("incomplete" if left else "rolled-back")
        assert world.states() == ({**original, broken: STOLEN} if stolen else original)


def test_what_could_not_be_taken_back_is_left_for_another_try(left: Remains) -> None:
    left.world.stuck[A] = STUCK
    assert (left.back(), left.story.outcome) == ("a", "incomplete")
    left.world.stuck.clear()
    left.world.undos.clear()
    assert (left.back(), left.story.outcome) == ("", "rolled-back")
    assert targets(left.world.undos) == "a", "what was taken back is let alone"
    assert not {A, B} & left.world.objects.keys()


def test_nothing_of_another_run_is_taken_back(left: Remains) -> None:
    left.world.objects[A].owner = "another run"
    assert left.back() == "a"
    assert {A, B} & left.world.objects.keys() == {A}


@pytest.mark.parametrize(("age", "waits"), [(0.0, True), (5.0, True), (16.0, False), (3600.0, False)])
def test_the_last_request_is_waited_for_only_while_it_may_come(age: float, waits: bool) -> None:
    with remains(filmed("a")[1], age) as left:  # Begun, and the call has not arrived.
        assert A not in left.world.objects
        assert left.back() == ""
        assert (left.clock.naps != []) is waits
        assert sum(left.clock.naps) >= (LATE_WINDOW - age if waits else 0)


def test_a_request_of_the_dead_process_that_arrives_late_is_caught() -> None:
    with remains(filmed("a")[1], 1.0) as left:
        left.world._late.append((1008.0, next(iter(a_plan("a"))), "t1"))
        assert left.back() == ""
        assert A not in left.world.objects
        assert left.clock.now >= 1008.0


@pytest.mark.parametrize("way", [Remains.back, Remains.forward])
@pytest.mark.parametrize("outcome", ["committed", "rolled-back"])
def test_a_transaction_that_lives_is_let_alone(
    left: Remains, way: Callable[[Remains], object], outcome: str
) -> None:
    story = left.story
    journal = Journal.reopen(left.path)
    with pytest.raises(JournalError):
        way(left)
    journal.event("outcome", outcome=outcome)
    journal.close()
    # It has ended since its journal was read: what was read is not true any more.
    with mock.patch.object(Remains, "story", story), pytest.raises(JournalError):
        way(left)
    assert left.story.outcome == outcome
    assert left.world.undos == left.world.calls == []
