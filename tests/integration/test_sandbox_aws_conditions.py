"""The condition keys of the sandbox's IAM: which call has which, and what is made of unknown ones."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from irsa_cli.sandbox import Sandbox
from tests.support.sandbox_clients import ACCOUNT, EC2_TRUST, S3_READ, client, refusal

BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/base"
DENIED = ("AccessDenied", 403)


@pytest.fixture
def admin(sandbox: Sandbox) -> Any:
    """IAM as the administrator, with a role `r` that has a boundary and a tag."""
    iam = client(sandbox, "iam")
    document = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}
    iam.create_policy(PolicyName="base", PolicyDocument=json.dumps(document))
    iam.create_role(
        RoleName="r",
        AssumeRolePolicyDocument=EC2_TRUST,
        PermissionsBoundary=BOUNDARY,
        Tags=[{"Key": "team", "Value": "a"}],
    )
    return iam


def _limited(sandbox: Sandbox, *statements: dict[str, Any], version: str = "2012-10-17") -> Any:
    """IAM for a user who may do this."""
    sandbox.add_user("ci", policy={"Version": version, "Statement": list(statements)})
    return client(sandbox, "iam", user="ci")


def _allow(condition: dict[str, Any], resource: str = "*", effect: str = "Allow") -> dict[str, Any]:
    return {"Effect": effect, "Action": "iam:*", "Resource": resource, "Condition": condition}


CALLS: dict[str, Callable[[Any], object]] = {
    "AttachRolePolicy": lambda iam: iam.attach_role_policy(RoleName="r", PolicyArn=S3_READ),
    "PutRolePolicy": lambda iam: iam.put_role_policy(
        RoleName="r",
        PolicyName="p",
        PolicyDocument='{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}',
    ),
    "PutRolePermissionsBoundary": lambda iam: iam.put_role_permissions_boundary(
        RoleName="r", PermissionsBoundary=BOUNDARY
    ),
    "TagRole": lambda iam: iam.tag_role(RoleName="r", Tags=[{"Key": "a", "Value": "b"}]),
    "UpdateRole": lambda iam: iam.update_role(RoleName="r", Description="x"),
    "UpdateAssumeRolePolicy": lambda iam: iam.update_assume_role_policy(
        RoleName="r", PolicyDocument=EC2_TRUST
    ),
    "DeleteRole": lambda iam: iam.delete_role(RoleName="r"),
}
WITH_BOUNDARY = ("AttachRolePolicy", "PutRolePolicy", "PutRolePermissionsBoundary")


@pytest.mark.usefixtures("admin")
@pytest.mark.parametrize("call", CALLS)
def test_the_boundary_is_a_key_where_aws_has_it_only(sandbox: Sandbox, call: str) -> None:
    iam = _limited(sandbox, _allow({"StringEquals": {"iam:PermissionsBoundary": BOUNDARY}}))
    if call in WITH_BOUNDARY:
        CALLS[call](iam)
    else:
        assert refusal(lambda: CALLS[call](iam)) == DENIED


@pytest.mark.usefixtures("admin")
@pytest.mark.parametrize("condition", [{"Null": {"aws:Foo": "true"}}, {"StringNotEquals": {"x:y": "z"}}])
def test_a_key_that_nobody_knows_counts_against_the_caller(
    sandbox: Sandbox, condition: dict[str, Any]
) -> None:
    iam = _limited(sandbox, _allow(condition))
    assert refusal(lambda: iam.get_role(RoleName="r")) == DENIED


@pytest.mark.usefixtures("admin")
def test_a_denial_by_a_key_that_nobody_knows_denies(sandbox: Sandbox) -> None:
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    iam = _limited(sandbox, everything, _allow({"StringEquals": {"x:y": "z"}}, effect="Deny"))
    assert refusal(lambda: iam.get_role(RoleName="r")) == DENIED


def test_variables_stand_for_values_of_the_request(sandbox: Sandbox, admin: Any) -> None:
    mine = _allow({}, f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}")
    iam = _limited(sandbox, {key: mine[key] for key in ("Effect", "Action", "Resource")})
    assert iam.get_user(UserName="ci")["User"]["UserName"] == "ci"
    assert refusal(lambda: iam.get_user(UserName="admin")) == DENIED
    assert admin.get_user(UserName="admin")


@pytest.mark.parametrize(("tag", "denied"), [("a", False), ("b", True)])
def test_the_tags_of_who_calls_are_keys(sandbox: Sandbox, admin: Any, tag: str, denied: bool) -> None:
    admin.tag_user(UserName="admin", Tags=[{"Key": "x", "Value": "y"}])
    iam = _limited(sandbox, _allow({"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}))
    assert refusal(lambda: iam.get_role(RoleName="r")) == DENIED  # It has no such tag.
    admin.tag_user(UserName="ci", Tags=[{"Key": "team", "Value": tag}])
    if denied:
        assert refusal(lambda: iam.get_role(RoleName="r")) == DENIED
    else:
        iam.get_role(RoleName="r")


def test_variables_are_plain_text_in_older_policies(sandbox: Sandbox, admin: Any) -> None:
    condition = {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}
    iam = _limited(sandbox, _allow(condition), version="2008-10-17")
    admin.tag_user(UserName="ci", Tags=[{"Key": "team", "Value": "a"}])
    assert refusal(lambda: iam.get_role(RoleName="r")) == DENIED


@pytest.mark.usefixtures("admin")
def test_groups_and_instance_profiles_are_no_roles(sandbox: Sandbox) -> None:
    role = {"Effect": "Allow", "Action": "iam:*", "Resource": f"arn:aws:iam::{ACCOUNT}:role/*"}
    policies = {"Effect": "Allow", "Action": "iam:*", "Resource": "arn:aws:iam::aws:policy/*"}
    iam = _limited(sandbox, role, policies)
    admin = client(sandbox, "iam")
    admin.create_instance_profile(InstanceProfileName="nodes")
    admin.create_group(GroupName="g")
    profile = {"InstanceProfileName": "nodes", "RoleName": "r"}
    assert refusal(lambda: iam.add_role_to_instance_profile(**profile)) == DENIED
    assert refusal(lambda: iam.attach_group_policy(GroupName="g", PolicyArn=S3_READ)) == DENIED
    assert refusal(lambda: iam.add_user_to_group(GroupName="g", UserName="ci")) == DENIED


@pytest.mark.usefixtures("admin")
@pytest.mark.parametrize("passes", [True, False])
def test_giving_a_role_to_an_instance_profile_is_passing_it(sandbox: Sandbox, passes: bool) -> None:
    profiles = {
        "Effect": "Allow",
        "Action": "iam:AddRoleToInstanceProfile",
        "Resource": f"arn:aws:iam::{ACCOUNT}:instance-profile/*",
    }
    passing = {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": f"arn:aws:iam::{ACCOUNT}:role/r",
        "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
    }
    iam = _limited(sandbox, profiles, *([passing] if passes else []))
    client(sandbox, "iam").create_instance_profile(InstanceProfileName="nodes")
    profile = {"InstanceProfileName": "nodes", "RoleName": "r"}
    if passes:
        iam.add_role_to_instance_profile(**profile)
    else:
        assert refusal(lambda: iam.add_role_to_instance_profile(**profile)) == DENIED
