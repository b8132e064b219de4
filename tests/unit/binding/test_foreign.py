"""A binding that somebody else made is refused with what shows it; adoption is proposed where it works."""

from __future__ import annotations

from dataclasses import replace

import pytest

from irsa_cli.core.binding.bound import Bound, NamedRole
from irsa_cli.core.binding.current import CurrentRole, CurrentServiceAccount
from irsa_cli.core.plan.states import (
    CLUSTER_TAG,
    ROLE_ARN_ANNOTATION,
    ROLE_MARK,
    SERVICE_ACCOUNT_TAG,
    RoleState,
)
from irsa_cli.core.planning.deletion_checks import check_ours
from irsa_cli.core.values.errors import Refused
from tests.support.trusts import trust_of
from tests.unit.planning.test_deleting import ANNOTATED, BOUND, CLUSTER, KEY, MADE, role_arn

ARN = role_arn("theirs", "/")
ACCOUNT = CurrentServiceAccount("u1", "7", {ROLE_ARN_ANNOTATION: ARN}, {}, managers=("helm",))
BARE = Bound(CLUSTER, *KEY, account=ACCOUNT)
STATE = RoleState("/", trust_of(BARE.identity), tags={"ManagedBy": "terraform"})
THEIRS = replace(BARE, used=NamedRole("theirs", ARN, CurrentRole(STATE)))


def refusal(bound: Bound, *sharers: str) -> Refused | None:
    try:
        check_ours(bound, sharers)
    except Refused as error:
        return error
    return None


def proposed(bound: Bound, *sharers: str) -> bool:
    error = refusal(bound, *sharers)
    assert error is not None
    return any(step.startswith("irsa adopt app -n apps -c demo -r eu-west-1") for step in error.next_steps)


def with_role(state: RoleState) -> Bound:
    return replace(BARE, used=NamedRole("theirs", ARN, CurrentRole(state)))


@pytest.mark.parametrize("account", [MADE, ANNOTATED, None, replace(ACCOUNT, annotations={"a": "b"})])
def test_what_is_irsas_or_bound_by_nobody_is_not_refused(account: CurrentServiceAccount | None) -> None:
    assert refusal(replace(BOUND, account=account)) is None


def test_who_made_it_is_said() -> None:
    error = refusal(THEIRS)
    assert error is not None
    assert "Helm" in error.details[0]
    assert "Terraform" in error.details[1]
    assert ROLE_MARK in error.reason


def test_one_that_was_changed_since_is_said_to_be() -> None:
    changed = replace(ACCOUNT, annotations={ROLE_ARN_ANNOTATION: ARN, ROLE_MARK: "arn:before"})
    error = refusal(replace(THEIRS, account=changed))
    assert error is not None
    assert "arn:before" in error.reason


def test_adoption_is_proposed_where_it_works() -> None:
    assert proposed(THEIRS)
    assert not proposed(THEIRS, "apps/other")
    assert not proposed(BARE)  # The role is not there, or lives elsewhere.
    assert not proposed(with_role(replace(STATE, trust={"Statement": []})))
    ours = {CLUSTER_TAG: CLUSTER.arn, SERVICE_ACCOUNT_TAG: "apps/another"}
    assert not proposed(with_role(replace(STATE, tags=ours)))
