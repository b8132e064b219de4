"""GetAccountAuthorizationDetails in the sandbox, judged by IAM's API reference."""

import json
from typing import Any

import pytest

from irsa_cli.sandbox import Sandbox
from tests.support.sandbox_clients import ACCOUNT, EC2_TRUST, S3_READ, client, policy, refusal, trust


@pytest.fixture
def iam(sandbox: Sandbox) -> Any:
    return client(sandbox, "iam")


def details(iam: Any, **asked: Any) -> Any:
    return iam.get_account_authorization_details(Filter=["Role"], **asked)


def test_all_that_is_on_a_role(iam: Any) -> None:
    document = policy("s3:GetObject")
    made = iam.create_role(
        RoleName="r",
        Path="/mine/",
        AssumeRolePolicyDocument=EC2_TRUST,
        PermissionsBoundary=S3_READ,
        Tags=[{"Key": "team", "Value": "Data"}],
        Description="not told",
    )["Role"]
    iam.attach_role_policy(RoleName="r", PolicyArn=S3_READ)
    iam.put_role_policy(RoleName="r", PolicyName="inline", PolicyDocument=json.dumps(document))
    iam.create_instance_profile(InstanceProfileName="profile")
    iam.add_role_to_instance_profile(InstanceProfileName="profile", RoleName="r")
    answer = details(iam)
    (found,) = answer["RoleDetailList"]
    for key in ("Path", "RoleName", "RoleId", "Arn", "AssumeRolePolicyDocument", "Tags"):
        assert found[key] == iam.get_role(RoleName="r")["Role"][key]
    assert found["Arn"] == made["Arn"]
    assert found["AttachedManagedPolicies"] == [
        {"PolicyName": "AmazonS3ReadOnlyAccess", "PolicyArn": S3_READ}
    ]
    assert found["RolePolicyList"] == [{"PolicyName": "inline", "PolicyDocument": document}]
    assert found["PermissionsBoundary"]["PermissionsBoundaryArn"] == S3_READ
    assert [item["InstanceProfileName"] for item in found["InstanceProfileList"]] == ["profile"]
    assert found["RoleLastUsed"] == {}
    assert not {"Description", "MaxSessionDuration"} & set(found)
    assert (answer["UserDetailList"], answer["GroupDetailList"], answer["Policies"]) == ([], [], [])


def test_when_a_role_was_used(sandbox: Sandbox, iam: Any) -> None:
    document = trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
    arn = iam.create_role(RoleName="r", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    client(sandbox, "sts").assume_role(RoleArn=arn, RoleSessionName="session")
    (found,) = details(iam)["RoleDetailList"]
    used = iam.get_role(RoleName="r")["Role"]["RoleLastUsed"]
    assert found["RoleLastUsed"] == {**used, "LastUsedDate": used["LastUsedDate"].replace(microsecond=0)}


def test_pages(iam: Any) -> None:
    names = [f"r{number}" for number in range(5)]
    for name in names:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=EC2_TRUST)
    first = details(iam, MaxItems=2)
    assert (len(first["RoleDetailList"]), first["IsTruncated"]) == (2, True)
    iam.delete_role(RoleName="r0")
    rest = details(iam, Marker=first["Marker"])
    assert [role["RoleName"] for role in rest["RoleDetailList"]] == names[2:]
    assert rest["IsTruncated"] is False
    assert refusal(lambda: details(iam, MaxItems=1001)) == ("ValidationError", 400)


def test_only_roles_are_served(iam: Any) -> None:
    for asked in ({}, {"Filter": ["User"]}, {"Filter": ["Role", "User"]}):
        code, status = refusal(lambda asked=asked: iam.get_account_authorization_details(**asked))  # type: ignore[misc]
        assert (code, status) == ("NotImplemented", 501)


def test_it_asks_for_permission(sandbox: Sandbox) -> None:
    sandbox.add_user("one", policy=policy("iam:GetAccountAuthorizationDetails"))
    sandbox.add_user("two", policy=policy("iam:GetRole"))
    assert details(client(sandbox, "iam", user="one"))["RoleDetailList"] == []
    assert refusal(lambda: details(client(sandbox, "iam", user="two"))) == ("AccessDenied", 403)
