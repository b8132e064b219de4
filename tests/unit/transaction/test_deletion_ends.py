"""Deletions that were cut off, or taken back in part: what ends them, what stays marked, the way on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from irsa_cli.core.plan.changes import Change, Kind, Plan, waits
from irsa_cli.core.plan.states import (
    DELETING,
    ROLE_ARN_ANNOTATION,
    CommitState,
    OwnerState,
    Present,
    RoleState,
    ServiceAccountState,
)
from irsa_cli.transaction.protocol import Run
from irsa_cli.transaction.reading import read
from irsa_cli.transaction.recover import DeletionEnd, look_at_deletion, roll_back
from irsa_cli.transaction.runner import Transaction
from tests.unit.transaction.doubles import STUCK, Clock, Failure, MemoryJournal, MemoryWorld, before, key_of
from tests.unit.transaction.test_forward import onward
from tests.unit.transaction.test_recover import film, killed

ARN = "arn:aws:iam::111122223333:role/irsa/demo/r"
OWNER = Change(Kind.ROLE_OWNER, ("r",), OwnerState("t0"), OwnerState(""))
COMMIT = Change(Kind.ROLE_COMMIT, ("r",), None, CommitState(DELETING))
ANNOTATED, BARE = (ServiceAccountState({ROLE_ARN_ANNOTATION: value}) for value in (ARN, None))
UNBIND = Change(Kind.SERVICE_ACCOUNT, ("a", "b"), ANNOTATED, BARE)
DETACH = Change(Kind.ATTACHMENT, ("r", "p"), Present(), None)
ROLE = Change(Kind.ROLE, ("r",), RoleState("/", {}), None)
DELETE = Change(Kind.SERVICE_ACCOUNT, ("a", "b"), BARE, None)
WHOLE = Plan.of([OWNER], [COMMIT], [UNBIND], [DETACH], [ROLE], [DELETE])
# In the world of these tests, the owner and the ServiceAccount of the other stage are objects of their own.
LIGHT = Plan.of([DETACH], [ROLE], [Change(Kind.SERVICE_ACCOUNT, ("c", "d"), BARE, None)])
LAST = Kind.SERVICE_ACCOUNT, ("c", "d")


@pytest.mark.parametrize("left", [DETACH, ROLE, UNBIND])
def test_the_ground_of_a_deletion_waits_for_what_is_left(left: Change) -> None:
    for change in (OWNER, COMMIT):
        assert waits(change, WHOLE, [left])
    assert waits(UNBIND, WHOLE, [left])
    assert not waits(DETACH, WHOLE, [ROLE])


def test_nothing_waits_where_all_came_back_or_no_role_goes() -> None:
    assert not any(waits(change, WHOLE, []) for change in WHOLE)
    assert not any(waits(change, WHOLE, [DELETE]) for change in WHOLE)
    assert not waits(OWNER, Plan.of([OWNER], [DETACH]), [DETACH])
    elsewhere = Change(Kind.ATTACHMENT, ("another", "p"), Present(), None)
    assert not waits(COMMIT, WHOLE, [elsewhere])


def test_a_rollback_that_fails_keeps_the_marks() -> None:
    with Clock().ruling() as clock:
        plan = Plan.of([COMMIT], [DETACH], [ROLE])
        world = before(plan, clock)
        world.failures[key_of(ROLE)] = Failure.REFUSED
        world.stuck[key_of(DETACH)] = STUCK
        report = Transaction(plan, world.handlers, MemoryJournal(), Run("t1", 100.0)).execute()
    assert report.outcome == "incomplete"
    assert {item.change.kind for item in report.leftovers} == {Kind.ATTACHMENT, Kind.ROLE_COMMIT}
    assert world.states()[key_of(COMMIT)] == COMMIT.after


Prepare = Callable[[MemoryWorld], object]


def moments(folder: Path, prepare: Prepare = lambda world: None) -> list[tuple[bytes, MemoryWorld]]:
    with Clock().ruling() as clock:
        return film(folder, LIGHT, clock, prepare)


def test_what_can_not_come_back_ends_the_transaction(tmp_path: Path) -> None:
    ended = 0
    for content, world in moments(tmp_path)[:-1]:
        gone = LAST not in world.objects
        with killed(content) as path, Clock().ruling() as clock:
            world.clock = clock
            found = look_at_deletion(path, read(path), world.handlers, lambda event: None)
            finished = found is DeletionEnd.ENDED
            assert finished is gone
            assert (read(path).outcome == "committed") is gone
            if not gone:
                assert roll_back(path, read(path), world.handlers, lambda event: None) == []
                assert world.states() == before(LIGHT, clock).states()
        ended += finished
    assert ended


def test_a_deletion_that_is_on_its_way_back_is_not_ended(tmp_path: Path) -> None:
    """The last step was refused, and its object goes later by another hand: of nothing else, or of all."""
    refused = moments(tmp_path, lambda world: world.failures.update({LAST: Failure.REFUSED}))
    for content, world in refused[:-1]:
        world.objects.pop(LAST)
        with killed(content) as path, Clock().ruling() as clock:
            world.clock = clock
            story = read(path)
            begun = [item for item in story.stages[-1] if item.begun and not item.refused]
            found = look_at_deletion(path, story, world.handlers, lambda event: None)
            gone = not {key_of(change) for change in LIGHT} & world.objects.keys()
            over = gone and not any(item.undone for item in story.records)
            assert (found is not DeletionEnd.OPEN) is (bool(begun) or over)


def test_a_deletion_that_is_half_taken_back_is_gone_on_with(tmp_path: Path) -> None:
    """The last step was done, and nobody could see that: the ones before it were taken back."""

    def cut_off_from_the_last(world: MemoryWorld) -> None:
        world.failures[LAST] = Failure.DONE_UNKNOWN
        world.blind[LAST] = world.stuck[LAST] = STUCK

    half = 0
    for content, world in moments(tmp_path, cut_off_from_the_last):
        if LAST in world.objects:
            continue
        with killed(content) as path, Clock().ruling() as clock:
            world.clock = clock
            found = look_at_deletion(path, read(path), world.handlers, lambda event: None)
            assert found is (
                DeletionEnd.HALF if any(r.undone for r in read(path).records) else DeletionEnd.ENDED
            )
            if found is DeletionEnd.HALF:
                assert onward(path, world).outcome == "committed"
                half += 1
            assert read(path).outcome == "committed"
            if found is DeletionEnd.HALF:
                assert not {key_of(change) for change in LIGHT} & world.objects.keys()
    assert half


def test_what_was_deleted_later_is_passed_over_on_the_way_forward(tmp_path: Path) -> None:
    plan = Plan.of([COMMIT], [DETACH], [ROLE], [DELETE])
    with Clock().ruling() as clock:
        filmed = film(tmp_path, plan, clock, lambda world: None)
    for content, world in filmed[:-1]:
        if key_of(ROLE) not in world.objects:
            # As in IAM: what is on a role goes with it.
            world.objects.pop(key_of(COMMIT), None)
        with killed(content) as path, Clock().ruling():
            assert onward(path, world).outcome == "committed"
