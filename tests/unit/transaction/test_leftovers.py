"""What is proposed for what a rollback has left: nothing that destroys what may be somebody else's."""

import re
import shlex
from typing import Any

from hypothesis import given

from irsa_cli.core.plan.changes import Change, Kind
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


FAILED = (
    ServiceError("no", FailedCall("iam", "DeleteRole", "x")),
    *(Waits("waits"), DeadlineExceeded("late"), IrsaError("else"), RuntimeError("a bug")),
)


def found(change: Change, error: Exception, target: Any = None, **more: bool) -> Any:
    return Repairs("t1", target or {}, **more).of(Leftover(change, error))


@given(some.changes())
def test_what_somebody_else_has_changed_is_to_be_looked_at(change: Change) -> None:
    left = found(change, Conflict("it was left alone"))
    assert not left.in_use
    if change.after is None:
        assert left.repair == "irsa recover t1"
        return
    command, _, comment = left.repair.partition("  # ")
    words = command.replace(change.target[0], "").replace(change.target[-1], "")
    assert comment
    assert not DESTROYS.search(words), left.repair
    assert re.match(r"(aws (iam|eks) (get|list)|kubectl (-n \S+ )?get) ?", command), command


@given(some.changes())
def test_what_failed_is_tried_again_by_its_journal(change: Change) -> None:
    assert {found(change, error).repair for error in FAILED} == {"irsa recover t1"}
    # A recovery that lost its lock names what is not refused then.
    lost = LockLost("lost", taken_over=True)
    assert found(change, lost, recovers=True).repair.startswith("irsa recover t1 --yes  #")
    assert found(change, lost, lock_lost=True, proven=True).repair.startswith("irsa recover t1  #")
    assert found(change, lost, lock_lost=True).repair == SAME_AGAIN


@given(some.changes())
def test_what_others_count_on_is_in_use(change: Change) -> None:
    """What is over for them waits for nobody."""
    theirs = found(change, Claimed("theirs"))
    assert theirs.in_use
    assert theirs.repair.startswith("irsa recover t1  #")
    target = {"cluster": "demo", "region": "eu-west-1", "profile": "my own", "kubeconfig": "x"}
    over = found(change, Claimed("theirs", ended=True), target)
    assert over.in_use
    if change.kind not in (Kind.PROVIDER, Kind.AUDIENCE):
        assert over.repair == SAME_AGAIN
        return
    known = "irsa associate-oidc --cluster demo --region eu-west-1 --profile 'my own'"
    audience = f" --audience {change.target[-1]}" if change.kind is Kind.AUDIENCE else ""
    assert shlex.split(over.repair, comments=True) == shlex.split(known + audience)
