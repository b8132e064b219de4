"""What a rollback leaves behind, and for whom: what another hand took is reported, and two checks are one."""

from __future__ import annotations

import pytest

from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import Present, RoleState
from irsa_cli.core.values.errors import Conflict, Gone, IrsaError, MadeAgain, Waits
from irsa_cli.transaction.protocol import Run
from irsa_cli.transaction.rollback import InUse, together
from irsa_cli.transaction.runner import Transaction
from tests.unit.transaction.doubles import Clock, Failure, MemoryJournal, before, key_of

ROLE = Change(Kind.ROLE, ("r",), None, RoleState("/", {}))
ATTACHED = Change(Kind.ATTACHMENT, ("r", "p"), None, Present())
OTHER = Change(Kind.ATTACHMENT, ("s", "p"), None, Present())
LAST = Change(Kind.INLINE_POLICY, ("t", "p"), None, Present())


def rolled_back(plan: Plan, stuck: list[tuple[Change, IrsaError]]) -> tuple[str, dict[Kind, Exception]]:
    """How the journal ends after the last change failed, and the errors of what the rollback has left."""
    journal = MemoryJournal()
    with Clock().ruling() as clock:
        world = before(plan, clock)
        world.failures[key_of(LAST)] = Failure.REFUSED
        world.stuck = {key_of(change): error for change, error in stuck}
        report = Transaction(plan, world.handlers, journal, Run("t1", 100.0)).execute()
    assert report.outcome == "incomplete"
    return journal.lines[-1][2]["outcome"], {item.change.kind: item.error for item in report.leftovers}


@pytest.mark.parametrize("error", [MadeAgain("another role of the name"), Gone("its role is gone")])
def test_what_another_hand_took_is_reported_and_ends_the_rollback(error: IrsaError) -> None:
    outcome, left = rolled_back(Plan.of([ROLE], [LAST]), [(ROLE, error)])
    assert (outcome, left) == ("rolled-back", {Kind.ROLE: error})


def test_a_role_waits_for_its_own_policy_that_could_not_be_detached() -> None:
    failed, conflict = IrsaError("the service is down"), Conflict("its policies differ")
    outcome, left = rolled_back(Plan.of([ROLE], [ATTACHED], [LAST]), [(ATTACHED, failed), (ROLE, conflict)])
    assert outcome == "incomplete"
    assert isinstance(left[Kind.ROLE], Waits)


def test_a_role_does_not_wait_for_the_policy_of_another_role() -> None:
    failed, conflict = IrsaError("the service is down"), Conflict("somebody changed it")
    outcome, left = rolled_back(Plan.of([ROLE], [OTHER], [LAST]), [(OTHER, failed), (ROLE, conflict)])
    assert (outcome, left[Kind.ROLE]) == ("incomplete", conflict)


def test_of_two_roles_both_runs_have_to_have_ended() -> None:
    one, other = frozenset({"r"}), frozenset({"s"})
    for first in (True, False):
        for second in (True, False):
            apart = together(InUse("a", ended=first, roles=one), InUse("b", ended=second, roles=other))
            same = together(InUse("a", ended=first, roles=one), InUse("b", ended=second, roles=one))
            unknown = together(InUse("a", ended=first), InUse("b", ended=second, roles=one))
            assert apart is not None
            assert same is not None
            assert unknown is not None
            assert (apart.ended, apart.roles) == (first and second, one | other)
            assert (same.ended, same.roles) == (first or second, one)
            assert (unknown.ended, unknown.roles) == (first or second, frozenset())


def test_what_was_read_is_told_before_what_was_not() -> None:
    read, unread = InUse("a pod uses it"), InUse("no answer", unread=True)
    assert together(read, unread) == together(unread, read) == read
    assert together(None, unread) == together(unread, None) == unread
    assert together(None, None) is None
