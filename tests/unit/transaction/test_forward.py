"""A process that was killed at any point: its journal is enough to go on to the desired state."""

from __future__ import annotations

from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.core.plan.changes import Change, Plan
from irsa_cli.core.values.errors import Conflict, DeadlineExceeded, Outcome
from irsa_cli.transaction.journal import Journal, JournalError
from irsa_cli.transaction.protocol import Applied, Claim, Interrupted, Run
from tests.support.named import named
from tests.support.thoroughness import examples
from tests.unit.plan import strategies as some
from tests.unit.transaction.doubles import (
    STOLEN,
    Clock,
    Entry,
    Failure,
    Key,
    MemoryWorld,
    before,
    key_of,
    service_error,
)
from tests.unit.transaction.test_engine import desired, states_of
from tests.unit.transaction.test_recover import A, B, Remains, failing, filmed, left, remains

__all__ = ["left"]  # A fixture.

FAILURES = st.none() | st.sampled_from([item for item in Failure if item is not Failure.CONFLICT])


@settings(max_examples=examples(40))
@given(some.plans(max_stages=2), FAILURES, st.data())
def test_a_process_killed_at_any_moment_is_gone_on_with(
    plan: Plan, failure: Failure | None, data: st.DataObject
) -> None:
    """Also one that was killed while it was rolling back, after a failure of any kind."""
    broken = key_of(data.draw(st.sampled_from(list(plan))))
    last = desired(plan, before(plan, Clock()))
    for moment in filmed(plan, failing(broken, failure))[:-1]:
        with remains(moment) as found:
            report = found.forward()
            assert (report.outcome, report.error, found.story.outcome) == ("committed", None, "committed")
            assert {item.state for item in report.changes} <= {"done", "unchanged"}
            assert (found.world.states(), found.world.undos) == (last, [])


@settings(max_examples=examples(40))
@given(some.plans(max_stages=2), FAILURES, st.sampled_from(Failure), st.data())
def test_what_fails_on_the_way_forward_can_be_taken_back_still(
    plan: Plan, first: Failure | None, second: Failure, data: st.DataObject
) -> None:
    broken, again = (key_of(data.draw(st.sampled_from(list(plan)))) for _ in range(2))
    moments = filmed(plan, failing(broken, first))
    original = before(plan, Clock()).states()
    with remains(data.draw(st.sampled_from(moments[:-1]))) as found:
        world = found.world
        world.failures[again] = second
        report = found.forward()
        if report.outcome == "committed":
            assert world.states() == desired(plan, before(plan, Clock()))
            return
        assert (report.outcome, found.story.finished) == ("unfinished", False)
        assert report.error is not None
        assert "failed" in {item.state for item in report.changes}
        stolen = world.states().get(again) == STOLEN
        world.failures.clear()
        assert found.back() in ("", again[1][-1] if stolen else "")
        assert world.states() == ({**original, again: STOLEN} if stolen else original)


def test_an_error_stops_before_the_next_stage_and_takes_nothing_back() -> None:
    with remains(filmed("a bc d")[3]) as left:  # The first stage is done.
        left.world.failures[B] = Failure.REFUSED
        report = left.forward()
        assert (report.outcome, states_of(report)) == ("unfinished", ["done", "failed", "done", "pending"])
        assert {name for _, (name, *_) in left.world.objects} == {"a", "c", "bystander"}
        left.world.failures.clear()
        assert left.forward().outcome == "committed"


def test_what_somebody_else_has_taken_is_not_overwritten(left: Remains) -> None:
    left.world.objects[A] = Entry(STOLEN, "another run")
    assert isinstance(left.forward().error, Conflict)
    assert left.world.states()[A] == STOLEN


def test_what_is_there_is_not_written_again(left: Remains) -> None:
    assert (left.forward().outcome, left.world.calls) == ("committed", [])


