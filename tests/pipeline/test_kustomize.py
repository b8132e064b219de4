"""deploy/kustomize: it is locked down, a real API server takes it, and irsa runs with its RBAC."""

from __future__ import annotations

import re
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from irsa_cli.sandbox import Sandbox
from tests.pipeline.tools import ROOT, config_of, program
from tests.scenarios.conftest import real_stage
from tests.support.documents import doc
from tests.support.fixtures import RealCluster
from tests.support.stage import EVERYTHING, ROLE_ARN, Ran, Stage

KUSTOMIZE = ROOT / "deploy" / "kustomize"
OVERLAYS = sorted(path.name for path in (KUSTOMIZE / "overlays").iterdir())
GROUPS_OF = {"apis/batch/v1": ("Job", "CronJob"), "apis/rbac.authorization.k8s.io/v1": ("Role", "Binding")}
"""The API groups, by how the names of their kinds end."""
LOCKED = {
    "readOnlyRootFilesystem": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}
"""What each container has; its pod has the rest."""
ROLE = "arn:aws:iam::111122223333:role/other"
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
            **doc('{"apiVersion": "v1", "kind": "Pod"}'),
            "metadata": {"name": f"irsa-{item['name']}", "namespace": workflow["metadata"]["namespace"]},
            "spec": {
                **{key: spec[key] for key in ("securityContext", "serviceAccountName")},
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
    objects = [item["spec"] for item in of_argo()] if overlay == "argo" else pods(built(overlay))
    for pod in objects:
        assert pod["automountServiceAccountToken"] is False
        assert (
            pod["securityContext"].items()
            >= {
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
            }.items()
        )
        assert not any("hostPath" in volume for volume in pod["volumes"])
        for container in pod["containers"]:
            assert re.fullmatch(r".+@sha256:[0-9a-f]{64}", container["image"])
            assert container["securityContext"].items() >= LOCKED.items()
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
    kind, namespace = item["kind"], item["metadata"].get("namespace")
    group = next((group for group in GROUPS_OF if kind.endswith(GROUPS_OF[group])), "")
    within = f"/namespaces/{namespace}" if namespace else ""
    return f"/{group or 'api/v1'}{within}/{kind.lower()}s"


def of_kind(objects: list[Json], *kinds: str) -> list[Json]:
    return [item for item in objects if item["kind"].startswith(kinds)]


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
    make(live, of_kind(objects, "Namespace"))
    if overlay == "argocd":
        make(live, of_kind(built("apply-setup"), "Namespace"))
    for item in objects:
        if item["kind"] != "Namespace":
            assert_taken(live, item)


def assert_taken(live: Stage, item: Json) -> None:
    """The API server would create an object, to the last field."""
    answer = live.kube.create(f"{place(item)}?dryRun=All&fieldValidation=Strict", item)
    assert answer.status == 201, answer.text


@pytest.mark.e2e
def test_a_real_api_server_takes_the_pods_of_argo(live: Stage) -> None:
    make(live, of_kind(built("apply-setup"), "Namespace"))
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "irsa"}}
    live.kube.create("/api/v1/namespaces/irsa-system/serviceaccounts", account)
    for item in of_argo():
        assert_taken(live, item)


def test_the_shards_of_an_example_are_as_many_as_its_pods() -> None:
    (job,) = (item for item in built("fleet") if item["kind"] == "Job")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert f"--shard=$(JOB_COMPLETION_INDEX)/{job['spec']['completions']}" in container["args"]
    workflow = yaml.safe_load((ROOT / "deploy" / "argo" / "fleet.yaml").read_text("utf-8"))
    (count,) = re.findall(r"'count': '(\d+)'", str(workflow))
    assert f"--shard={{{{inputs.parameters.index}}}}/{count}" in str(workflow)


