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
from collections.abc import Iterator
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
    MAKERS,
    NAME,
    associations,
    create,
    foreign_statements,
    make,
    migrate,
    normal,
    world,
)
from tests.support.eks import bearer
from tests.support.eks_states import add_addon
from tests.support.stage import ROLE_ARN, Json, Stage
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
        self.rotate()

    def rotate(self) -> None:
        """Get a new token, as kubelet does before one expires."""
        metadata, volumes = self.pod["metadata"], self.pod["spec"].get("volumes", [])
        sources = [one for volume in volumes for one in volume.get("projected", {}).get("sources", [])]
        given = [one["serviceAccountToken"] for one in sources if "serviceAccountToken" in one]
        audiences = [item["audience"] for item in given if "audience" in item]
        if not audiences:
            return
        bound = {"kind": "Pod", "apiVersion": "v1", "name": metadata["name"], "uid": metadata["uid"]}
        spec = {"audiences": audiences, "expirationSeconds": 3600, "boundObjectRef": bound}
        account = self.pod["spec"]["serviceAccountName"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts/{account}/token"
        answer = self.stage.kube.create(path, {"metadata": {}, "spec": spec})
        assert answer.status == 201, answer.text
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
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    clients: dict[str, Client] = field(default_factory=dict)
    _owners: dict[str, Json] = field(default_factory=dict)
    _seen: dict[str, object] = field(default_factory=dict)
    _signed: float = float("-inf")
    _over: threading.Event = field(default_factory=threading.Event)
    _lock: Any = field(default_factory=threading.Lock)

    def start(self) -> None:
        for name in self.names:
            template = {"metadata": {"labels": {"app": name}}, "spec": {"serviceAccountName": name}}
            head = {"apiVersion": "apps/v1", "kind": "StatefulSet"}
            body = {**head, "metadata": {"name": name}, "spec": {"template": template}}
            answer = self.stage.kube.create(self._sets, body)
            assert answer.status == 201, answer.text
            uid = answer.body["metadata"]["uid"]
            self._owners[name] = {**head, "name": name, "uid": uid, "controller": True}
            self.clients[name] = self.client(name)

    @property
    def _sets(self) -> str:
        return f"/apis/apps/v1/namespaces/{self.namespace}/statefulsets"

    def client(self, name: str, number: int = 0) -> Client:
        """A new pod of a StatefulSet."""
        owner = self._owners[name]
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"{name}-{number}", "ownerReferences": [owner]},
            "spec": {
                "serviceAccountName": name,
                "containers": [{"name": "main", "image": "app:1"}],
            },
        }
        answer = self.stage.kube.create(f"/api/v1/namespaces/{self.namespace}/pods", body)
        assert answer.status == 201, answer.text
        return Client(self.stage, answer.body)

    def control(self) -> None:
        """The controller: pods of a template that changed are replaced, each when the next one is there."""
        while not self._over.wait(0.05):
            self._renew()
            listed = self.stage.kube.get(self._sets).body["items"]
            for item in listed:
                name = item["metadata"]["name"]
                now = item["spec"]["template"]["metadata"].get("annotations")
                if self._seen.setdefault(name, None) == now:
                    continue
                self._seen[name] = now
                self.stage.kube.delete(f"/api/v1/namespaces/{self.namespace}/pods/{name}-0")
                new = self.client(name)
                with self._lock:
                    self.clients[name] = new
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
            with self._lock:
                clients = dict(self.clients)
            for name, client in clients.items():
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
def fleet(stage: Stage, namespace: str, names: list[str]) -> Iterator[Fleet]:
    found = Fleet(stage, namespace, names)
    found.start()
    problems: list[BaseException] = []

    def guarded(work: Any) -> None:
        try:
            work()
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in (found.control, found.fetch)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        found.stop()
        for thread in threads:
            thread.join()
        # Before what else fails: without a controller, no pod is replaced.
        assert not problems, problems


def moved(stage: Stage, namespace: str, to: str, names: list[str], *more: str) -> None:
    """Migrate many, some in each run."""
    for first in range(0, len(names), 15):
        ran = migrate(stage, to, *names[first : first + 15], "-n", namespace, *more)
        assert ran.code == 0, ran.err


