"""What is proposed for what a rollback has left: nothing that destroys what may be somebody else's."""

import re

import pytest
from hypothesis import given

from irsa_cli.core.plan.changes import Kind, Plan
from irsa_cli.core.values.errors import (
    Claimed,
    Conflict,
    DeadlineExceeded,
    FailedCall,
    IrsaError,
    ServiceError,
    Waits,
)
from irsa_cli.transaction.protocol import Leftover
from irsa_cli.usecases.command.execute import left
from tests.unit.plan import strategies as some

DESTROYS = re.compile(r"delete|remove|detach|edit|put-|update|tag-")


@given(some.plans(tuple(Kind)))
def test_what_somebody_else_has_changed_is_to_be_looked_at(plan: Plan) -> None:
    for change in plan:
        error = Conflict("it was left alone")
        found = left(Leftover(change, error), "t1")
        if change.after is None:
            assert found.repair == "irsa recover t1"
            continue
        command, _, comment = found.repair.partition("  # ")
        words = command.replace(change.target[0], "").replace(change.target[-1], "")
        assert comment
        assert not DESTROYS.search(words), found.repair
        assert re.match(r"(aws (iam|eks) (get|list)|kubectl (-n \S+ )?get) ?", command), command
        assert not found.in_use


@pytest.mark.parametrize(
    "error",
    [
        ServiceError("no", FailedCall("iam", "DeleteRole", "x")),
        Waits("waits"),
        DeadlineExceeded("late"),
        IrsaError("else"),
        RuntimeError("a bug"),
    ],
)
@given(some.plans(tuple(Kind)))
def test_what_failed_is_tried_again_by_its_journal(error: Exception, plan: Plan) -> None:
    for change in plan:
        assert left(Leftover(change, error), "t1").repair == "irsa recover t1"


@given(some.plans(tuple(Kind)))
def test_what_others_count_on_is_in_use(plan: Plan) -> None:
    for change in plan:
        found = left(Leftover(change, Claimed("theirs")), "t1")
        assert found.in_use
        assert found.repair.startswith("irsa recover t1  #")