def member(stage: Stage, group: str) -> str:
    """A user who may do everything in AWS, and in Kubernetes what this group may."""
    user = f"u-{uuid.uuid4().hex[:12]}"
    stage.sandbox.add_user(user, policy=EVERYTHING)
    stage.sandbox.grant(stage.cluster, user, username=user, groups=[group])
    return user


def in_the_pod(stage: Stage, overlay: str, group: str, bindings: str) -> Ran:
    """Run what the pod of an overlay runs, in the group that its RBAC is bound to, with a test's files."""
    objects, setup = built(overlay), built("apply-setup")
    make(stage, of_kind([*objects, *setup], "Namespace"))
    make(stage, of_kind([*objects, *(setup if overlay == "argocd" else [])], "Role", "ClusterRole"))
    (pod,) = pods(objects)
    (container,) = pod["containers"]
    folder, state = stage.folder / "bindings", stage.folder / "memory"
    for path in (folder, state):
        path.mkdir(exist_ok=True)
    (folder / "bindings.yaml").write_text(bindings, "utf-8")
    state.chmod(0o1777)  # As an emptyDir in memory is.
    words = [word.replace("/bindings", str(folder)) for word in container["args"]]
    env = {each["name"]: each["value"].replace("/state", str(state)) for each in container["env"]}
    return stage.irsa(*words, user=member(stage, group), **env)


@pytest.fixture
def bindings(live: Stage, unique: str) -> str:
    """A file with one binding, in a namespace that there is."""
    live.make_namespace(unique)
    assert live.associate().code == 0
    return config_of(live.cluster, "s3-reader", namespace=unique)


@pytest.mark.e2e
@pytest.mark.parametrize("overlay", ["argocd", "flux"])
def test_apply_runs_with_exactly_this_rbac(live: Stage, overlay: str, unique: str, bindings: str) -> None:
    ran = in_the_pod(live, overlay, "irsa-apply", bindings)
    assert ran.code == 0, ran.err
    assert live.role_of(unique, "s3-reader")["attached"]
    again = in_the_pod(live, overlay, "irsa-apply", bindings)
    assert (again.code, "unchanged" in again.out) == (0, True)


@pytest.mark.e2e
def test_apply_rolls_back_with_exactly_this_rbac(live: Stage, unique: str, bindings: str) -> None:
    wrong = yaml.safe_load(bindings)
    other = yaml.safe_load(config_of("", "later", namespace=unique, policy=ROLE.replace("role", "policy")))
    wrong["iam"]["serviceAccounts"] += other["iam"]["serviceAccounts"]
    before = live.world()
    ran = in_the_pod(live, "argocd", "irsa-apply", yaml.safe_dump(wrong))
    assert ran.code == 1, ran.err
    assert live.world() == before


@pytest.mark.e2e
@pytest.mark.parametrize("overlay", ["drift-irsa", "drift-pod-identity"])
def test_drift_is_found_with_exactly_this_rbac(live: Stage, overlay: str, unique: str, bindings: str) -> None:
    pending = in_the_pod(live, overlay, "irsa-drift", bindings)
    assert pending.code == 6, pending.err
    (live.folder / "own.yaml").write_text(bindings, "utf-8")
    assert live.irsa("apply", "-f", "own.yaml").code == 0
    assert in_the_pod(live, overlay, "irsa-drift", bindings).code == 0
    live.annotate(unique, "s3-reader", **{ROLE_ARN: ROLE})
    drifted = in_the_pod(live, overlay, "irsa-drift", bindings)
    assert drifted.code in (4, 6), drifted.err
    assert "s3-reader" in drifted.out + drifted.err


@pytest.mark.e2e
def test_drift_may_change_nothing(live: Stage, bindings: str) -> None:
    in_the_pod(live, "drift-irsa", "irsa-drift", bindings)
    (live.folder / "own.yaml").write_text(bindings, "utf-8")
    before = live.kube_world()
    assert live.irsa("apply", "-f", "own.yaml", user=member(live, "irsa-drift")).code != 0
    assert live.kube_world() == before
