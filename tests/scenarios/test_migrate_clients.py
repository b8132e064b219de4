"""Pods that get credentials all the time while their ServiceAccounts are moved, and brought back.

Their containers have what the webhook gave them when they were created. Each gets new credentials again and
again, by one call that is not repeated: from STS with boto3, or from the agent. What the agent keeps after
a deletion: https://github.com/aws/eks-pod-identity-agent (internal/credsretriever/refreshing_cache.go).
"""

from __future__ import annotations

import re
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import pytest
from botocore import UNSIGNED
from botocore.exceptions import BotoCoreError, ClientError

from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.scenarios.test_migrate import (
    BACK,
    CREATE,
    MAKERS,
    MOVE,
    NAME,
    associations,
    foreign_statements,
    make,
    normal,
    workload,
    world,
)
from tests.support.eks import bearer
from tests.support.eks_states import add_addon
from tests.support.stage import ROLE_ARN, Json, Stage, made
from tests.support.thoroughness import THOROUGH

ONCE = botocore.config.Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
URI, FILE = "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_WEB_IDENTITY_TOKEN_FILE"
AGENT, STS, NOBODY = "agent", "sts", "nobody"
FIRST_ASKED_LATE = re.compile(
    r"app-\d+ \(new\) by agent: .*\(ResourceNotFoundException\): No association found"
)
"""A pod that was created with the association, and asks for the first time after its deletion."""
TOKEN_SECONDS = 300.0
COUNT = 150 if THOROUGH else 2 * len(MAKERS)


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """The sandbox has both ways to credentials, with the agent."""
    add_addon(sandbox, "demo", "eks-pod-identity-agent")
    return sandbox_stage(sandbox, "demo", tmp_path)


@dataclass
class Client:
    """A container of a pod, as an SDK in it sees its variables and its token."""

    stage: Stage
    pod: Json
    token: str = ""

    def __post_init__(self) -> None:
        container = self.pod["spec"]["containers"][0]
        self.env = {item["name"]: item["value"] for item in container.get("env", [])}
        # Where both are set, SDKs take the token of IRSA.
        self.way = STS if FILE in self.env else AGENT if URI in self.env else NOBODY
        metadata, spec = self.pod["metadata"], self.pod["spec"]
        sources = [item for volume in spec.get("volumes", []) for item in volume["projected"]["sources"]]
        given = [item.get("serviceAccountToken", {}) for item in sources]
        audiences = [item["audience"] for item in given if "audience" in item]
        if not audiences:
            return
        bound = {"kind": "Pod", "apiVersion": "v1", "name": metadata["name"], "uid": metadata["uid"]}
        wanted = {"audiences": audiences, "expirationSeconds": 3600, "boundObjectRef": bound}
        path = f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts/{spec['serviceAccountName']}"
        answer = made(self.stage.kube.create(f"{path}/token", {"metadata": {}, "spec": wanted}))
        self.token = answer.body["status"]["token"]

    def fetch(self, sts: Any) -> str:
        """Get credentials; returns why there are none, '' if there are."""
        if self.way == NOBODY:
            return "no variables: the SDK takes the node's role"
        try:
            if self.way == STS:
                sts.assume_role_with_web_identity(
                    RoleArn=self.env["AWS_ROLE_ARN"], RoleSessionName="app", WebIdentityToken=self.token
                )
            else:
                headers = {"Authorization": self.token}
                request = urllib.request.Request(self.stage.sandbox.agent_url, headers=headers)
                opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
                opener.open(request, timeout=10).close()
        except urllib.error.HTTPError as error:
            with error:
                return error.read().decode()
        except (ClientError, BotoCoreError) as error:
            return str(error)
        return ""


