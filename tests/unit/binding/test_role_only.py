"""How far the ServiceAccount of a role-only binding has come."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from irsa_cli.core.binding.role_only import HandOver, hand_over
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.states import (
    CLUSTER_TAG,
    COMMIT_TAG,
    ROLE_ARN_ANNOTATION,
    ROLE_MARK,
    SERVICE_ACCOUNT_TAG,
    RoleState,
)
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.trust.assuming import SERVICE
from irsa_cli.core.values.errors import Unreadable

ARN = "arn:aws:iam::111122223333:role/irsa/prod/app"
OTHER = f"{ARN}-2"
MARKS = {
    CLUSTER_TAG: "arn:aws:eks:eu-west-1:111122223333:cluster/prod",
    SERVICE_ACCOUNT_TAG: "backend/app",
}
FOR_PODS: Document = {
    "Statement": [{"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": "sts:AssumeRole"}]
}


def role(commit: str = "done", trust: Document | None = None) -> Role:
    tags = {**MARKS, COMMIT_TAG: commit} if commit else MARKS
    return Role(ARN, RoleState("/irsa/prod/", trust or {"Statement": []}, tags=tags))


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({}, HandOver.WAITS),
        ({ROLE_ARN_ANNOTATION: ""}, HandOver.WAITS),
        ({ROLE_MARK: OTHER}, HandOver.WAITS),
        ({ROLE_ARN_ANNOTATION: ARN}, HandOver.ANNOTATED),
        ({ROLE_ARN_ANNOTATION: OTHER}, HandOver.OTHER_ROLE),
        ({ROLE_ARN_ANNOTATION: f"{ARN} "}, HandOver.OTHER_ROLE),
        (Unreadable("forbidden"), HandOver.UNKNOWN),
        # irsa wrote the annotation, whether it is still there or not.
        ({ROLE_MARK: ARN}, None),
        ({ROLE_MARK: ARN, ROLE_ARN_ANNOTATION: ARN}, None),
        ({ROLE_MARK: ARN, ROLE_ARN_ANNOTATION: OTHER}, None),
    ],
)
def test_a_complete_role_of_its_own(
    annotations: Mapping[str, str] | Unreadable, expected: HandOver | None
) -> None:
    assert hand_over(role(), annotations) is expected


@pytest.mark.parametrize(
    "other",
    [
        role(""),  # The annotation tells that it is complete: irsa writes it.
        role("pending"),
        role("deleting"),
        role("something-later"),
        role(trust=FOR_PODS),
        Role(ARN, RoleState("/", {"Statement": []}, tags={COMMIT_TAG: "done"})),
    ],
)
def test_all_other_roles_wait_for_nobody(other: Role) -> None:
    for of_account in ({}, {ROLE_ARN_ANNOTATION: OTHER}, Unreadable("forbidden")):
        assert hand_over(other, of_account) is None
