"""Reads of IAM and EC2 that only diagnosis needs: pages of lists, when a role was used, VPC endpoints.

Judged by the API references of IAM and EC2.
"""

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from irsa_cli.sandbox import ClusterSpec, Sandbox
from tests.support.eks_states import add_node, add_sts_endpoint
from tests.support.sandbox_clients import ACCOUNT, EC2_TRUST, S3_READ, client, policy, refusal, trust

OTHER = "222233334444"


@pytest.fixture
def iam(sandbox: Sandbox) -> Any:
    return client(sandbox, "iam")


def pages(iam: Any, operation: str, member: str, **asked: Any) -> list[list[dict[str, Any]]]:
    config = {"PageSize": 2}
    found = iam.get_paginator(operation).paginate(PaginationConfig=config, **asked)
    return [page[member] for page in found]


def test_role_tags(iam: Any) -> None:
    tags = [{"Key": f"k{number}", "Value": f"v{number}"} for number in range(5)]
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=EC2_TRUST, Tags=tags)
    found = pages(iam, "list_role_tags", "Tags", RoleName="r")
    assert [len(page) for page in found] == [2, 2, 1]
    assert sorted((tag for page in found for tag in page), key=lambda tag: tag["Key"]) == tags
    assert refusal(lambda: iam.list_role_tags(RoleName="other")) == ("NoSuchEntity", 404)


def make_policies(iam: Any) -> list[str]:
    document = json.dumps(policy("s3:GetObject"))
    return [
        iam.create_policy(PolicyName=f"p{number}", Path="/mine/", PolicyDocument=document)["Policy"]["Arn"]
        for number in range(5)
    ]


def test_policies_in_pages(iam: Any) -> None:
    arns = make_policies(iam)
    found = pages(iam, "list_policies", "Policies", Scope="Local")
    assert [len(page) for page in found] == [2, 2, 1]
    assert sorted(item["Arn"] for page in found for item in page) == sorted(arns)


def test_policies_that_go_between_pages(iam: Any) -> None:
    arns = sorted(make_policies(iam))
    first = iam.list_policies(Scope="Local", MaxItems=2)
    iam.delete_policy(PolicyArn=arns[0])
    rest = iam.list_policies(Scope="Local", Marker=first["Marker"])["Policies"]
    assert [item["Arn"] for item in rest] == arns[2:]


def test_which_policies(iam: Any) -> None:
    mine = set(make_policies(iam))
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=EC2_TRUST)
    iam.attach_role_policy(RoleName="r", PolicyArn=S3_READ)

    def listed(**asked: Any) -> set[str]:
        return {item["Arn"] for item in iam.list_policies(MaxItems=1000, **asked)["Policies"]}

    amazon = listed(Scope="AWS")
    assert S3_READ in amazon
    assert listed() == listed(Scope="All") == amazon | mine
    assert listed(Scope="AWS", OnlyAttached=True) >= {S3_READ}
    assert listed(Scope="Local", OnlyAttached=True) == set()
    assert listed(PathPrefix="/mine/") == mine


def test_what_is_said_of_a_policy(iam: Any) -> None:
    document = json.dumps(policy("s3:GetObject"))
    made = iam.create_policy(PolicyName="p", PolicyDocument=document, Description="d", Tags=[])["Policy"]
    (listed,) = iam.list_policies(Scope="Local")["Policies"]
    keys = ("PolicyName", "PolicyId", "Arn", "Path", "DefaultVersionId", "AttachmentCount", "IsAttachable")
    assert {key: listed[key] for key in keys} == {key: made[key] for key in keys}
    assert not {"Tags", "Description"} & set(listed)


def test_providers(iam: Any) -> None:
    made = [
        iam.create_open_id_connect_provider(Url=f"https://example.com/{name}", ClientIDList=["a"])
        for name in ("one", "two")
    ]
    listed = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    assert {item["Arn"] for item in listed} == {item["OpenIDConnectProviderArn"] for item in made}
    assert iam.get_account_summary()["SummaryMap"]["Providers"] == 2


def test_a_role_that_was_never_used(iam: Any) -> None:
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=EC2_TRUST)
    assert iam.get_role(RoleName="r")["Role"]["RoleLastUsed"] == {}


