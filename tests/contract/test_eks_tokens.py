"""EKS bearer tokens: both APIs ask the sandbox's STS who they are, and agree about whom they let in.

A real server remembers for 10 s whom it has let in with which token, and tokens of one user made within a
second are the same token: so each test has users of its own.
"""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import boto3
import pytest

from irsa_cli.sandbox import Rule, Sandbox
from tests.contract.statuses import assert_refused
from tests.support.eks import bearer
from tests.support.fixtures import RealCluster
from tests.support.kubeclient import KubeClient


@dataclass
class EksCluster:
    """A cluster as DescribeCluster names it; `real` is the control plane where it isn't the sandbox's own."""

    sandbox: Sandbox
    name: str
    real: RealCluster | None = None

    def as_user(self, user: str, *, of_cluster: str | None = None) -> KubeClient:
        """A client with a token of this IAM user, made for this cluster unless told otherwise."""
        return self.with_token(bearer(self.sandbox.env(user=user), of_cluster or self.name))

    def with_token(self, token: str) -> KubeClient:
        """A client with this token, which finds the cluster as irsa does: by DescribeCluster."""
        env = self.sandbox.env()
        eks = boto3.client(
            "eks",
            endpoint_url=self.sandbox.url,
            region_name=env["AWS_REGION"],
            aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        )
        found = eks.describe_cluster(name=self.name)["cluster"]
        ca = base64.b64decode(found["certificateAuthority"]["data"]).decode()
        return KubeClient(found["endpoint"], ca, token)

    def grant(self, user: str, username: str, rules: Sequence[Rule]) -> None:
        """Map the IAM user to a Kubernetes user with these rights."""
        self.sandbox.grant(self.name, user, username=username, rules=rules)
        if self.real:
            self.real.control_plane.grant_rbac(username, rules)


@pytest.fixture(params=["sandbox", pytest.param("real", marks=pytest.mark.e2e)])
def eks_cluster(request: pytest.FixtureRequest, sandbox: Sandbox) -> EksCluster:
    """Each of the two APIs, as a cluster of the sandbox's EKS."""
    if request.param == "sandbox":
        return EksCluster(sandbox, "demo")
    real = request.getfixturevalue("real")
    assert isinstance(real, RealCluster)
    sandbox.add_cluster(real.spec)
    return EksCluster(sandbox, real.spec.name, real)


def test_administrator_of_the_account(eks_cluster: EksCluster, unique: str) -> None:
    body = {"metadata": {"name": unique}}
    assert eks_cluster.as_user("admin").create("/api/v1/namespaces", body).status == 201


def test_user_without_access_entry(eks_cluster: EksCluster, unique: str) -> None:
    eks_cluster.sandbox.add_user(unique)
    answer = eks_cluster.as_user(unique).get("/api/v1/namespaces")
    assert_refused(answer, 401, "Unauthorized", "Unauthorized")


def test_user_with_access_entry(eks_cluster: EksCluster, unique: str) -> None:
    eks_cluster.sandbox.add_user(unique)
    eks_cluster.grant(unique, f"dev:{unique}", [Rule(("list",), ("serviceaccounts",), "default")])
    client = eks_cluster.as_user(unique)
    assert client.get("/api/v1/namespaces/default/serviceaccounts").status == 200
    answer = client.get("/api/v1/namespaces")
    message = (
        f'namespaces is forbidden: User "dev:{unique}" cannot list resource "namespaces" in API group "" '
        "at the cluster scope"
    )
    assert_refused(answer, 403, "Forbidden", message)


def test_access_counts_at_once(eks_cluster: EksCluster, unique: str) -> None:
    eks_cluster.sandbox.add_user(unique)
    client = eks_cluster.as_user(unique)
    path = "/api/v1/namespaces/default/serviceaccounts"
    assert client.get(path).status == 401
    eks_cluster.grant(unique, unique, [Rule(("list",), ("serviceaccounts",))])
    assert client.get(path).status == 200


def test_token_for_another_cluster(eks_cluster: EksCluster) -> None:
    client = eks_cluster.as_user("admin", of_cluster="another")
    assert_refused(client.get("/api/v1/namespaces"), 401, "Unauthorized")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: token.removeprefix("k8s-aws-v1."),
        lambda token: token[:-8],
        lambda _: "k8s-aws-v1.",
        lambda _: "k8s-aws-v1." + base64.urlsafe_b64encode(b"http://127.0.0.1:9/").decode().rstrip("="),
    ],
    ids=["no prefix", "cut", "empty", "another url"],
)
def test_spoilt_token(eks_cluster: EksCluster, spoil: Callable[[str], str]) -> None:
    token = spoil(bearer(eks_cluster.sandbox.env(), eks_cluster.name))
    assert_refused(eks_cluster.with_token(token).get("/api/v1/namespaces"), 401, "Unauthorized")
