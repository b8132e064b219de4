"""Who may call the sandbox's AWS: credentials, signatures, identity policies, accounts and partitions."""

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import boto3
import pytest
import urllib3
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from irsa_cli.sandbox import ClusterSpec, Sandbox
from tests.support.sandbox_clients import (
    ACCOUNT,
    EC2_TRUST,
    S3_READ,
    anonymous,
    client,
    client_of,
    policy,
    refusal,
    trust,
)

OTHER = "222233334444"
DENIED = ("AccessDenied", 403)


def _with_keys(sandbox: Sandbox, service: str, key: str, secret: str) -> Any:
    return client_of(sandbox, service, {"AccessKeyId": key, "SecretAccessKey": secret, "SessionToken": None})


@pytest.mark.parametrize(
    ("service", "call", "code"),
    [
        ("iam", "list_roles", "InvalidClientTokenId"),
        ("sts", "get_caller_identity", "InvalidClientTokenId"),
        ("eks", "list_clusters", "UnrecognizedClientException"),
        ("s3", "list_buckets", "InvalidAccessKeyId"),
    ],
)
def test_unknown_keys(sandbox: Sandbox, service: str, call: str, code: str) -> None:
    for key in ("AKIAUNKNOWNUNKNOWN00", "ASIAUNKNOWNUNKNOWN00"):
        strange = _with_keys(sandbox, service, key, "secret")
        assert refusal(getattr(strange, call)) == (code, 403)


@pytest.mark.parametrize(
    ("service", "call", "code"),
    [
        ("iam", "list_roles", "SignatureDoesNotMatch"),
        ("sts", "get_caller_identity", "SignatureDoesNotMatch"),
        ("eks", "list_clusters", "InvalidSignatureException"),
        ("s3", "list_buckets", "SignatureDoesNotMatch"),
    ],
)
def test_wrong_secrets(sandbox: Sandbox, service: str, call: str, code: str) -> None:
    strange = _with_keys(sandbox, service, sandbox.env()["AWS_ACCESS_KEY_ID"], "wrong")
    assert refusal(getattr(strange, call)) == (code, 403)


@pytest.mark.parametrize(
    ("service", "call", "code"),
    [
        ("iam", "list_roles", "MissingAuthenticationToken"),
        ("sts", "get_caller_identity", "MissingAuthenticationToken"),
        ("eks", "list_clusters", "MissingAuthenticationTokenException"),
        ("s3", "list_buckets", "AccessDenied"),
    ],
)
def test_unsigned_calls(sandbox: Sandbox, service: str, call: str, code: str) -> None:
    assert refusal(getattr(anonymous(sandbox, service), call)) == (code, 403)


def test_session_credentials_need_their_token(sandbox: Sandbox) -> None:
    credentials = dict(_assume(sandbox))
    for token in (None, "other"):
        strange = client_of(sandbox, "sts", {**credentials, "SessionToken": token})
        assert refusal(strange.get_caller_identity) == ("InvalidClientTokenId", 403)


def _assume(sandbox: Sandbox, **changes: Any) -> Any:
    root = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    client(sandbox, "iam").create_role(RoleName="hop", AssumeRolePolicyDocument=trust(root))
    wanted = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/hop", "RoleSessionName": "me", **changes}
    return client(sandbox, "sts").assume_role(**wanted)["Credentials"]


def test_an_inactive_key(sandbox: Sandbox) -> None:
    sandbox.add_user("ci")
    key = sandbox.env(user="ci")["AWS_ACCESS_KEY_ID"]
    client(sandbox, "iam").update_access_key(UserName="ci", AccessKeyId=key, Status="Inactive")
    sts = client(sandbox, "sts", user="ci")
    assert refusal(sts.get_caller_identity) == ("InvalidClientTokenId", 403)


def test_keys_made_by_iam_itself(sandbox: Sandbox) -> None:
    iam = client(sandbox, "iam")
    iam.create_user(UserName="made")
    key = iam.create_access_key(UserName="made")["AccessKey"]
    made = _with_keys(sandbox, "sts", key["AccessKeyId"], key["SecretAccessKey"])
    assert made.get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/made"


