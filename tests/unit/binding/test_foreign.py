"""A binding that somebody else made is refused with what shows it; adoption is proposed where it works."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan.states import (
    CLUSTER_TAG,
    ROLE_ARN_ANNOTATION,
    ROLE_MARK,
    SERVICE_ACCOUNT_TAG,
    RoleState,
)
from irsa_cli.core.planning.deletion_checks import check_ours
from irsa_cli.core.values.errors import Refused
from tests.support.named import named
from tests.support.trusts import trust_of
from tests.unit.planning.test_deleting import ANNOTATED, BOUND, CLUSTER, KEY, MADE
from tests.unit.world import role_arn

ARN = role_arn("theirs", "/")
ACCOUNT = ServiceAccount(*KEY, {ROLE_ARN_ANNOTATION: ARN}, uid="u1", managers=("helm",))
BARE = Binding(CLUSTER, *KEY, account=ACCOUNT)
STATE = RoleState("/", trust_of(BARE.identity), tags={"ManagedBy": "terraform"})
THEIRS = replace(BARE, role=Role(ARN, STATE))


def refusal(bound: Binding, *sharers: str) -> Refused | None:
    try:
        check_ours(bound, sharers)
    except Refused as error:
        return error
    return None


def with_role(**changed: Any) -> Binding:
    return replace(BARE, role=Role(ARN, replace(STATE, **changed)))


@pytest.mark.parametrize("account", [MADE, ANNOTATED, None, replace(ACCOUNT, annotations={"a": "b"})])
def test_what_is_irsas_or_bound_by_nobody_is_not_refused(account: ServiceAccount | None) -> None:
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


@named(
    "bound sharers proposed",
    ("where it works", THEIRS, [], True),
    ("not for several", THEIRS, ["apps/other"], False),
    ("not where the role is not there, or lives elsewhere", BARE, [], False),
    ("not where it does not trust", with_role(trust={"Statement": []}), [], False),
    (
        "not where it is another's",
        with_role(tags={CLUSTER_TAG: CLUSTER.arn, SERVICE_ACCOUNT_TAG: "apps/another"}),
        [],
        False,
    ),
)
def test_adoption_is_proposed(bound: Binding, sharers: list[str], proposed: bool) -> None:
    error = refusal(bound, *sharers)
    assert error is not None
    adopting = "irsa adopt app -n apps -c demo -r eu-west-1"
    assert any(step.startswith(adopting) for step in error.next_steps) is proposed
