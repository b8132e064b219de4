"""The sandbox's SimulatePrincipalPolicy: the same policies that it enforces, asked instead of tried."""

from __future__ import annotations

import json
from typing import Any

import pytest

from irsa_cli.sandbox import Sandbox
from tests.support.sandbox_clients import ACCOUNT, EC2_TRUST, S3_READ, client, policy, refusal

ARN = f"arn:aws:iam::{ACCOUNT}:role/reader"


@pytest.fixture
def iam(sandbox: Sandbox) -> Any:
    found = client(sandbox, "iam")
    found.create_role(RoleName="reader", AssumeRolePolicyDocument=EC2_TRUST)
    found.attach_role_policy(RoleName="reader", PolicyArn=S3_READ)
    return found


def decisions(iam: Any, *actions: str, **more: Any) -> list[str]:
    answer = iam.simulate_principal_policy(PolicySourceArn=ARN, ActionNames=list(actions), **more)
    return [item["EvalDecision"] for item in answer["EvaluationResults"]]


def put(iam: Any, *actions: str, **more: Any) -> None:
    document = json.dumps(policy(*actions, **more))
    iam.put_role_policy(RoleName="reader", PolicyName="inline", PolicyDocument=document)


def test_what_policies_allow_and_do_not_mention(iam: Any) -> None:
    found = decisions(iam, "s3:ListAllMyBuckets", "s3:DeleteBucket")
    assert found == ["allowed", "implicitDeny"]


def test_a_deny_goes_first(iam: Any) -> None:
    put(iam, "s3:ListAllMyBuckets", Effect="Deny")
    assert decisions(iam, "s3:ListAllMyBuckets") == ["explicitDeny"]


def test_resources_are_asked_one_by_one(iam: Any) -> None:
    put(iam, "sqs:SendMessage", resource=f"arn:aws:sqs:eu-west-1:{ACCOUNT}:jobs")
    queues = [f"arn:aws:sqs:eu-west-1:{ACCOUNT}:{name}" for name in ("jobs", "other")]
    assert decisions(iam, "sqs:SendMessage", ResourceArns=queues) == ["allowed", "implicitDeny"]


def test_a_boundary_bounds(iam: Any) -> None:
    made = iam.create_policy(PolicyName="bound", PolicyDocument=json.dumps(policy("sqs:*")))
    iam.put_role_permissions_boundary(RoleName="reader", PermissionsBoundary=made["Policy"]["Arn"])
    assert decisions(iam, "s3:ListAllMyBuckets") == ["implicitDeny"]


def test_keys_without_a_value_are_named(iam: Any) -> None:
    put(iam, "sqs:SendMessage", Condition={"StringEquals": {"aws:RequestTag/team": "blue"}})
    answer = iam.simulate_principal_policy(PolicySourceArn=ARN, ActionNames=["sqs:SendMessage"])
    (result,) = answer["EvaluationResults"]
    assert (result["EvalDecision"], result["MissingContextValues"]) == (
        "implicitDeny",
        ["aws:RequestTag/team"],
    )
    entry = {
        "ContextKeyName": "aws:RequestTag/team",
        "ContextKeyValues": ["blue"],
        "ContextKeyType": "string",
    }
    assert decisions(iam, "sqs:SendMessage", ContextEntries=[entry]) == ["allowed"]


def test_keys_without_a_value_are_told_with_the_resource_that_was_named(iam: Any) -> None:
    put(iam, "s3:GetObject", Effect="Deny", Condition={"StringEquals": {"aws:SourceVpce": "vpce-1"}})
    call = {"PolicySourceArn": ARN, "ActionNames": ["s3:GetObject"], "ResourceArns": ["arn:aws:s3:::b/k"]}
    (result,) = iam.simulate_principal_policy(**call)["EvaluationResults"]
    assert (result["EvalDecision"], result.get("MissingContextValues", [])) == ("allowed", [])
    (one,) = result["ResourceSpecificResults"]
    assert (one["EvalResourceDecision"], one["MissingContextValues"]) == ("allowed", ["aws:SourceVpce"])


def test_of_a_role_that_is_not_there(iam: Any) -> None:
    call = {"PolicySourceArn": ARN + "x", "ActionNames": ["s3:GetObject"]}
    assert refusal(lambda: iam.simulate_principal_policy(**call)) == ("NoSuchEntity", 404)


def test_it_takes_a_permission_on_the_role(sandbox: Sandbox, iam: Any) -> None:
    sandbox.add_user("one", policy=policy("iam:SimulatePrincipalPolicy", resource=ARN))
    sandbox.add_user("two", policy=policy("iam:SimulatePrincipalPolicy", resource=ARN + "x"))
    call = {"PolicySourceArn": ARN, "ActionNames": ["s3:GetObject"]}
    assert client(sandbox, "iam", user="one").simulate_principal_policy(**call)["EvaluationResults"]
    found = refusal(lambda: client(sandbox, "iam", user="two").simulate_principal_policy(**call))
    assert found == ("AccessDenied", 403)