def test_no_fetch_fails_while_bindings_of_four_makers_go_there_and_back(stage: Stage, namespace: str) -> None:
    """On the way back, a pod that is new at the moment of the deletion can fail, and no other."""
    names = [make(stage, namespace, number) for number in range(COUNT)]
    before = world(stage)
    with fleet(stage, namespace, names) as pods:
        moved(stage, namespace, "pod-identity", names, "--include-managed")
        # CloudTrail shows only later what others than pods do.
        finish = ("--finish", "--unused-for", "0s")
        moved(stage, namespace, "pod-identity", names, "--restart", *finish, "--include-managed")
        assert pods.counts["replaced"] == COUNT
        assert {client.way for client in pods.clients.values()} == {AGENT}
        alone = world(stage)
        assert foreign_statements(alone) == foreign_statements(before)
        assert set(associations(stage)) == {f"{namespace}/{name}" for name in names}
        accounts = alone["kubernetes"]["serviceaccounts"]
        assert not [key for key, item in accounts.items() if ROLE_ARN in item["annotations"]]
        assert not pods.failures
        moved(stage, namespace, "irsa", names, "--include-managed")
        moved(stage, namespace, "irsa", names, "--restart", "--finish")
        assert {client.way for client in pods.clients.values()} == {STS}
        assert pods.counts["replaced"] == 2 * COUNT
    print(f"{COUNT} bindings: {dict(pods.counts)}; {len(pods.failures)} failed: {pods.failures}")
    assert not [text for text in pods.failures if not FIRST_ASKED_LATE.match(text)]
    assert pods.counts[STS] > COUNT
    assert pods.counts[AGENT] > COUNT
    assert normal(world(stage)) == normal(before)
    assert foreign_statements(world(stage)) == foreign_statements(before)


def quiet(stage: Stage, namespace: str) -> Fleet:
    """One workload, whose pods get no credentials until the test says so."""
    create(stage, namespace)
    return Fleet(stage, namespace, [NAME])


def sts_of(stage: Stage) -> Any:
    return boto3.client("sts", endpoint_url=stage.sandbox.url, region_name=stage.region, config=ONCE)


def test_after_the_deletion_a_pod_gets_credentials_with_the_token_that_the_agent_knows(
    stage: Stage, namespace: str
) -> None:
    """With another token it gets none, until it is restarted: what the page about going back says."""
    pods, found = quiet(stage, namespace), list[str]()
    assert migrate(stage, "pod-identity", NAME, "-n", namespace).code == 0
    pods.start()
    client, sts = pods.clients[NAME], sts_of(stage)
    assert client.way == AGENT
    assert client.fetch(sts) == ""

    def look() -> None:
        assert not associations(stage)
        found.append(client.fetch(sts))
        client.rotate()
        found.append(client.fetch(sts))

    stage.sandbox.faults.add(Fault("iam", "UpdateAssumeRolePolicy", "callback", run=look))
    threading.Thread(target=pods.control).start()
    try:
        ran = migrate(stage, "irsa", NAME, "-n", namespace, "--finish", "--restart")
        assert ran.code == 0, ran.err
    finally:
        pods.stop()
    assert found[0] == ""
    assert "(ResourceNotFoundException): No association found" in found[1]
    assert pods.clients[NAME].way == STS
    assert pods.clients[NAME].fetch(sts) == ""


def test_a_pod_created_before_the_webhook_knows_of_the_deletion_is_restarted(
    stage: Stage, namespace: str
) -> None:
    pods = quiet(stage, namespace)
    assert migrate(stage, "pod-identity", NAME, "-n", namespace).code == 0
    stage.sandbox.lag = 1.0
    time.sleep(1.0)
    stage.sandbox.faults.add(Fault("iam", "UpdateAssumeRolePolicy", "callback", run=pods.start))
    controller = threading.Thread(target=pods.control)
    controller.start()
    try:
        ran = migrate(stage, "irsa", NAME, "-n", namespace, "--finish", "--restart")
        assert ran.code == 0, ran.err
        assert "Restarting StatefulSet" in ran.err
    finally:
        pods.stop()
    assert pods.clients[NAME].way == STS


def test_finish_waits_until_new_pods_get_the_association(stage: Stage, namespace: str) -> None:
    """Else a pod that is created right after it would have no role, for as long as it runs."""
    pods = quiet(stage, namespace)
    stage.sandbox.lag = 2.0
    for more in ((), ("--finish",)):
        ran = migrate(stage, "pod-identity", NAME, "-n", namespace, *more)
        assert ran.code == 0, ran.err
    pods.start()
    client = pods.clients[NAME]
    assert client.way == AGENT
    assert client.fetch(sts_of(stage)) == ""


def test_finish_changes_nothing_unless_new_pods_get_the_association(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    assert migrate(stage, "pod-identity", NAME, "-n", namespace).code == 0
    before = world(stage)
    path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/pod-identity-webhook"
    assert stage.kube.delete(path).status == 200
    ran = migrate(stage, "pod-identity", NAME, "-n", namespace, "--finish", "--timeout", "2s")
    assert ran.code == 1, ran.err
    assert "stopped while waiting for the webhook to use the new way" in ran.err
    assert world(stage) == before


def test_restart_and_finish_are_refused_before_the_association_is_there(stage: Stage, namespace: str) -> None:
    create(stage, namespace)
    ran = migrate(stage, "pod-identity", NAME, "-n", namespace, "--restart", "--finish")
    assert ran.code == 4, ran.err
    assert f"irsa migrate --to pod-identity {NAME} -n {namespace}" in ran.err
