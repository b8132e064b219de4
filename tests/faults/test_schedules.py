"""A sample of concurrent schedules, and those that once failed; all: `python -m tests.faults.schedules`."""

import os
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faults.commands import MANAGED
from tests.faults.desired_states import DesiredState, differ
from tests.faults.once_failed_schedules import ONCE_FAILED
from tests.faults.schedule import (
    AFTER,
    SCENARIOS,
    STRIKES,
    TO_THE_END,
    Hold,
    Part,
    Schedule,
    Start,
    Strike,
    schedule,
)
from tests.faults.schedules import play

COUNT = int(os.environ.get("IRSA_SCHEDULES", "6"))
SEED = int(os.environ.get("IRSA_FAULTS_SEED", "0"))
NUMBERS = st.tuples(st.integers(0, 10**6), st.integers(0, 10**6))


def failed(plans: Sequence[Schedule]) -> dict[int, str]:
    """Play schedules, in a process of their own: this one may have a sandbox; the stories of what failed."""
    results = list(play("sandbox", plans))
    assert len(results) == len(plans)
    return {result.schedule.number: result.story for result in results if result.failed}


def test_a_sample_breaks_no_promise() -> None:
    assert failed([schedule(SEED, number) for number in range(COUNT)]) == {}


def test_what_once_failed_holds() -> None:
    assert failed(ONCE_FAILED) == {}


def test_an_irsa_that_is_broken_is_noticed() -> None:
    desired_states = [
        DesiredState("apps/app", policies=MANAGED[:1]),
        DesiredState("apps/app", policies=MANAGED[1:]),
    ]
    parts = (Part(desired_states[0]), Part(desired_states[1], Start(0, TO_THE_END)))
    plan = Schedule(0, 0, "different wishes", parts, ())
    assert failed([plan]) == {}
    (result,) = play("sandbox", [plan], mutant="failures-are-called-success")
    assert result.judgement.lies


LONG = DesiredState("apps/app", policies=MANAGED[:1])
AFTER_ALL = Part(LONG, Start(0, TO_THE_END))
HELD = Schedule(
    *(0, 1, "same wish"),
    (Part(LONG), Part(LONG, Start(0, 9)), AFTER_ALL),
    (Hold(0, 0, 2, TO_THE_END, "AttachRolePolicy"),),
)
"""A call of the first run takes longer than it may go on without renewing; the second waits meanwhile."""
TAKEN_OVER = Schedule(
    *(0, 2, "same wish"),
    (
        Part(LONG, strikes=(Strike("paused-answered", 9),)),
        Part(LONG, Start(0, 9)),
        Part(LONG, Start(1, TO_THE_END)),
    ),
    (Hold(1, 0, 2, TO_THE_END, "TagRole"), Hold(1, 0, 2, TO_THE_END, "AttachRolePolicy")),
)
"""The first run goes on while the second, which has taken its lock over, is at work."""


@pytest.mark.parametrize("plan", [HELD, TAKEN_OVER], ids=["held", "taken over"])
def test_locks_are_renewed_and_taken_over(plan: Schedule) -> None:
    assert failed([plan]) == {}


@pytest.mark.parametrize(
    ("plan", "mutant"),
    [
        (HELD, "locks-are-never-renewed"),
        (HELD, "locks-are-taken-from-the-living"),
        (TAKEN_OVER, "another-runs-lock-is-given-back"),
    ],
)
def test_locks_that_are_broken_are_noticed(plan: Schedule, mutant: str) -> None:
    (result,) = play("sandbox", [plan], mutant=mutant)
    assert result.judgement.unfair, result


@given(NUMBERS)
def test_a_schedule_is_made_from_its_numbers_alone(numbers: tuple[int, int]) -> None:
    assert schedule(*numbers) == schedule(*numbers)


@given(NUMBERS)
def test_a_schedule_can_be_played(numbers: tuple[int, int]) -> None:
    plan = schedule(*numbers)
    assert 2 <= len(plan.parts) <= 4
    assert plan.parts[0].start is None
    for number, part in enumerate(plan.parts):
        assert part.start is None or part.start.after < number
        assert len(part.strikes) <= 2
        assert {strike.injection for strike in part.strikes} <= {*STRIKES}
    for hold in plan.holds:
        assert hold.run != hold.other
        assert {hold.run, hold.other} <= set(range(len(plan.parts)))


@given(NUMBERS)
def test_every_run_could_win_by_itself(numbers: tuple[int, int]) -> None:
    plan = schedule(*numbers)
    for part in plan.parts:
        assert plan.provider or part.desired.associate
        assert not plan.existing or part.desired.override or part.desired.role_only
        assert bool(part.desired.policies) != part.desired.shared


def test_two_hundred_schedules_have_everything_in_them() -> None:
    plans = [schedule(1, number) for number in range(200)]
    assert {plan.scenario for plan in plans} == SCENARIOS.keys()
    struck = Counter(strike.injection for plan in plans for part in plan.parts for strike in part.strikes)
    assert struck.keys() == {*STRIKES}
    assert {len(plan.parts) for plan in plans} == {2, 3, 4}
    assert {plan.after for plan in plans} == set(AFTER)
    for scenario in ("same wish", "different wishes"):
        differing = {
            any(differ(one.desired, other.desired) for one in plan.parts for other in plan.parts)
            for plan in plans
            if plan.scenario == scenario
        }
        assert differing == {scenario == "different wishes"}