@dataclass
class Fleet:
    """A StatefulSet with a pod for each ServiceAccount, and a new pod now and then; all of them fetch.

    Its pods are replaced when the template changes, and fetch until then.
    """

    stage: Stage
    namespace: str
    names: list[str]
    account: str = ""
    """The ServiceAccount of all of them; '': one of each name."""
    bare: bool = False
    """Whether new pods opt out of the agent."""
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    clients: dict[str, Client] = field(default_factory=dict)
    _owners: dict[str, Json] = field(default_factory=dict)
    _seen: dict[str, object] = field(default_factory=dict)
    _signed: float = float("-inf")
    _over: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        self.stage.words["ns"] = self.namespace
        for name in self.names:
            self._owners[name] = workload(self.stage, "StatefulSet", name, self.account or name)
            self.clients[name] = self.client(name)

    def client(self, name: str, number: int = 0) -> Client:
        """A new pod of a StatefulSet."""
        empty = [{"name": URI, "value": ""}] if self.bare and name in self.clients else []
        containers = [{"name": "main", "image": "app:1", "env": empty}]
        body = {
            "metadata": {"name": f"{name}-{number}", "ownerReferences": [self._owners[name]]},
            "spec": {"serviceAccountName": self.account or name, "containers": containers},
        }
        new = made(self.stage.kube.create(f"/api/v1/namespaces/{self.namespace}/pods", body))
        return Client(self.stage, new.body)

    def control(self) -> None:
        """The controller: pods of a template that changed are replaced, each when the next one is there."""
        path = f"/apis/apps/v1/namespaces/{self.namespace}/statefulsets"
        while not self._over.wait(0.05):
            self._renew()
            for item in self.stage.kube.get(path).body["items"]:
                name = item["metadata"]["name"]
                now = item["spec"]["template"]["metadata"].get("annotations")
                if self._seen.setdefault(name, None) != now:
                    self._seen[name] = now
                    self.stage.kube.delete(f"/api/v1/namespaces/{self.namespace}/pods/{name}-0")
                    self.clients[name] = self.client(name)
                    self.counts["replaced"] += 1

    def _renew(self) -> None:
        """Get a new token for the cluster's API now and then: one holds for 15 minutes."""
        now = time.monotonic()
        if now - self._signed > TOKEN_SECONDS:
            self.stage.kube.token = bearer(self.stage.sandbox.env(), self.stage.cluster)
            self._signed = now

    def stop(self) -> None:
        self._over.set()

    def fetch(self) -> None:
        """All living pods, again and again; every few rounds one more that was created just now."""
        sts = sts_of(self.stage)
        path, number = f"/api/v1/namespaces/{self.namespace}/pods", 0
        while not self._over.wait(0.02):
            for name, client in list(self.clients.items()):
                self._note(name, client, client.fetch(sts))
            number += 1
            name = self.names[number % len(self.names)]
            born = self.client(name, 1)
            self._note(f"{name} (new)", born, born.fetch(sts))
            self.stage.kube.delete(f"{path}/{name}-1")

    def _note(self, name: str, client: Client, why: str) -> None:
        self.counts[client.way] += 1
        if why:
            self.failures.append(f"{name} by {client.way}: {why}")


@contextmanager
def working(pods: Fleet, *works: Callable[[], None]) -> Iterator[Fleet]:
    """The fleet with what goes on in it, for a `with` block."""
    pods.start()
    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(work) for work in works]
        try:
            yield pods
        finally:
            pods.stop()
            # Before what else fails: without a controller, no pod is replaced.
            for work in running:
                work.result()


def moved(stage: Stage, to: str, names: list[str], more: str) -> None:
    """Migrate many, some in each run."""
    for first in range(0, len(names), 15):
        stage.run(f"migrate --to {to} {' '.join(names[first : first + 15])} -n $ns {more}")


def test_no_fetch_fails_while_bindings_of_four_makers_go_there_and_back(stage: Stage, namespace: str) -> None:
    """On the way back, a pod that is new at the moment of the deletion can fail, and no other."""
    names = [make(stage, namespace, number) for number in range(COUNT)]
    before = world(stage)
    pods = Fleet(stage, namespace, names)
    with working(pods, pods.control, pods.fetch):
        moved(stage, "pod-identity", names, "--include-managed")
        # CloudTrail shows only later what others than pods do.
        moved(stage, "pod-identity", names, "--restart --finish --unused-for 0s --include-managed")
        assert pods.counts["replaced"] == COUNT
        assert {client.way for client in pods.clients.values()} == {AGENT}
        alone = world(stage)
        assert foreign_statements(alone) == foreign_statements(before)
        assert set(associations(stage)) == {f"{namespace}/{name}" for name in names}
        accounts = alone["kubernetes"]["serviceaccounts"]
        assert not [key for key, item in accounts.items() if ROLE_ARN in item["annotations"]]
        assert not pods.failures
        moved(stage, "irsa", names, "--include-managed")
        moved(stage, "irsa", names, "--restart --finish")
        assert {client.way for client in pods.clients.values()} == {STS}
        assert pods.counts["replaced"] == 2 * COUNT
    assert not [text for text in pods.failures if not FIRST_ASKED_LATE.match(text)]
    assert min(pods.counts[STS], pods.counts[AGENT]) > COUNT
    assert normal(world(stage)) == normal(before)
    assert foreign_statements(world(stage)) == foreign_statements(before)


