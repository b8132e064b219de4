"""A process that was killed at any point: its journal is enough to go on to the desired state."""

from __future__ import annotations

import tempfile
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.values.errors import Conflict, DeadlineExceeded, Outcome
from irsa_cli.transaction import steps
from irsa_cli.transaction.journal import Journal, JournalError
from irsa_cli.transaction.protocol import Applied, Claim, Event, Interrupted, Run, RunReport
from irsa_cli.transaction.reading import read
from irsa_cli.transaction.recover import roll_back, roll_forward
from tests.support.thoroughness import examples
from tests.unit.plan import strategies as some
from tests.unit.transaction.doubles import (
    STOLEN,
    Clock,
    Entry,
    Failure,
    MemoryWorld,
    before,
    key_of,
    service_error,
)
from tests.unit.transaction.test_engine import a_plan, desired
from tests.unit.transaction.test_recover import film, killed, last_moment

FAILURES = st.none() | st.sampled_from([item for item in Failure if item is not Failure.CONFLICT])


def onward(path: Path, world: MemoryWorld, run: Run | None = None) -> RunReport:
    """Go on with the journal, one change at a time."""
    with mock.patch.object(steps, "PARALLEL", 1):
        return roll_forward(path, read(path), world.handlers, run or Run("t1", 100.0), lambda event: None)


@settings(max_examples=examples(40))
@given(some.plans(max_stages=2), FAILURES, st.data())
def test_a_process_killed_at_any_moment_is_gone_on_with(
    plan: Plan, failure: Failure | None, data: st.DataObject
) -> None:
    """Also one that was killed while it was rolling back, after a failure of any kind."""
    broken = key_of(data.draw(st.sampled_from(list(plan))))
    clock = Clock()
    with mock.patch("os.fsync"), tempfile.TemporaryDirectory() as folder, clock.ruling():
        moments = film(
            Path(folder),
            plan,
            clock,
            lambda world: world.failures.update({broken: failure} if failure else {}),
        )
        last = desired(plan, before(plan, clock))
    for content, world in moments[:-1]:
        with mock.patch("os.fsync"), killed(content) as path, Clock().ruling():
            report = onward(path, world)
            assert (report.outcome, report.error) == ("committed", None)
            assert read(path).outcome == "committed"
            assert {item.state for item in report.changes} <= {"done", "unchanged"}
            assert world.states() == last
            assert world.undos == []


@settings(max_examples=examples(40))
@given(some.plans(max_stages=2), FAILURES, st.sampled_from(Failure), st.data())
def test_what_fails_on_the_way_forward_can_be_taken_back_still(
    plan: Plan, first: Failure | None, second: Failure, data: st.DataObject
) -> None:
    broken, again = (key_of(data.draw(st.sampled_from(list(plan)))) for _ in range(2))
    clock = Clock()
    with mock.patch("os.fsync"), tempfile.TemporaryDirectory() as folder, clock.ruling():
        moments = film(
            Path(folder), plan, clock, lambda world: world.failures.update({broken: first} if first else {})
        )
        original = before(plan, clock).states()
        last = desired(plan, before(plan, clock))
    content, world = data.draw(st.sampled_from(moments[:-1]))
    world.failures[again] = second
    with mock.patch("os.fsync"), killed(content) as path, Clock().ruling() as now:
        world.clock = now
        report = onward(path, world)
        if report.outcome == "committed":
            assert world.states() == last
            return
        assert report.outcome == "unfinished"
        assert report.error is not None
        assert not read(path).finished
        assert "failed" in {item.state for item in report.changes}
        stolen = world.states().get(again) == STOLEN
        world.failures.clear()
        leftovers = roll_back(path, read(path), world.handlers, lambda event: None)
        assert {key_of(item.change) for item in leftovers} <= ({again} if stolen else set())
        assert world.states() == ({**original, again: STOLEN} if stolen else original)


