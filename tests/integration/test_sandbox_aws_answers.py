"""How the sandbox's AWS answers when it does not refuse: what the table of tests/aws_facts does not have.

Also reads of IAM and EC2 that only diagnosis needs, judged by the API references of IAM and EC2.
"""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

import pytest

from irsa_cli.sandbox import ClusterSpec, Sandbox
from tests.support.aws_lines import do, refused, tried
from tests.support.eks_states import add_node, add_sts_endpoint
from tests.support.sandbox_clients import ACCOUNT, S3_READ, Client, client, policy

OTHER = "222233334444"
ROLE = "CreateRole {RoleName: $NAME, AssumeRolePolicyDocument: $EC2}"


@pytest.fixture
def iam(sandbox: Sandbox) -> Client:
    """IAM as the administrator."""
    return client(sandbox, "iam")


def test_the_version_of_moto_that_the_strict_layer_was_written_for() -> None:
    # What the layer adds was measured against this one: measure again before moving the pin.
    assert version("moto") == "5.2.5"


def test_tags_are_removed_without_regard_to_case(sandbox: Sandbox, iam: Client) -> None:
    do(iam, ROLE.replace("$NAME", "r, Tags: [{Key: Team, Value: blue}, {Key: cost, Value: ''}]"))
    do(iam, "UntagRole {RoleName: r, TagKeys: [COST, absent]}")
    assert sandbox.world()["roles"]["r"]["tags"] == {"Team": "blue"}


LISTS = {
    "ListRoles": (
        "Roles",
        "RoleName",
        "CreateRole {RoleName: $NAME, AssumeRolePolicyDocument: $EC2}",
        "DeleteRole {RoleName: $NAME}",
    ),
    "ListPolicies {Scope: Local}": (
        "Policies",
        "PolicyName",
        "CreatePolicy {PolicyName: $NAME, Path: /mine/, PolicyDocument: $READS}",
        "DeletePolicy {PolicyArn: $HERE:policy/mine/$NAME}",
    ),
    "GetAccountAuthorizationDetails {Filter: [Role]}": (
        "RoleDetailList",
        "RoleName",
        "CreateRole {RoleName: $NAME, AssumeRolePolicyDocument: $EC2}",
        "DeleteRole {RoleName: $NAME}",
    ),
    "ListAttachedRolePolicies {RoleName: r}": (
        "AttachedPolicies",
        "PolicyName",
        "AttachRolePolicy {RoleName: r, PolicyArn: 'arn:aws:iam::aws:policy/Amazon$NAMEReadOnlyAccess'}",
        "DetachRolePolicy {RoleName: r, PolicyArn: 'arn:aws:iam::aws:policy/Amazon$NAMEReadOnlyAccess'}",
    ),
    "ListRolePolicies {RoleName: r}": (
        "PolicyNames",
        "",
        "PutRolePolicy {RoleName: r, PolicyName: $NAME, PolicyDocument: $READS}",
        "DeleteRolePolicy {RoleName: r, PolicyName: $NAME}",
    ),
    "ListRoleTags {RoleName: r}": (
        "Tags",
        "Key",
        "TagRole {RoleName: r, Tags: [{Key: $NAME, Value: v}]}",
        "UntagRole {RoleName: r, TagKeys: [$NAME]}",
    ),
}


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("line", LISTS)
def test_pages_miss_nothing_when_items_go_away_between_them(iam: Client, line: str, size: int) -> None:
    member, key, make, delete = LISTS[line]
    names = ["DynamoDB", "EC2", "S3", "SNS", "SQS"]
    if "RoleName: r}" in line:
        do(iam, ROLE, NAME="r")
    for name in names:
        do(iam, make, NAME=name)
    page = f"{line[:-1]}, MaxItems: {size}" if line.endswith("}") else f"{line} {{MaxItems: {size}"
    answer = do(iam, f"{page}}}")
    pages = [answer[member]]
    do(iam, delete, NAME=names[0])
    while answer["IsTruncated"]:
        answer = do(iam, f"{page}, Marker: $MARK}}", MARK=answer["Marker"])
        pages.append(answer[member])
    assert {len(page) for page in pages[:-1]} == {size}
    found = [item[key] if key else item for page in pages for item in page]
    assert sorted(name.removeprefix("Amazon").removesuffix("ReadOnlyAccess") for name in found) == names
    assert refused(iam, page.replace(f": {size}", ": 1001") + "}") == "ValidationError 400"


