"""deploy/kustomize: it is locked down, a real API server takes it, and irsa runs with its RBAC."""

from __future__ import annotations

import json
import re
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from irsa_cli.sandbox import Sandbox
from tests.pipeline.tools import ROOT, program
from tests.scenarios.conftest import real_stage
from tests.support.fixtures import RealCluster
from tests.support.stage import EVERYTHING, Ran, Stage

KUSTOMIZE = ROOT / "deploy" / "kustomize"
OVERLAYS = sorted(path.name for path in (KUSTOMIZE / "overlays").iterdir())
PATHS = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": "/api/v1/namespaces/{namespace}/serviceaccounts",
    "ConfigMap": "/api/v1/namespaces/{namespace}/configmaps",
    "PersistentVolumeClaim": "/api/v1/namespaces/{namespace}/persistentvolumeclaims",
    "Pod": "/api/v1/namespaces/{namespace}/pods",
    "Job": "/apis/batch/v1/namespaces/{namespace}/jobs",
    "CronJob": "/apis/batch/v1/namespaces/{namespace}/cronjobs",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
}
Json = dict[str, Any]


def built(overlay: str) -> list[Json]:
    """The objects of an overlay."""
    command = [program("kustomize"), "build", str(KUSTOMIZE / "overlays" / overlay)]
    ended = subprocess.run(command, check=False, capture_output=True, encoding="utf-8", timeout=60)
    assert ended.returncode == 0, ended.stderr
    return list(yaml.safe_load_all(ended.stdout))


def pods(objects: list[Json]) -> Iterator[Json]:
    """The pods that the objects make."""
    for item in objects:
        if item["kind"] == "Job":
            yield item["spec"]["template"]["spec"]
        if item["kind"] == "CronJob":
            yield item["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def of_argo() -> list[Json]:
    """The pods of the example for Argo Workflows, as Argo makes them of its templates."""
    workflow = yaml.safe_load((ROOT / "deploy" / "argo" / "fleet.yaml").read_text("utf-8"))
    spec = workflow["spec"]
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"irsa-{item['name']}", "namespace": workflow["metadata"]["namespace"]},
            "spec": {
                "securityContext": spec["securityContext"],
                "serviceAccountName": spec["serviceAccountName"],
                "volumes": [*spec["volumes"], *item["volumes"]],
                "containers": [item["container"]],
                # Argo sets it: its own containers in the pod need the token.
                "automountServiceAccountToken": False,
            },
        }
        for item in spec["templates"]
        if "container" in item
    ]


@pytest.mark.parametrize("overlay", [*OVERLAYS, "argo"])
def test_pods_may_do_nothing_that_they_need_not(overlay: str) -> None:
    found = [item["spec"] for item in of_argo()] if overlay == "argo" else pods(built(overlay))
    for pod in found:
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not any("hostPath" in volume for volume in pod["volumes"])
        for container in pod["containers"]:
            assert re.fullmatch(r".+@sha256:[0-9a-f]{64}", container["image"])
            locked = container["securityContext"]
            assert locked["readOnlyRootFilesystem"] is True
            assert locked["allowPrivilegeEscalation"] is False
            assert locked["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_bindings_that_a_pod_reads_are_there(overlay: str) -> None:
    objects = built(overlay)
    maps = {item["metadata"]["name"] for item in objects if item["kind"] == "ConfigMap"}
    for pod in pods(objects):
        assert {volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume} == maps


def test_what_a_hook_of_argo_cd_uses_is_there_before_it() -> None:
    """All that is no hook is made after the hooks; the ServiceAccount and RBAC are there since the set-up."""
    hooks = built("argocd")
    assert {item["kind"] for item in hooks} == {"ConfigMap", "Job"}
    for item in hooks:
        assert item["metadata"]["annotations"]["argocd.argoproj.io/hook"] == "PreSync"
    waves = {
        item["kind"]: int(item["metadata"]["annotations"].get("argocd.argoproj.io/sync-wave", 0))
        for item in hooks
    }
    assert waves["ConfigMap"] < waves["Job"]
    names = {(item["kind"], item["metadata"]["name"]) for item in built("apply-setup")}
    (pod,) = pods(hooks)
    assert ("ServiceAccount", pod["serviceAccountName"]) in names


def place(item: Json) -> str:
    """Where an object is made."""
    namespace = item["metadata"].get("namespace", "")
    return PATHS[item["kind"]].format(namespace=namespace)


@pytest.fixture
def live(sandbox: Sandbox, real: RealCluster, tmp_path: Path) -> Iterator[Stage]:
    """A stage on a real API server, from which is taken away again what overlays have made."""
    stage = real_stage(sandbox, real, tmp_path)
    made: list[str] = []
    stage.made = made  # type: ignore[attr-defined]
    yield stage
    for path in reversed(made):
        stage.kube.delete(path)


def make(stage: Stage, objects: list[Json]) -> None:
    """Make the objects as their administrator; those that a test before has made are there."""
    for item in objects:
        answer = stage.kube.create(place(item), item)
        assert answer.status in (201, 409), answer.text
        if item["kind"] != "Namespace":
            stage.made.append(f"{place(item)}/{item['metadata']['name']}")  # type: ignore[attr-defined]


@pytest.mark.e2e
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_real_api_server_takes_it(live: Stage, overlay: str) -> None:
    objects = built(overlay)
    make(live, [item for item in objects if item["kind"] == "Namespace"])
    if overlay == "argocd":
        make(live, [item for item in built("apply-setup") if item["kind"] == "Namespace"])
    for item in objects:
        if item["kind"] == "Namespace":
            continue
        answer = live.kube.create(f"{place(item)}?dryRun=All&fieldValidation=Strict", item)
        assert answer.status == 201, answer.text


@pytest.mark.e2e
def test_a_real_api_server_takes_the_pods_of_argo(live: Stage) -> None:
    make(live, [item for item in built("apply-setup") if item["kind"] == "Namespace"])
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "irsa"}}
    live.kube.create("/api/v1/namespaces/irsa-system/serviceaccounts", account)
    for item in of_argo():
        answer = live.kube.create(f"{place(item)}?dryRun=All&fieldValidation=Strict", item)
        assert answer.status == 201, answer.text


