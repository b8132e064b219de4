"""`irsa delete-sa` and users of the role: by EKS Pod Identity, or by its name in a pod template."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_migrate import NAME, associations, create, pod, trust, world
from tests.scenarios.test_migrate_templates import THE_ROLE, template
from tests.support.eks_states import add_addon
from tests.support.stage import READ_ONLY, Json, Ran, Stage


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A cluster with the agent."""
    add_addon(sandbox, "demo", "eks-pod-identity-agent")
    return sandbox_stage(sandbox, "demo", tmp_path)


def delete(stage: Stage, namespace: str, *more: str) -> Ran:
    return stage.irsa("delete-sa", NAME, "-n", namespace, "-c", stage.cluster, "--yes", *more)


def refused(stage: Stage, namespace: str, *more: str) -> str:
    before = world(stage)
    ran = delete(stage, namespace, *more)
    assert ran.code == 4, ran.err
    assert world(stage) == before
    return ran.err


def test_a_pod_with_pod_identity_uses_the_role(stage: Stage, namespace: str) -> None:
    """Its ServiceAccount is somebody else's, and stays; the pod has no variable with the role."""
    stage.make_account(namespace, NAME)
    words = ("--pod-identity", "--attach-policy-arn", READ_ONLY)
    assert stage.irsa("create-sa", NAME, "-n", namespace, "-c", stage.cluster, *words).code == 0
    pod(stage, namespace)
    said = refused(stage, namespace)
    assert "is in use by 1 pod" in said
    assert "pod app-1" in said
    assert delete(stage, namespace, "--force").code == 0
    assert not associations(stage)


def test_an_association_to_a_role_of_others_is_used_too(stage: Stage, namespace: str) -> None:
    """The role stays, and no statement of it goes: pods lose it with the association."""
    stage.make_account(namespace, NAME)
    service = {"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}}
    statement = {**service, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    arn = stage.iam().create_role(
        RoleName=f"{namespace}-theirs",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )["Role"]["Arn"]
    words = ("--pod-identity", "--attach-role-arn", arn)
    assert stage.irsa("create-sa", NAME, "-n", namespace, "-c", stage.cluster, *words).code == 0
    pod(stage, namespace)
    assert "is in use by 1 pod" in refused(stage, namespace)


@pytest.mark.parametrize("kind", ["pod", "CronJob"])
def test_a_pod_of_another_service_account_that_names_the_role(
    stage: Stage, namespace: str, kind: str
) -> None:
    """With a token of its own: the role trusts that ServiceAccount, too."""
    create(stage, namespace)
    stage.make_account(namespace, "other")
    role = stage.role_of(namespace, NAME)["arn"]
    (own,) = trust(stage, namespace)
    others = json.loads(json.dumps(own).replace(f":{namespace}:{NAME}", f":{namespace}:other"))
    stage.iam().update_assume_role_policy(
        RoleName=role.rsplit("/", 1)[-1],
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [own, others]}),
    )
    container: Json = {"name": "main", "image": "app:1", "env": [{**THE_ROLE, "value": role}]}
    spec: dict[str, Any] = {"serviceAccountName": "other", "containers": [container]}
    if kind == "pod":
        pod(stage, namespace, **spec)
    else:
        template(stage, namespace, {}, kind, **spec)
    said = refused(stage, namespace)
    assert ("pod app-1" if kind == "pod" else "CronJob/web creates pods with it") in said
    assert delete(stage, namespace, "--force").code == 0


def test_files_and_prune_ask_the_same(stage: Stage, namespace: str) -> None:
    entry = {"namespace": namespace, "serviceAccountName": NAME, "permissionPolicyARNs": [READ_ONLY]}
    file = stage.folder / "cluster.json"

    def write(*entries: Json) -> None:
        document = {
            "apiVersion": "eksctl.io/v1alpha5",
            "kind": "ClusterConfig",
            "metadata": {"name": stage.cluster},
            "iam": {"podIdentityAssociations": [*entries]},
        }
        file.write_text(json.dumps(document), encoding="utf-8")

    stage.make_account(namespace, NAME)
    write(entry)
    assert stage.irsa("apply", "-f", str(file)).code == 0
    pod(stage, namespace)
    before = world(stage)
    deleted = stage.irsa("delete", "-f", str(file), "--yes")
    assert "is in use by 1 pod" in deleted.err
    write({**entry, "serviceAccountName": "next"})
    pruned = stage.irsa("apply", "-f", str(file), "--prune", "--yes")
    assert "is in use by 1 pod" in pruned.err
    after = world(stage)
    assert {name: after["roles"][name] for name in before["roles"]} == before["roles"]
    assert after["associations"].items() >= before["associations"].items()
    write(entry)
    forced = stage.irsa("delete", "-f", str(file), "--yes", "--force")
    assert forced.code == 0, forced.err