def test_which_policies(iam: Client) -> None:
    do(iam, "CreatePolicy {PolicyName: p, Path: /mine/, PolicyDocument: $READS, Description: d, Tags: []}")
    do(iam, ROLE, NAME="r")
    do(iam, "AttachRolePolicy {RoleName: r, PolicyArn: $S3}")

    def listed(asked: str) -> set[str]:
        policies = do(iam, f"ListPolicies {{MaxItems: 1000{asked}}}")["Policies"]
        assert not any({"Tags", "Description"} & set(item) for item in policies)
        return {item["Arn"] for item in policies}

    mine = {f"arn:aws:iam::{ACCOUNT}:policy/mine/p"}
    amazon = listed(", Scope: AWS")
    assert S3_READ in amazon
    assert listed("") == listed(", Scope: All") == amazon | mine
    assert listed(", Scope: AWS, OnlyAttached: true") >= {S3_READ}
    assert listed(", Scope: Local, OnlyAttached: true") == set()
    assert listed(", PathPrefix: /mine/") == mine


@pytest.mark.parametrize(
    ("service", "line"),
    [
        ("iam", "GenerateOrganizationsAccessReport {EntityPath: o-a1b2c3d4e5/r-a1b2}"),
        ("iam", "GetAccountAuthorizationDetails"),
        ("iam", "GetAccountAuthorizationDetails {Filter: [User]}"),
        ("iam", "GetAccountAuthorizationDetails {Filter: [Role, User]}"),
        ("eks", "ListNodegroups {clusterName: demo}"),
    ],
)
def test_what_is_not_implemented_is_said_honestly(sandbox: Sandbox, service: str, line: str) -> None:
    assert refused(client(sandbox, service), line).endswith(" 501")


