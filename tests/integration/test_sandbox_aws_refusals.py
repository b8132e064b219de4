"""What AWS refuses, the sandbox refuses too, and nothing changes: beyond the table of tests/aws_facts."""

import json

import pytest

from irsa_cli.sandbox import Sandbox
from irsa_cli.sandbox.aws.cloud import MANAGED, published
from irsa_cli.sandbox.aws.iam.grammar import check_identity_policy
from tests.support.aws_lines import do, refused
from tests.support.sandbox_clients import ACCOUNT, Client, client, trust

PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.example.com/id/A"


@pytest.fixture
def iam(sandbox: Sandbox) -> Client:
    """IAM with roles `there` (a managed policy `own`) and `free`, and a provider."""
    iam = client(sandbox, "iam")
    do(iam, "CreatePolicy {PolicyName: own, PolicyDocument: $READS}")
    for name in ("there", "free"):
        do(iam, "CreateRole {RoleName: $name, AssumeRolePolicyDocument: $EC2}", name=name)
    do(iam, "AttachRolePolicy {RoleName: there, PolicyArn: $HERE:policy/own}")
    do(iam, "CreateOpenIDConnectProvider {Url: 'https://oidc.example.com/id/A', ClientIDList: [one]}")
    return iam


def made(statement: str, name: str = "new") -> str:
    """A role whose trust policy has a statement: by default for EC2."""
    whole = "Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: sts:AssumeRole"
    own = ", ".join(part for part in whole.split(", ") if part.partition(":")[0] not in statement)
    inside = ", ".join(filter(None, [own, statement]))
    return f"CreateRole {{RoleName: {name}, AssumeRolePolicyDocument: {{Statement: {{{inside}}}}}}}"


def on(resource: str) -> str:
    """An inline policy about a resource."""
    statement = f"{{Effect: Allow, Action: 'iam:*', Resource: '{resource}'}}"
    return f"PutRolePolicy {{RoleName: free, PolicyName: new, PolicyDocument: {{Statement: {statement}}}}}"


@pytest.mark.parametrize("path", ["*", "root", "role/*"])
def test_resources_of_a_whole_account(iam: Client, path: str) -> None:
    do(iam, on(f"arn:aws:iam::{ACCOUNT}:{path}"))


@pytest.mark.parametrize("path", ["*x", "thing/*", "rooted"])
def test_resources_that_are_no_path(iam: Client, path: str) -> None:
    assert refused(iam, on(f"arn:aws:iam::{ACCOUNT}:{path}")) == "MalformedPolicyDocument 400"


def put(condition: str) -> str:
    """An inline policy with a condition."""
    statement = f"{{Effect: Allow, Action: 's3:Get*', Resource: '*', Condition: {condition}}}"
    return f"PutRolePolicy {{RoleName: free, PolicyName: new, PolicyDocument: {{Statement: {statement}}}}}"


TRUST_POLICIES = (
    "NotAction: sts:AssumeRole, Action: sts:AssumeRole",
    "Principal: null",
    "Principal: ec2.amazonaws.com",
    "Principal: {Robot: x}",
    "Principal: {Service: ec2}",
    "Principal: {AWS: 'arn:aws:iam::1:role/x'}",
    f"Principal: {{AWS: 'arn:aws-cn:iam::{ACCOUNT}:root'}}",
    "Principal: {AWS: $HERE:user/nobody}",
    "Principal: {Federated: 'https://oidc.example.com/id/A'}",
    "Principal: {Federated: 'arn:aws-cn:iam::111122223333:oidc-provider/oidc.example.com/id/A'}",
    "Condition: {StringEquals: {'https://oidc.example.com/id/A:sub': x}}",
    "Condition: {StringEquals: {'oidc.example.com/id/A:sub:x': x}}",
    "Condition: {StringEquals: {sub: x}}",
    "Condition: {StringEquals: {aws:SourceIp: x, AWS:sourceip: y}}",
    "Principal: '*', Action: sts:AssumeRoleWithWebIdentity",
    "Principal: '*', Effect: Deny",
    "Sid: not-alpha",
)
TAKEN = (
    "Action: sts:*, Principal: {Federated: $HERE:oidc-provider/none}",
    "Action: [sts:AssumeRoleWithWebIdentity, sts:TagSession], Principal: {Federated:"
    " $HERE:oidc-provider/none}",
    "Principal: {AWS: '*'}",
    "Principal: {AWS: $HERE:root}",
    "Principal: {AWS: 'arn:aws:iam::999900001111:root'}",
    "Principal: {AWS: $HERE:user/admin}",
    "Condition: {ForAnyValue:StringLikeIfExists: {'a:b': [c, d]}}",
    "Condition: {NumericLessThan: {'a:b': 5}, Bool: {'a:c': true}}",
    "Condition: {StringEquals: {'a:b': c}, StringLike: {'a:b': d}}",
)
KEYS = (
    "oidc.example.com/id/A:sub",
    "aws:RequestTag/a:b:c",
    "aws:ResourceTag/aws:cloudformation:stack-name",
    "s3:ExistingObjectTag/servicecatalog:provisioning",
    "kms:EncryptionContext:aws:s3:arn",
)
TWICE = trust({"AWS": "*"}, {"StringEquals": {"a:b": "c", "a:x": "d"}}).replace("a:x", "a:b")
OPERATORS = trust({"AWS": "*"}, {"StringEquals": {"a:b": "c"}, "StringLike": {"a:b": "d"}}).replace(
    "Like", "Equals"
)
MALFORMED = "MalformedPolicyDocument 400"
REFUSALS = (
    *((made(statement), MALFORMED) for statement in TRUST_POLICIES),
    (f"CreateRole {{RoleName: new, AssumeRolePolicyDocument: {json.dumps(TWICE)}}}", MALFORMED),
    (f"CreateRole {{RoleName: new, AssumeRolePolicyDocument: {json.dumps(OPERATORS)}}}", MALFORMED),
    (put("{StringLike: {'s3:prefix:x': a}}"), MALFORMED),
    (made("", "ä"), "ValidationError 400"),
    (made("").replace("new,", "new, Tags: [{Key: 'AWS:x', Value: v}],"), "InvalidInput 400"),
    (made("").replace("new,", "new, Tags: [{Key: a, Value: 'x,y'}],"), "ValidationError 400"),
    ("TagRole {RoleName: there, Tags: [{Key: 'aws:a', Value: v}]}", "InvalidInput 400"),
    ("AttachRolePolicy {RoleName: there, PolicyArn: 'arn:aws:s3:::bucket-name-x'}", "ValidationError 400"),
    (
        "AttachRolePolicy {RoleName: there, PolicyArn: 'arn:aws-cn:iam::aws:policy/AmazonS3ReadOnlyAccess'}",
        "NoSuchEntity 404",
    ),
    ("ListAttachedRolePolicies {RoleName: nobody}", "NoSuchEntity 404"),
    ("ListRolePolicies {RoleName: nobody}", "NoSuchEntity 404"),
    ("ListRoles {Marker: //5/}", "ValidationError 400"),
    ("CreatePolicy {PolicyName: OWN, PolicyDocument: $READS}", "EntityAlreadyExists 409"),
    ("DeletePolicy {PolicyArn: $S3}", "AccessDenied 403"),
    (
        "CreateOpenIDConnectProvider {Url: 'https://new.example.com', Tags: [{Key: 'aws:x', Value: v}]}",
        "InvalidInput 400",
    ),
)


