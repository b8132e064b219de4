"""Deletions that were cut off, or taken back in part: what ends them, what stays marked, the way on."""

from __future__ import annotations

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
from irsa_cli.transaction.recover import DeletionEnd, look_at_deletion
from tests.support.named import named
from tests.unit.transaction.doubles import STUCK, Clock, Failure, MemoryWorld, before, key_of
from tests.unit.transaction.test_engine import Stage
from tests.unit.transaction.test_recover import Remains, failing, filmed, remains

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


ELSEWHERE = Change(Kind.ATTACHMENT, ("another", "p"), Present(), None)


@named(
    "change plan left expected",
    *((f"{kept.kind.value} for {left.kind.value}", kept, WHOLE, [left], True)
      for kept in (OWNER, COMMIT, UNBIND) for left in (DETACH, ROLE, UNBIND)),
    ("a policy for a role", DETACH, WHOLE, [ROLE], False),
    *((f"{change.kind.value} for nothing", change, WHOLE, [], False) for change in WHOLE),
    *((f"{change.kind.value} for the ServiceAccount", change, WHOLE, [DELETE], False) for change in WHOLE),
    ("no role goes", OWNER, Plan.of([OWNER], [DETACH]), [DETACH], False),
    ("another role", COMMIT, WHOLE, [ELSEWHERE], False),
)  # fmt: skip
def test_the_ground_of_a_deletion_waits_for_what_is_left(
    change: Change, plan: Plan, left: list[Change], expected: bool
) -> None:
    assert waits(change, plan, left) is expected


def test_a_rollback_that_fails_keeps_the_marks() -> None:
    stage = Stage(Plan.of([COMMIT], [DETACH], [ROLE]))
    stage.world.failures[key_of(ROLE)] = Failure.REFUSED
    stage.world.stuck[key_of(DETACH)] = STUCK
    report = stage.ends("incomplete", "p r")
    assert {item.change.kind for item in report.leftovers} == {Kind.ATTACHMENT, Kind.ROLE_COMMIT}
    assert stage.world.states()[key_of(COMMIT)] == COMMIT.after


def looked_at(found: Remains) -> DeletionEnd:
    return look_at_deletion(found.path, found.story, found.world.handlers, lambda event: None)


def is_gone(world: MemoryWorld) -> bool:
    return not {key_of(change) for change in LIGHT} & world.objects.keys()


def test_what_can_not_come_back_ends_the_transaction() -> None:
    seen = set()
    for moment in filmed(LIGHT)[:-1]:
        with remains(moment) as found:
            gone = LAST not in found.world.objects
            seen.add(gone)
            assert (looked_at(found) is DeletionEnd.ENDED) is gone
            assert (found.story.outcome == "committed") is gone
            if not gone:
                assert found.back() == ""
                assert found.world.states() == before(LIGHT, Clock()).states()
    assert seen == {True, False}


def test_a_deletion_that_is_on_its_way_back_is_not_ended() -> None:
    """The last step was refused, and its object goes later by another hand: of nothing else, or of all."""
    for moment in filmed(LIGHT, failing(LAST, Failure.REFUSED))[:-1]:
        with remains(moment) as found:
            found.world.objects.pop(LAST)
            story = found.story
            begun = any(item.begun and not item.refused for item in story.stages[-1])
            over = is_gone(found.world) and not any(item.undone for item in story.records)
            assert (looked_at(found) is not DeletionEnd.OPEN) is (begun or over)


def test_a_deletion_that_is_half_taken_back_is_gone_on_with() -> None:
    """The last step was done, and nobody could see that: the ones before it were taken back."""

    def cut_off_from_the_last(world: MemoryWorld) -> None:
        world.failures[LAST] = Failure.DONE_UNKNOWN
        world.blind[LAST] = world.stuck[LAST] = STUCK

    halves = []
    for moment in filmed(LIGHT, cut_off_from_the_last):
        if LAST in moment[1].objects:
            continue
        with remains(moment) as found:
            end = looked_at(found)
            half = any(record.undone for record in found.story.records)
            assert end is (DeletionEnd.HALF if half else DeletionEnd.ENDED)
            halves.append(half)
            assert not half or found.forward().outcome == "committed"
            assert found.story.outcome == "committed"
            assert not half or is_gone(found.world)
    assert any(halves)


def test_what_was_deleted_later_is_passed_over_on_the_way_forward() -> None:
    for moment in filmed(Plan.of([COMMIT], [DETACH], [ROLE], [DELETE]))[:-1]:
        with remains(moment) as found:
            if key_of(ROLE) not in found.world.objects:
                # As in IAM: what is on a role goes with it.
                found.world.objects.pop(key_of(COMMIT), None)
            assert found.forward().outcome == "committed"
