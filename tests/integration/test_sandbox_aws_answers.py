"""How the sandbox's IAM and EKS answer when they don't refuse: what real answers have, and leave out."""

import json
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

import pytest

from irsa_cli.sandbox import ClusterSpec, Sandbox
from tests.support.sandbox_clients import ACCOUNT, EC2_TRUST, S3_READ, Client, client, policy, refusal

DOCUMENT = json.dumps(policy("s3:GetObject"))
ISSUER = "https://oidc.example.com/id/A"


@pytest.fixture
def iam(sandbox: Sandbox) -> Client:
    """IAM as the administrator."""
    return client(sandbox, "iam")


def test_the_version_of_moto_that_the_strict_layer_was_written_for() -> None:
    # What the layer adds was measured against this one: measure again before moving the pin.
    assert version("moto") == "5.2.5"


def test_create_role_leaves_out_what_aws_leaves_out(iam: Client) -> None:
    wanted = {"Description": "A role", "MaxSessionDuration": 7200, "Tags": [{"Key": "a", "Value": "b"}]}
    made = iam.create_role(RoleName="r", Path="/irsa/", AssumeRolePolicyDocument=EC2_TRUST, **wanted)["Role"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/irsa/r"
    assert made["RoleId"].startswith("AROA")
    assert made["AssumeRolePolicyDocument"] == json.loads(EC2_TRUST)
    assert "Description" not in made
    assert "MaxSessionDuration" not in made
    got = iam.get_role(RoleName="r")["Role"]
    assert {key: got[key] for key in wanted} == wanted


def test_list_roles_leaves_out_tags_and_boundary_and_filters_by_path(iam: Client) -> None:
    tags = [{"Key": "a", "Value": "b"}]
    for path in ("/irsa/demo/", "/irsa/other/", "/"):
        iam.create_role(
            RoleName=f"r{path.replace('/', '-')}",
            Path=path,
            AssumeRolePolicyDocument=EC2_TRUST,
            Tags=tags,
            PermissionsBoundary=S3_READ,
        )
    listed = iam.list_roles(PathPrefix="/irsa/")["Roles"]
    assert [role["RoleName"] for role in listed] == ["r-irsa-demo-", "r-irsa-other-"]
    assert all("Tags" not in role and "PermissionsBoundary" not in role for role in listed)
    assert listed[0]["AssumeRolePolicyDocument"] == json.loads(EC2_TRUST)
    boundary = iam.get_role(RoleName="r-")["Role"]["PermissionsBoundary"]
    assert boundary["PermissionsBoundaryArn"] == S3_READ


def test_update_role_keeps_what_it_does_not_name(sandbox: Sandbox, iam: Client) -> None:
    iam.create_role(
        RoleName="r", AssumeRolePolicyDocument=EC2_TRUST, Description="old", MaxSessionDuration=7200
    )
    iam.update_role(RoleName="r", Description="new")
    assert _role(sandbox, "r", "description", "max_session_duration") == ("new", 7200)
    iam.update_role(RoleName="r", MaxSessionDuration=3600)
    assert _role(sandbox, "r", "description", "max_session_duration") == ("new", 3600)


def _role(sandbox: Sandbox, name: str, *fields: str) -> tuple[Any, ...]:
    role = sandbox.world()["roles"][name]
    return tuple(role[field] for field in fields)


def test_attaching_twice_counts_once(sandbox: Sandbox, iam: Client) -> None:
    arn = iam.create_policy(PolicyName="p", PolicyDocument=DOCUMENT)["Policy"]["Arn"]
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=EC2_TRUST)
    for _ in range(2):
        iam.attach_role_policy(RoleName="r", PolicyArn=arn)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
    iam.detach_role_policy(RoleName="r", PolicyArn=arn)
    iam.delete_policy(PolicyArn=arn)
    assert sandbox.world()["policies"] == {}


def test_a_boundary_in_use_or_old_versions_keep_a_policy(iam: Client) -> None:
    arn = iam.create_policy(PolicyName="p", PolicyDocument=DOCUMENT)["Policy"]["Arn"]
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=EC2_TRUST, PermissionsBoundary=arn)
    assert refusal(lambda: iam.delete_policy(PolicyArn=arn)) == ("DeleteConflict", 409)
    iam.delete_role_permissions_boundary(RoleName="r")
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=DOCUMENT, SetAsDefault=True)
    assert refusal(lambda: iam.delete_policy(PolicyArn=arn)) == ("DeleteConflict", 409)
    iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    iam.delete_policy(PolicyArn=arn)


def test_tags_are_replaced_and_removed_without_regard_to_case(sandbox: Sandbox, iam: Client) -> None:
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=EC2_TRUST, Tags=[{"Key": "Team", "Value": "blue"}])
    iam.tag_role(RoleName="r", Tags=[{"Key": "team", "Value": "red"}, {"Key": "cost", "Value": ""}])
    assert _role(sandbox, "r", "tags") == ({"team": "red", "cost": ""},)
    iam.untag_role(RoleName="r", TagKeys=["COST", "absent"])
    assert _role(sandbox, "r", "tags") == ({"team": "red"},)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_pages_miss_nothing_when_items_go_away_between_them(iam: Client, size: int) -> None:
    for name in "abcdef":
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=EC2_TRUST)
    first = iam.list_roles(MaxItems=size)
    iam.delete_role(RoleName="a")
    seen = [role["RoleName"] for role in first["Roles"]]
    answer = first
    while answer["IsTruncated"]:
        answer = iam.list_roles(MaxItems=size, Marker=answer["Marker"])
        seen += [role["RoleName"] for role in answer["Roles"]]
    assert seen == list("abcdef")


