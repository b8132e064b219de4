"""The condition keys of the sandbox's IAM, and SimulatePrincipalPolicy: the same policies, asked about."""

import json
from typing import Any

import pytest

from irsa_cli.sandbox import Sandbox
from tests.support.aws_lines import do, parameters, refused, tried
from tests.support.sandbox_clients import ACCOUNT, client, policy

DENIED = "AccessDenied 403"
BOUNDARY = "StringEquals: {iam:PermissionsBoundary: $HERE:policy/base}"
BLUE = "StringEquals: {aws:RequestTag/team: blue}"
READ = "GetRole {RoleName: r}"


@pytest.fixture
def admin(sandbox: Sandbox) -> Any:
    """IAM as the administrator, with a role `r` that has a boundary, a policy and a tag."""
    iam = client(sandbox, "iam")
    do(iam, "CreatePolicy {PolicyName: base, PolicyDocument: $ALL}", ALL=json.dumps(policy("s3:*")))
    more = "PermissionsBoundary: $HERE:policy/base, Tags: [{Key: team, Value: a}]"
    do(iam, f"CreateRole {{RoleName: r, AssumeRolePolicyDocument: $EC2, {more}}}")
    return iam


def limited(sandbox: Sandbox, *statements: str, version: str = "2012-10-17") -> Any:
    """IAM for a user who may do this, by default everything in IAM."""
    whole = "Effect: Allow, Action: 'iam:*', Resource: '*'"
    documents = []
    for statement in statements:
        own = ", ".join(part for part in whole.split(", ") if f"{part.partition(':')[0]}:" not in statement)
        documents.append(parameters(f"{{{own}, {statement}}}".replace("{, ", "{")))
    sandbox.add_user("ci", policy={"Version": version, "Statement": documents})
    return client(sandbox, "iam", user="ci")


@pytest.mark.usefixtures("admin")
@pytest.mark.parametrize(
    ("call", "ends"),
    [
        ("AttachRolePolicy {RoleName: r, PolicyArn: $S3}", ""),
        ("PutRolePolicy {RoleName: r, PolicyName: p, PolicyDocument: $READS}", ""),
        ("PutRolePermissionsBoundary {RoleName: r, PermissionsBoundary: $HERE:policy/base}", ""),
        ("TagRole {RoleName: r, Tags: [{Key: a, Value: b}]}", DENIED),
        ("UpdateRole {RoleName: r, Description: x}", DENIED),
        ("UpdateAssumeRolePolicy {RoleName: r, PolicyDocument: $EC2}", DENIED),
        ("DeleteRole {RoleName: r}", DENIED),
    ],
)
def test_the_boundary_is_a_key_where_aws_has_it_only(sandbox: Sandbox, call: str, ends: str) -> None:
    assert tried(limited(sandbox, f"Condition: {{{BOUNDARY}}}"), call) == ends


@pytest.mark.usefixtures("admin")
@pytest.mark.parametrize(
    "statements",
    [
        ["Condition: {'Null': {aws:Foo: 'true'}}"],
        ["Condition: {StringNotEquals: {'x:y': z}}"],
        ["Action: '*'", "Effect: Deny, Condition: {StringEquals: {'x:y': z}}"],
    ],
)
def test_a_key_that_nobody_knows_counts_against_the_caller(sandbox: Sandbox, statements: list[str]) -> None:
    assert refused(limited(sandbox, *statements), READ) == DENIED


@pytest.mark.usefixtures("admin")
def test_variables_stand_for_values_of_the_request(sandbox: Sandbox) -> None:
    iam = limited(sandbox, "Resource: '$HERE:user/${aws:username}'")
    assert do(iam, "GetUser {UserName: ci}")["User"]["UserName"] == "ci"
    assert refused(iam, "GetUser {UserName: admin}") == DENIED


@pytest.mark.parametrize(
    ("tag", "version", "ends"),
    [("a", "2012-10-17", ""), ("b", "2012-10-17", DENIED), ("a", "2008-10-17", DENIED)],
)
def test_the_tags_of_who_calls_are_keys(
    sandbox: Sandbox, admin: Any, tag: str, version: str, ends: str
) -> None:
    """In older policies variables are plain text."""
    same = "Condition: {StringEquals: {aws:ResourceTag/team: '${aws:PrincipalTag/team}'}}"
    iam = limited(sandbox, same, version=version)
    do(admin, "TagUser {UserName: admin, Tags: [{Key: x, Value: 'y'}]}")
    assert refused(iam, READ) == DENIED  # It has no such tag.
    do(admin, "TagUser {UserName: ci, Tags: [{Key: team, Value: $TAG}]}", TAG=tag)
    assert tried(iam, READ) == ends


def test_groups_and_instance_profiles_are_no_roles(sandbox: Sandbox, admin: Any) -> None:
    iam = limited(sandbox, "Resource: $HERE:role/*", "Resource: 'arn:aws:iam::aws:policy/*'")
    do(admin, "CreateInstanceProfile {InstanceProfileName: nodes}")
    do(admin, "CreateGroup {GroupName: g}")
    for call in (
        "AddRoleToInstanceProfile {InstanceProfileName: nodes, RoleName: r}",
        "AttachGroupPolicy {GroupName: g, PolicyArn: $S3}",
        "AddUserToGroup {GroupName: g, UserName: ci}",
    ):
        assert refused(iam, call) == DENIED


