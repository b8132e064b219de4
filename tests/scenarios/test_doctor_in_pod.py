"""`irsa doctor --in-pod`: the answer of a real `irsa preflight`, why there may be none, and what stays."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from irsa_cli.cli.main import run
from irsa_cli.sandbox import Fault, Rule, Sandbox
from irsa_cli.usecases.doctor import in_pod
from tests.docs import staging
from tests.scenarios.breaking import NAME
from tests.scenarios.breaks import associate
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.doctoring import Diagnosis, evidence, examine
from tests.scenarios.pod_running import Node, Play, node, runs
from tests.scenarios.preflight_pods import CLOSED, Scene, scene_of
from tests.scenarios.preflighting import LocalAws, local_aws
from tests.scenarios.uncreating import no_account
from tests.support.sandbox_clients import trust
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


def doctor(scene: Scene, _: object, *more: str, user: str = "admin") -> tuple[Json, str]:
    """The document, and what was printed to standard error; no token is shown."""
    words = (NAME, "-n", scene.world.namespace, *IN_POD, *more)
    found = examine(scene.world.stage, *words, user=user)
    shown = json.dumps(found.document) + found.said
    for file in scene.folder.rglob("*token*"):
        if file.is_file():
            assert file.read_text().rpartition(".")[2] not in shown
    return found.document, found.said


def of_pod(document: Json) -> Json:
    """The finding of the pod."""
    found: Json = Diagnosis(document).of("pod-inside")
    return {**found, "evidence": evidence(found)}


def seen(document: Json) -> bool:
    """Whether the scope says that a pod was seen from inside."""
    return "pod seen from inside" in [item["what"] for item in document["metadata"]["scope"]["examined"]]


@dataclass(frozen=True)
class Seen:
    """What was found of the pod, and how the run ended: verdict, exit code, whether a pod was seen."""

    finding: Json
    end: tuple[str, int, bool]
    said: str
    jobs: list[Json]
    left: list[str]
    document: Json


def looked(scene: Scene, play: Play, *more: str, user: str = "admin") -> Seen:
    """Run it on a node."""
    with node(scene, play) as working:
        document, said = doctor(scene, None, *more, user=user)
        left = working.left()
    finding = of_pod(document)
    end = (finding["verdict"], document["metadata"]["exitCode"], seen(document))
    return Seen(finding, end, said, working.jobs, left, document)


def test_a_pod_that_is_its_role(scene: Scene) -> None:
    found = looked(scene, runs)
    assert (found.end, found.left) == (("ok", 0, True), [])
    evidence = found.finding["evidence"]
    assert (evidence["source"], evidence["expected"]) == ("web identity (IRSA)", scene.world.role_arn)
    assert f":assumed-role/{scene.world.role}/" in evidence["identity"]
    (job,) = found.jobs
    assert f"irsa creates the Job back/{job['metadata']['name']}" in found.said
    assert job["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "irsa"
    ends_by_itself(job)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["image"] == IMAGE


def ends_by_itself(job: Json) -> None:
    """Fail unless Kubernetes ends and deletes the Job."""
    assert job["spec"]["activeDeadlineSeconds"] == 180
    assert job["spec"]["ttlSecondsAfterFinished"] == 60


def with_env(**variables: str) -> Play:
    """The pod runs to its end, with variables of its image."""

    def play(working: Node, job: Json) -> None:
        sts = {"AWS_ENDPOINT_URL_STS": working.scene.aws.url}
        working.run(working.pod(job), **{**sts, **variables})

    return play


def test_a_pod_by_pod_identity(scene: Scene) -> None:
    scene.world.annotate(None)
    by_pods = trust({"Service": "pods.eks.amazonaws.com"}, action=["sts:AssumeRole", "sts:TagSession"])
    role = scene.world.iam.create_role(RoleName="associated", AssumeRolePolicyDocument=by_pods)["Role"]
    associate(scene.world, role=role["Arn"])
    found = looked(scene, with_env())
    assert found.end[0] == "ok", found.finding
    assert found.finding["evidence"]["source"] == "container credentials (EKS Pod Identity)"


def unseen(working: Node, job: Json) -> None:
    """The webhook passes the pod over."""
    job["spec"]["template"]["metadata"]["labels"]["eks.amazonaws.com/skip-pod-identity-webhook"] = "true"
    runs(working, job)


LEGACY = {"AWS_ACCESS_KEY_ID": "ASIA-legacy", "AWS_SECRET_ACCESS_KEY": "s"}


@pytest.mark.parametrize(
    ("play", "end", "words"),
    [
        (with_env(**LEGACY), ("problem", 5, True), "assumed-role/legacy/session"),
        (unseen, ("problem", 5, True), "the node's role node"),
        (with_env(AWS_ENDPOINT_URL_STS=CLOSED), ("unknown", 1, True), "refuses connections"),
    ],
    ids=["keys", "no webhook", "STS that only the pod does not reach"],
)
def test_another_identity_or_none_is_told(
    play: Play, end: tuple[str, int, bool], words: str, scene: Scene
) -> None:
    found = looked(scene, play)
    assert (found.end, words in json.dumps(found.finding)) == (end, True), found.finding
    assert found.finding["fixKind"] == ("choice" if end[0] == "problem" else None)


def forged(kind: str) -> Play:
    """A healthy answer in the log of a pod that is not the Job's, whose name comes first in a list."""

    def play(working: Node, job: Json) -> None:
        pod = working.pod(job)
        mine = {"apiVersion": "batch/v1", "kind": "Job", "name": job["metadata"]["name"]}
        owners = {
            "another Job": [{**mine, "uid": "0-0"}],
            "another kind": [{**mine, "uid": job["metadata"]["uid"], "kind": "ReplicaSet"}],
            "the Job": [{**mine, "uid": job["metadata"]["uid"]}],
        }[kind]
        metadata = {"name": "a-pod", "labels": pod["metadata"]["labels"], "ownerReferences": owners}
        path = f"/api/v1/namespaces/{working.scene.world.namespace}/pods"
        copy = made(working.kube.create(path, {"metadata": metadata, "spec": pod["spec"]})).body
        identity = f"arn:aws:sts::111122223333:assumed-role/{working.scene.world.role}/x"
        log = (
            '{"kind": "PreflightList", "items": [{"verdict": "expected", "sentence": "All is well.",'
            ' "cause": "x", "next": [], "notReached": [], "evidence": {"source":'
            f' {{"go": "web identity (IRSA)"}}, "identity": "{identity}"}}}}]}}'
        )
        working.ends(copy, log)
        working.run(pod, **LEGACY, AWS_ENDPOINT_URL_STS=working.scene.aws.url)

    return play