def test_attached_and_inline_policies_come_in_pages(iam: Client) -> None:
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=EC2_TRUST)
    for number in range(3):
        arn = iam.create_policy(PolicyName=f"p{number}", PolicyDocument=DOCUMENT)["Policy"]["Arn"]
        iam.attach_role_policy(RoleName="r", PolicyArn=arn)
        iam.put_role_policy(RoleName="r", PolicyName=f"i{number}", PolicyDocument=DOCUMENT)
    paging = {"PageSize": 1}
    attached = iam.get_paginator("list_attached_role_policies").paginate(
        RoleName="r", PaginationConfig=paging
    )
    inline = iam.get_paginator("list_role_policies").paginate(RoleName="r", PaginationConfig=paging)
    assert [len(page["AttachedPolicies"]) for page in attached] == [1, 1, 1]
    assert [page["PolicyNames"] for page in inline] == [["i0"], ["i1"], ["i2"]]


def test_audiences_are_added_and_removed_idempotently(sandbox: Sandbox, iam: Client) -> None:
    made = iam.create_open_id_connect_provider(Url=ISSUER, ClientIDList=["one"])
    arn = made["OpenIDConnectProviderArn"]
    for _ in range(2):
        iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="two")
    got = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (got["Url"], got["ClientIDList"]) == (ISSUER.removeprefix("https://"), ["one", "two"])
    for _ in range(2):
        iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="one")
    assert sandbox.world()["oidc_providers"][arn]["audiences"] == ["two"]
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == []


def test_the_account_summary_counts(iam: Client) -> None:
    before = iam.get_account_summary()["SummaryMap"]
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=EC2_TRUST)
    iam.create_open_id_connect_provider(Url=ISSUER)
    after = iam.get_account_summary()["SummaryMap"]
    assert (after["Roles"] - before["Roles"], after["Providers"] - before["Providers"]) == (1, 1)


def test_what_moto_does_not_implement_is_said_honestly(iam: Client) -> None:
    assert (
        refusal(lambda: iam.generate_organizations_access_report(EntityPath="o-a1b2c3d4e5/r-a1b2"))[1] == 501
    )


def test_of_eight_at_once_one_creates_the_role(sandbox: Sandbox, iam: Client) -> None:
    def create(number: int) -> str:
        try:
            iam.create_role(RoleName="r", AssumeRolePolicyDocument=EC2_TRUST, Description=str(number))
        except iam.exceptions.EntityAlreadyExistsException:
            return "exists"
        return str(number)

    with ThreadPoolExecutor(8) as pool:
        outcomes = sorted(pool.map(create, range(8)))
    assert outcomes[1:] == ["exists"] * 7
    assert _role(sandbox, "r", "description") == (outcomes[0],)


def test_a_cluster_is_described_as_eks_does(sandbox: Sandbox) -> None:
    cluster = client(sandbox, "eks").describe_cluster(name="demo")["cluster"]
    assert cluster["arn"] == f"arn:aws:eks:eu-west-1:{ACCOUNT}:cluster/demo"
    assert cluster["status"] == "ACTIVE"
    issuer = cluster["identity"]["oidc"]["issuer"]
    assert issuer.startswith("https://oidc.eks.eu-west-1.amazonaws.com/id/")
    identifier = issuer.rsplit("/", 1)[-1]
    assert len(identifier) == 32
    assert set(identifier) <= set("0123456789ABCDEF")


def test_every_cluster_has_its_own_issuer(sandbox: Sandbox) -> None:
    sandbox.add_cluster(ClusterSpec("second"))
    sandbox.add_cluster(ClusterSpec("demo", region="us-east-1"))
    described = [
        client(sandbox, "eks", region=region).describe_cluster(name=name)["cluster"]
        for name, region in (("demo", "eu-west-1"), ("second", "eu-west-1"), ("demo", "us-east-1"))
    ]
    assert len({cluster["identity"]["oidc"]["issuer"] for cluster in described}) == 3
    assert len({cluster["endpoint"] for cluster in described}) == 3
    assert client(sandbox, "eks").list_clusters()["clusters"] == ["demo", "second"]


def test_clusters_that_are_not_ready_or_have_no_issuer(sandbox: Sandbox) -> None:
    sandbox.add_cluster(ClusterSpec("new", status="CREATING"))
    sandbox.add_cluster(ClusterSpec("old", oidc=False))
    eks = client(sandbox, "eks")
    new, old = (eks.describe_cluster(name=name)["cluster"] for name in ("new", "old"))
    assert new["status"] == "CREATING"
    assert "endpoint" not in new
    assert "identity" not in old
    assert refusal(lambda: eks.describe_cluster(name="none")) == ("ResourceNotFoundException", 404)


def test_other_calls_of_eks_are_not_served(sandbox: Sandbox) -> None:
    eks = client(sandbox, "eks")
    assert refusal(lambda: eks.list_nodegroups(clusterName="demo")) == ("NotImplementedException", 501)
