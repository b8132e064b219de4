"""A restart is a part of the plan: what dry run and saved plan do not name does not happen."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.sandbox import Sandbox
from irsa_cli.usecases.plans.saved_plan import digest_of
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_migrate import (
    NAME,
    associations,
    create,
    eks,
    migrate,
    pod,
    provider_of,
    refused,
    world,
)
from tests.support.eks_states import add_addon
from tests.support.stage import Json, Ran, Stage

READER = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "reader", "uid": "1", "controller": True}


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """With the agent. The sandbox's API is enough: associations are EKS' business."""
    add_addon(sandbox, "demo", "eks-pod-identity-agent")
    return sandbox_stage(sandbox, "demo", tmp_path)


def workload(stage: Stage, namespace: str) -> None:
    """A StatefulSet with one pod that uses the ServiceAccount."""
    template = {"metadata": {"labels": {"app": "x"}}, "spec": {"serviceAccountName": NAME}}
    body = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "reader"}}
    made = stage.kube.create(sets(namespace), {**body, "spec": {"template": template}})
    assert made.status == 201, made.text
    pod(stage, namespace, "reader-0", READER)


def sets(namespace: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/statefulsets"


def is_restarted(stage: Stage, namespace: str) -> bool:
    metadata = stage.kube.get(f"{sets(namespace)}/reader").body["spec"]["template"]["metadata"]
    return bool(metadata.get("annotations"))


def saved(stage: Stage, namespace: str, *more: str) -> Path:
    planned = migrate(stage, "pod-identity", NAME, "-n", namespace, "--dry-run", "--out", "plan.json", *more)
    assert planned.code == 0, planned.err
    return stage.folder / "plan.json"


def flipped(path: Path, **request: Any) -> Json:
    """The file with another request, and the digest that belongs to it."""
    document: Json = json.loads(path.read_text())
    document["request"] |= request
    document["digest"] = digest_of(document)
    path.write_text(json.dumps(document))
    return document


def shown(stage: Stage) -> str:
    """What `irsa show` prints of the plan, without its digest."""
    ran = stage.irsa("show", "plan.json")
    assert ran.code == 0, ran.err
    return re.sub("sha256:[0-9a-f]+", "", ran.out + ran.err)


@pytest.mark.parametrize(
    ("to", "more", "first"),
    [("pod-identity", (), False), ("pod-identity", ("--finish",), True), ("irsa", ("--finish",), False)],
)
def test_the_dry_run_and_the_saved_plan_name_the_restart(
    stage: Stage, namespace: str, to: str, more: tuple[str, ...], first: bool
) -> None:
    """In the order in which it happens."""
    create(stage, namespace)
    if to == "irsa":
        assert migrate(stage, "pod-identity", NAME, "-n", namespace).code == 0
    workload(stage, namespace)
    if first:
        assert migrate(stage, "pod-identity", NAME, "-n", namespace).code == 0
    before = world(stage)
    command = (NAME, "-n", namespace, "--restart", *more, "--dry-run")
    text = migrate(stage, to, *command, "--out", "plan.json")
    assert text.code == 0, text.err
    assert f"~ Restart          pods of {namespace}/{NAME}: StatefulSet reader" in text.out
    assert f"pods of {namespace}/{NAME}: StatefulSet reader" in shown(stage)
    assert "StatefulSet reader" in migrate(stage, to, *command, "-o", "markdown").out
    changes = migrate(stage, to, *command, "-o", "json").item["changes"]
    kinds = [change["kind"] for change in changes]
    assert kinds.count("Restart") == 1
    assert kinds.index("Restart") == (0 if first else len(kinds) - 1)
    restart = changes[kinds.index("Restart")]
    assert restart["after"] == {"way": to, "workloads": ["StatefulSet/reader"]}
    assert world(stage) == before
    assert not is_restarted(stage, namespace)


@pytest.mark.parametrize("has_pods", [True, False])
def test_a_restart_that_was_not_reviewed_is_refused(stage: Stage, namespace: str, has_pods: bool) -> None:
    create(stage, namespace)
    if has_pods:
        workload(stage, namespace)
    path = saved(stage, namespace)
    flipped(path, restart=True)
    before = world(stage)
    ran = stage.irsa("apply", "plan.json")
    assert ran.code == 4, ran.err
    assert "not planned: update Restart" in ran.err
    assert world(stage) == before
    assert not has_pods or not is_restarted(stage, namespace)


def test_a_restart_that_was_reviewed_is_not_left_out(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    flipped(saved(stage, namespace, "--restart"), restart=False)
    before = world(stage)
    assert stage.irsa("apply", "plan.json").code == 4
    assert world(stage) == before


def test_a_saved_plan_with_a_restart_is_carried_out(stage: Stage, namespace: str) -> None:
    """No pod uses the old way, so nothing restarts; the result has the change all the same."""
    create(stage, namespace)
    saved(stage, namespace, "--restart")
    assert f"pods of {namespace}/{NAME}: no workload" in shown(stage)
    ran: Ran = stage.irsa("apply", "plan.json", "-o", "json")
    assert ran.code == 0, ran.err
    assert [(change["kind"], change["state"]) for change in ran.item["changes"]][-1] == ("Restart", "done")
    assert associations(stage)


def test_a_new_workload_makes_a_saved_plan_stale(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    saved(stage, namespace, "--restart")
    workload(stage, namespace)
    ran = stage.irsa("apply", "plan.json")
    assert ran.code == 4, ran.err
    assert not is_restarted(stage, namespace)


def test_pods_that_irsa_does_not_restart_are_named_before(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    pod(stage, namespace)
    ran = migrate(stage, "pod-identity", NAME, "-n", namespace, "--restart", "--dry-run")
    assert ran.code == 0, ran.err
    assert "irsa does not restart Pod app-1: restart or delete them yourself" in ran.err


def test_the_association_of_others_is_refused_at_once(stage: Stage, namespace: str) -> None:
    """With it, new pods get Pod Identity: to wait for IRSA would last until the time limit."""
    create(stage, namespace)
    workload(stage, namespace)
    assert migrate(stage, "pod-identity", NAME, "-n", namespace).code == 0
    client = eks(stage)
    (given,) = client.list_pod_identity_associations(clusterName=stage.cluster)["associations"]
    tags = ["irsa/cluster", "irsa/service-account"]
    client.untag_resource(resourceArn=given["associationArn"], tagKeys=tags)
    assert provider_of(stage)
    said = refused(stage, namespace, "irsa", "--finish", "--restart")
    assert "irsa did not create it" in said
    assert not is_restarted(stage, namespace)
    (line,) = re.findall(r"irsa (migrate .* --include-managed)", said)
    ran = stage.irsa(*shlex.split(line), "--dry-run")
    assert ran.code == 0, ran.err
    assert "- PodIdentity" in ran.out
