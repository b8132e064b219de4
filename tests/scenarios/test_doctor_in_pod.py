"""`irsa doctor --in-pod`: the answer of a real `irsa preflight`, why there may be none, and what stays."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from irsa_cli.cli.main import run
from irsa_cli.sandbox import Fault, Rule, Sandbox
from irsa_cli.usecases.doctor import in_pod
from tests.docs import staging
from tests.scenarios.breaking import NAME
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.pod_running import Node, Play, node, runs
from tests.scenarios.preflight_pods import CLOSED, Scene, scene_of
from tests.scenarios.preflighting import LocalAws, local_aws
from tests.scenarios.reported.world import PODS_SERVICE
from tests.support.ran import check
from tests.support.stage import EVERYTHING, Json, made

IMAGE = f"registry.example.com/irsa@sha256:{'0' * 64}"
IN_POD = ("--in-pod", "--image", IMAGE)
READING = [Rule(("get", "list"), ("serviceaccounts", "pods", "namespaces"))]
JOBS = Rule(("create", "delete"), ("jobs",), groups=("batch",))
LOG = Rule(("get",), ("pods/log",))


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with local_aws() as running:
        yield running


@pytest.fixture
def scene(
    sandbox: Sandbox, aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    monkeypatch.setattr(in_pod, "PAUSE", 0.05)
    with scene_of(sandbox_stage(sandbox, "demo", tmp_path), "back", aws) as made_scene:
        yield made_scene


def doctor(
    scene: Scene, capsys: pytest.CaptureFixture[str], *more: str, user: str = "admin"
) -> tuple[Json, str]:
    """The finding of the pod, and what was printed to standard error; the whole is in `scene.found`."""
    stage = scene.world.stage
    terminate = signal.getsignal(signal.SIGTERM)
    before = stage.world()
    capsys.readouterr()
    words = ["doctor", NAME, "-n", scene.world.namespace, "-c", stage.cluster, "-o", "json", *IN_POD, *more]
    with mock.patch.dict(os.environ, stage.env(user)):
        code = run(words)
    signal.signal(signal.SIGTERM, terminate)
    assert stage.world() == before
    printed = capsys.readouterr()
    document: Json = json.loads(printed.out)
    check(document, code)
    for file in scene.folder.rglob("*token*"):
        if file.is_file():
            assert file.read_text().rpartition(".")[2] not in printed.out + printed.err
    return document, printed.err


def of_pod(document: Json) -> Json:
    (found,) = [item for item in document["items"][0]["findings"] if item["id"] == "pod-inside"]
    found["evidence"] = {item["name"]: item["value"] for item in found["evidence"]}
    return dict(found)


def seen(document: Json) -> bool:
    """Whether the scope says that a pod was seen from inside."""
    return "pod seen from inside" in [item["what"] for item in document["metadata"]["scope"]["examined"]]


def test_a_pod_that_is_its_role(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    with node(scene, runs) as working:
        document, said = doctor(scene, capsys)
        assert working.left() == []
    found = of_pod(document)
    assert (found["verdict"], document["metadata"]["exitCode"], seen(document)) == ("ok", 0, True), found
    assert found["evidence"]["source"] == "web identity (IRSA)"
    assert f":assumed-role/{scene.world.role}/" in found["evidence"]["identity"]
    assert found["evidence"]["expected"] == scene.world.role_arn
    (job,) = working.jobs
    assert f"irsa creates the Job back/{job['metadata']['name']}" in said
    assert job["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "irsa"
    assert job["spec"]["activeDeadlineSeconds"] == 180
    assert job["spec"]["ttlSecondsAfterFinished"] == 60
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["image"] == IMAGE


def test_a_pod_by_pod_identity(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    scene.world.annotate(None)
    trust = {"Effect": "Allow", "Principal": PODS_SERVICE, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = scene.world.iam.create_role(RoleName="associated", AssumeRolePolicyDocument=document)["Role"]
    scene.world.associate(role["Arn"])

    def at_the_agent(working: Node, job: Json) -> None:
        working.run(working.pod(job), AWS_ENDPOINT_URL_STS=scene.aws.url)

    with node(scene, at_the_agent):
        found = of_pod(doctor(scene, capsys)[0])
    assert found["verdict"] == "ok", found
    assert found["evidence"]["source"] == "container credentials (EKS Pod Identity)"


def test_another_identity_is_a_problem(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "ASIA-legacy", "AWS_SECRET_ACCESS_KEY": "s"}

    def with_keys(working: Node, job: Json) -> None:
        working.run(working.pod(job), **keys, AWS_ENDPOINT_URL_STS=scene.aws.url)

    with node(scene, with_keys):
        document, _ = doctor(scene, capsys)
    found = of_pod(document)
    assert (found["verdict"], document["metadata"]["exitCode"], seen(document)) == ("problem", 5, True)
    assert found["evidence"]["identity"].endswith("assumed-role/legacy/session")
    assert found["fixKind"] == "look"


def test_a_pod_that_the_webhook_misses(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    def unseen(working: Node, job: Json) -> None:
        job["spec"]["template"]["metadata"]["labels"]["eks.amazonaws.com/skip-pod-identity-webhook"] = "true"
        runs(working, job)

    with node(scene, unseen):
        found = of_pod(doctor(scene, capsys)[0])
    assert (found["verdict"], "the node's role node" in found["text"]) == ("problem", True), found


def _copy(working: Node, pod: Json, name: str, owners: list[Json]) -> Json:
    """A pod of somebody else with the labels of the Job's pod, which says that all is well."""
    metadata = {"name": name, "labels": pod["metadata"]["labels"], "ownerReferences": owners}
    path = f"/api/v1/namespaces/{working.scene.world.namespace}/pods"
    copy: Json = made(working.kube.create(path, {"metadata": metadata, "spec": pod["spec"]})).body
    return copy


