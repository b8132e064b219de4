"""What a Job controller and a kubelet do for the Job of `irsa doctor --in-pod`: a pod, its process, its log.

The process is the real `irsa preflight`, in the environment that the webhook gave the pod.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.docs.console import ROOT
from tests.scenarios.preflight_pods import Scene
from tests.scenarios.preflighting import SECONDS
from tests.support.stage import Json, made

CONTAINER = "irsa-preflight"
Play = Callable[["Node", Json], None]
"""What becomes of a Job."""


class Node:
    """The controllers and the node of a scene; `jobs` are those that it has seen."""

    def __init__(self, scene: Scene, play: Play) -> None:
        self.scene, self._play = scene, play
        self.jobs: list[Json] = []
        self.failed: list[BaseException] = []
        self._over = threading.Event()

    @property
    def path(self) -> str:
        """Where the Jobs are."""
        return f"/apis/batch/v1/namespaces/{self.scene.world.namespace}/jobs"

    def left(self) -> list[str]:
        """The Jobs that are there."""
        return [item["metadata"]["name"] for item in self.kube.get(self.path).body["items"]]

    @property
    def kube(self) -> Any:
        """The cluster, as an administrator."""
        return self.scene.world.stage.kube

    def work(self) -> None:
        """Look for Jobs until the scene is over."""
        known: set[str] = set()
        try:
            while not self._over.wait(0.02):
                for job in self.kube.get(self.path).body["items"]:
                    if job["metadata"]["uid"] not in known:
                        known.add(job["metadata"]["uid"])
                        self.jobs.append(job)
                        self._play(self, job)
        except BaseException as error:  # The test reports it.
            self.failed.append(error)

    def end(self) -> None:
        """Stop looking."""
        self._over.set()

    def pod(self, job: Json) -> Json:
        """The pod that the Job controller creates."""
        mine, template = job["metadata"], job["spec"]["template"]
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": mine["name"], "uid": mine["uid"]}
        labels = {**template["metadata"]["labels"], "job-name": mine["name"]}
        metadata = {"name": f"{mine['name']}-x7k2p", "labels": labels, "ownerReferences": [owner]}
        body = {"metadata": metadata, "spec": template["spec"]}
        path = f"/api/v1/namespaces/{self.scene.world.namespace}/pods"
        pod: Json = made(self.kube.create(path, body)).body
        return pod

    def say(self, pod: Json, state: Json | None = None, **status: Any) -> None:
        """Write a pod's status, with the state of its container."""
        containers = [] if state is None else [{"name": CONTAINER, "state": state}]
        name = pod["metadata"]["name"]
        path = f"/api/v1/namespaces/{self.scene.world.namespace}/pods/{name}/status"
        answer = self.kube.patch(path, {"status": {**status, "containerStatuses": containers}})
        assert answer.status == 200, answer.text

    def ends(self, pod: Json, log: str, code: int = 0) -> None:
        """Let the container end."""
        ended = {"exitCode": code, "reason": "Error" if code else "Completed", "message": log}
        self.say(pod, {"terminated": ended}, phase="Failed" if code else "Succeeded")

    def run(self, pod: Json, **variables: str) -> None:
        """Run the container: its arguments, in its environment."""
        scene = self.scene
        scene.pod, scene.container = pod["metadata"]["name"], CONTAINER
        scene.start(**variables)
        name, *arguments = pod["spec"]["containers"][0]["args"]
        assert name == "preflight"
        env = {"PYTHONPATH": str(ROOT), "HOME": "/nonexistent", **scene.env}
        words = [sys.executable, "-m", "irsa_cli.preflight", *_hurried(arguments)]
        ended = subprocess.run(words, env=env, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert "Traceback" not in ended.stderr, ended.stderr
        self.ends(pod, ended.stdout, ended.returncode)


def _hurried(arguments: list[str]) -> list[str]:
    """The arguments without the time to wait for what never comes in a test."""
    place = arguments.index("--wait")
    return [*arguments[:place], "--wait", "0s", *arguments[place + 2 :]]


@contextmanager
def node(scene: Scene, play: Play) -> Iterator[Node]:
    """A node at work, for a `with` block."""
    working = Node(scene, play)
    thread = threading.Thread(target=working.work, daemon=True)
    thread.start()
    try:
        yield working
    finally:
        working.end()
        thread.join(SECONDS)
    assert not working.failed, working.failed


def runs(working: Node, job: Json) -> None:
    """The pod runs to its end."""
    working.run(working.pod(job))
