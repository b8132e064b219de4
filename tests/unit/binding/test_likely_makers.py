"""Who may have made a role without a mark: names and texts as tools form them, and those of nobody."""

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.binding.ownership import check, guess
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.states import RoleState
from irsa_cli.core.values.errors import Refused
from irsa_cli.core.values.names import default_role_name


def role(name: str, policies: tuple[str, ...] = (), **more: Any) -> Role:
    state = RoleState(**{"path": "/", "trust": {"Version": "2012-10-17", "Statement": []}, **more})
    attached = {text for text in policies if text.startswith("arn:")}
    arn = f"arn:aws:iam::111122223333:role{state.path}{name}"
    return Role(arn, state, frozenset(attached), {text: {} for text in {*policies} - attached})


def maker(name: str, policies: tuple[str, ...] = (), **more: Any) -> str:
    found = guess(role(name, policies, **more))
    return found.maker if found else ""


@given(st.datetimes(datetime.datetime(2015, 1, 1), datetime.datetime(2060, 1, 1)), st.integers(0, 2**32 - 1))
def test_whatever_terraform_adds_to_a_prefix_is_known(moment: datetime.datetime, counter: int) -> None:
    # terraform-plugin-sdk, helper/id: 20060102150405.0000 without the dot, and %08x.
    suffix = f"{moment:%Y%m%d%H%M%S}{moment.microsecond // 100:04d}{counter:08x}"
    assert len(suffix) == 26
    assert maker(f"ebs-csi-{suffix}") == "Terraform"
    assert maker(suffix) == "Terraform"
    assert (
        maker("reader", (f"arn:aws:iam::111122223333:policy/AmazonEKS_EBS_CSI_Policy-{suffix}",))
        == "Terraform"
    )


@pytest.mark.parametrize(
    ("name", "tool"),
    [
        ("terraform-20230101000000000000000001", "Terraform"),
        ("aws-cloud-controller-manager.kube-system.sa.minimal.example.com", "kOps"),
        ("myserviceaccount.test-wildcard.sa.minimal.k8s.local", "kOps"),
        ("aws-load-balancer-controller.kube-system.sa.a-very-long-cl-q1w2e3", "kOps"),
        ("nodes.cluster-api-provider-aws.sigs.k8s.io", "Cluster API"),
        ("default_capi-quickstart-control-plane-iam-service-role", "Cluster API"),
        ("eksctl-demo-addon-iamserviceaccount-Role1-1IN5O2JI2UWXD", "eksctl"),
        ("eksctl-demo-podidentityrole-backend-reader-Role1-a1B2c3D4e5F6", "eksctl"),
        ("prod-ReaderRole-1IN5O2JI2UWXD", "CloudFormation"),
        ("prod-ReaderRole-a1B2c3D4e5F6", "CloudFormation"),
        ("ProdStack-ReaderServiceAccountRoleDE1B2C3F-1IN5O2JI2UWXD", "CDK"),
        ("ProdStack-ReaderRole0AB12CD3-a1B2c3D4e5F6", "CDK"),
        ("reader-role-1a2b3c4", "Pulumi"),
        ("prod-reader-x7k2p-9zc4m", "Crossplane"),
        ("prod-x7k2p-0a1b2c3d4e5f", "Crossplane"),
    ],
)
def test_names(name: str, tool: str) -> None:
    assert maker(name) == tool
    assert maker("reader", (name,)) == tool


@pytest.mark.parametrize(
    ("more", "tool"),
    [
        ({"description": "IRSA for the reader, managed by Terraform"}, "Terraform"),
        ({"description": "Terraform-managed role"}, "Terraform"),
        ({"description": "created with AWS CDK"}, "CDK"),
        ({"description": "Provisioned via Pulumi"}, "Pulumi"),
        ({"path": "/terraform/"}, "Terraform"),
        ({"path": "/teams/crossplane/"}, "Crossplane"),
        ({"tags": {"source": "github.com/acme/terraform-irsa"}}, "Terraform"),
        ({"tags": {"TerraformWorkspace": "prod"}}, "Terraform"),
        ({"tags": {"terraform:module": "irsa"}}, "Terraform"),
        ({"tags": {"kubernetes.io/cluster/prod": "owned"}}, "a tool that manages clusters (kOps, OpenShift)"),
        ({"trust": {"Statement": [{"Sid": "ExplicitSelfRoleAssumption"}]}}, "Terraform"),
        ({"trust": {"Statement": {"Sid": "PulumiManaged"}}}, "Pulumi"),
    ],
)
def test_texts(more: dict[str, Any], tool: str) -> None:
    assert maker("reader", **more) == tool


@pytest.mark.parametrize(
    "name",
    [
        "reader",
        "s3-reader-prod",
        "team-S3ReadOnlyAccess",
        "app-20240101",
        "app-v1234567",
        "reader-deadbee",
        "reader-1234567",
        "crossplane-provider-aws",
        "role.with.dots",
        "AmazonEKS_EBS_CSI_DriverRole",
        "AmazonEKSPodIdentityAmazonEBSCSIDriverRole",
        "prod-PRODUCTIONROLE",
    ],
)
def test_names_of_nobody(name: str) -> None:
    assert maker(name) == ""
    assert maker("reader", (f"arn:aws:iam::aws:policy/service-role/{name}",)) == ""


@pytest.mark.parametrize(
    "more",
    [
        {"description": "The role that Terraform assumes in the pipeline"},
        {"description": "For the Crossplane provider"},
        {"tags": {"app": "crossplane", "kubernetes.io/cluster/prod": "shared"}},
        {"trust": {"Statement": ["no statement", {"Sid": 7}]}},
    ],
)
def test_texts_about_a_tool_that_is_not_the_maker(more: dict[str, Any]) -> None:
    assert maker("reader", **more) == ""


@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=20))
def test_the_names_of_irsa_are_nobodys(name: str) -> None:
    cluster = "arn:aws:eks:eu-west-1:111122223333:cluster/demo"
    assert maker(default_role_name("demo", cluster, "backend", name.lower())) == ""


def test_what_irsa_created_and_what_is_marked_is_not_guessed_about() -> None:
    name = "reader-1a2b3c4"
    assert maker(name, tags={"irsa/transaction": "01J"}) == ""
    assert maker(name, tags={"ManagedBy": "terraform"}) == ""
    assert maker(name, tags={"irsa/cluster": "adopted", "irsa/service-account": "a/b"}) == "Pulumi"


def test_the_refusal_says_why_and_how() -> None:
    with pytest.raises(Refused) as caught:
        check(role("reader-1a2b3c4"), verb="adopt")
    assert "may be managed by Pulumi (its name follows a naming pattern of Pulumi)" in str(caught.value)
    assert any("--ignore-maker" in step for step in caught.value.next_steps)
