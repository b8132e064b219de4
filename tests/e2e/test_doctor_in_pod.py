"""`irsa doctor --in-pod` on a real kube-apiserver: it accepts the Job, selects its pod, and deletes it.

There is no Job controller, no kubelet and no garbage collector: the test creates the pod and writes its
status. A log comes from a kubelet, so it is empty here, where no node has the pod. What follows an answer is
in tests/scenarios/test_doctor_in_pod.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from irsa_cli.sandbox import Sandbox
from irsa_cli.usecases.doctor import in_pod
from tests.scenarios.conftest import real_stage
from tests.scenarios.pod_running import Node, Play, node
from tests.scenarios.preflight_pods import Scene, scene_of
from tests.scenarios.preflighting import local_aws
from tests.scenarios.test_doctor_in_pod import doctor, of_pod, seen
from tests.support.fixtures import RealCluster
from tests.support.stage import Json


@pytest.fixture
def scene(
    sandbox: Sandbox, real: RealCluster, tmp_path: Path, unique: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    monkeypatch.setattr(in_pod, "PAUSE", 0.05)
    with local_aws() as aws, scene_of(real_stage(sandbox, real, tmp_path), unique, aws) as made:
        yield made


def _ended(working: Node, job: Json) -> None:
    working.ends(working.pod(job), "its log is at a kubelet")


def _pulling(working: Node, job: Json) -> None:
    working.say(working.pod(job), {"waiting": {"reason": "ImagePullBackOff"}}, phase="Pending")


PLAYS: dict[str, tuple[Play, str]] = {
    "its log": (_ended, "no answer of irsa preflight"),
    "its image": (_pulling, "its pod does not start: ImagePullBackOff"),
    "no controller": (lambda *_: None, "no answer in 5 s: its Job has no pod"),
}


@pytest.mark.parametrize("name", PLAYS)
def test_the_job_is_accepted_and_deleted(scene: Scene, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    play, words = PLAYS[name]
    with node(scene, play) as working:
        document, said = doctor(scene, capsys, "--wait", "5s")
        assert working.left() == []
    (job,) = working.jobs
    assert job["spec"]["template"]["metadata"]["labels"][in_pod.RUN_LABEL] in job["metadata"]["name"]
    found = of_pod(document)
    assert (found["verdict"], seen(document), words in found["text"]) == ("unknown", False, True), found
    assert "could not delete" not in said


def test_a_job_under_a_policy_of_the_cluster(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    space = f"/api/v1/namespaces/{scene.world.namespace}"
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"count/jobs.batch": "0"}}}
    assert scene.world.stage.kube.create(f"{space}/resourcequotas", quota).status == 201
    status = {"status": {"hard": {"count/jobs.batch": "0"}, "used": {"count/jobs.batch": "0"}}}
    scene.world.stage.kube.patch(f"{space}/resourcequotas/none/status", status)
    document, _ = doctor(scene, capsys)
    found = of_pod(document)
    assert (seen(document), "exceeded quota: none" in found["text"]) == (False, True), found
