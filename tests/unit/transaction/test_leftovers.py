"""What is proposed for what a rollback has left: nothing that destroys what may be somebody else's."""

import re
import shlex

import pytest
from hypothesis import given

from irsa_cli.core.plan.changes import Kind, Plan
from irsa_cli.core.values.errors import (
    Claimed,
    Conflict,
    DeadlineExceeded,
    FailedCall,
    IrsaError,
    LockLost,
    ServiceError,
    Waits,
)
from irsa_cli.transaction.protocol import Leftover
from irsa_cli.usecases.command.execute import SAME_AGAIN, Repairs
from tests.unit.plan import strategies as some

DESTROYS = re.compile(r"delete|remove|detach|edit|put-|update|tag-")


@given(some.plans(tuple(Kind)))
def test_what_somebody_else_has_changed_is_to_be_looked_at(plan: Plan) -> None:
    for change in plan:
        error = Conflict("it was left alone")
        found = Repairs("t1").of(Leftover(change, error))
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
        assert Repairs("t1").of(Leftover(change, error)).repair == "irsa recover t1"


@given(some.plans(tuple(Kind)))
def test_what_others_count_on_is_in_use(plan: Plan) -> None:
    for change in plan:
        found = Repairs("t1").of(Leftover(change, Claimed("theirs")))
        assert found.in_use
        assert found.repair.startswith("irsa recover t1  #")


@given(some.plans(tuple(Kind)))
def test_what_is_over_for_others_waits_for_nobody(plan: Plan) -> None:
    target = {"cluster": "demo", "region": "eu-west-1", "profile": "my own", "kubeconfig": "x"}
    for change in plan:
        found = Repairs("t1", target).of(Leftover(change, Claimed("theirs", ended=True)))
        assert found.in_use
        if change.kind in (Kind.PROVIDER, Kind.AUDIENCE):
            words = shlex.split(found.repair, comments=True)
            known = [
                "irsa",
                "associate-oidc",
                "--cluster",
                "demo",
                "--region",
                "eu-west-1",
                "--profile",
                "my own",
            ]
            audience = ["--audience", change.target[-1]] if change.kind is Kind.AUDIENCE else []
            assert words == [*known, *audience]
        else:
            assert found.repair == SAME_AGAIN


@given(some.plans(tuple(Kind)))
def test_a_recovery_that_lost_its_lock_names_what_is_not_refused_then(plan: Plan) -> None:
    for change in plan:
        leftover = Leftover(change, LockLost("lost", taken_over=True))
        assert Repairs("t1", recovers=True).of(leftover).repair.startswith("irsa recover t1 --yes  #")
        assert Repairs("t1", lock_lost=True, proven=True).of(leftover).repair.startswith("irsa recover t1  #")
        assert Repairs("t1", lock_lost=True).of(leftover).repair == SAME_AGAIN
