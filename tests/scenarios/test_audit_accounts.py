"""`irsa audit` of two accounts: roles of the other one are read by a role there."""

import json
from typing import Any

import pytest

from tests.scenarios.binding import make_binding
from tests.scenarios.foreign import issuer_of
from tests.scenarios.other_account import OTHER, other_account_iam
from tests.support.stage import Stage

__all__ = ["other_account_iam"]  # A fixture.

AUDITOR = f"arn:aws:iam::{OTHER}:role/auditor"
WIDE = f"arn:aws:iam::{OTHER}:role/wide"
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"


def trust(principal: dict[str, str], action: str, condition: dict[str, Any] | None = None) -> str:
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": principal, "Action": action}
    if condition:
        statement["Condition"] = condition
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def abroad(stage: Stage, namespace: str, other_iam: Any) -> None:
    """A role of the other account that admits every ServiceAccount of the cluster, and one that may read."""
    make_binding(stage, namespace)
    host = issuer_of(stage)
    made = other_iam.create_open_id_connect_provider(
        Url=f"https://{host}", ClientIDList=["sts.amazonaws.com"]
    )
    federated = {"Federated": made["OpenIDConnectProviderArn"]}
    subjects = {"StringLike": {f"{host}:sub": "system:serviceaccount:*:*"}}
    documents = {
        "wide": trust(federated, "sts:AssumeRoleWithWebIdentity", subjects),
        "auditor": trust({"AWS": f"arn:aws:iam::{stage.account_id}:root"}, "sts:AssumeRole"),
    }
    for name, document in documents.items():
        other_iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
        other_iam.attach_role_policy(RoleName=name, PolicyArn=ADMIN)


def risks(stage: Stage, *flags: str) -> set[tuple[str, str]]:
    ran = stage.irsa("audit", "-o", "json", "--fail-on", "never", *flags)
    assert ran.code == 0, ran.err
    items = json.loads(ran.out)["items"]
    return {(item["role"]["arn"], item["id"]) for item in items if item["role"]}


@pytest.mark.usefixtures("abroad")
def test_roles_of_another_account_are_read_by_a_role_there(stage: Stage, namespace: str) -> None:
    assert not any(role == WIDE for role, _ in risks(stage))
    found = risks(stage, "--iam-assume-role", AUDITOR)
    assert (WIDE, "every-subject") in found
    can = stage.irsa("who-can", "iam:CreateUser", "--iam-assume-role", AUDITOR, "-o", "json")
    ways = [item for item in json.loads(can.out)["items"] if item["role"]["arn"] == WIDE]
    names = [f"{one['namespace']}/{one['name']}" for way in ways for one in way["serviceAccounts"]]
    assert f"{namespace}/reader" in names


@pytest.mark.usefixtures("abroad")
def test_an_account_that_can_not_be_read_hides_no_other(stage: Stage) -> None:
    nobody = f"arn:aws:iam::{OTHER}:role/nobody"
    ran = stage.irsa("audit", "-o", "json", "--iam-assume-role", nobody, "--fail-on", "critical")
    document = json.loads(ran.out)
    assert ran.code == 1, ran.err
    assert any(OTHER in note or "nobody" in note for note in document["metadata"]["notes"])
    assert document["metadata"]["roles"] >= 1