@pytest.mark.parametrize("kind", ["another Job", "another kind", "the Job"])
def test_a_pod_with_the_same_label_is_not_the_job_s(kind: str, scene: Scene) -> None:
    found = looked(scene, forged(kind))
    if kind == "the Job":
        assert (found.end, "2 pods name its Job as their owner" in found.finding["text"]) == (
            ("unknown", 1, False),
            True,
        )
    else:
        assert found.end == ("problem", 5, True), found.finding
        assert found.finding["evidence"]["identity"].endswith("assumed-role/legacy/session")


def test_without_the_flag_nothing_is_created(scene: Scene) -> None:
    with node(scene, runs) as working:
        scene.world.stage.run(f"doctor {NAME} -n back -v", silent=("create jobs", "pod-inside"), changes="")
    assert working.jobs == []


# Why there may be no answer. None of it is a problem, and each is said.


def waits(reason: str, message: str) -> Play:
    """The pod's container does not start."""
    state = {"waiting": {"reason": reason, "message": message}}
    return lambda working, job: working.say(working.pod(job), state, phase="Pending")


def says(phase: str, text: str) -> Play:
    """The pod's status is so."""
    return lambda working, job: working.say(working.pod(job), phase=phase, **json.loads(text))


def over_quota(working: Node, job: Json) -> None:
    """The controller can't create the pod."""
    about = {"kind": "Job", "namespace": "back"} | {key: job["metadata"][key] for key in ("name", "uid")}
    message = 'Error creating: pods "irsa-doctor-1" is forbidden: exceeded quota: small, requested: pods=1'
    body = {
        "metadata": {"name": "why"},
        "involvedObject": about,
        "reason": "FailedCreate",
        "message": message,
    }
    made(working.kube.create("/api/v1/namespaces/back/events", body))


def logs(text: str) -> Play:
    """The container ends with a log."""
    return lambda working, job: working.ends(working.pod(job), text)


def nothing(working: Node, job: Json) -> None:
    """No controller takes the Job."""


@pytest.mark.parametrize(
    ("play", "words"),
    [
        (waits("ImagePullBackOff", 'Back-off pulling image "irsa"'), "Back-off pulling image"),
        (over_quota, "exceeded quota: small"),
        (says("Failed", '{"reason": "Evicted", "message": "The node was low on memory."}'), "low on memory"),
        (nothing, "no answer in 5 s: its Job has no pod"),
        (logs("hello\n"), "no answer of irsa preflight"),
    ],
    ids=["image", "quota", "evicted", "no pod", "another image"],
)
def test_a_pod_that_gives_no_answer(play: Play, words: str, scene: Scene) -> None:
    found = looked(scene, play, "--wait", "5s")
    text = found.finding["text"]
    assert text.startswith("not examined from inside a pod: "), text
    assert words in text
    assert (found.end, found.left) == (("unknown", 1, False), [])
    missed = [item["what"] for item in found.document["metadata"]["scope"]["notExamined"]]
    assert f"pod-inside: {text}" in missed