def test_refused_and_nothing_changed(sandbox: Sandbox, iam: Client) -> None:
    before = sandbox.world()
    for call, expected in REFUSALS:
        assert refused(iam, call) == expected, call
        assert sandbox.world() == before, call


@pytest.mark.parametrize(
    ("quota", "value", "call"),
    [
        ("RolesQuota", 2, made("")),
        ("OpenIdConnectProvidersQuota", 1, "CreateOpenIDConnectProvider {Url: 'https://new.example.com/x'}"),
        ("PoliciesQuota", 1, "CreatePolicy {PolicyName: new, PolicyDocument: $READS}"),
        ("AttachedPoliciesPerRoleQuota", 1, "AttachRolePolicy {RoleName: there, PolicyArn: $S3}"),
        ("TagsQuota", 1, "TagRole {RoleName: there, Tags: $TAGS}"),
        (
            "ClientIdsPerOpenIdConnectProviderQuota",
            1,
            "AddClientIDToOpenIDConnectProvider {OpenIDConnectProviderArn: $PROVIDER, ClientID: second}",
        ),
        ("TagsQuota", 1, "TagOpenIDConnectProvider {OpenIDConnectProviderArn: $PROVIDER, Tags: $TAGS}"),
        ("TagsQuota", 1, "TagPolicy {PolicyArn: $HERE:policy/own, Tags: $TAGS}"),
    ],
)
def test_quotas(sandbox: Sandbox, iam: Client, quota: str, value: int, call: str) -> None:
    words = {"PROVIDER": PROVIDER, "TAGS": [{"Key": key, "Value": "v"} for key in "ab"]}
    sandbox.quotas[quota] = value
    before = sandbox.world()
    assert refused(iam, call, **words) == "LimitExceeded 409"
    assert sandbox.world() == before
    sandbox.quotas[quota] = value + 1
    do(iam, call, **words)
    assert sandbox.world() != before


def test_white_space_in_a_trust_policy_does_not_count(sandbox: Sandbox) -> None:
    document = json.loads(trust({"AWS": "*"}, {"StringEquals": {"a:b": ["v" * 1800]}}))
    spaced = json.dumps(document, indent=40)
    assert len(spaced) > 2048
    iam = client(sandbox, "iam")
    do(iam, "CreateRole {RoleName: spaced, AssumeRolePolicyDocument: $TEXT}", TEXT=spaced)
    assert "spaced" in sandbox.world()["roles"]


def test_trust_policies_that_are_taken(sandbox: Sandbox, iam: Client) -> None:
    for statement in TAKEN:
        do(iam, made(statement))
        words = "CreateRole {RoleName: new, AssumeRole", "UpdateAssumeRolePolicy {RoleName: free, "
        do(iam, made(statement).replace(*words))
        roles = sandbox.world()["roles"]
        assert roles["new"]["trust"] == roles["free"]["trust"] != roles["there"]["trust"], statement
        do(iam, "DeleteRole {RoleName: new}")


def test_condition_keys_that_are_taken(iam: Client) -> None:
    for key in KEYS:
        do(iam, put(f"{{StringEquals: {{'{key}': x}}}}"))


def test_policies_of_aws_are_as_aws_publishes_them(sandbox: Sandbox) -> None:
    iam = client(sandbox, "iam")
    arn = "arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy"
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    assert document == published("AmazonEBSCSIDriverPolicy")
    assert len(document["Statement"]) > 5
    assert published("NoSuchPolicy") is None
    for name in MANAGED:
        check_identity_policy(json.dumps(published(name)))