def test_the_shards_of_an_example_are_as_many_as_its_pods() -> None:
    (job,) = (item for item in built("fleet") if item["kind"] == "Job")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert f"--shard=$(JOB_COMPLETION_INDEX)/{job['spec']['completions']}" in container["args"]
    workflow = yaml.safe_load((ROOT / "deploy" / "argo" / "fleet.yaml").read_text("utf-8"))
    (count,) = re.findall(r"'count': '(\d+)'", str(workflow))
    assert f"--shard={{{{inputs.parameters.index}}}}/{count}" in str(workflow)


def in_the_pod(stage: Stage, overlay: str, group: str, bindings: Json) -> Ran:
    """Run what the pod of an overlay runs, in the group that its RBAC is bound to, with a test's files."""
    objects = built(overlay)
    make(stage, [item for item in [*objects, *built("apply-setup")] if item["kind"] in ("Namespace",)])
    make(stage, [item for item in objects if "Role" in item["kind"]])
    if overlay == "argocd":
        make(stage, [item for item in built("apply-setup") if "Role" in item["kind"]])
    user = f"u-{uuid.uuid4().hex[:12]}"
    stage.sandbox.add_user(user, policy=EVERYTHING)
    stage.sandbox.grant(stage.cluster, user, username=user, groups=[group])
    (pod,) = pods(objects)
    (container,) = pod["containers"]
    folder = stage.folder / "bindings"
    folder.mkdir(exist_ok=True)
    (folder / "bindings.yaml").write_text(json.dumps(bindings), encoding="utf-8")
    state = stage.folder / "memory"
    state.mkdir(exist_ok=True)
    state.chmod(0o1777)  # As an emptyDir in memory is.
    words = [word.replace("/bindings", str(folder)) for word in container["args"]]
    env = {each["name"]: each["value"].replace("/state", str(state)) for each in container["env"]}
    return stage.irsa(*words, user=user, **env)


def bindings_of(stage: Stage, namespace: str) -> Json:
    """A file with one binding."""
    metadata = {"name": "s3-reader", "namespace": namespace}
    policies = ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]
    accounts = [{"metadata": metadata, "attachPolicyARNs": policies}]
    return {
        "apiVersion": "eksctl.io/v1alpha5",
        "kind": "ClusterConfig",
        "metadata": {"name": stage.cluster, "region": stage.region},
        "iam": {"serviceAccounts": accounts},
    }


@pytest.mark.e2e
@pytest.mark.parametrize("overlay", ["argocd", "flux"])
def test_apply_runs_with_exactly_this_rbac(live: Stage, overlay: str, unique: str) -> None:
    live.make_namespace(unique)
    assert live.associate().code == 0
    ran = in_the_pod(live, overlay, "irsa-apply", bindings_of(live, unique))
    assert ran.code == 0, ran.err
    assert live.role_of(unique, "s3-reader")["attached"]
    again = in_the_pod(live, overlay, "irsa-apply", bindings_of(live, unique))
    assert again.code == 0
    assert "unchanged" in again.out


@pytest.mark.e2e
def test_apply_rolls_back_with_exactly_this_rbac(live: Stage, unique: str) -> None:
    live.make_namespace(unique)
    assert live.associate().code == 0
    wrong = bindings_of(live, unique)
    wrong["iam"]["serviceAccounts"].append(
        {
            "metadata": {"name": "later", "namespace": unique},
            "attachPolicyARNs": ["arn:aws:iam::111122223333:policy/no"],
        }
    )
    before = live.world()
    ran = in_the_pod(live, "argocd", "irsa-apply", wrong)
    assert ran.code == 1, ran.err
    assert live.world() == before


@pytest.mark.e2e
@pytest.mark.parametrize("overlay", ["drift-irsa", "drift-pod-identity"])
def test_drift_is_found_with_exactly_this_rbac(live: Stage, overlay: str, unique: str) -> None:
    live.make_namespace(unique)
    assert live.associate().code == 0
    bindings = bindings_of(live, unique)
    pending = in_the_pod(live, overlay, "irsa-drift", bindings)
    assert pending.code == 6, pending.err
    (live.folder / "own.yaml").write_text(json.dumps(bindings), encoding="utf-8")
    assert live.irsa("apply", "-f", "own.yaml").code == 0
    assert in_the_pod(live, overlay, "irsa-drift", bindings).code == 0
    live.annotate(
        unique, "s3-reader", **{"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/other"}
    )
    drifted = in_the_pod(live, overlay, "irsa-drift", bindings)
    assert drifted.code in (4, 6), drifted.err
    assert "s3-reader" in drifted.out + drifted.err


@pytest.mark.e2e
def test_drift_may_change_nothing(live: Stage, unique: str) -> None:
    live.make_namespace(unique)
    bindings = bindings_of(live, unique)
    in_the_pod(live, "drift-irsa", "irsa-drift", bindings)
    user = f"u-{uuid.uuid4().hex[:12]}"
    live.sandbox.add_user(user, policy=EVERYTHING)
    live.sandbox.grant(live.cluster, user, username=user, groups=["irsa-drift"])
    (live.folder / "own.yaml").write_text(json.dumps(bindings), encoding="utf-8")
    before = live.kube_world()
    assert live.irsa("apply", "-f", "own.yaml", user=user).code != 0
    assert live.kube_world() == before