def guest(scene: Scene, *rules: Rule) -> str:
    """A caller who may do this in the cluster, and all in AWS."""
    scene.world.stage.sandbox.add_user("guest", policy=EVERYTHING)
    scene.world.stage.sandbox.grant("demo", "guest", rules=[*READING, *rules])
    return "guest"


@pytest.mark.parametrize(
    ("rules", "words"),
    [([], "missing RBAC permission: create jobs"), ([JOBS], "missing RBAC permission: get pods/log")],
    ids=["no Job", "no log"],
)
def test_a_caller_without_a_permission(rules: list[Rule], words: str, scene: Scene) -> None:
    found = looked(scene, runs, user=guest(scene, *rules))
    assert (found.end[2], found.left, "could not delete" in found.said) == (False, [], False)
    assert words in found.finding["text"]


def test_a_job_that_can_t_be_deleted_is_named(scene: Scene) -> None:
    found = looked(scene, runs, user=guest(scene, LOG, Rule(("create",), ("jobs",), groups=("batch",))))
    (name,) = found.left
    assert found.end[2]
    assert f"To delete it: kubectl delete job {name} -n back" in found.said


NEEDED = [
    Rule((verb,), rule.resources, rule.namespace, groups=rule.groups)
    for rule in staging.rules(staging.PERMISSIONS / "in-pod-rbac.yaml", kind="Role")
    for verb in rule.verbs
]
"""The documented permissions, each by itself."""


@pytest.mark.parametrize("left_out", [None, *range(len(NEEDED))])
def test_the_documented_permissions_are_enough_and_none_is_too_much(
    left_out: int | None, sandbox: Sandbox, aws: LocalAws, tmp_path: Path
) -> None:
    with scene_of(sandbox_stage(sandbox, "demo", tmp_path), "backend", aws) as scene:
        rules = [rule for number, rule in enumerate(NEEDED) if number != left_out]
        sandbox.add_user("guest", policy=EVERYTHING)
        sandbox.grant("demo", "guest", rules=[Rule(("get",), ("serviceaccounts",)), *rules])
        found = looked(scene, runs, user="guest")
    whole = found.end[2] and not found.left and "could not delete" not in found.said
    assert whole is (left_out is None)


def test_a_job_that_admission_refuses(scene: Scene) -> None:
    why = 'admission webhook "policy.example.com" denied the request: images from here only'
    body = json.dumps({"kind": "Status", "code": 422, "reason": "Forbidden", "message": why})
    scene.world.stage.sandbox.faults.add(Fault("kubernetes", "POST jobs", "answer", status=422, body=body))
    found = looked(scene, nothing)
    assert len(scene.world.stage.sandbox.faults.struck) == 1
    assert found.finding["text"] == f"not examined from inside a pod: kubernetes create jobs: {why}"
    assert (found.end[2], "could not delete" in found.said) == (False, False)


def test_a_job_whose_creation_is_not_answered_is_deleted(scene: Scene) -> None:
    scene.world.stage.sandbox.faults.add(Fault("kubernetes", "POST jobs", "reset-after", times=None))
    found = looked(scene, nothing)
    assert scene.world.stage.sandbox.faults.struck
    assert (found.end[2], found.left) == (False, [])


def test_a_missing_service_account_starts_nothing(scene: Scene) -> None:
    no_account(scene.world)
    found = looked(scene, runs)
    assert (found.jobs, "there is no ServiceAccount" in found.finding["text"]) == ([], True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
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
    ends_by_itself(working.jobs[0])


def _ran(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except AssertionError as error:  # A killed process has no exit code that irsa promises.
        return error


def test_a_command_line_that_starts_nothing(sandbox: Sandbox) -> None:
    with mock.patch.dict(os.environ, sandbox.env()):
        for words in (
            f"{NAME} --in-pod",
            f"{NAME} --in-pod --image irsa:1.0",
            f"{NAME} --image {IMAGE}",
            f"{NAME} --wait 60s",
            f"--in-pod --image {IMAGE}",
            f"{NAME} --in-pod --image {IMAGE} --wait 0s",
        ):
            assert run(["doctor", *words.split(), "-c", "demo"]) == 2, words