def _presigned(sandbox: Sandbox, **changes: str) -> str:
    env = sandbox.env()
    request = AWSRequest("GET", f"{sandbox.url}/?Action=GetCallerIdentity&Version=2011-06-15")
    credentials = Credentials(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"])
    SigV4QueryAuth(credentials, "sts", "eu-west-1", expires=60).add_auth(request)
    url = str(request.url)
    for old, new in changes.items():
        assert old in url
        url = url.replace(old, new)
    return url


def test_a_presigned_call_is_answered_by_sts(sandbox: Sandbox) -> None:
    answer = urllib3.request("GET", _presigned(sandbox), retries=False)
    assert answer.status == 200
    assert f"arn:aws:iam::{ACCOUNT}:user/admin".encode() in answer.data


@pytest.mark.parametrize(
    "change", [{"Date=20": "Date=21"}, {"eu-west-1": "eu-west-2"}, {"2011-06-15": "2011-06-16"}]
)
def test_a_presigned_call_that_was_tampered_with(sandbox: Sandbox, change: dict[str, str]) -> None:
    assert urllib3.request("GET", _presigned(sandbox, **change), retries=False).status == 403


@pytest.mark.parametrize(("minutes", "status"), [(0, 200), (-14, 200), (-16, 403), (16, 403)])
def test_a_signature_is_good_for_a_quarter_of_an_hour(sandbox: Sandbox, minutes: int, status: int) -> None:
    env = sandbox.env()
    signed = datetime.now(timezone.utc) + timedelta(minutes=minutes)
    request = AWSRequest("GET", f"{sandbox.url}/?Action=GetCallerIdentity&Version=2011-06-15")
    request.context["timestamp"] = signed.strftime("%Y%m%dT%H%M%SZ")
    credentials = Credentials(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"])
    auth: Any = SigV4QueryAuth(credentials, "sts", "eu-west-1", expires=60)
    auth._modify_request_before_signing(request)
    text = auth.string_to_sign(request, auth.canonical_request(request))
    url = f"{request.url}&X-Amz-Signature={auth.signature(text, request)}"
    assert urllib3.request("GET", url, retries=False).status == status


def test_a_user_may_do_what_its_policy_says(sandbox: Sandbox) -> None:
    sandbox.add_user("ci", policy=policy("iam:CreateRole", resource=f"arn:aws:iam::{ACCOUNT}:role/irsa/*"))
    iam = client(sandbox, "iam", user="ci")
    iam.create_role(RoleName="a", Path="/irsa/", AssumeRolePolicyDocument=EC2_TRUST)
    assert refusal(lambda: iam.create_role(RoleName="b", AssumeRolePolicyDocument=EC2_TRUST)) == DENIED
    assert refusal(lambda: iam.get_role(RoleName="a")) == DENIED
    assert list(sandbox.world()["roles"]) == ["a"]


def test_a_refusal_names_caller_action_and_resource(sandbox: Sandbox) -> None:
    sandbox.add_user("ci")
    iam = client(sandbox, "iam", user="ci")
    with pytest.raises(iam.exceptions.ClientError) as caught:
        iam.create_role(RoleName="b", Path="/x/", AssumeRolePolicyDocument=EC2_TRUST)
    assert caught.value.response["Error"]["Message"] == (
        f"User: arn:aws:iam::{ACCOUNT}:user/ci is not authorized to perform: iam:CreateRole on resource: "
        f"arn:aws:iam::{ACCOUNT}:role/x/b because no identity-based policy allows the iam:CreateRole action"
    )


def _allowing(condition: dict[str, Any], *actions: str) -> dict[str, Any]:
    return policy(*actions, Condition=condition)


def test_conditions_on_what_a_call_asks_for(sandbox: Sandbox) -> None:
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/base"
    document = policy("iam:CreateRole", Condition={"StringEquals": {"iam:PermissionsBoundary": boundary}})
    document["Statement"] += [
        *_allowing({"ArnLike": {"iam:PolicyARN": "arn:aws:iam::aws:policy/AmazonS3*"}}, "iam:Attach*")[
            "Statement"
        ],
        *_allowing({"StringEquals": {"aws:RequestTag/team": "blue"}}, "iam:TagRole")["Statement"],
        *_allowing({"StringEquals": {"aws:ResourceTag/team": "blue"}}, "iam:GetRole")["Statement"],
    ]
    sandbox.add_user("ci", policy=document)
    admin, iam = client(sandbox, "iam"), client(sandbox, "iam", user="ci")
    admin.create_policy(PolicyName="base", PolicyDocument=json.dumps(policy("s3:*")))
    wanted = {"RoleName": "r", "AssumeRolePolicyDocument": EC2_TRUST}
    assert refusal(lambda: iam.create_role(**wanted)) == DENIED
    iam.create_role(**wanted, PermissionsBoundary=boundary)
    sqs = "arn:aws:iam::aws:policy/AmazonSQSFullAccess"
    assert refusal(lambda: iam.attach_role_policy(RoleName="r", PolicyArn=sqs)) == DENIED
    iam.attach_role_policy(RoleName="r", PolicyArn=S3_READ)
    assert refusal(lambda: iam.get_role(RoleName="r")) == DENIED
    assert refusal(lambda: iam.tag_role(RoleName="r", Tags=[{"Key": "team", "Value": "red"}])) == DENIED
    iam.tag_role(RoleName="r", Tags=[{"Key": "team", "Value": "blue"}])
    iam.get_role(RoleName="r")


def test_a_denial_beats_administrator_access(sandbox: Sandbox) -> None:
    denial = {"Statement": {"Effect": "Deny", "Action": "iam:DeleteRole", "Resource": "*"}}
    sandbox.add_user("ci", policy=denial)
    admin = client(sandbox, "iam")
    admin.attach_user_policy(UserName="ci", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    admin.create_role(RoleName="r", AssumeRolePolicyDocument=EC2_TRUST)
    iam = client(sandbox, "iam", user="ci")
    iam.get_role(RoleName="r")
    assert refusal(lambda: iam.delete_role(RoleName="r")) == DENIED


def test_policies_of_a_group_and_new_default_versions_count(sandbox: Sandbox) -> None:
    sandbox.add_user("ci")
    admin, iam = client(sandbox, "iam"), client(sandbox, "iam", user="ci")
    arn = admin.create_policy(PolicyName="p", PolicyDocument=json.dumps(policy("s3:*")))["Policy"]["Arn"]
    admin.create_group(GroupName="team")
    admin.attach_group_policy(GroupName="team", PolicyArn=arn)
    admin.add_user_to_group(GroupName="team", UserName="ci")
    client(sandbox, "s3", user="ci").list_buckets()
    assert refusal(iam.list_roles) == DENIED
    admin.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(policy("iam:*")), SetAsDefault=True)
    iam.list_roles()


def test_eks_is_enforced_by_cluster(sandbox: Sandbox) -> None:
    sandbox.add_cluster(ClusterSpec("second"))
    only = f"arn:aws:eks:eu-west-1:{ACCOUNT}:cluster/demo"
    sandbox.add_user("ci", policy=policy("eks:DescribeCluster", resource=only))
    eks = client(sandbox, "eks", user="ci")
    eks.describe_cluster(name="demo")
    for call in (lambda: eks.describe_cluster(name="second"), eks.list_clusters):
        assert refusal(call) == ("AccessDeniedException", 403)


def test_accounts_have_nothing_in_common(sandbox: Sandbox) -> None:
    sandbox.add_cluster(ClusterSpec("elsewhere", account=OTHER))
    mine, theirs = client(sandbox, "iam"), client(sandbox, "iam", account=OTHER)
    for iam in (mine, theirs):
        iam.create_role(RoleName="same", AssumeRolePolicyDocument=EC2_TRUST)
    assert theirs.get_role(RoleName="same")["Role"]["Arn"] == f"arn:aws:iam::{OTHER}:role/same"
    theirs.delete_role(RoleName="same")
    assert list(sandbox.world()["roles"]) == ["same"]
    assert sandbox.world(OTHER)["roles"] == {}
    assert list(sandbox.world(OTHER)["kubernetes"]) == ["elsewhere"]
    assert refusal(lambda: client(sandbox, "eks").describe_cluster(name="elsewhere"))[1] == 404
    client(sandbox, "eks", account=OTHER).describe_cluster(name="elsewhere")


def test_a_hop_to_another_account(sandbox: Sandbox) -> None:
    sandbox.add_user("ci", policy=policy("sts:AssumeRole"))
    theirs = client(sandbox, "iam", account=OTHER)
    caller = f"arn:aws:iam::{ACCOUNT}:user/ci"
    condition = {"StringEquals": {"sts:ExternalId": "secret"}}
    theirs.create_role(RoleName="hop", AssumeRolePolicyDocument=trust({"AWS": caller}, condition))
    theirs.put_role_policy(RoleName="hop", PolicyName="p", PolicyDocument=json.dumps(policy("iam:ListRoles")))
    hop = {"RoleArn": f"arn:aws:iam::{OTHER}:role/hop", "RoleSessionName": "me"}
    sts = client(sandbox, "sts", user="ci")
    assert refusal(lambda: sts.assume_role(**hop)) == DENIED
    assert refusal(lambda: client(sandbox, "sts").assume_role(**hop, ExternalId="secret")) == DENIED
    credentials = sts.assume_role(**hop, ExternalId="secret")["Credentials"]
    iam = client_of(sandbox, "iam", credentials)
    assert [role["RoleName"] for role in iam.list_roles()["Roles"]] == ["hop"]
    assert refusal(lambda: iam.get_role(RoleName="hop")) == DENIED
    identity = client_of(sandbox, "sts", credentials).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{OTHER}:assumed-role/hop/me"


def test_trusting_an_account_leaves_the_choice_to_that_account(sandbox: Sandbox) -> None:
    sandbox.add_user("ci")
    root = trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
    client(sandbox, "iam").create_role(RoleName="hop", AssumeRolePolicyDocument=root)
    hop = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/hop", "RoleSessionName": "me"}
    assert refusal(lambda: client(sandbox, "sts", user="ci").assume_role(**hop)) == DENIED
    client(sandbox, "sts").assume_role(**hop)


def test_trusting_a_user_of_the_same_account_is_enough(sandbox: Sandbox) -> None:
    sandbox.add_user("ci")
    document = trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/ci"})
    client(sandbox, "iam").create_role(RoleName="hop", AssumeRolePolicyDocument=document)
    hop = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/hop", "RoleSessionName": "me"}
    client(sandbox, "sts", user="ci").assume_role(**hop)


def test_a_chained_session_lasts_an_hour_at_most(sandbox: Sandbox) -> None:
    credentials = _assume(sandbox)
    iam = client(sandbox, "iam")
    session = {"AWS": f"arn:aws:iam::{ACCOUNT}:role/hop"}
    iam.create_role(RoleName="next", AssumeRolePolicyDocument=trust(session), MaxSessionDuration=43200)
    sts = client_of(sandbox, "sts", credentials)
    hop = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/next", "RoleSessionName": "me"}
    assert refusal(lambda: sts.assume_role(**hop, DurationSeconds=3601)) == ("ValidationError", 400)
    sts.assume_role(**hop, DurationSeconds=3600)


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
    provider = iam.create_open_id_connect_provider(Url=issuer)["OpenIDConnectProviderArn"]
    assert provider == f"arn:{partition}:iam::{ACCOUNT}:oidc-provider/{issuer.removeprefix('https://')}"
    managed = f"arn:{partition}:iam::aws:policy/AmazonS3ReadOnlyAccess"
    federated = trust({"Federated": provider}, action="sts:AssumeRoleWithWebIdentity")
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=federated, PermissionsBoundary=managed)[
        "Role"
    ]
    assert role["Arn"] == f"arn:{partition}:iam::{ACCOUNT}:role/r"
    iam.attach_role_policy(RoleName="r", PolicyArn=managed)
    assert refusal(lambda: iam.attach_role_policy(RoleName="r", PolicyArn=S3_READ)) == ("NoSuchEntity", 404)
    assert sandbox.world(region=region)["roles"]["r"]["attached"] == [managed]
    assert sandbox.world()["roles"] == {}
    arn = client(sandbox, "sts", region=region).get_caller_identity()["Arn"]
    assert arn == f"arn:{partition}:iam::{ACCOUNT}:user/admin"
    assert len(client(sandbox, "s3", region=region).list_buckets()["Buckets"]) == 2


def test_users_are_in_all_partitions_of_their_account(sandbox: Sandbox) -> None:
    sandbox.add_user("early", policy=policy("iam:ListRoles"))
    sandbox.add_cluster(ClusterSpec("far", region="cn-north-1"))
    sandbox.add_user("late", policy=policy("iam:ListRoles"))
    for user in ("early", "late"):
        for region in ("cn-north-1", "eu-west-1"):
            client(sandbox, "iam", user=user, region=region).list_roles()


def test_s3_is_enforced_by_bucket_and_part(sandbox: Sandbox) -> None:
    bucket = client(sandbox, "s3").list_buckets()["Buckets"][0]["Name"]
    sandbox.add_user("ci", policy=policy("s3:ListBucket", "s3:PutObject", resource=f"arn:aws:s3:::{bucket}*"))
    s3 = client(sandbox, "s3", user="ci")
    s3.list_objects_v2(Bucket=bucket)
    s3.head_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    for call in (
        s3.list_buckets,
        lambda: s3.get_object(Bucket=bucket, Key="a"),
        lambda: s3.put_object_tagging(Bucket=bucket, Key="a", Tagging={"TagSet": []}),
        lambda: s3.get_bucket_location(Bucket=bucket),
        lambda: s3.delete_bucket(Bucket=bucket),
        lambda: s3.list_objects_v2(Bucket="other"),
    ):
        assert refusal(call) == DENIED


def test_credentials_are_good_in_one_partition(sandbox: Sandbox) -> None:
    env = sandbox.env()
    keys = {"AccessKeyId": env["AWS_ACCESS_KEY_ID"], "SecretAccessKey": env["AWS_SECRET_ACCESS_KEY"]}
    sts = client_of(sandbox, "sts", {**keys, "SessionToken": None}, region="cn-north-1")
    assert refusal(sts.get_caller_identity) == ("InvalidClientTokenId", 403)


def test_objects(sandbox: Sandbox) -> None:
    s3 = client(sandbox, "s3")
    bucket = s3.list_buckets()["Buckets"][0]["Name"]
    s3.put_object(Bucket=bucket, Key="a b/ü+", Body=b"hello")
    assert s3.get_object(Bucket=bucket, Key="a b/ü+")["Body"].read() == b"hello"
    assert s3.head_object(Bucket=bucket, Key="a b/ü+")["ContentLength"] == 5
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["a b/ü+"]
    s3.delete_object(Bucket=bucket, Key="a b/ü+")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert refusal(lambda: s3.list_objects_v2(Bucket="nowhere")) == ("NoSuchBucket", 404)


def test_a_caller_may_ask_for_itself(sandbox: Sandbox) -> None:
    assert client(sandbox, "iam").get_user()["User"]["UserName"] == "admin"


def test_a_bucket_more(sandbox: Sandbox) -> None:
    sandbox.add_bucket("one-more")
    names = [bucket["Name"] for bucket in client(sandbox, "s3").list_buckets()["Buckets"]]
    assert "one-more" in names
    assert len(names) == 3


def test_services_that_are_not_served(sandbox: Sandbox) -> None:
    env = sandbox.env()
    ec2 = boto3.client(
        "ec2",
        endpoint_url=sandbox.url,
        region_name="eu-west-1",
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
    )
    assert refusal(ec2.describe_images)[1] == 501
