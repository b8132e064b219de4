"""What a rollback leaves behind, and for whom: what another hand took is reported, and two checks are one."""

from __future__ import annotations

import itertools

import pytest

from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import Present, RoleState
from irsa_cli.core.values.errors import Conflict, Gone, IrsaError, MadeAgain, Waits
from irsa_cli.transaction.rollback import InUse, together
from tests.support.named import named
from tests.unit.transaction.doubles import Failure, key_of
from tests.unit.transaction.test_engine import Stage

ROLE = Change(Kind.ROLE, ("r",), None, RoleState("/", {}))
LAST = Change(Kind.INLINE_POLICY, ("t", "last"), None, Present())
DOWN, CHANGED = IrsaError("the service is down"), Conflict("somebody changed it")


@named(
    "policy_of error journal",
    ("another role of the name", "", MadeAgain("another role"), "rolled-back"),
    ("gone", "", Gone("its role is gone"), "rolled-back"),
    ("the policy of another role", "s", CHANGED, "incomplete"),
    ("its own policy, for which it waits", "r", CHANGED, "incomplete"),
)
def test_what_another_hand_took_is_reported_and_ends_the_rollback(
    policy_of: str, error: IrsaError, journal: str
) -> None:
    """Unless something else could not be taken back."""
    attached = [Change(Kind.ATTACHMENT, (policy_of, "p"), None, Present())] if policy_of else []
    stage = Stage(Plan.of([ROLE], attached, [LAST]), last=Failure.REFUSED)
    stage.world.stuck = {key_of(ROLE): error, **{key_of(change): DOWN for change in attached}}
    report = stage.ends("incomplete", "p r" if attached else "r")
    assert stage.journal.lines[-1][2]["outcome"] == journal
    (told,) = (item.error for item in report.leftovers if item.change == ROLE)
    assert isinstance(told, Waits) if policy_of == "r" else told is error


@pytest.mark.parametrize(("first", "second"), itertools.product([True, False], repeat=2))
def test_of_two_roles_both_runs_have_to_have_ended(first: bool, second: bool) -> None:
    def found(one: frozenset[str], other: frozenset[str]) -> tuple[bool, frozenset[str]]:
        both = together(InUse("a", ended=first, roles=one), InUse("b", ended=second, roles=other))
        assert both is not None
        return both.ended, both.roles

    one, other, unknown = frozenset({"r"}), frozenset({"s"}), frozenset[str]()
    assert found(one, other) == (first and second, one | other)
    assert found(one, one) == (first or second, one)
    assert found(unknown, one) == (first or second, unknown)


def test_what_was_read_is_told_before_what_was_not() -> None:
    read, unread = InUse("a pod uses it"), InUse("no answer", unread=True)
    assert together(read, unread) == together(unread, read) == read
    assert together(None, unread) == together(unread, None) == unread
    assert together(None, None) is None
