"""What keeps pods from EKS Pod Identity is refused before the first write, by each command that adds it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.eks_states import add_addon, add_fargate_profile, describe_cluster_as
from tests.support.stage import READ_ONLY, Ran, Stage

NAME = "app"
AGENT = "eks-pod-identity-agent"
PROXY = {"name": "HTTP_PROXY", "value": "http://proxy:3128"}
COMMANDS = {
    "create-sa": ("create-sa", "--pod-identity", "--attach-policy-arn", READ_ONLY),
    "migrate": ("migrate", "--to", "pod-identity"),
    "update-sa": ("update-sa", "--also", "pod-identity"),
}


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A cluster with the agent."""
    add_addon(sandbox, "demo", AGENT)
    return sandbox_stage(sandbox, "demo", tmp_path)


@pytest.fixture
def bare(stage: Stage) -> Stage:
    """A cluster without the agent."""
    stage.sandbox._front.clusters._addons.clear()
    return stage


@pytest.fixture(params=COMMANDS)
def add(request: pytest.FixtureRequest, stage: Stage, namespace: str) -> Callable[[], Ran]:
    """Runs a command that adds an association; what it needs is there."""
    where = (NAME, "-n", namespace, "-c", stage.cluster)
    if request.param == "create-sa":
        stage.make_account(namespace, NAME)
    else:
        made = stage.irsa("create-sa", *where, "--associate-oidc", "--attach-policy-arn", READ_ONLY)
        assert made.code == 0, made.err
    verb, *more = COMMANDS[request.param]
    return lambda: stage.irsa(verb, *where, *more)


def world(stage: Stage) -> Any:
    return copy.deepcopy(stage.world()), stage.sandbox.world()["associations"]


def refused(stage: Stage, add: Callable[[], Ran]) -> str:
    before = world(stage)
    ran = add()
    assert ran.code == 4, ran.out + ran.err
    assert world(stage) == before
    return ran.err


def pod(stage: Stage, namespace: str, *env: dict[str, str], image: str = "app:1", **spec: Any) -> None:
    """A running pod of the ServiceAccount."""
    container = {"name": "main", "image": image, "env": list(env)}
    body = {
        "metadata": {"name": "app-1"},
        "spec": {"serviceAccountName": NAME, "containers": [container], **spec},
        "status": {"phase": "Running"},
    }
    assert stage.kube.create(f"/api/v1/namespaces/{namespace}/pods", body).status == 201


def test_no_agent(bare: Stage, add: Callable[[], Ran]) -> None:
    said = refused(bare, add)
    assert "has no EKS Pod Identity agent" in said
    assert f"aws eks create-addon --cluster-name demo --region eu-west-1 --addon-name {AGENT}" in said
    add_addon(bare.sandbox, "demo", AGENT)
    assert add().code == 0


def test_a_namespace_on_fargate(stage: Stage, namespace: str, add: Callable[[], Ran]) -> None:
    add_fargate_profile(stage.sandbox, "demo", "all", {"namespace": namespace})
    assert "Fargate (profile all)" in refused(stage, add)


def test_nodes_of_windows_and_a_cluster_on_outposts(stage: Stage, add: Callable[[], Ran]) -> None:
    labels = {"kubernetes.io/os": "windows"}
    body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "one", "labels": labels}}
    assert stage.kube.create("/api/v1/nodes", body).status == 201
    assert "has only Windows nodes" in refused(stage, add)
    describe_cluster_as(stage.sandbox, "demo", outpostConfig={"outpostArns": ["arn:aws:outposts:x"]})
    assert "has only AWS Outposts nodes" in refused(stage, add)


def test_a_pod_on_windows(stage: Stage, namespace: str, add: Callable[[], Ran]) -> None:
    pod(stage, namespace, nodeSelector={"kubernetes.io/os": "windows"}, os={"name": "windows"})
    said = refused(stage, add)
    assert f"pod {namespace}/app-1 would get no credentials" in said
    assert "it runs on Windows" in said


def test_a_proxy_before_the_agent(stage: Stage, namespace: str, add: Callable[[], Ran]) -> None:
    pod(stage, namespace, PROXY, {"name": "NO_PROXY", "value": "10.0.0.0/8,localhost"})
    said = refused(stage, add)
    assert "container main has a proxy, and its NO_PROXY does not include 169.254.170.23" in said
    assert "add 169.254.170.23 to NO_PROXY in the pod template" in said


@pytest.mark.parametrize(
    "env",
    [
        ({"name": "NO_PROXY", "value": "localhost, 169.254.170.23"}, PROXY),
        ({"name": "HTTPS_PROXY", "value": "http://proxy:3128"},),
    ],
    ids=["exempt", "https only"],
)
def test_no_proxy_before_the_agent(
    stage: Stage, namespace: str, env: tuple[dict[str, str], ...], add: Callable[[], Ran]
) -> None:
    pod(stage, namespace, *env)
    ran = add()
    assert ran.code == 0, ran.err


def test_on_ipv6_the_agent_has_another_address(stage: Stage, namespace: str, add: Callable[[], Ran]) -> None:
    describe_cluster_as(stage.sandbox, "demo", kubernetesNetworkConfig={"ipFamily": "ipv6"})
    pod(stage, namespace, PROXY, {"name": "no_proxy", "value": "169.254.170.23"})
    assert "add fd00:ec2::23 to NO_PROXY" in refused(stage, add)


def test_what_no_proxy_leaves_open_is_a_note(stage: Stage, namespace: str, add: Callable[[], Ran]) -> None:
    pod(stage, namespace, PROXY, {"name": "NO_PROXY", "value": "169.254.0.0/16"})
    ran = add()
    assert ran.code == 0, ran.err
    assert "cannot tell if NO_PROXY of app-1 includes 169.254.170.23" in ran.out + ran.err


def test_an_image_with_an_old_cli(stage: Stage, namespace: str, add: Callable[[], Ran]) -> None:
    pod(stage, namespace, image="public.ecr.aws/aws-cli/aws-cli:2.14.6")
    said = refused(stage, add)
    assert "the AWS CLI of public.ecr.aws/aws-cli/aws-cli:2.14.6 does not support it" in said
    assert "use an AWS CLI >= 1.30.0 or 2.15.0" in said


def test_a_cluster_with_all_associations_that_it_may_have(stage: Stage, add: Callable[[], Ran]) -> None:
    where = f"arn:aws:eks:eu-west-1:{stage.account_id}:cluster/demo"
    there = stage.sandbox._front.clusters.associations._of.setdefault(where, {})
    for number in range(5000):
        name = f"a-{number:05}"
        there[name] = {
            "associationId": name, "associationArn": f"{where}/{name}", "clusterName": "demo",
            "namespace": "full", "serviceAccount": name, "tags": {},
        }  # fmt: skip
    said = refused(stage, add)
    assert "has 5000 EKS Pod Identity associations" in said
    assert "does not raise this quota" in said


def test_what_can_not_be_read_is_said_and_refuses_nothing(bare: Stage, add: Callable[[], Ran]) -> None:
    for operation in ("ListAddons", "ListFargateProfiles"):
        bare.sandbox.faults.add(
            Fault("eks", operation, kind="error", status=403, code="AccessDeniedException", times=None)
        )
    bare.sandbox.faults.add(Fault("kubernetes", "GET nodes", kind="error", status=403, times=None))
    ran = add()
    assert ran.code == 0, ran.err
    for what in ("the EKS Pod Identity agent", "the platform of the nodes", "the Fargate profiles"):
        assert f"not checked: {what}" in ran.out + ran.err