@named(
    "key failure outcome states",
    ("it was done, and is gone", A, None, "committed", ["done", "done"]),
    ("the last one shows late", B, Failure.LATE, "committed", ["done", "done"]),
    ("its answer is lost", B, Failure.DONE_UNKNOWN, "committed", ["done", "done"]),
    ("the last one does not show", B, Failure.NOT_DONE_UNKNOWN, "unfinished", ["done", "failed"]),
    ("the last one is refused", B, Failure.REFUSED, "unfinished", ["done", "failed"]),
    ("an earlier one is refused", A, Failure.REFUSED, "unfinished", ["failed", "pending"]),
)
def test_what_is_gone_is_made_again_and_the_last_one_is_the_end_where_it_shows(
    left: Remains, key: Key, failure: Failure | None, outcome: str, states: list[str]
) -> None:
    del left.world.objects[key]
    failing(key, failure)(left.world)
    report = left.forward()
    assert (report.outcome, states_of(report)) == (outcome, states)
    committed = outcome == "committed"
    assert (report.error is None, left.story.finished, key in left.world.objects) == (committed,) * 3


class Asking(MemoryWorld):
    """Notes whether it is told that the run has made `a`."""

    told: list[bool]

    def apply(self, change: Change, run: Run, claim: Claim | None = None) -> Applied:
        self.told.append(run.has_made(*A[:1], "a"))
        return super().apply(change, run, claim)


@pytest.mark.parametrize(("moment", "told"), [(0, [False, True]), (3, [True])])
def test_handlers_are_told_what_the_run_has_made(moment: int, told: list[bool]) -> None:
    """IAM may not know it everywhere yet."""
    with remains(filmed("a b")[moment]) as left:
        left.world = asking = Asking(left.clock, left.world.objects)
        asking.told = []
        assert (left.forward().outcome, asking.told) == ("committed", told)


@pytest.mark.parametrize(("stop", "error"), [(True, Interrupted), (False, DeadlineExceeded)])
def test_a_signal_and_the_time_limit_stop_it_before_the_next_write(
    stop: bool, error: type[Exception]
) -> None:
    with remains(filmed("a b")[0]) as left:
        run = Run("t1", 100.0 if stop else 0.0)
        if stop:
            run.interrupt(15)
        report = left.forward(run)
        assert isinstance(report.error, error)
        assert (report.outcome, left.world.calls, left.story.finished) == ("unfinished", [], False)


def test_what_can_not_be_looked_at_is_no_ground_to_go_on(left: Remains) -> None:
    left.world.blind[A] = service_error(Outcome.REFUSED)
    assert left.forward().outcome == "unfinished"
    assert all(record.needs_undo for record in left.story.records)


def test_what_the_journal_calls_done_and_can_not_be_looked_at_is_not_the_end() -> None:
    """Of two last steps one is noted as done, and the other shows: that is all that is known."""
    moment = next(
        (content, world)
        for content, world in filmed("a bc")
        if b"done" in b"".join(content.splitlines()[-2:-1]) and (*A[:1], ("c",)) in world.objects
    )
    with remains(moment) as left:
        left.world.blind[B] = service_error(Outcome.REFUSED)
        report = left.forward()
        assert (report.outcome, states_of(report)) == ("unfinished", ["done", "failed", "done"])


@pytest.mark.parametrize("there", [True, False])
def test_a_journal_that_fills_up_behind_the_last_step_does_not_undo_the_end(there: bool) -> None:
    event = Journal.event

    def full(journal: Journal, name: str, index: int | None = None, **facts: object) -> None:
        if (name, index) in (("done", 1), ("outcome", None)):
            raise JournalError("no space left")
        event(journal, name, index, **facts)

    # The last step is begun; its call has gone out, or not.
    with remains(filmed("a b")[6 if there else 5]) as left, mock.patch.object(Journal, "event", full):
        assert (B in left.world.objects) is there
        report = left.forward()
    assert (report.outcome, report.error, states_of(report)) == ("committed", None, ["done", "done"])


def test_a_listener_that_fails_stops_nothing() -> None:
    with remains(filmed("a")[0]) as left:
        broken = mock.Mock(side_effect=OSError("the terminal is gone"))
        assert left.forward(listen=broken).outcome == "committed"
