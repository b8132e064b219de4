"""The engine, judged by the world: whatever fails, wherever, all of it happened or none of it did."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import (
    ROLE_ARN_ANNOTATION,
    NamespaceState,
    OwnerState,
    Present,
    RoleState,
    ServiceAccountState,
)
from irsa_cli.core.values.errors import Claimed, Conflict, DeadlineExceeded, Outcome, Unverified, Waits
from irsa_cli.core.values.patience import give_up
from irsa_cli.transaction import steps
from irsa_cli.transaction.journal import Journal, JournalError
from irsa_cli.transaction.protocol import Claim, Event, Interrupted, Run, RunReport, Step
from irsa_cli.transaction.reading import read
from irsa_cli.transaction.runner import Transaction
from tests.support.thoroughness import examples
from tests.unit.plan import strategies as some
from tests.unit.transaction.doubles import (
    LATE_WINDOW,
    STOLEN,
    STUCK,
    Clock,
    Entry,
    Failure,
    MemoryJournal,
    MemoryWorld,
    before,
    key_of,
    service_error,
)


@dataclass
class Stage:
    """A plan, the world it meets, and what there was to see."""

    plan: Plan
    clock: Clock = field(default_factory=Clock)
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    events: list[Event] = field(default_factory=list)
    seconds: float = 100.0
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.world = before(self.plan, self.clock)
        self.run = Run("t1", 0.0)

    def execute(self) -> RunReport:
        with self.clock.ruling(), mock.patch.object(steps, "PARALLEL", 1):
            self.run.__init__("t1", self.seconds)  # type: ignore[misc]
            gate, listen = self.options.pop("gate", None), self.options.pop("listen", self.events.append)
            transaction = Transaction(
                self.plan, self.world.handlers, self.journal, self.run, listen, **self.options
            )
            report = transaction.execute(gate)
            # Nothing more may happen after the run has told how it ended.
            self.clock.now += 1000.0
            self.world.arrive()
        return report


def desired(plan: Plan, world: MemoryWorld) -> dict[Any, Any]:
    """The states after the plan."""
    states = world.states()
    for change in plan:
        states.pop(key_of(change), None)
        if change.after is not None:
            states[key_of(change)] = change.after
    return states


def a_plan(*sizes: int) -> Plan:
    """A plan of namespaces to be made, so many in each stage."""
    names = iter("abcdefghij")
    return Plan(
        tuple(
            tuple(Change(Kind.NAMESPACE, (next(names),), None, NamespaceState()) for _ in range(size))
            for size in sizes
        )
    )


@settings(max_examples=examples(50))
@given(some.plans())
def test_a_plan_that_nothing_disturbs_is_carried_out(plan: Plan) -> None:
    stage = Stage(plan)
    expected = desired(plan, stage.world)
    report = stage.execute()
    assert (report.outcome, report.error, report.leftovers) == ("committed", None, [])
    assert stage.world.states() == expected
    assert [change.state for change in report.changes] == ["done"] * len(plan)
    assert [change.change for change in report.changes] == list(plan)
    assert stage.world.undos == []
    assert stage.journal.lines[-1] == ("outcome", None, {"outcome": "committed"})


@settings(max_examples=examples(200))
@given(some.plans(), st.sampled_from(Failure), st.data())
def test_whatever_fails_the_world_is_as_before(plan: Plan, failure: Failure, data: st.DataObject) -> None:
    stage = Stage(plan)
    broken = data.draw(st.sampled_from(list(plan)))
    # Some of the rest is there already, made by somebody else: it is not ours to take back.
    there = data.draw(st.lists(st.sampled_from(list(plan)), unique_by=repr))
    for change in (change for change in there if change != broken):
        stage.world.objects.pop(key_of(change), None)
        if change.after is not None:
            stage.world.objects[key_of(change)] = Entry(change.after, "somebody")
    stage.world.failures[key_of(broken)] = failure
    expected = stage.world.states()
    if failure is Failure.CONFLICT:
        expected[key_of(broken)] = STOLEN
    report = stage.execute()
    event(failure.name)
    if _shows(failure) and broken in plan.stages[-1]:
        # The last stage is done, and others may have seen it.
        assert (report.outcome, report.error) == ("committed", None)
        assert stage.world.states() == desired(plan, stage.world)
        assert stage.world.undos == []
        return
    assert (report.outcome, report.leftovers) == ("rolled-back", [])
    assert report.error is not None
    assert stage.world.states() == expected
    assert not {key_of(change) for change in stage.world.undos} & {key_of(c) for c in there if c != broken}
    assert stage.journal.lines[-1] == ("outcome", None, {"outcome": "rolled-back"})
    states = {key_of(item.change): item.state for item in report.changes}
    assert states[key_of(broken)] in ("failed", "undone")
    assert "done" not in states.values()


def _shows(failure: Failure) -> bool:
    return failure in (Failure.DONE_UNKNOWN, Failure.LATE)


@settings(max_examples=examples(80))
@given(some.plans(), st.data())
def test_what_can_not_be_taken_back_is_listed_exactly(plan: Plan, data: st.DataObject) -> None:
    stage = Stage(plan)
    last = plan.stages[-1][-1]
    stage.world.failures[key_of(last)] = Failure.REFUSED
    errors = st.sampled_from([STUCK, RuntimeError("a bug"), service_error(Outcome.REFUSED)])
    stuck = data.draw(st.lists(st.sampled_from(list(plan)), unique_by=repr))
    stage.world.stuck = {key_of(change): data.draw(errors) for change in stuck}
    first = stage.world.states()
    report = stage.execute()
    now = stage.world.states()
    differing = {key for key in first.keys() | now.keys() if first.get(key) != now.get(key)}
    assert {key_of(item.change) for item in report.leftovers} == differing
    assert report.outcome == ("incomplete" if differing else "rolled-back")
    assert {key_of(item.change) for item in report.changes if item.state == "left"} == differing
    assert {key_of(e.change) for e in stage.events if e.step is Step.LEFT and e.change} == differing
    assert stage.journal.lines[-1][2] == {"outcome": report.outcome}


@settings(max_examples=examples(50))
@given(some.plans(), st.integers(0, 12))
def test_a_journal_that_breaks_breaks_the_run_and_not_the_rollback(plan: Plan, lines: int) -> None:
    stage = Stage(plan, journal=MemoryJournal(broken_from=lines))
    first, last = stage.world.states(), desired(plan, stage.world)
    report = stage.execute()
    # Only the last lines, which say that the last change and all is done, may be missing.
    committed = lines >= 2 * len(plan) - 1
    assert report.outcome == ("committed" if committed else "rolled-back")
    assert stage.world.states() == (last if committed else first)
    assert committed or isinstance(report.error, JournalError)
    begun = [index for name, index, _ in stage.journal.lines if name == "begin"]
    assert len(stage.world.calls) == len(begun), "no call goes out that is not on disk"


@settings(max_examples=examples(50))
@given(some.plans(), st.data())
def test_a_listener_that_fails_is_not_the_runs_failure(plan: Plan, data: st.DataObject) -> None:
    def broken_pipe(event: Event) -> None:
        raise BrokenPipeError

    stage = Stage(plan, options={"listen": broken_pipe})
    first, last = stage.world.states(), desired(plan, stage.world)
    fails = data.draw(st.booleans())
    if fails:
        stage.world.failures[key_of(plan.stages[-1][-1])] = Failure.REFUSED
    assert stage.execute().outcome == ("rolled-back" if fails else "committed")
    assert stage.world.states() == (first if fails else last)


@settings(max_examples=examples(80))
@given(some.plans(), st.sampled_from([Failure.REFUSED, Failure.DONE_UNKNOWN]), st.data())
def test_stages_run_in_order_and_are_taken_back_backwards(
    plan: Plan, failure: Failure, data: st.DataObject
) -> None:
    stage = Stage(plan)
    broken = data.draw(st.sampled_from(list(plan)))
    assume(failure is Failure.REFUSED or broken not in plan.stages[-1])
    stage.world.failures[key_of(broken)] = failure
    stage.execute()
    number = {key_of(change): index for index, items in enumerate(plan.stages) for change in items}
    forward = [number[key_of(change)] for change in stage.world.calls]
    backward = [number[key_of(change)] for change in stage.world.undos]
    assert forward == sorted(forward)
    assert max(forward) == number[key_of(broken)], "no stage begins after one that failed"
    assert backward == sorted(backward, reverse=True)
    told = [item.step for item in stage.events]
    turn = told.index(Step.ROLLBACK)
    assert {*told[:turn]} <= {Step.STARTED, Step.DONE, Step.FAILED}
    assert {*told[turn + 1 :]} <= {Step.UNDONE}
    for change in plan:
        steps = [item.step for item in stage.events if item.change == change]
        assert steps[:1] in ([], [Step.STARTED])
        assert steps.count(Step.STARTED) == steps.count(Step.DONE) + steps.count(Step.FAILED) <= 1
    for change in stage.world.calls:
        begin = stage.journal.lines.index(("begin", list(plan).index(change), {}))
        assert begin >= 0


@pytest.mark.parametrize("late_after", [0.5, 5.0, 14.0])
def test_a_write_that_arrives_late_is_caught(late_after: float) -> None:
    stage = Stage(a_plan(2, 1))
    stage.world.late_after = late_after
    stage.world.failures[Kind.NAMESPACE, ("a",)] = Failure.LATE
    first = stage.world.states()
    report = stage.execute()
    assert (report.outcome, stage.world.states()) == ("rolled-back", first)
    assert late_after <= sum(stage.clock.naps) <= LATE_WINDOW + 4


@pytest.mark.parametrize("failure", [Failure.REFUSED, Failure.NOT_SENT, Failure.CONFLICT])
def test_a_write_that_certainly_was_not_done_is_not_waited_for(failure: Failure) -> None:
    stage = Stage(a_plan(1, 1))
    stage.world.failures[Kind.NAMESPACE, ("b",)] = failure
    stage.execute()
    assert stage.clock.naps == []
    assert [change.target for change in stage.world.undos] == [("a",)]
    assert ("refused", 1, {}) in stage.journal.lines


def test_a_lost_answer_is_looked_for_until_it_can_not_come_any_more() -> None:
    stage = Stage(a_plan(1))
    stage.world.failures[Kind.NAMESPACE, ("a",)] = Failure.NOT_DONE_UNKNOWN
    assert stage.execute().outcome == "rolled-back"
    assert sum(stage.clock.naps) >= LATE_WINDOW
    assert len(stage.world.undos) < 20


def test_a_rollback_has_a_time_limit() -> None:
    stage = Stage(a_plan(1), options={"rollback_seconds": 2.0})
    stage.world.failures[Kind.NAMESPACE, ("a",)] = Failure.NOT_DONE_UNKNOWN
    report = stage.execute()
    # It may still appear, and nobody looks any more: that is told.
    assert report.outcome == "incomplete"
    assert sum(stage.clock.naps) == pytest.approx(2.0)
    assert len(stage.world.undos) < 20


def test_taking_back_is_tried_again_after_a_passing_failure() -> None:
    stage = Stage(a_plan(1, 1))
    stage.world.failures[Kind.NAMESPACE, ("b",)] = Failure.REFUSED
    stage.world.passing[Kind.NAMESPACE, ("a",)] = 3
    first = stage.world.states()
    assert stage.execute().outcome == "rolled-back"
    assert stage.world.states() == first
    stage = Stage(a_plan(1, 1), options={"rollback_seconds": 30.0})
    stage.world.failures[Kind.NAMESPACE, ("b",)] = Failure.REFUSED
    stage.world.passing[Kind.NAMESPACE, ("a",)] = 10**6
    report = stage.execute()
    assert [item.change.target for item in report.leftovers] == [("a",)]
    assert 30.0 <= sum(stage.clock.naps) < 34.0


def test_what_can_not_be_taken_back_leaves_time_for_what_can() -> None:
    stage = Stage(a_plan(1, 1, 1), options={"rollback_seconds": 30.0})
    stage.world.failures[Kind.NAMESPACE, ("c",)] = Failure.REFUSED
    stage.world.passing[Kind.NAMESPACE, ("b",)] = 10**6
    stage.world.passing[Kind.NAMESPACE, ("a",)] = 4
    report = stage.execute()
    assert [item.change.target for item in report.leftovers] == [("b",)]
    assert sum(stage.clock.naps) < 30.0


@pytest.mark.parametrize("number", [2, 15])
@pytest.mark.parametrize("during", range(4))
def test_a_signal_stops_the_run_before_its_next_call(number: int, during: int) -> None:
    stage = Stage(a_plan(1, 1, 1, 1))
    first, last = stage.world.states(), desired(stage.plan, stage.world)
    target = list(stage.plan)[during]

    def interrupt(change: Change) -> None:
        if change == target:
            stage.run.interrupt(number)

    stage.world.on_write = interrupt
    report = stage.execute()
    assert len(stage.world.calls) == during + 1
    if during == 3:  # Everything was done when the signal came to be noticed.
        assert (report.outcome, stage.world.states()) == ("committed", last)
        return
    assert isinstance(report.error, Interrupted)
    assert report.error.number == number
    assert (report.outcome, stage.world.states()) == ("rolled-back", first)


def test_a_signal_while_a_handler_waits_takes_back_at_once() -> None:
    stage = Stage(a_plan(1, 1))

    def wait(change: Change) -> None:
        if change.target == ("b",):
            stage.run.interrupt(15)
            stage.run.pause(60)

    stage.world.on_write = wait
    first = stage.world.states()
    report = stage.execute()
    assert isinstance(report.error, Interrupted)
    assert stage.clock.naps == []
    assert stage.world.states() == first


@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.5, 2.5])
def test_a_deadline_stops_the_run_before_its_next_call(seconds: float) -> None:
    stage = Stage(a_plan(1, 1, 1, 1), seconds=seconds)
    stage.world.latency = 1.0
    first = stage.world.states()
    report = stage.execute()
    assert isinstance(report.error, DeadlineExceeded)
    assert (report.outcome, stage.world.states()) == ("rolled-back", first)
    assert len(stage.world.calls) == int(seconds + 0.5)


def gated(stage: Stage, gate: Callable[[], None]) -> RunReport:
    stage.options["gate"] = gate
    return stage.execute()


@pytest.mark.parametrize("sizes", [(1,), (2, 1), (1, 2, 1), (1, 1, 0)])
def test_a_gate_stands_before_the_last_stage(sizes: tuple[int, ...]) -> None:
    stage = Stage(a_plan(*sizes))
    seen: list[int] = []
    report = gated(stage, lambda: seen.append(len(stage.world.calls)))
    assert report.outcome == "committed"
    assert seen == [sum(sizes[:-1])]
    told = [item.step for item in stage.events]
    assert told.index(Step.GATE) + 1 == told.index(Step.GATE_PASSED)
    assert told.index(Step.GATE) == 2 * sum(sizes[:-1])


@pytest.mark.parametrize("error", [Unverified("refused"), RuntimeError("a bug")])
def test_a_gate_that_does_not_open_takes_everything_back(error: Exception) -> None:
    stage = Stage(a_plan(2, 1, 1))
    first = stage.world.states()

    def closed() -> None:
        raise error

    report = gated(stage, closed)
    assert report.error is error
    assert (report.outcome, stage.world.states()) == ("rolled-back", first)
    assert [item.state for item in report.changes] == ["undone"] * 3 + ["pending"]
    assert Step.GATE_PASSED not in [item.step for item in stage.events]


def test_changes_of_a_stage_are_under_way_together() -> None:
    barrier = mock.Mock()
    stage = Stage(a_plan(3, 1))
    stage.world.failures[Kind.NAMESPACE, ("a",)] = Failure.REFUSED
    stage.world.on_write = barrier
    first = stage.world.states()
    report = stage.execute()
    # The others of the stage are not cut off: they are waited for, then taken back.
    assert len(stage.world.calls) == 3
    assert [item.state for item in report.changes] == ["failed", "undone", "undone", "pending"]
    assert stage.world.states() == first


def test_a_run_knows_what_it_made() -> None:
    stage = Stage(a_plan(2))
    stage.world.objects[Kind.NAMESPACE, ("a",)] = Entry(NamespaceState(), "somebody")
    report = stage.execute()
    assert [item.state for item in report.changes] == ["unchanged", "done"]
    assert [stage.run.has_made(Kind.NAMESPACE, name) for name in ("a", "b", "c")] == [False, True, False]
    assert not stage.run.has_made(Kind.ROLE, "b")
    done = [facts for name, _, facts in stage.journal.lines if name == "done"]
    assert [facts["changed"] for facts in done] == [False, True]
    assert [dict(facts["identity"]) for facts in done] == [{}, {"uid": "1"}]


def test_a_claim_names_the_incarnation_that_was_made_where_the_answer_came() -> None:
    stage = Stage(a_plan(1, 1, 1))
    stage.world.failures[Kind.NAMESPACE, ("b",)] = Failure.DONE_UNKNOWN
    stage.execute()
    *unanswered, answered = stage.world.claims
    assert answered == Claim("t1", {"uid": "1"})
    assert unanswered
    assert all(claim == Claim("t1", {}) for claim in unanswered)


def test_a_last_stage_that_can_not_be_looked_at_is_taken_back() -> None:
    stage = Stage(a_plan(1, 1))
    stage.world.failures[Kind.NAMESPACE, ("b",)] = Failure.DONE_UNKNOWN
    stage.world.blind[Kind.NAMESPACE, ("b",)] = service_error(Outcome.REFUSED)
    first = stage.world.states()
    assert stage.execute().outcome == "rolled-back"
    assert stage.world.states() == first


def test_a_last_stage_of_somebody_else_is_not_ours() -> None:
    stage = Stage(a_plan(1, 1))
    stage.world.failures[Kind.NAMESPACE, ("b",)] = Failure.NOT_DONE_UNKNOWN
    stage.world.objects[Kind.NAMESPACE, ("b",)] = Entry(NamespaceState(), "somebody")
    report = stage.execute()
    assert report.outcome == "incomplete"
    assert [item.change.target for item in report.leftovers] == [("b",)]
    assert stage.world.objects[Kind.NAMESPACE, ("b",)].owner == "somebody"


def roles(*sizes: int) -> Plan:
    """A plan of attachments to one role."""
    return Plan(
        tuple(
            tuple(Change(Kind.ATTACHMENT, ("r", *change.target), None, Present()) for change in stage)
            for stage in a_plan(*sizes).stages
        )
    )


def test_what_somebody_counts_on_is_left_alone_and_named() -> None:
    stage = Stage(roles(1, 2, 1))
    stage.world.failures[Kind.ATTACHMENT, ("r", "d")] = Failure.REFUSED
    stage.world.claim_of = lambda change, ours: "" if ours else "in use"
    report = stage.execute()
    assert report.outcome == "incomplete"
    assert {item.change.target[1] for item in report.leftovers} == {"a", "b", "c"}
    assert all(isinstance(item.error, Claimed) for item in report.leftovers)
    assert stage.world.undos == []


def test_who_can_not_be_asked_is_asked_once_and_stops_nothing() -> None:
    stage = Stage(roles(1, 1, 1))
    stage.world.failures[Kind.ATTACHMENT, ("r", "c")] = Failure.REFUSED
    asked: list[Change] = []

    def silent(change: Change, ours: bool) -> str:
        asked.append(change)
        raise service_error(Outcome.UNKNOWN)

    stage.world.claim_of = silent
    first = stage.world.states()
    assert stage.execute().outcome == "rolled-back"
    assert stage.world.states() == first
    assert sorted(change.target[1] for change in asked) == ["a", "b", "c"]


def two_roles() -> Plan:
    """Two roles with a policy each, for a ServiceAccount each."""
    stages: list[list[Change]] = [[], [], []]
    for name in ("one", "two"):
        annotations: dict[str, str | None] = {ROLE_ARN_ANNOTATION: f"arn:aws:iam::111122223333:role/{name}"}
        stages[0].append(Change(Kind.ROLE, (name,), None, RoleState("/", {})))
        stages[1].append(Change(Kind.ATTACHMENT, (name, "p"), None, Present()))
        stages[2].append(Change(Kind.SERVICE_ACCOUNT, ("n", name), None, ServiceAccountState(annotations)))
    return Plan.of(*stages)


def test_who_counts_on_one_role_does_not_keep_another() -> None:
    stage = Stage(two_roles())
    stage.world.failures[Kind.SERVICE_ACCOUNT, ("n", "one")] = Failure.REFUSED
    first = stage.world.states()
    stage.world.claim_of = lambda change, ours: (
        "in use" if key_of(change) == (Kind.SERVICE_ACCOUNT, ("n", "one")) else ""
    )
    report = stage.execute()
    assert report.outcome == "incomplete"
    assert {item.change.target[0] for item in report.leftovers} == {"one"}
    kept = {(Kind.ROLE, ("one",)), (Kind.ATTACHMENT, ("one", "p"))}
    assert stage.world.states().keys() == first.keys() | kept
    assert stage.journal.lines[-1][2] == {"outcome": "superseded"}, "nothing of it is left to take back"


@pytest.mark.parametrize("silences", [3, 100])
def test_a_role_whose_mark_can_not_be_read_is_waited_for_and_then_left(silences: int) -> None:
    stage = Stage(two_roles())
    stage.world.failures[Kind.SERVICE_ACCOUNT, ("n", "one")] = Failure.REFUSED
    first = stage.world.states()
    asked: list[Change] = []

    def silent(change: Change, ours: bool) -> str:
        if key_of(change) == (Kind.ROLE, ("one",)) and len(asked) < silences:
            asked.append(change)
            raise service_error(Outcome.UNKNOWN, transient=True)
        return ""

    stage.world.claim_of = silent
    report = stage.execute()
    if silences == 3:
        assert report.outcome == "rolled-back"
        assert stage.world.states() == first
    else:
        assert {item.change.target[0] for item in report.leftovers} == {"one"}
        assert all(isinstance(item.error, Waits) for item in report.leftovers)
        assert stage.world.undos != []


def taking_over() -> Plan:
    """A run that goes on from what another one has begun."""
    owners = [Change(Kind.ROLE_OWNER, ("a",), OwnerState("other"), OwnerState(""))]
    policy = Change(Kind.ATTACHMENT, ("a", "p"), None, Present())
    account = Change(Kind.SERVICE_ACCOUNT, ("n", "a"), None, ServiceAccountState({}))
    return Plan((tuple(owners), (policy,), (account,)))


def test_marks_are_given_back_when_another_run_has_ended() -> None:
    stage = Stage(taking_over())
    first = stage.world.states()
    stage.world.failures[Kind.SERVICE_ACCOUNT, ("n", "a")] = Failure.REFUSED
    stage.world.claim_of = lambda change, ours: "in use" if change.kind is Kind.SERVICE_ACCOUNT else ""
    report = stage.execute()
    assert [item.change.kind for item in report.leftovers] == [Kind.ATTACHMENT]
    assert stage.world.states() == {**first, (Kind.ATTACHMENT, ("a", "p")): Present()}


def test_marks_stay_where_another_run_is_at_work() -> None:
    stage = Stage(taking_over())
    stage.world.failures[Kind.SERVICE_ACCOUNT, ("n", "a")] = Failure.REFUSED
    stage.world.claim_of = lambda change, ours: "taken over" if change.kind is Kind.ROLE_OWNER else ""
    assert len(stage.execute().leftovers) == 2
    assert stage.world.undos == []


def test_who_goes_on_from_another_run_and_can_not_see_whether_it_has_ended_takes_nothing_away() -> None:
    stage = Stage(taking_over())
    stage.world.failures[Kind.SERVICE_ACCOUNT, ("n", "a")] = Failure.REFUSED

    def silent(change: Change, ours: bool) -> str:
        if change.kind is Kind.SERVICE_ACCOUNT:
            raise service_error(Outcome.REFUSED)
        return ""

    stage.world.claim_of = silent
    report = stage.execute()
    assert report.outcome == "incomplete"
    assert len(report.leftovers) == 2
    assert all(isinstance(item.error, Waits) for item in report.leftovers)
    assert stage.world.undos == []


@pytest.mark.parametrize("kind", [Kind.ROLE, Kind.NAMESPACE])
def test_what_an_attempt_without_an_answer_makes_once_more_is_taken_back(kind: Kind) -> None:
    """The next attempt was answered, so that the step is done, and its rollback frees the name."""
    made = Change(kind, ("a",), None, NamespaceState())
    fails = Change(Kind.ATTACHMENT, ("b",), None, Present())
    stage = Stage(Plan(((made,), (fails,))))
    first = stage.world.states()
    stage.world.failures[Kind.ATTACHMENT, ("b",)] = Failure.REFUSED

    def attempt_twice(change: Change) -> None:
        if change == made:
            give_up()
            stage.world.late(made, "t1")

    stage.world.on_write = attempt_twice
    assert stage.execute().outcome == "rolled-back"
    stage.world.clock.sleep(LATE_WINDOW)
    stage.world.arrive()
    assert stage.world.states() == first


def test_what_roles_trust_is_taken_back_after_the_roles_of_its_stage() -> None:
    """The look whether somebody trusts it must not find what the run is about to take back itself."""
    audience = Change(Kind.AUDIENCE, ("p", "a"), None, Present())
    first = (audience, *a_plan(2).stages[0])
    last = Change(Kind.ATTACHMENT, ("r", "p"), None, Present())
    stage = Stage(Plan((first, (last,))))
    stage.world.failures[key_of(last)] = Failure.REFUSED
    assert stage.execute().outcome == "rolled-back"
    assert [change.target for change in stage.world.undos] == [("a",), ("b",), ("p", "a")]


@given(some.plans(), st.data())
@settings(max_examples=examples(60))
def test_a_plan_whose_end_comes_later_keeps_what_was_released_and_takes_back_the_rest(
    plan: Plan, data: st.DataObject
) -> None:
    clock = Clock()
    world = before(plan, clock)
    kept = data.draw(st.sets(st.sampled_from([key_of(change) for change in plan])))
    with tempfile.TemporaryDirectory() as name, mock.patch("os.fsync"), clock.ruling():
        journal = Journal.open(Path(name), "t1", Plan((*plan.stages, ())), {})
        run = Run("t1", 100.0)
        transaction = Transaction(plan, world.handlers, journal, run)
        assert transaction.execute(ends_later=True).outcome == "committed"
        # Killed here, it is found, and all of it is to be taken back.
        story = read(journal.path)
        assert (story.finished, all(item.needs_undo for item in story.records)) == (False, True)
        transaction.release(lambda change: key_of(change) in kept)
        assert [key_of(item.change) for item in read(journal.path).records if not item.needs_undo] == [
            key_of(change) for change in plan if key_of(change) in kept
        ]
        report = transaction.end()
        journal.close()
        assert read(journal.path).finished
    assert report.outcome == ("committed" if kept else "rolled-back")
    for change in plan:
        entry = world.objects.get(key_of(change))
        assert (entry.state if entry else None) == (change.after if key_of(change) in kept else change.before)


def test_what_somebody_needs_by_the_end_stays_and_what_can_not_be_taken_back_is_told() -> None:
    for error, outcome in ((Conflict("in use"), "committed"), (STUCK, "incomplete")):
        clock = Clock()
        plan = Plan.of([Change(Kind.NAMESPACE, ("a",), None, NamespaceState())])
        world = before(plan, clock)
        with clock.ruling():
            transaction = Transaction(plan, world.handlers, MemoryJournal(), Run("t1", 100.0))
            transaction.execute(ends_later=True)
            world.stuck[Kind.NAMESPACE, ("a",)] = error
            report = transaction.end()
        assert (report.outcome, [item.error for item in report.leftovers]) == (outcome, [error])
