"""Who may call the sandbox's AWS: credentials, signatures, identity policies, accounts and partitions."""

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import urllib3
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from irsa_cli.sandbox import ClusterSpec, Sandbox
from tests.support.aws_lines import do, refused, tried
from tests.support.sandbox_clients import ACCOUNT, S3_READ, anonymous, client, client_of, policy, trust

OTHER = "222233334444"
DENIED = "AccessDenied 403"
NEW = "CreateRole {RoleName: r, AssumeRolePolicyDocument: $EC2}"
HOP = "AssumeRole {RoleArn: $HERE:role/hop, RoleSessionName: me}"
UNKNOWN = {"AccessKeyId": "AKIAUNKNOWNUNKNOWN00", "SecretAccessKey": "x", "SessionToken": None}


def keys(sandbox: Sandbox, **changes: Any) -> dict[str, Any]:
    """The administrator's, changed."""
    env = sandbox.env()
    own = {"AccessKeyId": env["AWS_ACCESS_KEY_ID"], "SecretAccessKey": env["AWS_SECRET_ACCESS_KEY"]}
    return {**own, "SessionToken": None, **changes}


@pytest.mark.parametrize(
    ("service", "call", "unknown", "wrong", "unsigned"),
    [
        ("iam", "ListRoles", "InvalidClientTokenId", "SignatureDoesNotMatch", "MissingAuthenticationToken"),
        (
            "sts",
            "GetCallerIdentity",
            "InvalidClientTokenId",
            "SignatureDoesNotMatch",
            "MissingAuthenticationToken",
        ),
        (
            "eks",
            "ListClusters",
            "UnrecognizedClientException",
            "InvalidSignatureException",
            "MissingAuthenticationTokenException",
        ),
        ("s3", "ListBuckets", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied"),
    ],
)
def test_keys(sandbox: Sandbox, service: str, call: str, unknown: str, wrong: str, unsigned: str) -> None:
    temporary = {**UNKNOWN, "AccessKeyId": "ASIAUNKNOWNUNKNOWN00"}
    for credentials in (UNKNOWN, temporary):
        assert refused(client_of(sandbox, service, credentials), call) == f"{unknown} 403"
    mistaken = client_of(sandbox, service, keys(sandbox, SecretAccessKey="wrong"))
    assert refused(mistaken, call) == f"{wrong} 403"
    assert refused(anonymous(sandbox, service), call) == f"{unsigned} 403"


@pytest.mark.parametrize("token", [None, "other"])
def test_session_credentials_need_their_token(sandbox: Sandbox, token: str | None) -> None:
    strange = client_of(sandbox, "sts", {**assume(sandbox), "SessionToken": token})
    assert refused(strange, "GetCallerIdentity") == "InvalidClientTokenId 403"


def assume(sandbox: Sandbox) -> dict[str, Any]:
    """Credentials of a role that trusts its account."""
    do(client(sandbox, "iam"), "CreateRole {RoleName: hop, AssumeRolePolicyDocument: $ROOT}")
    return dict(do(client(sandbox, "sts"), HOP)["Credentials"])


def test_an_inactive_key(sandbox: Sandbox) -> None:
    sandbox.add_user("ci")
    key = sandbox.env(user="ci")["AWS_ACCESS_KEY_ID"]
    change = "UpdateAccessKey {UserName: ci, AccessKeyId: $KEY, Status: Inactive}"
    do(client(sandbox, "iam"), change, KEY=key)
    assert refused(client(sandbox, "sts", user="ci"), "GetCallerIdentity") == "InvalidClientTokenId 403"


def test_keys_made_by_iam_itself(sandbox: Sandbox) -> None:
    iam = client(sandbox, "iam")
    do(iam, "CreateUser {UserName: made}")
    key = do(iam, "CreateAccessKey {UserName: made}")["AccessKey"]
    made = client_of(sandbox, "sts", {**key, "SessionToken": None})
    assert made.get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/made"


def presigned(sandbox: Sandbox, minutes: int = 0) -> str:
    """A call that was signed some minutes from now."""
    credentials = Credentials(*list(keys(sandbox).values())[:2])
    request = AWSRequest("GET", f"{sandbox.url}/?Action=GetCallerIdentity&Version=2011-06-15")
    signed = datetime.now(timezone.utc) + timedelta(minutes=minutes)
    request.context["timestamp"] = signed.strftime("%Y%m%dT%H%M%SZ")
    auth: Any = SigV4QueryAuth(credentials, "sts", "eu-west-1", expires=60)
    auth._modify_request_before_signing(request)
    text = auth.string_to_sign(request, auth.canonical_request(request))
    return f"{request.url}&X-Amz-Signature={auth.signature(text, request)}"


@pytest.mark.parametrize(
    ("old", "new", "minutes", "status"),
    [
        ("Date=20", "Date=20", 0, 200),
        ("Date=20", "Date=21", 0, 403),
        ("eu-west-1", "eu-west-2", 0, 403),
        ("2011-06-15", "2011-06-16", 0, 403),
        # A signature is good for a quarter of an hour.
        ("Date=20", "Date=20", -13, 200),
        ("Date=20", "Date=20", -16, 403),
        ("Date=20", "Date=20", 17, 403),
    ],
)
def test_a_presigned_call(sandbox: Sandbox, old: str, new: str, minutes: int, status: int) -> None:
    url = presigned(sandbox, minutes)
    assert old in url
    answer = urllib3.request("GET", url.replace(old, new), retries=False)
    assert answer.status == status
    assert (f"arn:aws:iam::{ACCOUNT}:user/admin".encode() in answer.data) is (status == 200)


def test_a_user_may_do_what_its_policy_says(sandbox: Sandbox) -> None:
    sandbox.add_user("ci", policy=policy("iam:CreateRole", resource=f"arn:aws:iam::{ACCOUNT}:role/irsa/*"))
    iam = client(sandbox, "iam", user="ci")
    do(iam, "CreateRole {RoleName: a, Path: /irsa/, AssumeRolePolicyDocument: $EC2}")
    assert refused(iam, NEW) == refused(iam, "GetRole {RoleName: a}") == DENIED
    assert list(sandbox.world()["roles"]) == ["a"]
    with pytest.raises(iam.exceptions.ClientError) as caught:
        do(iam, NEW.replace("r,", "b, Path: /x/,"))
    assert caught.value.response["Error"]["Message"] == (
        f"User: arn:aws:iam::{ACCOUNT}:user/ci is not authorized to perform: iam:CreateRole on resource: "
        f"arn:aws:iam::{ACCOUNT}:role/x/b because no identity-based policy allows the iam:CreateRole action"
    )


CONDITIONS = {
    "iam:CreateRole": {"StringEquals": {"iam:PermissionsBoundary": S3_READ}},
    "iam:Attach*": {"ArnLike": {"iam:PolicyARN": "arn:aws:iam::aws:policy/AmazonS3*"}},
    "iam:TagRole": {"StringEquals": {"aws:RequestTag/team": "blue"}},
    "iam:GetRole": {"StringEquals": {"aws:ResourceTag/team": "blue"}},
}


def test_conditions_on_what_a_call_asks_for(sandbox: Sandbox) -> None:
    statements = [policy(action, Condition=when)["Statement"][0] for action, when in CONDITIONS.items()]
    sandbox.add_user("ci", policy={"Version": "2012-10-17", "Statement": statements})
    iam = client(sandbox, "iam", user="ci")
    lines = {
        NEW: DENIED,
        NEW.replace("r,", "r, PermissionsBoundary: $S3,"): "",
        "AttachRolePolicy {RoleName: r, PolicyArn: 'arn:aws:iam::aws:policy/AmazonSQSFullAccess'}": DENIED,
        "AttachRolePolicy {RoleName: r, PolicyArn: $S3}": "",
        "GetRole {RoleName: r}": DENIED,
        "TagRole {RoleName: r, Tags: [{Key: team, Value: red}]}": DENIED,
        "TagRole {RoleName: r, Tags: [{Key: team, Value: blue}]}": "",
        "GetRole {RoleName: $NAME}": "",
    }
    assert {line: tried(iam, line, NAME="r") for line in lines} == lines


def test_a_denial_beats_administrator_access(sandbox: Sandbox) -> None:
    sandbox.add_user("ci", policy=policy("iam:DeleteRole", Effect="Deny"))
    admin = client(sandbox, "iam")
    do(admin, "AttachUserPolicy {UserName: ci, PolicyArn: 'arn:aws:iam::aws:policy/AdministratorAccess'}")
    do(admin, NEW)
    iam = client(sandbox, "iam", user="ci")
    do(iam, "GetRole {RoleName: r}")
    assert refused(iam, "DeleteRole {RoleName: r}") == DENIED


def test_policies_of_a_group_and_new_default_versions_count(sandbox: Sandbox) -> None:
    sandbox.add_user("ci")
    admin, iam = client(sandbox, "iam"), client(sandbox, "iam", user="ci")
    allow = (
        "PolicyDocument: {Version: '2012-10-17', Statement: {Effect: Allow, Action: '$WHAT', Resource: '*'}}"
    )
    do(admin, f"CreatePolicy {{PolicyName: p, {allow}}}", WHAT="s3:*")
    do(admin, "CreateGroup {GroupName: team}")
    do(admin, "AttachGroupPolicy {GroupName: team, PolicyArn: $HERE:policy/p}")
    do(admin, "AddUserToGroup {GroupName: team, UserName: ci}")
    client(sandbox, "s3", user="ci").list_buckets()
    assert refused(iam, "ListRoles") == DENIED
    do(admin, f"CreatePolicyVersion {{PolicyArn: $HERE:policy/p, SetAsDefault: true, {allow}}}", WHAT="iam:*")
    iam.list_roles()


def test_eks_is_enforced_by_cluster(sandbox: Sandbox) -> None:
    sandbox.add_cluster(ClusterSpec("second"))
    only = f"arn:aws:eks:eu-west-1:{ACCOUNT}:cluster/demo"
    sandbox.add_user("ci", policy=policy("eks:DescribeCluster", resource=only))
    eks = client(sandbox, "eks", user="ci")
    do(eks, "DescribeCluster {name: demo}")
    for call in ("DescribeCluster {name: second}", "ListClusters"):
        assert refused(eks, call) == "AccessDeniedException 403"


def test_accounts_have_nothing_in_common(sandbox: Sandbox) -> None:
    sandbox.add_cluster(ClusterSpec("elsewhere", account=OTHER))
    mine, theirs = client(sandbox, "iam"), client(sandbox, "iam", account=OTHER)
    made = [do(iam, NEW)["Role"]["Arn"] for iam in (mine, theirs)]
    assert made == [f"arn:aws:iam::{account}:role/r" for account in (ACCOUNT, OTHER)]
    do(theirs, "DeleteRole {RoleName: r}")
    assert list(sandbox.world()["roles"]) == ["r"]
    assert sandbox.world(OTHER)["roles"] == {}
    assert list(sandbox.world(OTHER)["kubernetes"]) == ["elsewhere"]
    elsewhere = "DescribeCluster {name: elsewhere}"
    assert refused(client(sandbox, "eks"), elsewhere) == "ResourceNotFoundException 404"
    do(client(sandbox, "eks", account=OTHER), elsewhere)


def test_a_hop_to_another_account(sandbox: Sandbox) -> None:
    sandbox.add_user("ci", policy=policy("sts:AssumeRole"))
    theirs = client(sandbox, "iam", account=OTHER)
    caller = {"AWS": f"arn:aws:iam::{ACCOUNT}:user/ci"}
    document = trust(caller, {"StringEquals": {"sts:ExternalId": "secret"}})
    do(theirs, "CreateRole {RoleName: hop, AssumeRolePolicyDocument: $TRUST}", TRUST=document)
    lists = json.dumps(policy("iam:ListRoles"))
    do(theirs, "PutRolePolicy {RoleName: hop, PolicyName: p, PolicyDocument: $LISTS}", LISTS=lists)
    hop = HOP.replace("$HERE", f"arn:aws:iam::{OTHER}")
    known = hop.replace("me}", "me, ExternalId: secret}")
    sts = client(sandbox, "sts", user="ci")
    assert refused(sts, hop) == refused(client(sandbox, "sts"), known) == DENIED
    credentials = do(sts, known)["Credentials"]
    iam = client_of(sandbox, "iam", credentials)
    assert [role["RoleName"] for role in iam.list_roles()["Roles"]] == ["hop"]
    assert refused(iam, "GetRole {RoleName: hop}") == DENIED
    identity = client_of(sandbox, "sts", credentials).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{OTHER}:assumed-role/hop/me"


@pytest.mark.parametrize(
    ("trusted", "enough"), [("$HERE:root", False), ("$HERE:user/ci", True), ("$HERE:user/admin", False)]
)
def test_whom_a_role_of_the_account_trusts(sandbox: Sandbox, trusted: str, enough: bool) -> None:
    """The account leaves the choice to its own policies; one of its users needs none of them."""
    sandbox.add_user("ci")
    statement = f"{{Effect: Allow, Principal: {{AWS: '{trusted}'}}, Action: sts:AssumeRole}}"
    do(
        client(sandbox, "iam"),
        f"CreateRole {{RoleName: hop, AssumeRolePolicyDocument: {{Statement: {statement}}}}}",
    )
    sts = client(sandbox, "sts", user="ci")
    assert tried(sts, HOP) == ("" if enough else DENIED)
    assert tried(client(sandbox, "sts"), HOP) == (DENIED if enough else "")


PARTITIONS = {
    "cn-north-1": ("aws-cn", "amazonaws.com.cn"),
    "us-gov-west-1": ("aws-us-gov", "amazonaws.com"),
    "us-iso-east-1": ("aws-iso", "c2s.ic.gov"),
    "us-isob-east-1": ("aws-iso-b", "sc2s.sgov.gov"),
    "eu-isoe-west-1": ("aws-iso-e", "cloud.adc-e.uk"),
    "us-isof-south-1": ("aws-iso-f", "csp.hci.ic.gov"),
    "eusc-de-east-1": ("aws-eusc", "amazonaws.eu"),
}


@pytest.mark.parametrize("region", PARTITIONS)
def test_partitions(sandbox: Sandbox, region: str) -> None:
    partition, suffix = PARTITIONS[region]
    sandbox.add_cluster(ClusterSpec("far", region=region))
    cluster = client(sandbox, "eks", region=region).describe_cluster(name="far")["cluster"]
    assert cluster["arn"] == f"arn:{partition}:eks:{region}:{ACCOUNT}:cluster/far"
    issuer = cluster["identity"]["oidc"]["issuer"]
    assert issuer.startswith(f"https://oidc.eks.{region}.{suffix}/id/")
    iam = client(sandbox, "iam", region=region)
    provider = do(iam, "CreateOpenIDConnectProvider {Url: $URL}", URL=issuer)["OpenIDConnectProviderArn"]
    assert provider == f"arn:{partition}:iam::{ACCOUNT}:oidc-provider/{issuer.removeprefix('https://')}"
    words = {
        "POLICY": f"arn:{partition}:iam::aws:policy/AmazonS3ReadOnlyAccess",
        "TRUST": trust({"Federated": provider}, action="sts:AssumeRoleWithWebIdentity"),
    }
    made = NEW.replace("$EC2", "$TRUST, PermissionsBoundary: $POLICY")
    assert do(iam, made, **words)["Role"]["Arn"] == f"arn:{partition}:iam::{ACCOUNT}:role/r"
    do(iam, "AttachRolePolicy {RoleName: r, PolicyArn: $POLICY}", **words)
    assert refused(iam, "AttachRolePolicy {RoleName: r, PolicyArn: $S3}") == "NoSuchEntity 404"
    assert sandbox.world(region=region)["roles"]["r"]["attached"] == [words["POLICY"]]
    assert sandbox.world()["roles"] == {}
    arn = client(sandbox, "sts", region=region).get_caller_identity()["Arn"]
    assert arn == f"arn:{partition}:iam::{ACCOUNT}:user/admin"
    assert len(client(sandbox, "s3", region=region).list_buckets()["Buckets"]) == 2
    abroad = client_of(sandbox, "sts", keys(sandbox), region=region)
    assert refused(abroad, "GetCallerIdentity") == "InvalidClientTokenId 403"


def test_users_are_in_all_partitions_of_their_account(sandbox: Sandbox) -> None:
    sandbox.add_user("early", policy=policy("iam:ListRoles"))
    sandbox.add_cluster(ClusterSpec("far", region="cn-north-1"))
    sandbox.add_user("late", policy=policy("iam:ListRoles"))
    for user in ("early", "late"):
        for region in ("cn-north-1", "eu-west-1"):
            client(sandbox, "iam", user=user, region=region).list_roles()


@pytest.mark.parametrize(
    ("call", "ends"),
    [
        ("ListObjectsV2 {Bucket: $B}", ""),
        ("HeadBucket {Bucket: $B}", ""),
        ("PutObject {Bucket: $B, Key: a, Body: x}", ""),
        ("ListBuckets", DENIED),
        ("GetObject {Bucket: $B, Key: a}", DENIED),
        ("PutObjectTagging {Bucket: $B, Key: a, Tagging: {TagSet: []}}", DENIED),
        ("GetBucketLocation {Bucket: $B}", DENIED),
        ("DeleteBucket {Bucket: $B}", DENIED),
        ("ListObjectsV2 {Bucket: other}", DENIED),
    ],
)
def test_s3_is_enforced_by_bucket_and_part(sandbox: Sandbox, call: str, ends: str) -> None:
    bucket = client(sandbox, "s3").list_buckets()["Buckets"][0]["Name"]
    sandbox.add_user("ci", policy=policy("s3:ListBucket", "s3:PutObject", resource=f"arn:aws:s3:::{bucket}*"))
    s3 = client(sandbox, "s3", user="ci")
    assert tried(s3, call, B=bucket) == ends


def test_objects(sandbox: Sandbox) -> None:
    s3 = client(sandbox, "s3")
    bucket = s3.list_buckets()["Buckets"][0]["Name"]
    s3.put_object(Bucket=bucket, Key="a b/ü+", Body=b"hello")
    assert s3.get_object(Bucket=bucket, Key="a b/ü+")["Body"].read() == b"hello"
    assert s3.head_object(Bucket=bucket, Key="a b/ü+")["ContentLength"] == 5
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["a b/ü+"]
    s3.delete_object(Bucket=bucket, Key="a b/ü+")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert refused(s3, "ListObjectsV2 {Bucket: nowhere}") == "NoSuchBucket 404"


def test_a_caller_may_ask_for_itself(sandbox: Sandbox) -> None:
    assert client(sandbox, "iam").get_user()["User"]["UserName"] == "admin"


def test_a_bucket_more(sandbox: Sandbox) -> None:
    sandbox.add_bucket("one-more")
    names = [bucket["Name"] for bucket in client(sandbox, "s3").list_buckets()["Buckets"]]
    assert (len(names), "one-more" in names) == (3, True)


def test_services_that_are_not_served(sandbox: Sandbox) -> None:
    assert refused(client(sandbox, "ec2"), "DescribeImages").endswith(" 501")