def test_an_error_stops_before_the_next_stage_and_takes_nothing_back(tmp_path: Path) -> None:
    with Clock().ruling() as clock:
        moments = film(tmp_path, a_plan(1, 2, 1), clock, lambda world: None)
    content, world = moments[3]  # The first stage is done.
    world.failures[Kind.NAMESPACE, ("b",)] = Failure.REFUSED
    with killed(content) as path:
        report = onward(path, world)
        assert [item.state for item in report.changes] == ["done", "failed", "done", "pending"]
        assert report.outcome == "unfinished"
        assert (Kind.NAMESPACE, ("a",)) in world.objects
        assert (Kind.NAMESPACE, ("d",)) not in world.objects
        world.failures.clear()
        assert onward(path, world).outcome == "committed"


def test_what_somebody_else_has_taken_is_not_overwritten(tmp_path: Path) -> None:
    content, world = last_moment(tmp_path)
    world.objects[Kind.NAMESPACE, ("a",)] = Entry(STOLEN, "another run")
    with killed(content) as path:
        report = onward(path, world)
    assert isinstance(report.error, Conflict)
    assert world.states()[Kind.NAMESPACE, ("a",)] == STOLEN


def test_what_is_gone_although_it_was_done_is_made_again(tmp_path: Path) -> None:
    content, world = last_moment(tmp_path)
    del world.objects[Kind.NAMESPACE, ("a",)]
    with killed(content) as path:
        assert onward(path, world).outcome == "committed"
    assert (Kind.NAMESPACE, ("a",)) in world.objects


def test_what_is_there_is_not_written_again(tmp_path: Path) -> None:
    content, world = last_moment(tmp_path)
    with killed(content) as path:
        assert onward(path, world).outcome == "committed"
    assert world.calls == []


class Asking(MemoryWorld):
    """Notes whether it is told that the run has made `a`."""

    told: list[bool]

    def apply(self, change: Change, run: Run, claim: Claim | None = None) -> Applied:
        self.told.append(run.has_made(Kind.NAMESPACE, "a"))
        return super().apply(change, run, claim)


@pytest.mark.parametrize(("moment", "told"), [(0, [False, True]), (3, [True])])
def test_handlers_are_told_what_the_run_has_made(tmp_path: Path, moment: int, told: list[bool]) -> None:
    """IAM may not know it everywhere yet."""
    with Clock().ruling() as clock:
        content, world = film(tmp_path, a_plan(1, 1), clock, lambda world: None)[moment]
    asking = Asking(world.clock, world.objects)
    asking.told = []
    with killed(content) as path:
        assert onward(path, asking).outcome == "committed"
    assert asking.told == told


@pytest.mark.parametrize(("stop", "error"), [(True, Interrupted), (False, DeadlineExceeded)])
def test_a_signal_and_the_time_limit_stop_it_before_the_next_write(
    tmp_path: Path, stop: bool, error: type[Exception]
) -> None:
    with Clock().ruling() as clock:
        content, world = film(tmp_path, a_plan(1, 1), clock, lambda world: None)[0]
    run = Run("t1", 100.0 if stop else 0.0)
    if stop:
        run.interrupt(15)
    with killed(content) as path:
        report = onward(path, world, run)
        assert isinstance(report.error, error)
        assert report.outcome == "unfinished"
        assert world.calls == []
        assert not read(path).finished


def test_a_transaction_that_lives_is_let_alone(tmp_path: Path) -> None:
    content, world = last_moment(tmp_path)
    with killed(content) as path:
        story = read(path)
        journal = Journal.reopen(path)
        with pytest.raises(JournalError):
            onward(path, world)
        journal.event("outcome", outcome="rolled-back")
        journal.close()
        with pytest.raises(JournalError):
            roll_forward(path, story, world.handlers, Run("t1", 1.0), lambda event: None)
    assert world.calls == []


def test_what_can_not_be_looked_at_is_no_ground_to_go_on(tmp_path: Path) -> None:
    content, world = last_moment(tmp_path)
    world.blind[Kind.NAMESPACE, ("a",)] = service_error(Outcome.REFUSED)
    with killed(content) as path:
        report = onward(path, world)
        assert report.outcome == "unfinished"
        assert [record.needs_undo for record in read(path).records] == [True, True]


