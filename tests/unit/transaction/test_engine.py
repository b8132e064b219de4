"""The engine, judged by the world: whatever fails, wherever, all of it happened or none of it did."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
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
from tests.support.named import named
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

REFUSED, LOST, NEVER = Failure.REFUSED, Failure.DONE_UNKNOWN, Failure.NOT_DONE_UNKNOWN


class Stage:
    """A plan, the world it meets, and what there was to see.

    `failing`, by the last name of a change's target: how it fails, or how often taking it back does.
    """

    def __init__(self, plan: Plan | str, lines: float = float("inf"), **failing: Failure | int) -> None:
        self.plan = a_plan(plan) if isinstance(plan, str) else plan
        self.clock, self.journal = Clock(), MemoryJournal(lines)
        self.events: list[Event] = []
        self.seconds, self.options = 100.0, dict[str, Any]()
        self.world, self.run = before(self.plan, self.clock), Run("t1", 0.0)
        for name, how in failing.items():
            (key,) = (key_of(change) for change in self.plan if change.target[-1] == name)
            failures: dict[Any, Any] = self.world.passing if isinstance(how, int) else self.world.failures
            failures[key] = how

    def execute(self) -> RunReport:
        with self.clock.ruling(), mock.patch.object(steps, "PARALLEL", 1):
            self.run.__init__("t1", self.seconds)  # type: ignore[misc]
            gate, listen = self.options.pop("gate", None), self.options.pop("listen", self.events.append)
            handlers = self.world.handlers
            report = Transaction(self.plan, handlers, self.journal, self.run, listen, **self.options).execute(
                gate
            )
            # Nothing more may happen after the run has told how it ended.
            self.clock.now += 1000.0
            self.world.arrive()
        return report

    def ends(self, outcome: str, left: str = "") -> RunReport:
        """Execute it; these are left by the last names of their targets, and the world is as it has to be."""
        wished = {"rolled-back": self.world.states(), "committed": desired(self.plan, self.world)}
        report = self.execute()
        assert (report.outcome, targets(item.change for item in report.leftovers)) == (outcome, left)
        assert self.world.states() == wished.get(outcome, self.world.states())
        return report

    @property
    def waited(self) -> float:
        return sum(self.clock.naps)

    def claim(self, answer: str | Exception, *kinds: Kind, name: str = "", times: int = 999) -> list[Change]:
        """Have who is asked of such changes answer so, so many times; returns what they are asked of."""
        asked: list[Change] = []

        def answered(change: Change, ours: bool) -> str:
            if change.kind not in kinds or (name and name not in change.target) or len(asked) >= times:
                return ""
            asked.append(change)
            if isinstance(answer, str):
                return answer
            raise answer

        self.world.claim_of = answered
        return asked


def targets(changes: Iterable[Change]) -> str:
    """The last names of the targets."""
    return " ".join(sorted(change.target[-1] for change in changes))


def states_of(report: RunReport) -> list[str]:
    return [item.state for item in report.changes]


def desired(plan: Plan, world: MemoryWorld) -> dict[Any, Any]:
    """The states after the plan."""
    states = world.states() | {key_of(change): change.after for change in plan}
    return {key: state for key, state in states.items() if state is not None}


def a_plan(stages: str, *role: str) -> Plan:
    """A plan of namespaces to be made, or of policies of a role: `ab c` is two of them and then one."""
    kind, state = (Kind.ATTACHMENT, Present()) if role else (Kind.NAMESPACE, NamespaceState())
    return Plan(
        tuple(
            tuple(Change(kind, (*role, name), None, state) for name in names) for names in stages.split(" ")
        )
    )


@settings(max_examples=examples(50))
@given(some.plans())
def test_a_plan_that_nothing_disturbs_is_carried_out(plan: Plan) -> None:
    stage = Stage(plan)
    report = stage.ends("committed")
    assert [(item.change, item.state) for item in report.changes] == [(change, "done") for change in plan]
    assert (report.error, stage.world.undos) == (None, [])
    assert stage.journal.lines[-1] == ("outcome", None, {"outcome": "committed"})


@settings(max_examples=examples(200))
@given(some.plans(), st.sampled_from(Failure), st.data())
def test_whatever_fails_the_world_is_as_before(plan: Plan, failure: Failure, data: st.DataObject) -> None:
    stage = Stage(plan)
    broken = data.draw(st.sampled_from(list(plan)))
    # Some of the rest is there already, made by somebody else: it is not ours to take back.
    drawn = data.draw(st.lists(st.sampled_from(list(plan)), unique_by=repr))
    there = {key_of(change): change.after for change in drawn if change != broken}
    for key, state in there.items():
        stage.world.objects.pop(key, None)
        if state is not None:
            stage.world.objects[key] = Entry(state, "somebody")
    stage.world.failures[key_of(broken)] = failure
    expected = stage.world.states()
    if failure is Failure.CONFLICT:
        expected[key_of(broken)] = STOLEN
    event(failure.name)
    if failure in (LOST, Failure.LATE) and broken in plan.stages[-1]:
        # The last stage is done, and others may have seen it.
        assert (stage.ends("committed").error, stage.world.undos) == (None, [])
        return
    report = stage.execute()
    assert (report.outcome, report.leftovers) == ("rolled-back", [])
    assert report.error is not None
    assert stage.world.states() == expected
    assert not {key_of(change) for change in stage.world.undos} & there.keys()
    assert stage.journal.lines[-1] == ("outcome", None, {"outcome": "rolled-back"})
    states = {key_of(item.change): item.state for item in report.changes}
    assert states[key_of(broken)] in ("failed", "undone")
    assert "done" not in states.values()


@settings(max_examples=examples(80))
@given(some.plans(), st.data())
def test_what_can_not_be_taken_back_is_listed_exactly(plan: Plan, data: st.DataObject) -> None:
    stage = Stage(plan)
    stage.world.failures[key_of(plan.stages[-1][-1])] = REFUSED
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
    stage = Stage(plan, lines)
    # Only the last lines, which say that the last change and all is done, may be missing.
    committed = lines >= 2 * len(plan) - 1
    report = stage.ends("committed" if committed else "rolled-back")
    assert committed or isinstance(report.error, JournalError)
    begun = [index for name, index, _ in stage.journal.lines if name == "begin"]
    assert len(stage.world.calls) == len(begun), "no call goes out that is not on disk"


@settings(max_examples=examples(50))
@given(some.plans(), st.booleans())
def test_a_listener_that_fails_is_not_the_runs_failure(plan: Plan, fails: bool) -> None:
    stage = Stage(plan)
    stage.options["listen"] = mock.Mock(side_effect=BrokenPipeError)
    if fails:
        stage.world.failures[key_of(plan.stages[-1][-1])] = REFUSED
    stage.ends("rolled-back" if fails else "committed")


@settings(max_examples=examples(80))
@given(some.plans(), st.sampled_from([REFUSED, LOST]), st.data())
def test_stages_run_in_order_and_are_taken_back_backwards(
    plan: Plan, failure: Failure, data: st.DataObject
) -> None:
    stage = Stage(plan)
    broken = data.draw(st.sampled_from(list(plan)))
    assume(failure is REFUSED or broken not in plan.stages[-1])
    stage.world.failures[key_of(broken)] = failure
    stage.execute()
    number = {key_of(change): index for index, items in enumerate(plan.stages) for change in items}
    forward, backward = (
        [number[key_of(change)] for change in seen] for seen in (stage.world.calls, stage.world.undos)
    )
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
        assert ("begin", list(plan).index(change), {}) in stage.journal.lines


@pytest.mark.parametrize("late_after", [0.5, 5.0, 14.0])
def test_a_write_that_arrives_late_is_caught(late_after: float) -> None:
    stage = Stage("ab c", a=Failure.LATE)
    stage.world.late_after = late_after
    stage.ends("rolled-back")
    assert late_after <= stage.waited <= LATE_WINDOW + 4


@pytest.mark.parametrize("failure", [REFUSED, Failure.NOT_SENT, Failure.CONFLICT])
def test_a_write_that_certainly_was_not_done_is_not_waited_for(failure: Failure) -> None:
    stage = Stage("a b", b=failure)
    stage.execute()
    assert (stage.waited, targets(stage.world.undos)) == (0, "a")
    assert ("refused", 1, {}) in stage.journal.lines


@named(
    "seconds outcome left least most",
    ("until the answer can not come any more", None, "rolled-back", "", LATE_WINDOW, 99),
    ("it may still appear, and nobody looks: it is told", 2.0, "incomplete", "a", 2, 2.001),
)
def test_a_lost_answer_is_looked_for(
    seconds: float | None, outcome: str, left: str, least: float, most: float
) -> None:
    stage = Stage("a", a=NEVER)
    if seconds is not None:
        stage.options["rollback_seconds"] = seconds
    stage.ends(outcome, left)
    assert least <= round(stage.waited, 6) <= most
    assert len(stage.world.undos) < 20


@named(
    "plan failing left least most",
    ("a failure passes", "a b", {"b": REFUSED, "a": 3}, "", 0, 30),
    ("a failure stays", "a b", {"b": REFUSED, "a": 10**6}, "a", 30, 34),
    ("time for what can be done", "a b c", {"c": REFUSED, "b": 10**6, "a": 4}, "b", 0, 29.9),
)
def test_taking_back_is_tried_again(
    plan: str, failing: dict[str, Any], left: str, least: float, most: float
) -> None:
    stage = Stage(plan, **failing)
    stage.options["rollback_seconds"] = 30.0
    stage.ends("incomplete" if left else "rolled-back", left)
    assert least <= stage.waited < most


@pytest.mark.parametrize("number", [2, 15])
@pytest.mark.parametrize("during", range(4))
def test_a_signal_stops_the_run_before_its_next_call(number: int, during: int) -> None:
    stage = Stage("a b c d")
    target = list(stage.plan)[during]
    stage.world.on_write = lambda change: stage.run.interrupt(number) if change == target else None
    # When all is done, the signal comes to be noticed too late.
    error = stage.ends("committed" if during == 3 else "rolled-back").error
    assert len(stage.world.calls) == during + 1
    assert isinstance(error, Interrupted) == (during != 3)
    assert getattr(error, "number", number) == number


def test_a_signal_while_a_handler_waits_takes_back_at_once() -> None:
    stage = Stage("b")

    def wait(change: Change) -> None:
        stage.run.interrupt(15)
        stage.run.pause(60)

    stage.world.on_write = wait
    assert isinstance(stage.ends("rolled-back").error, Interrupted)
    assert stage.waited == 0


@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.5, 2.5])
def test_a_deadline_stops_the_run_before_its_next_call(seconds: float) -> None:
    stage = Stage("a b c d")
    stage.seconds, stage.world.latency = seconds, 1.0
    assert isinstance(stage.ends("rolled-back").error, DeadlineExceeded)
    assert len(stage.world.calls) == int(seconds + 0.5)


@pytest.mark.parametrize(("plan", "calls"), [("a", 0), ("ab c", 2), ("a bc d", 3), ("a b ", 2)])
def test_a_gate_stands_before_the_last_stage(plan: str, calls: int) -> None:
    stage = Stage(plan)
    seen: list[int] = []
    stage.options["gate"] = lambda: seen.append(len(stage.world.calls))
    stage.ends("committed")
    assert seen == [calls]
    told = [item.step for item in stage.events]
    assert told.index(Step.GATE_PASSED) - 1 == told.index(Step.GATE) == 2 * calls


@pytest.mark.parametrize("error", [Unverified("refused"), RuntimeError("a bug")])
def test_a_gate_that_does_not_open_takes_everything_back(error: Exception) -> None:
    stage = Stage("ab c d")
    stage.options["gate"] = mock.Mock(side_effect=error)
    report = stage.ends("rolled-back")
    assert (report.error, states_of(report)) == (error, ["undone"] * 3 + ["pending"])
    assert Step.GATE_PASSED not in [item.step for item in stage.events]


def test_changes_of_a_stage_are_under_way_together() -> None:
    # The others of the stage are not cut off: they are waited for, then taken back.
    stage = Stage("abc d", a=REFUSED)
    assert states_of(stage.ends("rolled-back")) == ["failed", "undone", "undone", "pending"]
    assert len(stage.world.calls) == 3


def test_a_run_knows_what_it_made() -> None:
    stage = Stage("ab")
    stage.world.objects[Kind.NAMESPACE, ("a",)] = Entry(NamespaceState(), "somebody")
    assert states_of(stage.execute()) == ["unchanged", "done"]
    assert [stage.run.has_made(Kind.NAMESPACE, name) for name in "abc"] == [False, True, False]
    assert not stage.run.has_made(Kind.ROLE, "b")
    done = [facts for name, _, facts in stage.journal.lines if name == "done"]
    assert [tuple(facts.values()) for facts in done] == [(False, {}), (True, {"uid": "1"})]


def test_a_claim_names_the_incarnation_that_was_made_where_the_answer_came() -> None:
    stage = Stage("a b c", b=LOST)
    stage.execute()
    *unanswered, answered = stage.world.claims
    assert answered == Claim("t1", {"uid": "1"})
    assert {str(claim) for claim in unanswered} == {str(Claim("t1", {}))}


def test_a_last_stage_that_can_not_be_looked_at_or_is_somebody_elses_is_not_ours() -> None:
    last = (Kind.NAMESPACE, ("b",))
    stage = Stage("a b", b=LOST)
    stage.world.blind[last] = service_error(Outcome.REFUSED)
    stage.ends("rolled-back")
    stage = Stage("a b", b=NEVER)
    theirs = stage.world.objects[last] = Entry(NamespaceState(), "somebody")
    stage.ends("incomplete", "b")
    assert stage.world.objects[last] == theirs


def test_what_somebody_counts_on_is_left_alone_and_named() -> None:
    stage = Stage(a_plan("a bc d", "r"), d=REFUSED)
    stage.world.claim_of = lambda change, ours: "" if ours else "in use"
    report = stage.ends("incomplete", "a b c")
    assert {type(item.error) for item in report.leftovers} == {Claimed}
    assert stage.world.undos == []


def test_who_can_not_be_asked_is_asked_once_and_stops_nothing() -> None:
    stage = Stage(a_plan("a b c", "r"), c=REFUSED)
    asked = stage.claim(service_error(Outcome.UNKNOWN), *Kind)
    stage.ends("rolled-back")
    assert targets(asked) == "a b c"


def two_roles() -> Plan:
    """Two roles with a policy each, for a ServiceAccount each."""
    stages: list[list[Change]] = [[], [], []]
    for number in "12":
        role, arn = f"r{number}", f"arn:aws:iam::111122223333:role/r{number}"
        state = ServiceAccountState({ROLE_ARN_ANNOTATION: arn})
        stages[0].append(Change(Kind.ROLE, (role,), None, RoleState("/", {})))
        stages[1].append(Change(Kind.ATTACHMENT, (role, f"p{number}"), None, Present()))
        stages[2].append(Change(Kind.SERVICE_ACCOUNT, ("n", f"a{number}"), None, state))
    return Plan.of(*stages)


def test_who_counts_on_one_role_does_not_keep_another() -> None:
    stage = Stage(two_roles(), a1=REFUSED)
    first = stage.world.states()
    stage.claim("in use", Kind.SERVICE_ACCOUNT, name="a1")
    stage.ends("incomplete", "p1 r1")
    kept = {(Kind.ROLE, ("r1",)), (Kind.ATTACHMENT, ("r1", "p1"))}
    assert stage.world.states().keys() == first.keys() | kept
    assert stage.journal.lines[-1][2] == {"outcome": "superseded"}, "nothing of it is left to take back"


def test_a_role_whose_mark_can_not_be_read_is_waited_for_and_then_left() -> None:
    silence = service_error(Outcome.UNKNOWN, transient=True)
    passing = Stage(two_roles(), a1=REFUSED)
    passing.claim(silence, Kind.ROLE, name="r1", times=3)
    passing.ends("rolled-back")
    stage = Stage(two_roles(), a1=REFUSED)
    stage.claim(silence, Kind.ROLE, name="r1", times=100)
    report = stage.ends("incomplete", "p1 r1")
    assert {type(item.error) for item in report.leftovers} == {Waits}
    assert stage.world.undos != []


@named(
    "kind answer left error taken_back",
    ("it has ended: marks are given back", Kind.SERVICE_ACCOUNT, "in use", "p", Claimed, "r"),
    ("it is at work", Kind.ROLE_OWNER, "taken over", "p r", Claimed, ""),
    ("nobody can see that", Kind.SERVICE_ACCOUNT, service_error(Outcome.REFUSED), "p r", Waits, ""),
)
def test_who_goes_on_from_another_run_takes_nothing_away_from_it(
    kind: Kind, answer: Any, left: str, error: type[Exception], taken_back: str
) -> None:
    owner = Change(Kind.ROLE_OWNER, ("r",), OwnerState("other"), OwnerState(""))
    policy = Change(Kind.ATTACHMENT, ("r", "p"), None, Present())
    account = Change(Kind.SERVICE_ACCOUNT, ("n", "a"), None, ServiceAccountState({}))
    stage = Stage(Plan(((owner,), (policy,), (account,))), a=REFUSED)
    first = stage.world.states()
    stage.claim(answer, kind)
    report = stage.ends("incomplete", left)
    assert ({type(item.error) for item in report.leftovers}, targets(stage.world.undos)) == (
        {error},
        taken_back,
    )
    mark = {} if taken_back else {key_of(owner): owner.after}
    assert stage.world.states() == {**first, **mark, key_of(policy): Present()}


@pytest.mark.parametrize("kind", [Kind.ROLE, Kind.NAMESPACE])
def test_what_an_attempt_without_an_answer_makes_once_more_is_taken_back(kind: Kind) -> None:
    """The next attempt was answered, so that the step is done, and its rollback frees the name."""
    made = Change(kind, ("a",), None, NamespaceState())
    stage = Stage(Plan(((made,), *a_plan("b", "r").stages)), b=REFUSED)
    first = stage.world.states()

    def attempt_twice(change: Change) -> None:
        if change == made:
            give_up()
            stage.world.late(made, "t1")

    stage.world.on_write = attempt_twice
    stage.ends("rolled-back")
    stage.world.clock.sleep(LATE_WINDOW)
    stage.world.arrive()
    assert stage.world.states() == first


def test_what_roles_trust_is_taken_back_after_the_roles_of_its_stage() -> None:
    """The look whether somebody trusts it must not find what the run is about to take back itself."""
    audience = Change(Kind.AUDIENCE, ("p", "c"), None, Present())
    stage = Stage(Plan(((audience, *a_plan("ab").stages[0]), *a_plan("p", "r").stages)), p=REFUSED)
    stage.ends("rolled-back")
    assert [change.target[-1] for change in stage.world.undos] == ["a", "b", "c"]


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