def test_of_eight_at_once_one_creates_the_role(sandbox: Sandbox, iam: Client) -> None:
    lines = [ROLE.replace("$NAME", f"r, Description: '{number}'") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        ends = list(pool.map(lambda line: tried(iam, line), lines))
    assert sorted(ends) == ["", *["EntityAlreadyExists 409"] * 7]
    assert sandbox.world()["roles"]["r"]["description"] == str(ends.index(""))


def test_every_cluster_has_its_own_issuer_and_endpoint(sandbox: Sandbox) -> None:
    sandbox.add_cluster(ClusterSpec("second"))
    sandbox.add_cluster(ClusterSpec("demo", region="us-east-1"))
    described = [
        do(client(sandbox, "eks", region=region), "DescribeCluster {name: $NAME}", NAME=name)["cluster"]
        for name, region in (("demo", "eu-west-1"), ("second", "eu-west-1"), ("demo", "us-east-1"))
    ]
    issuers = {cluster["identity"]["oidc"]["issuer"] for cluster in described}
    assert len(issuers) == len({cluster["endpoint"] for cluster in described}) == 3
    assert all(len(set(issuer.rpartition("/")[2]) - set("0123456789ABCDEF")) == 0 for issuer in issuers)
    assert client(sandbox, "eks").list_clusters()["clusters"] == ["demo", "second"]


def test_clusters_that_are_not_ready_or_have_no_issuer(sandbox: Sandbox) -> None:
    sandbox.add_cluster(ClusterSpec("new", status="CREATING"))
    sandbox.add_cluster(ClusterSpec("old", oidc=False))
    eks = client(sandbox, "eks")
    new, old = (eks.describe_cluster(name=name)["cluster"] for name in ("new", "old"))
    assert (new["status"], "endpoint" in new, "identity" in old) == ("CREATING", False, False)


def used(iam: Client) -> Any:
    """When the role was used, and that the account's details have the same."""
    last = iam.get_role(RoleName="hop")["Role"]["RoleLastUsed"]
    (told,) = do(iam, "GetAccountAuthorizationDetails {Filter: [Role]}")["RoleDetailList"]
    whole = {"LastUsedDate": last["LastUsedDate"].replace(microsecond=0)} if last else {}
    assert told["RoleLastUsed"] == {**last, **whole}
    return last


def test_a_role_that_was_used(sandbox: Sandbox, iam: Client) -> None:
    do(iam, "CreateRole {RoleName: hop, AssumeRolePolicyDocument: $ROOT}")
    assert used(iam) == {}
    sts = client(sandbox, "sts", region="eu-central-1")
    ends = do(sts, "AssumeRole {RoleArn: $HERE:role/hop, RoleSessionName: me}")["Credentials"]["Expiration"]
    assert used(iam)["Region"] == "eu-central-1"
    assert 0 <= (ends - used(iam)["LastUsedDate"]).total_seconds() - 3600 < 60
    (listed,) = iam.list_roles()["Roles"]
    assert "RoleLastUsed" not in listed


def endpoints(
    sandbox: Sandbox, filters: Mapping[str, str] | None = None, **where: Any
) -> list[dict[str, Any]]:
    """VPC endpoints by filters, of which each has one value or several with commas."""
    wanted = [{"Name": name, "Values": value.split(",")} for name, value in (filters or {}).items()]
    found: list[dict[str, Any]] = client(sandbox, "ec2", **where).describe_vpc_endpoints(Filters=wanted)[
        "VpcEndpoints"
    ]
    return found


def test_an_endpoint_for_sts(sandbox: Sandbox) -> None:
    assert endpoints(sandbox) == []
    narrow = policy("sts:GetCallerIdentity", Principal="*")
    add_sts_endpoint(sandbox, "demo", narrow)
    vpc = client(sandbox, "eks").describe_cluster(name="demo")["cluster"]["resourcesVpcConfig"]["vpcId"]
    (found,) = endpoints(sandbox)
    members = ("ServiceName", "VpcEndpointType", "VpcId", "State", "PrivateDnsEnabled")
    assert [found[name] for name in members] == [
        "com.amazonaws.eu-west-1.sts",
        "Interface",
        vpc,
        "available",
        True,
    ]
    assert json.loads(found["PolicyDocument"]) == narrow
    add_sts_endpoint(sandbox, "demo")
    (statement,) = json.loads(endpoints(sandbox)[0]["PolicyDocument"])["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Allow", "*", "*")


def test_filters(sandbox: Sandbox) -> None:
    sandbox.add_cluster(ClusterSpec("second"))
    for cluster in ("demo", "second"):
        add_sts_endpoint(sandbox, cluster)
    first, second = endpoints(sandbox)
    assert first["VpcId"] != second["VpcId"]
    assert endpoints(sandbox, {"vpc-id": first["VpcId"]}) == [first]
    assert endpoints(sandbox, {"service-name": "com.amazonaws.eu-west-1.sts,x"}) == [first, second]
    assert endpoints(sandbox, {"vpc-id": first["VpcId"], "service-name": "x"}) == []
    assert endpoints(sandbox, region="eu-central-1") == endpoints(sandbox, account=OTHER) == []
    unknown = "{Filters: [{Name: color, Values: [red]}]}"
    for operation in ("DescribeVpcEndpoints", "DescribeInstances"):
        assert refused(client(sandbox, "ec2"), f"{operation} {unknown}") == "InvalidParameterValue 400"


def test_instances(sandbox: Sandbox) -> None:
    for name, limit in (("one", 1), ("two", 2)):
        add_node(sandbox, "demo", name, hop_limit=limit)
    add_node(sandbox, "demo", "three", endpoint=False)

    def asked(name: str, values: str) -> dict[str, Any]:
        line = f"DescribeInstances {{Filters: [{{Name: {name}, Values: [{values}]}}]}}"
        pages = do(client(sandbox, "ec2"), line)["Reservations"]
        return {item["PrivateDnsName"]: item for page in pages for item in page["Instances"]}

    found = asked("private-dns-name", "one, three, four")
    options = {name: item["MetadataOptions"] for name, item in found.items()}
    assert {
        name: (item["HttpPutResponseHopLimit"], item["HttpEndpoint"]) for name, item in options.items()
    } == {"one": (1, "enabled"), "three": (2, "disabled")}
    assert asked("instance-id", found["one"]["InstanceId"]).keys() == {"one"}
    assert endpoints(sandbox) == []


@pytest.mark.parametrize(
    ("service", "action", "line", "denial"),
    [
        ("ec2", "ec2:DescribeVpcEndpoints", "DescribeVpcEndpoints", "UnauthorizedOperation 403"),
        (
            "iam",
            "iam:GetAccountAuthorizationDetails",
            "GetAccountAuthorizationDetails {Filter: [Role]}",
            "AccessDenied 403",
        ),
        ("eks", "eks:ListAddons", "ListAddons {clusterName: demo}", "AccessDeniedException 403"),
        ("cloudtrail", "cloudtrail:LookupEvents", "LookupEvents", "AccessDeniedException 403"),
    ],
)
def test_reading_takes_a_permission(
    sandbox: Sandbox, service: str, action: str, line: str, denial: str
) -> None:
    sandbox.add_user("one", policy=policy(action))
    sandbox.add_user("two", policy=policy(f"{service}:GetRole", f"{service}:DescribeCluster"))
    do(client(sandbox, service, user="one"), line)
    assert refused(client(sandbox, service, user="two"), line) == denial