@pytest.mark.parametrize("failure", [Failure.LATE, Failure.DONE_UNKNOWN])
def test_a_last_step_that_shows_after_its_answer_was_lost_is_the_end(
    tmp_path: Path, failure: Failure
) -> None:
    content, world = last_moment(tmp_path)
    del world.objects[Kind.NAMESPACE, ("b",)]
    world.failures[Kind.NAMESPACE, ("b",)] = failure
    with killed(content) as path, Clock().ruling() as world.clock:
        report = onward(path, world)
        assert (report.outcome, report.error) == ("committed", None)
        assert [item.state for item in report.changes] == ["done", "done"]
        assert read(path).outcome == "committed"
    assert (Kind.NAMESPACE, ("b",)) in world.objects


def test_a_last_step_that_does_not_show_is_not_the_end(tmp_path: Path) -> None:
    content, world = last_moment(tmp_path)
    del world.objects[Kind.NAMESPACE, ("b",)]
    world.failures[Kind.NAMESPACE, ("b",)] = Failure.NOT_DONE_UNKNOWN
    with killed(content) as path, Clock().ruling() as world.clock:
        assert onward(path, world).outcome == "unfinished"
        assert not read(path).finished


def test_what_the_journal_calls_done_and_is_gone_is_not_the_end(tmp_path: Path) -> None:
    content, world = last_moment(tmp_path)
    del world.objects[Kind.NAMESPACE, ("b",)]
    world.failures[Kind.NAMESPACE, ("b",)] = Failure.REFUSED
    with killed(content) as path, Clock().ruling() as world.clock:
        assert onward(path, world).outcome == "unfinished"


def test_what_the_journal_calls_done_and_can_not_be_looked_at_is_not_the_end(tmp_path: Path) -> None:
    """Of two last steps one is noted as done, and the other shows: that is all that is known."""
    with Clock().ruling() as clock:
        moments = film(tmp_path, a_plan(1, 2), clock, lambda world: None)
    content, world = next(
        (content, world)
        for content, world in moments
        if b"done" in b"".join(content.splitlines()[-2:-1]) and (Kind.NAMESPACE, ("c",)) in world.objects
    )
    world.blind[Kind.NAMESPACE, ("b",)] = service_error(Outcome.REFUSED)
    with killed(content) as path, Clock().ruling() as world.clock:
        report = onward(path, world)
        assert [item.state for item in report.changes] == ["done", "failed", "done"]
        assert report.outcome == "unfinished"


def test_an_earlier_step_that_fails_is_not_the_end_whatever_became_of_the_last(tmp_path: Path) -> None:
    content, world = last_moment(tmp_path)
    del world.objects[Kind.NAMESPACE, ("a",)]
    world.failures[Kind.NAMESPACE, ("a",)] = Failure.REFUSED
    with killed(content) as path, Clock().ruling() as world.clock:
        assert onward(path, world).outcome == "unfinished"


@pytest.mark.parametrize("there", [True, False])
def test_a_journal_that_fills_up_behind_the_last_step_does_not_undo_the_end(
    tmp_path: Path, there: bool
) -> None:
    with Clock().ruling() as clock:
        moments = film(tmp_path, a_plan(1, 1), clock, lambda world: None)
    # The last step is begun; its call has gone out, or not.
    content, world = moments[6 if there else 5]
    assert ((Kind.NAMESPACE, ("b",)) in world.objects) is there
    event = Journal.event

    def full(journal: Journal, name: str, index: int | None = None, **facts: object) -> None:
        if (name, index) in (("done", 1), ("outcome", None)):
            raise JournalError("no space left")
        event(journal, name, index, **facts)

    with killed(content) as path, mock.patch.object(Journal, "event", full):
        report = onward(path, world)
    assert (report.outcome, report.error) == ("committed", None)
    assert {item.state for item in report.changes} == {"done"}


def test_a_listener_that_fails_stops_nothing(tmp_path: Path) -> None:
    with Clock().ruling() as clock:
        content, world = film(tmp_path, a_plan(1), clock, lambda world: None)[0]

    def broken(event: Event) -> None:
        raise OSError("the terminal is gone")

    with killed(content) as path:
        assert roll_forward(path, read(path), world.handlers, Run("t1", 9.0), broken).outcome == "committed"