@pytest.mark.parametrize("ends", ["", DENIED])
def test_giving_a_role_to_an_instance_profile_is_passing_it(sandbox: Sandbox, admin: Any, ends: str) -> None:
    profiles = "Action: iam:AddRoleToInstanceProfile, Resource: $HERE:instance-profile/*"
    passing = "Action: iam:PassRole, Resource: $HERE:role/r"
    passing += ", Condition: {StringEquals: {iam:PassedToService: ec2.amazonaws.com}}"
    iam = limited(sandbox, *[profiles] * bool(ends), *[profiles, passing] * (not ends))
    do(admin, "CreateInstanceProfile {InstanceProfileName: nodes}")
    assert tried(iam, "AddRoleToInstanceProfile {InstanceProfileName: nodes, RoleName: r}") == ends


ASK = "SimulatePrincipalPolicy {PolicySourceArn: $HERE:role/r, ActionNames: [s3:ListAllMyBuckets]}"
ENTRY = "{ContextKeyName: aws:RequestTag/team, ContextKeyValues: [blue], ContextKeyType: string}"


@pytest.fixture
def reader(admin: Any) -> Any:
    """The role may read S3, and has no boundary."""
    do(admin, "AttachRolePolicy {RoleName: r, PolicyArn: $S3}")
    do(admin, "DeleteRolePermissionsBoundary {RoleName: r}")
    return admin


@pytest.mark.parametrize(
    ("statement", "asked", "decisions"),
    [
        ("", "ActionNames: [s3:ListAllMyBuckets, s3:DeleteBucket]", "allowed implicitDeny"),
        ("Effect: Deny, Action: s3:ListAllMyBuckets, Resource: '*'", "", "explicitDeny"),
        (
            "Effect: Allow, Action: 'sqs:*', Resource: 'arn:aws:sqs:eu-west-1:1:jobs'",
            "ActionNames: [sqs:Send], ResourceArns: ['arn:aws:sqs:eu-west-1:1:jobs',"
            " 'arn:aws:sqs:eu-west-1:1:x']",
            "allowed implicitDeny",
        ),
        (
            f"Effect: Allow, Action: 'sqs:*', Resource: '*', Condition: {{{BLUE}}}",
            f"ActionNames: [sqs:Send], ContextEntries: [{ENTRY}]",
            "allowed",
        ),
    ],
)
def test_decisions(reader: Any, statement: str, asked: str, decisions: str) -> None:
    if statement:
        document = f"PolicyDocument: {{Version: '2012-10-17', Statement: {{{statement}}}}}"
        do(reader, f"PutRolePolicy {{RoleName: r, PolicyName: p, {document}}}")
    results = do(reader, f"{ASK[:-1]}, {asked}}}".replace(", }", "}"))["EvaluationResults"]
    assert " ".join(item["EvalDecision"] for item in results) == decisions


def test_a_boundary_bounds(reader: Any) -> None:
    do(reader, "CreatePolicy {PolicyName: q, PolicyDocument: $SQS}", SQS=json.dumps(policy("sqs:*")))
    do(reader, "PutRolePermissionsBoundary {RoleName: r, PermissionsBoundary: $HERE:policy/q}")
    (result,) = do(reader, ASK)["EvaluationResults"]
    assert result["EvalDecision"] == "implicitDeny"


def test_keys_without_a_value_are_named(reader: Any) -> None:
    """With the resource that was named, if there is one."""
    put = "PutRolePolicy {RoleName: r, PolicyName: p, PolicyDocument: $P}"
    when = {"StringEquals": {"aws:RequestTag/team": "blue"}}
    do(reader, put, P=json.dumps(policy("sqs:SendMessage", Condition=when)))
    (result,) = do(reader, ASK.replace("s3:ListAllMyBuckets", "sqs:SendMessage"))["EvaluationResults"]
    told = (result["EvalDecision"], result["MissingContextValues"])
    assert told == ("implicitDeny", ["aws:RequestTag/team"])
    when = {"StringEquals": {"aws:SourceVpce": "vpce-1"}}
    do(reader, put, P=json.dumps(policy("s3:ListAllMyBuckets", Effect="Deny", Condition=when)))
    (result,) = do(reader, f"{ASK[:-1]}, ResourceArns: ['arn:aws:s3:::b/k']}}")["EvaluationResults"]
    assert (result["EvalDecision"], result.get("MissingContextValues", [])) == ("allowed", [])
    (of_one,) = result["ResourceSpecificResults"]
    assert (of_one["EvalResourceDecision"], of_one["MissingContextValues"]) == ("allowed", ["aws:SourceVpce"])


def test_who_may_ask_and_about_whom(sandbox: Sandbox, reader: Any) -> None:
    assert refused(reader, ASK.replace("role/r", "role/x")) == "NoSuchEntity 404"
    for name, ends in (("r", ""), ("x", DENIED)):
        allowed = policy("iam:SimulatePrincipalPolicy", resource=f"arn:aws:iam::{ACCOUNT}:role/{name}")
        sandbox.add_user(name, policy=allowed)
        assert tried(client(sandbox, "iam", user=name), ASK) == ends
