"""What AWS refuses, the sandbox refuses too: code and HTTP status of each refusal, and nothing changed."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from irsa_cli.sandbox import Sandbox
from irsa_cli.sandbox.aws.cloud import MANAGED, published
from irsa_cli.sandbox.aws.iam.grammar import check_identity_policy
from tests.support.sandbox_clients import EC2_TRUST, S3_READ, Client, client, policy, refusal, trust

ACCOUNT = "111122223333"
ISSUER = "https://oidc.example.com/id/A"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.example.com/id/A"
OWN_POLICY = f"arn:aws:iam::{ACCOUNT}:policy/own"
MISSING = f"arn:aws:iam::{ACCOUNT}:policy/missing"
DOCUMENT = json.dumps(policy("s3:GetObject"))
BIG = json.dumps(policy(*(f"s3:Get{n:04}" for n in range(500))))
VALIDATION, MALFORMED = ("ValidationError", 400), ("MalformedPolicyDocument", 400)
NO_ENTITY, EXISTS = ("NoSuchEntity", 404), ("EntityAlreadyExists", 409)
LIMIT, CONFLICT, INPUT = ("LimitExceeded", 409), ("DeleteConflict", 409), ("InvalidInput", 400)


@pytest.fixture
def iam(sandbox: Sandbox) -> Client:
    """IAM with a role `there` (one managed, one inline policy), a policy `own` attached, a provider."""
    iam = client(sandbox, "iam")
    iam.create_policy(PolicyName="own", PolicyDocument=DOCUMENT)
    iam.create_role(RoleName="there", AssumeRolePolicyDocument=EC2_TRUST)
    iam.create_role(RoleName="free", AssumeRolePolicyDocument=EC2_TRUST)
    iam.attach_role_policy(RoleName="there", PolicyArn=OWN_POLICY)
    iam.put_role_policy(RoleName="there", PolicyName="inline", PolicyDocument=DOCUMENT)
    iam.create_open_id_connect_provider(Url=ISSUER, ClientIDList=["sts.amazonaws.com"])
    return iam


def _role(**changes: Any) -> Callable[[Client], Any]:
    wanted = {"RoleName": "new", "AssumeRolePolicyDocument": EC2_TRUST, **changes}
    return lambda iam: iam.create_role(**wanted)


def _trusting(document: Any) -> Callable[[Client], Any]:
    return _role(AssumeRolePolicyDocument=document if isinstance(document, str) else json.dumps(document))


def _statement(**changes: Any) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
        **changes,
    }
    return {"Version": "2012-10-17", "Statement": {k: v for k, v in statement.items() if v is not None}}


def _inline(document: Any) -> Callable[[Client], Any]:
    text = document if isinstance(document, str) else json.dumps(document)
    return lambda iam: iam.put_role_policy(RoleName="free", PolicyName="new", PolicyDocument=text)


def _tagged(*keys: str, value: str = "v") -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key in keys]


def _provider(url: str = "https://new.example.com/x", **more: Any) -> Callable[[Client], Any]:
    return lambda iam: iam.create_open_id_connect_provider(Url=url, **more)


FIFTY_ONE = _tagged(*(f"k{n}" for n in range(51)))
TRUST_POLICIES = {
    "no JSON": "{",
    "not an object": "[]",
    "no statement": {"Version": "2012-10-17"},
    "no statements": {"Version": "2012-10-17", "Statement": []},
    "unknown version": {**_statement(), "Version": "2020-01-01"},
    "unknown element": _statement(Nonsense="x"),
    "unknown top element": {**_statement(), "Nonsense": "x"},
    "no effect": _statement(Effect=None),
    "wrong effect": _statement(Effect="allow"),
    "no action": _statement(Action=None),
    "empty action": _statement(Action=[]),
    "action of another service": _statement(Action="s3:GetObject"),
    "both actions": _statement(NotAction="sts:AssumeRole"),
    "no principal": _statement(Principal=None),
    "principal as string": _statement(Principal="ec2.amazonaws.com"),
    "principal of unknown kind": _statement(Principal={"Robot": "x"}),
    "service without domain": _statement(Principal={"Service": "ec2"}),
    "malformed ARN": _statement(Principal={"AWS": "arn:aws:iam::1:role/x"}),
    "other partition": _statement(Principal={"AWS": f"arn:aws-cn:iam::{ACCOUNT}:root"}),
    "missing user": _statement(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/nobody"}),
    "missing role": _statement(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/nobody"}),
    "federated by URL": _statement(Principal={"Federated": ISSUER}),
    "federated of another partition": _statement(
        Principal={"Federated": PROVIDER.replace("aws", "aws-cn", 1)}
    ),
    "resource": _statement(Resource="*"),
    "unknown operator": _statement(Condition={"StringEqual": {"a:b": "c"}}),
    "condition without key": _statement(Condition={"StringEquals": "x"}),
    "condition with an object": _statement(Condition={"StringEquals": {"a:b": {}}}),
    "condition as list": _statement(Condition=[]),
    "condition key with two colons": _statement(
        Condition={"StringEquals": {"https://oidc.example.com/id/A:sub": "x"}}
    ),
    "condition key with a claim of two parts": _statement(
        Condition={"StringEquals": {"oidc.example.com/id/A:sub:x": "x"}}
    ),
    "condition key without a service": _statement(Condition={"StringEquals": {"sub": "x"}}),
    "condition key in two cases": _statement(
        Condition={"StringEquals": {"aws:SourceIp": "x", "AWS:sourceip": "y"}}
    ),
    "condition key twice": json.dumps(
        _statement(Condition={"StringEquals": {"a:b": "c", "a:x": "d"}})
    ).replace("a:x", "a:b"),
    "operator twice": json.dumps(
        _statement(Condition={"StringEquals": {"a:b": "c"}, "StringLike": {"a:b": "d"}})
    ).replace("StringLike", "StringEquals"),
    "anybody as string": _statement(Principal="*"),
    "anybody as string, by a token": _statement(Principal="*", Action="sts:AssumeRoleWithWebIdentity"),
    "nobody denied as string": _statement(Principal="*", Effect="Deny"),
    "Sids twice": {"Statement": [{**_statement()["Statement"], "Sid": "A"}] * 2},
    "Sid with a hyphen": _statement(Sid="not-alpha"),
}
IDENTITY_POLICIES = {
    "no JSON": "not json",
    "principal": policy("s3:GetObject", Principal="*"),
    "no resource": {"Statement": {"Effect": "Allow", "Action": "s3:GetObject"}},
    "resource without ARN": policy("s3:GetObject", resource="bucket"),
    "action without service": policy("GetObject"),
    "no effect": {"Statement": {"Action": "s3:GetObject", "Resource": "*"}},
    "Sids twice": {"Statement": [{**policy("s3:Get*")["Statement"][0], "Sid": "A"}] * 2},
    "condition key with two colons": policy("s3:Get*", Condition={"StringLike": {"s3:prefix:x": "a"}}),
    "condition key twice": json.dumps(
        policy("s3:Get*", Condition={"StringLike": {"s3:prefix": "a", "s3:other": "b"}})
    ).replace("s3:other", "s3:prefix"),
}
TAKEN: dict[str, Callable[[Client], Any]] = {
    "anybody": _trusting(_statement(Principal={"AWS": "*"})),
    "a key in two operators": _trusting(
        _statement(Condition={"StringEquals": {"a:b": "c"}, "StringLike": {"a:b": "d"}})
    ),
    "no Sids": _trusting({"Statement": [_statement()["Statement"]] * 2}),
    "empty Sids": _trusting({"Statement": [{**_statement()["Statement"], "Sid": ""}] * 2}),
    **{
        key: _inline(policy("s3:Get*", Condition={"StringEquals": {key: "x"}}))
        for key in (
            "oidc.example.com/id/A:sub",
            "aws:RequestTag/a:b:c",
            "aws:ResourceTag/aws:cloudformation:stack-name",
            "s3:ExistingObjectTag/servicecatalog:provisioning",
            "kms:EncryptionContext:aws:s3:arn",
        )
    },
}
REFUSALS: dict[str, tuple[Callable[[Client], Any], tuple[str, int]]] = {
    **{
        f"trust policy: {name}": (_trusting(document), MALFORMED) for name, document in TRUST_POLICIES.items()
    },
    **{
        f"inline policy: {name}": (_inline(document), MALFORMED)
        for name, document in IDENTITY_POLICIES.items()
    },
    "role name too long": (_role(RoleName="r" * 65), VALIDATION),
    "role name with space": (_role(RoleName="a b"), VALIDATION),
    "role name with letters beyond ASCII": (_role(RoleName="ä"), VALIDATION),
    "path without slash": (_role(Path="/irsa"), VALIDATION),
    "path too long": (_role(Path="/" + "p" * 511 + "/"), VALIDATION),
    "description too long": (_role(Description="d" * 1001), VALIDATION),
    "description beyond Latin-1": (_role(Description="日本"), VALIDATION),
    "session too short": (_role(MaxSessionDuration=3599), VALIDATION),
    "session too long": (_role(MaxSessionDuration=43201), VALIDATION),
    "role exists": (_role(RoleName="there"), EXISTS),
    "role exists in other case": (_role(RoleName="THERE"), EXISTS),
    "boundary missing": (_role(PermissionsBoundary=MISSING), NO_ENTITY),
    "boundary malformed": (_role(PermissionsBoundary="arn:aws:iam::x:policy/y"), ("InvalidInput", 400)),
    "trust policy too large": (
        _trusting(trust({"AWS": "*"}, {"StringEquals": {"a:b": ["v" * 50] * 50}})),
        LIMIT,
    ),
    "51 tags": (_role(Tags=FIFTY_ONE), VALIDATION),
    "tag reserved": (_role(Tags=_tagged("aws:x")), INPUT),
    "tag reserved in other case": (_role(Tags=_tagged("AWS:x")), INPUT),
    "tags twice": (_role(Tags=_tagged("Team", "team")), INPUT),
    "tag key too long": (_role(Tags=_tagged("k" * 129)), VALIDATION),
    "tag value too long": (_role(Tags=_tagged("k", value="v" * 257)), VALIDATION),
    "tag key with semicolon": (_role(Tags=_tagged("a;b")), VALIDATION),
    "tag value with comma": (_role(Tags=_tagged("a", value="x,y")), VALIDATION),
    "get missing role": (lambda iam: iam.get_role(RoleName="nobody"), NO_ENTITY),
    "delete missing role": (lambda iam: iam.delete_role(RoleName="nobody"), NO_ENTITY),
    "delete role in use": (lambda iam: iam.delete_role(RoleName="there"), CONFLICT),
    "update missing role": (lambda iam: iam.update_role(RoleName="nobody", Description="x"), NO_ENTITY),
    "update trust to nonsense": (
        lambda iam: iam.update_assume_role_policy(RoleName="there", PolicyDocument="{}"),
        MALFORMED,
    ),
    "update trust of missing role": (
        lambda iam: iam.update_assume_role_policy(RoleName="nobody", PolicyDocument=EC2_TRUST),
        NO_ENTITY,
    ),
    "put missing boundary": (
        lambda iam: iam.put_role_permissions_boundary(RoleName="there", PermissionsBoundary=MISSING),
        NO_ENTITY,
    ),
    "attach malformed ARN": (
        lambda iam: iam.attach_role_policy(RoleName="there", PolicyArn="arn:aws:s3:::bucket-name-x"),
        VALIDATION,
    ),
    "attach missing policy": (
        lambda iam: iam.attach_role_policy(RoleName="there", PolicyArn=MISSING),
        NO_ENTITY,
    ),
    "attach policy of another partition": (
        lambda iam: iam.attach_role_policy(RoleName="there", PolicyArn=S3_READ.replace("aws", "aws-cn", 1)),
        NO_ENTITY,
    ),
    "attach to missing role": (
        lambda iam: iam.attach_role_policy(RoleName="nobody", PolicyArn=OWN_POLICY),
        NO_ENTITY,
    ),
    "detach what isn't attached": (
        lambda iam: iam.detach_role_policy(RoleName="there", PolicyArn=S3_READ),
        NO_ENTITY,
    ),
    "inline policy for missing role": (
        lambda iam: iam.put_role_policy(RoleName="nobody", PolicyName="x", PolicyDocument=DOCUMENT),
        NO_ENTITY,
    ),
    "inline policies too large": (_inline(BIG.replace("s3:Get", "s3:" + "G" * 20)), LIMIT),
    "inline policy missing": (
        lambda iam: iam.get_role_policy(RoleName="there", PolicyName="nothing"),
        NO_ENTITY,
    ),
    "delete missing inline policy": (
        lambda iam: iam.delete_role_policy(RoleName="there", PolicyName="nothing"),
        NO_ENTITY,
    ),
    "tag missing role": (lambda iam: iam.tag_role(RoleName="nobody", Tags=_tagged("a")), NO_ENTITY),
    "tag role with reserved key": (lambda iam: iam.tag_role(RoleName="there", Tags=_tagged("aws:a")), INPUT),
    "policies of missing role": (lambda iam: iam.list_attached_role_policies(RoleName="nobody"), NO_ENTITY),
    "inline policies of missing role": (lambda iam: iam.list_role_policies(RoleName="nobody"), NO_ENTITY),
    "page too large": (lambda iam: iam.list_roles(MaxItems=1001), VALIDATION),
    "marker of nothing": (lambda iam: iam.list_roles(Marker="//5/"), VALIDATION),
    "policy exists": (lambda iam: iam.create_policy(PolicyName="OWN", PolicyDocument=DOCUMENT), EXISTS),
    "policy too large": (lambda iam: iam.create_policy(PolicyName="new", PolicyDocument=BIG), LIMIT),
    "policy malformed": (lambda iam: iam.create_policy(PolicyName="new", PolicyDocument="{}"), MALFORMED),
    "policy missing": (lambda iam: iam.get_policy(PolicyArn=MISSING), NO_ENTITY),
    "delete attached policy": (lambda iam: iam.delete_policy(PolicyArn=OWN_POLICY), CONFLICT),
    "delete missing policy": (lambda iam: iam.delete_policy(PolicyArn=MISSING), NO_ENTITY),
    "delete policy of AWS": (lambda iam: iam.delete_policy(PolicyArn=S3_READ), ("AccessDenied", 403)),
    "provider exists": (_provider(ISSUER), EXISTS),
    "provider without TLS": (_provider("http://oidc.example.com/id/B"), VALIDATION),
    "provider without host": (_provider("https:///id"), VALIDATION),
    "provider with query": (_provider("https://oidc.example.com/id?x=y"), VALIDATION),
    "provider URL too long": (_provider("https://oidc.example.com/" + "x" * 240), VALIDATION),
    "thumbprint too short": (_provider(ThumbprintList=["ab12"]), VALIDATION),
    "six thumbprints": (_provider(ThumbprintList=["a" * 40] * 6), INPUT),
    "101 audiences": (_provider(ClientIDList=[f"a{n}" for n in range(101)]), LIMIT),
    "audience too long": (_provider(ClientIDList=["a" * 256]), VALIDATION),
    "provider with reserved tag": (_provider(Tags=_tagged("aws:x")), INPUT),
    "get missing provider": (
        lambda iam: iam.get_open_id_connect_provider(OpenIDConnectProviderArn=PROVIDER + "x"),
        NO_ENTITY,
    ),
    "provider ARN malformed": (
        lambda iam: iam.get_open_id_connect_provider(OpenIDConnectProviderArn=ISSUER),
        INPUT,
    ),
    "delete missing provider": (
        lambda iam: iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=PROVIDER + "x"),
        NO_ENTITY,
    ),
    "add audience to missing provider": (
        lambda iam: iam.add_client_id_to_open_id_connect_provider(
            OpenIDConnectProviderArn=PROVIDER + "x", ClientID="a"
        ),
        NO_ENTITY,
    ),
    "tag missing provider": (
        lambda iam: iam.tag_open_id_connect_provider(
            OpenIDConnectProviderArn=PROVIDER + "x", Tags=_tagged("a")
        ),
        NO_ENTITY,
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refused_and_nothing_changed(sandbox: Sandbox, iam: Client, name: str) -> None:
    call, expected = REFUSALS[name]
    before = sandbox.world()
    assert refusal(lambda: call(iam)) == expected
    assert sandbox.world() == before


LIMITED: dict[str, tuple[str, int, Callable[[Client], Any]]] = {
    "roles": ("RolesQuota", 2, _role()),
    "providers": ("OpenIdConnectProvidersQuota", 1, _provider()),
    "managed policies": (
        "PoliciesQuota",
        1,
        lambda iam: iam.create_policy(PolicyName="new", PolicyDocument=DOCUMENT),
    ),
    "attachments": (
        "AttachedPoliciesPerRoleQuota",
        1,
        lambda iam: iam.attach_role_policy(RoleName="there", PolicyArn=S3_READ),
    ),
    "tags": ("TagsQuota", 1, lambda iam: iam.tag_role(RoleName="there", Tags=_tagged("a", "b"))),
    "audiences": (
        "ClientIdsPerOpenIdConnectProviderQuota",
        1,
        lambda iam: iam.add_client_id_to_open_id_connect_provider(
            OpenIDConnectProviderArn=PROVIDER, ClientID="second"
        ),
    ),
    "tags of a provider": (
        "TagsQuota",
        1,
        lambda iam: iam.tag_open_id_connect_provider(
            OpenIDConnectProviderArn=PROVIDER, Tags=_tagged("a", "b")
        ),
    ),
    "tags of a policy": (
        "TagsQuota",
        1,
        lambda iam: iam.tag_policy(PolicyArn=OWN_POLICY, Tags=_tagged("a", "b")),
    ),
}


@pytest.mark.parametrize("name", LIMITED)
def test_quotas(sandbox: Sandbox, iam: Client, name: str) -> None:
    quota, value, call = LIMITED[name]
    sandbox.quotas[quota] = value
    before = sandbox.world()
    assert refusal(lambda: call(iam)) == LIMIT
    assert sandbox.world() == before
    sandbox.quotas[quota] = value + 1
    call(iam)
    assert sandbox.world() != before


def test_the_default_quotas_are_those_of_aws(sandbox: Sandbox) -> None:
    iam = client(sandbox, "iam")
    summary = iam.get_account_summary()["SummaryMap"]
    assert summary["RolesQuota"] == 1000
    assert summary["AttachedPoliciesPerRoleQuota"] == 10
    assert summary["AssumeRolePolicySizeQuota"] == 2048
    assert summary["RolePolicySizeQuota"] == 10240
    for number in range(11):
        iam.create_policy(PolicyName=f"p{number}", PolicyDocument=DOCUMENT)
    iam.create_role(RoleName="full", AssumeRolePolicyDocument=EC2_TRUST)
    arns = [f"arn:aws:iam::{ACCOUNT}:policy/p{number}" for number in range(11)]
    for arn in arns[:10]:
        iam.attach_role_policy(RoleName="full", PolicyArn=arn)
    assert refusal(lambda: iam.attach_role_policy(RoleName="full", PolicyArn=arns[10])) == LIMIT


def test_white_space_in_a_trust_policy_does_not_count(sandbox: Sandbox) -> None:
    document = json.loads(trust({"AWS": "*"}, {"StringEquals": {"a:b": ["v" * 1800]}}))
    spaced = json.dumps(document, indent=40)
    assert len(spaced) > 2048
    client(sandbox, "iam").create_role(RoleName="spaced", AssumeRolePolicyDocument=spaced)
    assert "spaced" in sandbox.world()["roles"]


ACCEPTED = {
    "old version": trust({"Service": "ec2.amazonaws.com"}, version="2008-10-17"),
    "no version": trust({"Service": "ec2.amazonaws.com"}, version=None),
    "wildcard action": trust({"Federated": PROVIDER}, action="sts:*"),
    "several actions": trust(
        {"Federated": PROVIDER}, action=["sts:AssumeRoleWithWebIdentity", "sts:TagSession"]
    ),
    "everybody": trust({"AWS": "*"}),
    "account by number": trust({"AWS": ACCOUNT}),
    "account by root": trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}),
    "another account": trust({"AWS": "arn:aws:iam::999900001111:root"}),
    "existing user": trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/admin"}),
    "missing provider": trust({"Federated": PROVIDER + "missing"}),
    "quantified operator": trust({"AWS": "*"}, {"ForAnyValue:StringLikeIfExists": {"a:b": ["c", "d"]}}),
    "numbers and booleans": trust({"AWS": "*"}, {"NumericLessThan": {"a:b": 5}, "Bool": {"a:c": True}}),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted_trust_policies(sandbox: Sandbox, name: str) -> None:
    iam = client(sandbox, "iam")
    iam.create_role(RoleName="new", AssumeRolePolicyDocument=ACCEPTED[name])
    iam.create_role(RoleName="old", AssumeRolePolicyDocument=EC2_TRUST)
    iam.update_assume_role_policy(RoleName="old", PolicyDocument=ACCEPTED[name])
    roles = sandbox.world()["roles"]
    assert roles["new"]["trust"] == roles["old"]["trust"] == json.loads(ACCEPTED[name])


@pytest.mark.parametrize("case", TAKEN)
def test_what_iam_accepts_is_accepted(iam: Client, case: str) -> None:
    TAKEN[case](iam)


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
