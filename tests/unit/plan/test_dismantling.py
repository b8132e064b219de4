"""What stays as it is in a rollback, because something else could not be rolled back."""

import pytest

from irsa_cli.core.plan.changes import Change, Kind, waits
from irsa_cli.core.plan.states import ConfigMapState, DocumentState, RoleState

TRUST = {"Version": "2012-10-17", "Statement": []}
ARN = "arn:aws:iam::111122223333:role/irsa/demo/app"
ROLE = Change(Kind.ROLE, ("app",), None, RoleState(trust=TRUST, path="/irsa/demo/", tags={}))
POLICY = Change(Kind.INLINE_POLICY, ("app", "irsa-assume-target-role"), None, DocumentState(TRUST))
ELSE = Change(Kind.INLINE_POLICY, ("other", "irsa-assume-target-role"), None, DocumentState(TRUST))
TARGET = Change(Kind.TARGET_TRUST, ("arn:aws:iam::222222222222:role/data", ARN), None, DocumentState(TRUST))
MAP = Change(Kind.CONFIG_MAP, ("apps", "aws"), None, ConfigMapState({}, "apps/app", role="app"))


@pytest.mark.parametrize("chained", [TARGET, MAP], ids=lambda change: change.kind.name)
def test_what_tells_of_a_chain_that_stays_stays_too(chained: Change) -> None:
    plan = (ROLE, POLICY, chained, ELSE)
    assert waits(POLICY, plan, [chained])
    assert waits(ROLE, plan, [chained, POLICY])
    assert not waits(ELSE, plan, [chained, POLICY])


@pytest.mark.parametrize("chained", [TARGET, MAP], ids=lambda change: change.kind.name)
def test_a_role_that_tells_of_nothing_any_more_goes(chained: Change) -> None:
    plan = (ROLE, POLICY, chained)
    assert not waits(ROLE, plan, [chained])
    assert not waits(ROLE, plan, [POLICY])
    assert not waits(POLICY, plan, [])
    assert not waits(ROLE.inverse, plan, [chained.inverse])
