"""Orders of runs are judged: endings that no order explains must be called so, and only those."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faults.desired_states import DesiredState
from tests.faults.judge import Ending
from tests.faults.ran import Ran
from tests.faults.serial import unexplained

OWN = DesiredState("apps/app", policies=("p", "q"))
OTHER = replace(OWN, policies=("p",))
WEB = DesiredState("apps/web", policies=("p",))
OVER, OVER_TOO = (replace(wish, override=True) for wish in (OWN, OTHER))
NAMED = Ending(3, ("Role r",), ("irsa recover",))


def ran(desired: DesiredState, code: int = 0, **facts: Any) -> Ran:
    ending = NAMED if code == 3 else Ending(code)
    return Ran(desired, ending, killed=code == -9, **facts)


def explained(*runs: Ran, true: Sequence[DesiredState] = ()) -> bool:
    """Whether it is, and the same whatever the order in which the runs are told."""
    (found,) = {not unexplained(order, lambda run: run.desired in true) for order in permutations(runs)}
    return found


@pytest.mark.parametrize(
    ("runs", "fair"),
    [
        ([ran(OWN), ran(OWN), ran(WEB)], True),
        ([ran(OWN), ran(OWN, 1)], False),
        ([ran(OWN), ran(OWN, 4)], False),
        ([ran(OWN), ran(OTHER, 4)], True),
        ([ran(OWN), ran(OTHER)], False),
        ([ran(OWN), ran(OTHER, 1)], False),
        ([ran(OWN), ran(OTHER, 3)], False),
        ([ran(OWN), ran(OTHER, 143)], False),
        ([ran(OWN), ran(OTHER, 1, struck=True)], True),
        # What was done to others is no reason to fail.
        ([ran(OWN), ran(OWN, 1), ran(WEB, 1, struck=True)], False),
        ([ran(OWN), ran(OWN, 1), ran(OWN, -9)], False),
        ([ran(OWN, 4), ran(OWN, -9)], False),
        # What a killed run has begun may be in the way of another wish, what was taken back may not.
        ([ran(OWN, -9), ran(OTHER, 4)], True),
        ([ran(OWN, 3, struck=True), ran(OTHER, 4)], True),
        ([ran(OWN, 1, struck=True), ran(OTHER, 4)], False),
        ([ran(OWN, 4), ran(OTHER, 4)], False),
        ([ran(WEB), ran(OWN, 4)], False),
    ],
)
def test_a_run_ends_as_if_it_had_come_before_or_after_each_other(runs: list[Ran], fair: bool) -> None:
    assert explained(*runs) is fair


@pytest.mark.parametrize(("first", "second", "fair"), [((0, 1), (2, 3), False), ((0, 2), (1, 3), True)])
def test_who_was_refused_before_the_other_began_was_refused_for_nothing(
    first: tuple[float, float], second: tuple[float, float], fair: bool
) -> None:
    refused = ran(OTHER, 4, began=first[0], ended=first[1])
    won = ran(OWN, began=second[0], ended=second[1])
    assert explained(refused, won) is fair


def test_the_last_that_overrides_has_the_last_word() -> None:
    one, other = ran(OVER, began=0, ended=1), ran(OVER_TOO, began=2, ended=3)
    assert explained(one, other, true=[OVER_TOO])
    assert not explained(one, other, true=[OVER])
    assert explained(replace(one, ended=4), other, true=[OVER])
    assert not explained(one, other)


@pytest.mark.parametrize(
    ("waits", "other", "fair"),
    [
        (ran(OWN, 4, waited=2.0, began=0, ended=2.5), ran(OWN, began=1, ended=9), True),
        (ran(OWN, 4, waited=2.0, began=0, ended=1), ran(OWN, began=0, ended=9), False),
        (ran(OWN, 4, waited=2.0, began=5, ended=9), ran(OWN, began=0, ended=1), False),
        # The lock of a killed run, or of one that could not give it back, is there for a while.
        (ran(OWN, 4, waited=2.0, began=5, ended=9), ran(WEB, -9, began=0, ended=1), True),
        (ran(OWN, 4, waited=2.0, began=5, ended=9), ran(WEB, 1, struck=True, began=0, ended=1), True),
    ],
)
def test_who_waited_in_vain_has_waited_for_somebody(waits: Ran, other: Ran, fair: bool) -> None:
    assert explained(waits, other) is fair


def test_runs_without_a_lock_may_be_in_each_others_way() -> None:
    unlocked = replace(OWN, role_only=True)
    assert explained(ran(unlocked, 3), ran(unlocked))
    assert explained(ran(OWN, 1), ran(unlocked))
    assert not explained(ran(unlocked, 4), ran(unlocked))
    assert not explained(ran(unlocked, 1), ran(WEB))
    assert not explained(ran(unlocked, 1, began=5), ran(unlocked, ended=1))


def test_a_namespace_that_ends_was_taken_back_by_somebody() -> None:
    met = ran(WEB, 1, met_the_end=True)
    assert explained(met, ran(OWN, 1, struck=True))
    assert explained(met, ran(OWN, -9, struck=True))
    assert not explained(met, ran(OWN, struck=True))
    assert not explained(met, ran(OWN))


@given(st.lists(st.sampled_from([OWN, WEB, replace(WEB, account="apps/job")]), min_size=1, max_size=4))
def test_runs_that_do_not_differ_all_win(desired_states: list[DesiredState]) -> None:
    assert explained(*map(ran, desired_states))
    assert not explained(*map(ran, desired_states), ran(OWN, 4))