def _forged(working: Node, owners: list[Json]) -> None:
    """A healthy answer in the log of a pod that is not the Job's, whose name comes first in a list."""
    pod = working.pod(working.jobs[-1])
    identity = f"arn:aws:sts::111122223333:assumed-role/{working.scene.world.role}/x"
    item: Json = {"verdict": "expected", "sentence": "All is well.", "cause": "x", "next": []}
    item |= {"evidence": {"identity": identity, "source": {"go": "web identity (IRSA)"}}, "notReached": []}
    working.ends(
        _copy(working, pod, "a-pod-of-somebody-else", owners),
        json.dumps({"kind": "PreflightList", "items": [item]}),
    )
    working.run(
        pod,
        AWS_ACCESS_KEY_ID="ASIA-legacy",
        AWS_SECRET_ACCESS_KEY="s",
        AWS_ENDPOINT_URL_STS=working.scene.aws.url,
    )


@pytest.mark.parametrize("kind", ["none", "another Job", "another kind"])
def test_a_pod_with_the_same_label_is_not_the_job_s(
    kind: str, scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    def play(working: Node, job: Json) -> None:
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": job["metadata"]["name"], "uid": "0-0"}
        other = {**owner, "uid": job["metadata"]["uid"], "kind": "ReplicaSet"}
        _forged(working, {"none": [], "another Job": [{**owner, "controller": True}]}.get(kind, [other]))

    with node(scene, play):
        document, _ = doctor(scene, capsys)
    found = of_pod(document)
    assert (found["verdict"], document["metadata"]["exitCode"], seen(document)) == ("problem", 5, True), found
    assert found["evidence"]["identity"].endswith("assumed-role/legacy/session")


def test_two_pods_that_name_the_job_as_their_owner(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    def play(working: Node, job: Json) -> None:
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": job["metadata"]["name"]}
        _forged(working, [{**owner, "uid": job["metadata"]["uid"]}])

    with node(scene, play):
        document, _ = doctor(scene, capsys)
    found = of_pod(document)
    assert (found["verdict"], seen(document)) == ("unknown", False), found
    assert "2 pods name its Job as their owner" in found["text"]


def test_sts_that_only_the_pod_does_not_reach(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    def cut_off(working: Node, job: Json) -> None:
        working.run(working.pod(job), AWS_ENDPOINT_URL_STS=CLOSED)

    with node(scene, cut_off):
        document, _ = doctor(scene, capsys)
    found = of_pod(document)
    assert (found["verdict"], document["metadata"]["exitCode"], seen(document)) == ("unknown", 1, True)
    assert "refuses connections" in found["evidence"]["because"]


def test_without_the_flag_nothing_is_created(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    with node(scene, runs) as working, mock.patch.dict(os.environ, scene.world.stage.env()):
        words = ["doctor", NAME, "-n", "back", "-c", "demo", "-o", "json", "-v"]
        assert run(words) == 0
        printed = capsys.readouterr()
    assert working.jobs == []
    assert "create jobs" not in printed.err
    assert "pod-inside" not in printed.out


# Why there may be no answer. None of it is a problem, and each is said.


def _waits(reason: str, message: str = "") -> Play:
    def play(working: Node, job: Json) -> None:
        state = {"waiting": {"reason": reason, "message": message}}
        working.say(working.pod(job), state, phase="Pending")

    return play


def _unschedulable(working: Node, job: Json) -> None:
    why = "0/3 nodes are available: 3 Insufficient cpu."
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why}
    working.say(working.pod(job), phase="Pending", conditions=[condition])


def _event(message: str) -> Play:
    def play(working: Node, job: Json) -> None:
        about = {"kind": "Job", "namespace": "back", "name": job["metadata"]["name"]}
        body = {
            "metadata": {"name": "why"},
            "involvedObject": {**about, "uid": job["metadata"]["uid"]},
            "reason": "FailedCreate",
            "message": f"Error creating: {message}",
        }
        made(working.kube.create("/api/v1/namespaces/back/events", body))

    return play


def _logs(text: str, code: int = 0) -> Play:
    return lambda working, job: working.ends(working.pod(job), text, code)


def _evicted(working: Node, job: Json) -> None:
    working.say(working.pod(job), phase="Failed", reason="Evicted", message="The node was low on memory.")


def _nothing(working: Node, job: Json) -> None:
    """No controller takes the Job."""


QUOTA = 'pods "irsa-doctor-1" is forbidden: exceeded quota: small, requested: pods=1'
POLICY = 'admission webhook "policy.example.com" denied the request: images from here only'
NOT_STARTED: dict[str, tuple[Play, str]] = {
    "image": (_waits("ImagePullBackOff", 'Back-off pulling image "irsa"'), "Back-off pulling image"),
    "name of the image": (_waits("InvalidImageName"), "InvalidImageName"),
    "configuration": (_waits("CreateContainerConfigError", "secret not found"), "secret not found"),
    "no node": (_unschedulable, "Insufficient cpu"),
    "quota": (_event(QUOTA), "exceeded quota: small"),
    "admission": (_event(POLICY), "denied the request"),
    "evicted": (_evicted, "low on memory"),
    "no pod": (_nothing, "no answer in 5 s: its Job has no pod"),
    "another image": (_logs("hello\n"), "no answer of irsa preflight"),
    "no log": (_logs("", 137), "no answer of irsa preflight"),
    "too long": (_logs("[" * 100_000), "no answer of irsa preflight"),
    "hostile": (_logs('{"kind": "PreflightList", "items": [{}]}'), "no answer of irsa preflight"),
}


@pytest.mark.parametrize("reason", NOT_STARTED)
def test_a_pod_that_gives_no_answer(reason: str, scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    play, words = NOT_STARTED[reason]
    with node(scene, play) as working:
        document, _ = doctor(scene, capsys, "--wait", "5s")
        assert working.left() == []
    found = of_pod(document)
    assert found["text"].startswith("not examined from inside a pod: "), found
    assert words in found["text"]
    assert (found["verdict"], document["metadata"]["exitCode"], seen(document)) == ("unknown", 1, False)
    missed = [item["what"] for item in document["metadata"]["scope"]["notExamined"]]
    assert f"pod-inside: {found['text']}" in missed


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ([], "missing RBAC permission: create jobs"),
        ([JOBS], "missing RBAC permission: get pods/log"),
    ],
    ids=["no Job", "no log"],
)
def test_a_caller_without_a_permission(
    rules: list[Rule], words: str, scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox = scene.world.stage.sandbox
    sandbox.add_user("guest", policy=EVERYTHING)
    sandbox.grant("demo", "guest", rules=[*READING, *rules])
    with node(scene, runs) as working:
        document, said = doctor(scene, capsys, user="guest")
        assert working.left() == []
    found = of_pod(document)
    assert (words in found["text"], seen(document)) == (True, False), found
    assert "could not delete" not in said


NEEDED = [
    Rule((verb,), rule.resources, rule.namespace, groups=rule.groups)
    for rule in staging.rules(staging.PERMISSIONS / "in-pod-rbac.yaml", kind="Role")
    for verb in rule.verbs
]
"""The documented permissions, each by itself."""


@pytest.mark.parametrize("left_out", [None, *range(len(NEEDED))])
def test_the_documented_permissions_are_enough_and_none_is_too_much(
    left_out: int | None, sandbox: Sandbox, aws: LocalAws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with scene_of(sandbox_stage(sandbox, "demo", tmp_path), "backend", aws) as scene:
        rules = [rule for number, rule in enumerate(NEEDED) if number != left_out]
        sandbox.add_user("guest", policy=EVERYTHING)
        sandbox.grant("demo", "guest", rules=[Rule(("get",), ("serviceaccounts",)), *rules])
        with node(scene, runs) as working:
            document, said = doctor(scene, capsys, user="guest")
            whole = seen(document) and not working.left() and "could not delete" not in said
    assert whole is (left_out is None)


@pytest.mark.parametrize("status", [400, 403, 422])
def test_a_job_that_admission_refuses(status: int, scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    refusal = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status}
    body = json.dumps({**refusal, "reason": "Forbidden", "message": POLICY})
    scene.world.stage.sandbox.faults.add(Fault("kubernetes", "POST jobs", "answer", status=status, body=body))
    document, said = doctor(scene, capsys)
    found = of_pod(document)
    assert len(scene.world.stage.sandbox.faults.struck) == 1
    assert found["text"] == f"not examined from inside a pod: kubernetes create jobs: {POLICY}"
    assert (seen(document), "could not delete" in said) == (False, False)


def test_a_job_whose_creation_is_not_answered_is_deleted(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = Fault("kubernetes", "POST jobs", "reset-after", times=None)
    scene.world.stage.sandbox.faults.add(lost)
    with node(scene, _nothing) as working:
        document, _ = doctor(scene, capsys)
        assert working.left() == []
    assert scene.world.stage.sandbox.faults.struck
    assert not seen(document)


def test_a_job_that_can_t_be_deleted_is_named(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    sandbox = scene.world.stage.sandbox
    sandbox.add_user("guest", policy=EVERYTHING)
    create = Rule(("create",), ("jobs",), groups=("batch",))
    sandbox.grant("demo", "guest", rules=[*READING, LOG, create])
    with node(scene, runs) as working:
        document, said = doctor(scene, capsys, user="guest")
        (name,) = working.left()
    assert seen(document)
    assert f"To delete it: kubectl delete job {name} -n back" in said


def test_a_missing_service_account_starts_nothing(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    scene.world.no_account()
    with node(scene, runs) as working:
        document, _ = doctor(scene, capsys)
    assert working.jobs == []
    assert "there is no ServiceAccount" in of_pod(document)["text"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_run_leaves_no_job(scene: Scene, number: int) -> None:
    stage = scene.world.stage
    created = threading.Event()
    with node(scene, lambda *_: created.set()) as working:
        ended: list[Any] = []
        words = ("doctor", NAME, "-n", "back", "-c", "demo", *IN_POD)
        thread = threading.Thread(target=lambda: ended.append(_ran(lambda: stage.irsa(*words))))
        thread.start()
        assert created.wait(60)
        stage.signal(number)
        thread.join(60)
        assert len(ended) == 1
        # A killed run deletes nothing: its Job ends by itself, and Kubernetes deletes it.
        assert len(working.left()) == (number == signal.SIGKILL)
    spec = working.jobs[0]["spec"]
    assert spec["ttlSecondsAfterFinished"] == 60
    assert spec["activeDeadlineSeconds"] == 180


def _ran(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except AssertionError as error:  # A killed process has no exit code that irsa promises.
        return error


@pytest.mark.parametrize(
    "words",
    [
        (NAME, "--in-pod"),
        (NAME, "--in-pod", "--image", "irsa:1.0"),
        (NAME, "--image", IMAGE),
        (NAME, "--wait", "60s"),
        ("--in-pod", "--image", IMAGE),
        (NAME, *IN_POD, "--wait", "0s"),
    ],
    ids=" ".join,
)
def test_a_command_line_that_starts_nothing(words: tuple[str, ...], sandbox: Sandbox) -> None:
    with mock.patch.dict(os.environ, sandbox.env()):
        assert run(["doctor", *words, "-c", "demo"]) == 2
