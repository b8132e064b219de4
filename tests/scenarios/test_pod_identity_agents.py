"""One answer of all commands: is the EKS Pod Identity agent there, and does the ServiceAccount exist?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from irsa_cli.sandbox import Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.eks_states import add_addon, describe_cluster_as
from tests.support.sandbox_clients import administrator, trust
from tests.support.stage import ACCOUNT, Json, Stage

AGENT = "eks-pod-identity-agent"
REGISTRY = "602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks"
DIGEST = f"sha256:{'0' * 64}"


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A ServiceAccount with an association; nothing answers its pods."""
    found = sandbox_stage(sandbox, "demo", tmp_path)
    found.make_namespace("backend")
    found.make_account("backend", "reader")
    document = trust({"Service": "pods.eks.amazonaws.com"}, action=["sts:AssumeRole", "sts:TagSession"])
    found.iam().create_role(RoleName="reader", AssumeRolePolicyDocument=document)
    administrator(sandbox, "eks").create_pod_identity_association(
        clusterName="demo",
        namespace="backend",
        serviceAccount="reader",
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/reader",
    )
    return found


def daemon_set(stage: Stage, name: str, image: str, **labels: str) -> None:
    template = {"spec": {"containers": [{"name": "main", "image": image}]}}
    body = {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": name, "labels": labels}}
    answer = stage.kube.create(
        "/apis/apps/v1/namespaces/kube-system/daemonsets", {**body, "spec": {"template": template}}
    )
    assert answer.status == 201, answer.text


def pod(stage: Stage, image: str) -> None:
    body: Json = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "agent"}}
    spec = {"containers": [{"name": "main", "image": image}]}
    answer = stage.kube.create("/api/v1/namespaces/kube-system/pods", {**body, "spec": spec})
    assert answer.status == 201, answer.text


AGENTS: dict[str, tuple[Callable[[Stage], None], bool]] = {
    "none": (lambda stage: None, False),
    "an add-on": (lambda stage: add_addon(stage.sandbox, "demo", AGENT), True),
    "Auto Mode": (
        lambda stage: describe_cluster_as(stage.sandbox, "demo", computeConfig={"enabled": True}),
        True,
    ),
    "a DaemonSet of its name": (lambda stage: daemon_set(stage, AGENT, "registry/own"), True),
    "a DaemonSet with its label": (
        lambda stage: daemon_set(stage, "own", "own:1", **{"app.kubernetes.io/name": AGENT}),
        True,
    ),
    "an image with a tag": (lambda stage: daemon_set(stage, "own", f"{REGISTRY}/{AGENT}:v0.1"), True),
    "an image with a digest": (lambda stage: daemon_set(stage, "own", f"mirror/{AGENT}@{DIGEST}"), True),
    "pods alone": (lambda stage: pod(stage, f"{REGISTRY}/{AGENT}:v0.1"), True),
    "another image": (lambda stage: daemon_set(stage, "own", f"mirror/not-{AGENT}:v1"), False),
}


@pytest.mark.parametrize("kind", AGENTS)
def test_all_commands_have_one_answer(stage: Stage, kind: str) -> None:
    install, is_there = AGENTS[kind]
    install(stage)
    stage.make_account("backend", "writer")
    common = ("-n", "backend", "-c", "demo")
    created = stage.irsa("create-sa", "writer", *common, "--pod-identity", "--no-policy")
    assert ("no EKS Pod Identity agent" in created.err) is not is_there, created.err
    (item,) = stage.irsa("get-sa", *common, "-l", "!none", "-o", "json").items[:1]
    assert item["podIdentity"]["agent"] is is_there
    diagnosed = stage.irsa("doctor", "reader", *common, "-v")
    assert ("pod-identity-agent:" in diagnosed.out and "not installed" in diagnosed.out) is not is_there
    verified = stage.irsa("verify", "reader", *common, "-o", "json")
    steps = {step["name"]: step["status"] for step in verified.item["steps"]}
    assert (steps.get("pods") == "failed") is not is_there


@pytest.mark.parametrize(
    ("name", "namespace", "words"),
    [
        ("raeder", "backend", "ServiceAccounts of backend with a similar name: reader"),
        ("reader", "bakcend", "namespaces with a similar name: backend"),
        ("other", "backend", "there is no ServiceAccount backend/other in demo"),
    ],
)
def test_a_name_that_does_not_exist_is_told(stage: Stage, name: str, namespace: str, words: str) -> None:
    add_addon(stage.sandbox, "demo", AGENT)
    ran = stage.irsa("create-sa", name, "-n", namespace, "-c", "demo", "--pod-identity", "--no-policy")
    assert ran.code == 0, ran.err
    assert words in ran.err
    assert "Pods that start from now on use it" not in ran.out
    assert "does not exist yet" in ran.out


def test_of_one_that_exists_or_that_the_run_creates_nothing_is_told(stage: Stage) -> None:
    add_addon(stage.sandbox, "demo", AGENT)
    stage.make_account("backend", "writer")
    for name, flags in (("writer", ()), ("new", ("--create-service-account",))):
        words = ("create-sa", name, "-n", "backend", "-c", "demo", "--pod-identity", "--no-policy", *flags)
        ran = stage.irsa(*words, "-o", "json")
        assert ran.code == 0, ran.err
        assert "exists" not in ran.item["serviceAccount"]
        assert not any("there is no" in note for note in ran.item["notes"])
