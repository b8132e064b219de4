"""`irsa preflight --manifest`: locked down, accepted by a real API server, and the same as in deploy/."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from irsa_cli.preflight.manifests import KINDS
from tests.pipeline.tools import ROOT, ran
from tests.support import forks
from tests.support.fixtures import RealCluster

IMAGE = f"registry.example.com/irsa@sha256:{'0' * 64}"
COMPONENT = ROOT / "deploy" / "kustomize" / "components" / "preflight"
HELM = ROOT / "deploy" / "helm"
STRATEGIC = "application/strategic-merge-patch+json"
VALUES = {".Values.preflight.image": IMAGE, ".Values.serviceAccount.name": "app"}
Json = dict[str, Any]


def printed(kind: str, *more: str) -> tuple[str, int]:
    """Standard output and exit code of the command."""
    words = [forks.irsa(), "preflight", "--manifest", kind, *more]
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    return ended.stdout, ended.returncode


def manifest(kind: str, *more: str) -> Json:
    text, code = printed(kind, "--image", IMAGE, *more)
    assert code == 0
    found: Json = yaml.safe_load(text)
    return found


def pod_of(found: Json) -> Json:
    pod: Json = found["spec"]["template"]["spec"]
    return pod


@pytest.mark.parametrize("kind", KINDS)
def test_the_container_may_do_nothing_that_it_need_not(kind: str) -> None:
    pod = pod_of(manifest(kind, "--service-account", "app", "--expect-role", "r", "--wait", "30s"))
    (container,) = pod.get("containers") or pod["initContainers"]
    locked = container["securityContext"]
    assert locked.pop("runAsUser") > 0
    assert (
        locked.items()
        >= {
            **dict.fromkeys(("runAsNonRoot", "readOnlyRootFilesystem"), True),
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        }.items()
    )
    assert container["resources"]["limits"]["memory"]
    assert container["image"] == IMAGE
    assert " ".join(container["args"]) == "preflight --wait 30s --expect-role r"
    if kind != "init":
        assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == ("app", False)


@pytest.mark.parametrize(
    "image", [(), ("--image", "irsa"), ("--image", "irsa:1.0"), ("--image", "irsa@sha256:0")]
)
def test_an_image_without_a_digest_is_refused(image: tuple[str, ...]) -> None:
    assert printed("job", *image) == ("", 2)


def test_a_job_of_a_long_name_has_a_name_that_kubernetes_accepts() -> None:
    name = manifest("job", "--service-account", f"{'a' * 47}-{'b' * 40}")["metadata"]["name"]
    assert re.fullmatch("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name)


@pytest.mark.e2e
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "init"])
def test_a_real_api_server_accepts_the_jobs(real: RealCluster, kind: str) -> None:
    job = manifest(kind, "--service-account", "default", "-n", "default")
    path = "/apis/batch/v1/namespaces/default/jobs?dryRun=All&fieldValidation=Strict"
    answer = real.control_plane.admin.create(path, job)
    assert answer.status == 201, answer.text


@pytest.mark.e2e
def test_a_real_api_server_accepts_the_init_container(real: RealCluster, unique: str) -> None:
    labels = {"app": unique}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "app"}]}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    path, admin = "/apis/apps/v1/namespaces/default/deployments", real.control_plane.admin
    assert admin.create(path, {"metadata": {"name": unique}, "spec": spec}).status == 201
    try:
        query = f"{path}/{unique}?dryRun=All&fieldValidation=Strict"
        answer = admin.patch(query, manifest("init"), content_type=STRATEGIC)
        assert answer.status == 200, answer.text
        pod = pod_of(answer.body)
        assert [item["name"] for item in pod["initContainers"]] == ["irsa-preflight"]
        assert [item["name"] for item in pod["containers"]] == ["app"]
    finally:
        admin.delete(f"{path}/{unique}")


def test_the_component_adds_the_init_container(tmp_path: Path) -> None:
    component = yaml.safe_load((COMPONENT / "init.yaml").read_text("utf-8"))
    assert component["spec"] == manifest("init")["spec"]
    app = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec: {selector: {matchLabels: {}}, template: {spec: {containers: [{name: app, image: app}]}}}
"""
    (tmp_path / "app.yaml").write_text(app, "utf-8")
    (tmp_path / "preflight").mkdir()
    for file in COMPONENT.iterdir():
        (tmp_path / "preflight" / file.name).write_bytes(file.read_bytes())
    (tmp_path / "kustomization.yaml").write_text("resources: [app.yaml]\ncomponents: [preflight]\n")
    pod = pod_of(yaml.safe_load(ran("kustomize", "build", str(tmp_path))))
    assert pod["containers"] == pod_of(yaml.safe_load(app))["containers"]
    assert pod["initContainers"] == pod_of(manifest("init"))["initContainers"]


def filled(file: str) -> Any:
    """A Helm file with its values, its comments and definitions left out."""
    text = re.sub(r"\{\{- (?:/\*.*\*/|define .*|end )-?\}\}\n", "", (HELM / file).read_text("utf-8"))
    return yaml.safe_load(re.sub(r"\{\{ (\S+) \}\}", lambda found: VALUES[found[1]], text))


def test_the_helm_files_are_what_the_command_prints() -> None:
    assert filled("preflight-test.yaml") == manifest("helm-test", "--service-account", "app")
    assert filled("_preflight.tpl") == pod_of(manifest("init"))["initContainers"]