def test_a_role_that_was_used(sandbox: Sandbox, iam: Any) -> None:
    document = trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
    arn = iam.create_role(RoleName="r", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    sts = client(sandbox, "sts", region="eu-central-1")
    sts.assume_role(RoleArn=arn, RoleSessionName="session")
    used = iam.get_role(RoleName="r")["Role"]["RoleLastUsed"]
    assert used["Region"] == "eu-central-1"
    assert abs(used["LastUsedDate"] - datetime.now(timezone.utc)) < timedelta(minutes=1)
    (listed,) = iam.list_roles()["Roles"]
    assert "RoleLastUsed" not in listed


def endpoints(sandbox: Sandbox, **asked: Any) -> list[dict[str, Any]]:
    region = asked.pop("region", "eu-west-1")
    account = asked.pop("account", ACCOUNT)
    ec2 = client(sandbox, "ec2", region=region, account=account)
    found: list[dict[str, Any]] = ec2.describe_vpc_endpoints(**asked)["VpcEndpoints"]
    return found


def test_no_endpoints(sandbox: Sandbox) -> None:
    assert endpoints(sandbox) == []


def test_an_endpoint_for_sts(sandbox: Sandbox) -> None:
    narrow = policy("sts:GetCallerIdentity", Principal="*")
    add_sts_endpoint(sandbox, "demo", narrow)
    vpc = client(sandbox, "eks").describe_cluster(name="demo")["cluster"]["resourcesVpcConfig"]["vpcId"]
    (found,) = endpoints(sandbox)
    assert (found["ServiceName"], found["VpcEndpointType"], found["VpcId"], found["State"]) == (
        "com.amazonaws.eu-west-1.sts",
        "Interface",
        vpc,
        "available",
    )
    assert found["PrivateDnsEnabled"] is True
    assert json.loads(found["PolicyDocument"]) == narrow
    add_sts_endpoint(sandbox, "demo")
    (found,) = endpoints(sandbox)
    (statement,) = json.loads(found["PolicyDocument"])["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Allow", "*", "*")


def test_filters(sandbox: Sandbox) -> None:
    sandbox.add_cluster(ClusterSpec("second"))
    for cluster in ("demo", "second"):
        add_sts_endpoint(sandbox, cluster)
    both = endpoints(sandbox)
    assert len({item["VpcId"] for item in both}) == 2
    by_vpc = [{"Name": "vpc-id", "Values": [both[0]["VpcId"]]}]
    assert endpoints(sandbox, Filters=by_vpc) == both[:1]
    by_service = [{"Name": "service-name", "Values": ["com.amazonaws.eu-west-1.sts", "x"]}]
    assert endpoints(sandbox, Filters=by_service) == both
    assert endpoints(sandbox, Filters=[*by_vpc, {"Name": "service-name", "Values": ["x"]}]) == []
    assert endpoints(sandbox, region="eu-central-1") == []
    assert endpoints(sandbox, account=OTHER) == []
    ec2 = client(sandbox, "ec2")
    unknown = [{"Name": "color", "Values": ["red"]}]
    assert refusal(lambda: ec2.describe_vpc_endpoints(Filters=unknown)) == ("InvalidParameterValue", 400)


def test_ec2_asks_for_permission(sandbox: Sandbox) -> None:
    sandbox.add_user("one", policy=policy("ec2:DescribeVpcEndpoints"))
    sandbox.add_user("two", policy=policy("ec2:DescribeVpcs"))
    assert client(sandbox, "ec2", user="one").describe_vpc_endpoints()["VpcEndpoints"] == []
    refused = refusal(client(sandbox, "ec2", user="two").describe_vpc_endpoints)
    assert refused == ("UnauthorizedOperation", 403)


def test_instances(sandbox: Sandbox) -> None:
    for name, limit in (("one", 1), ("two", 2)):
        add_node(sandbox, "demo", name, hop_limit=limit)
    add_node(sandbox, "demo", "three", endpoint=False)
    ec2 = client(sandbox, "ec2")

    def asked(name: str, *values: str) -> dict[str, Any]:
        pages = ec2.describe_instances(Filters=[{"Name": name, "Values": list(values)}])["Reservations"]
        return {item["PrivateDnsName"]: item for page in pages for item in page["Instances"]}

    found = asked("private-dns-name", "one", "three", "four")
    options = {name: item["MetadataOptions"] for name, item in found.items()}
    assert {name: item["HttpPutResponseHopLimit"] for name, item in options.items()} == {"one": 1, "three": 2}
    assert {name: item["HttpEndpoint"] for name, item in options.items()} == {
        "one": "enabled",
        "three": "disabled",
    }
    assert asked("instance-id", found["one"]["InstanceId"]).keys() == {"one"}
    assert refusal(lambda: asked("vpc-id", "x")) == ("InvalidParameterValue", 400)
    assert endpoints(sandbox) == []
