"""`irsa audit` of two accounts: roles of the other one are read by a role there."""

import json
from typing import Any

import pytest

from tests.scenarios.binding import make_binding
from tests.scenarios.foreign import admitting, issuer_of
from tests.scenarios.other_account import OTHER, other_account_iam
from tests.support.acts import SERVICE
from tests.support.stage import Stage

__all__ = ["other_account_iam"]  # A fixture.

AUDITOR = f"arn:aws:iam::{OTHER}:role/auditor"
WIDE = f"arn:aws:iam::{OTHER}:role/wide"
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"


@pytest.fixture(autouse=True)
def abroad(stage: Stage, namespace: str, other_iam: Any) -> None:
    """A role of the other account that admits every ServiceAccount of the cluster, and one that may read."""
    make_binding(stage, namespace)
    host = issuer_of(stage)
    other_iam.create_open_id_connect_provider(Url=f"https://{host}", ClientIDList=["sts.amazonaws.com"])
    everyone = admitting(stage, "system:serviceaccount:*:*", "StringLike")
    everyone["Principal"]["Federated"] = everyone["Principal"]["Federated"].replace(stage.account_id, OTHER)
    del everyone["Condition"]["StringEquals"]
    auditors = {**SERVICE, "Principal": {"AWS": f"arn:aws:iam::{stage.account_id}:root"}}
    for name, statement in (("wide", everyone), ("auditor", auditors)):
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        other_iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
        other_iam.attach_role_policy(RoleName=name, PolicyArn=ADMIN)


def test_roles_of_another_account_are_read_by_a_role_there(stage: Stage) -> None:
    stage.run("audit -o json --fail-on never", silent=WIDE)
    items = stage.run(f"audit -o json --fail-on never --iam-assume-role {AUDITOR}").items
    assert (WIDE, "every-subject") in [(item["role"]["arn"], item["id"]) for item in items if item["role"]]
    # What other tests have left on a real API server may not be readable.
    can = stage.irsa(
        *f"who-can iam:CreateUser -c {stage.cluster} -o json --iam-assume-role {AUDITOR}".split()
    )
    ways = can.items
    (wide,) = (way for way in ways if way["role"]["arn"] == WIDE)
    assert {"namespace": stage.words["ns"], "name": "reader"} in wide["serviceAccounts"]


def test_an_account_that_can_not_be_read_hides_no_other(stage: Stage) -> None:
    nobody = f"arn:aws:iam::{OTHER}:role/nobody"
    ran = stage.run(f"audit -o json --iam-assume-role {nobody} --fail-on critical", code=1)
    assert "role/nobody" in str(ran.metadata["notes"])
    assert ran.metadata["roles"] >= 1