def sts_of(stage: Stage) -> Any:
    return boto3.client("sts", endpoint_url=stage.sandbox.url, region_name=stage.region, config=ONCE)


@pytest.fixture
def pods(stage: Stage, namespace: str) -> Iterator[Fleet]:
    """One workload, whose pods get no credentials until the test says so; replaced until its end."""
    stage.run(CREATE)
    found = Fleet(stage, namespace, [NAME])
    yield found
    found.stop()


def test_pods_are_restarted_one_workload_at_a_time(stage: Stage, namespace: str) -> None:
    stage.run(CREATE)
    before, pods = world(stage), Fleet(stage, namespace, ["one", "two"], NAME)
    with working(pods, pods.control):
        stage.run(MOVE)
        stage.run(f"{MOVE} --finish", code=4, says=("2 running pods", "one-0"), changes="")
        assert pods.counts["replaced"] == 0
        stage.run(f"{MOVE} --restart")
        assert (pods.counts["replaced"], ways(stage)) == (2, {"irsa": [], "pod-identity": ["one-0", "two-0"]})
        stage.run(f"{MOVE} --finish --unused-for 0s")  # CloudTrail shows only later what others do.
        stage.run(BACK)
        stage.run(f"{BACK} --finish", code=4, changes="")
        stage.run(f"{BACK} --finish --restart")
        assert (pods.counts["replaced"], ways(stage)) == (4, {"irsa": ["one-0", "two-0"], "pod-identity": []})
    assert world(stage) == before


def ways(stage: Stage) -> Json:
    """The pods by the way of their credentials."""
    found: Json = stage.run(f"{MOVE} --status -o json").item["migration"]["pods"]
    return found


def test_a_new_pod_without_the_identity_stops_the_restarts(stage: Stage, namespace: str) -> None:
    stage.run(CREATE)
    pods = Fleet(stage, namespace, ["one", "two"], NAME, bare=True)
    with working(pods, pods.control):
        said = "pod one-0 of StatefulSet one did not get Pod Identity"
        stage.run(f"{MOVE} --restart", code=1, says=said)
        assert pods.counts["replaced"] == 1


def test_a_pod_created_before_the_webhook_knows_of_the_deletion_is_restarted(
    stage: Stage, pods: Fleet
) -> None:
    stage.run(MOVE)
    stage.sandbox.lag = 1.0
    while not stage.sandbox.associated(stage.cluster, pods.namespace, NAME):
        stage.kube.get("/version")
    stage.sandbox.faults.add(Fault("eks", "DeletePodIdentityAssociation", "callback", run=pods.start))
    threading.Thread(target=pods.control).start()
    stage.run(f"{BACK} --finish --restart", says="Restarting StatefulSet")
    assert pods.clients[NAME].way == STS


def test_finish_waits_until_new_pods_get_the_association(stage: Stage, pods: Fleet) -> None:
    """Else a pod that is created right after it would have no role, for as long as it runs."""
    stage.sandbox.lag = 2.0
    stage.run(MOVE)
    stage.run(f"{MOVE} --finish")
    pods.start()
    client = pods.clients[NAME]
    assert (client.way, client.fetch(sts_of(stage))) == (AGENT, "")


def test_finish_changes_nothing_unless_new_pods_get_the_association(stage: Stage, namespace: str) -> None:
    stage.run(CREATE)
    stage.run(f"{MOVE} --restart --finish", code=4, says=f"irsa {MOVE}", changes="")
    stage.run(MOVE)
    path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/pod-identity-webhook"
    assert stage.kube.delete(path).status == 200
    said = "stopped while waiting for the webhook to use the new way"
    stage.run(f"{MOVE} --finish", code=1, says=said, changes="", time_ends_at="kubernetes POST pods")
