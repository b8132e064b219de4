"""Whatever somebody puts into a namespace that a run has made: the rollback leaves it alone and names it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from irsa_cli.kube.client import Contents, read_contents
from irsa_cli.sandbox import Fault, Sandbox
from tests.scenarios.conftest import real_stage
from tests.support.controlplane import ControlPlane
from tests.support.fixtures import RealCluster
from tests.support.kubeclient import Answer, Json, KubeClient
from tests.support.kubes import kube_of
from tests.support.stage import READ_ONLY, Ran, Stage, made

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
API_SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
OTHER = "arn:aws:iam::aws:policy/AmazonSQSFullAccess"
SECONDS = 60.0
METADATA = {"metadata": {"name": "theirs"}}
PORT = {"port": 80}
SELECTOR = {"matchLabels": {"a": "b"}}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
SCALE = {"scaleTargetRef": {"kind": "Deployment", "name": "x", "apiVersion": "apps/v1"}, "maxReplicas": 2}

KINDS: dict[str, tuple[str, Json]] = {
    "secret": ("/api/v1/namespaces/{}/secrets", {}),
    "service": ("/api/v1/namespaces/{}/services", {"spec": {"ports": [PORT]}}),
    "role.rbac.authorization.k8s.io": (
        "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
        {"rules": []},
    ),
    "lease.coordination.k8s.io": ("/apis/coordination.k8s.io/v1/namespaces/{}/leases", {}),
    "networkpolicy.networking.k8s.io": (
        "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
        {"spec": {"podSelector": {}}},
    ),
    "deployment.apps": (
        "/apis/apps/v1/namespaces/{}/deployments",
        {"spec": {"selector": SELECTOR, "template": TEMPLATE}},
    ),
    # Served in two versions.
    "horizontalpodautoscaler.autoscaling": (
        "/apis/autoscaling/v1/namespaces/{}/horizontalpodautoscalers",
        {"spec": SCALE},
    ),
}


@pytest.fixture
def stage(sandbox: Sandbox, real: RealCluster, tmp_path: Path) -> Stage:
    found = real_stage(sandbox, real, tmp_path)
    assert found.associate().code == 0
    return found


def put(admin: KubeClient, path: str, body: Json) -> None:
    made(admin.create(path, {**METADATA, **body}))


def fail_after(stage: Stage, deed: Callable[[], None], namespace: str, *, user: str = "admin") -> Ran:
    """A run that makes the namespace, and fails for good after somebody else's deed: one of two policies
    is attached after it, the other never.
    """
    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=deed))
    stage.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "error", times=None))
    policies = ("--attach-policy-arn", READ_ONLY, "--attach-policy-arn", OTHER)
    return stage.create_sa("reader", namespace, *policies, "-o", "json", user=user)


def leftovers(ran: Ran) -> dict[str, str]:
    return {
        change["target"]: change["state"] for change in ran.item["changes"] if change["kind"] == "Namespace"
    }


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_left_alone_and_named(stage: Stage, unique: str, kind: str) -> None:
    path, body = KINDS[kind]
    ran = fail_after(stage, lambda: put(stage.kube, path.format(unique), body), unique)
    assert ran.code == 3, ran.err
    assert stage.kube.get(f"{path.format(unique)}/theirs").status == 200
    assert stage.world()["kubernetes"]["namespaces"][unique]["phase"] == "Active"
    assert stage.aws_world()["roles"] == {}
    assert f"{kind}/theirs" in ran.out


def test_nothing_of_others_goes_with_the_namespace(stage: Stage, unique: str) -> None:
    before = stage.world()
    ran = fail_after(stage, lambda: None, unique)
    assert ran.code == 1, ran.err
    assert stage.world() == before


def test_events_are_no_contents(stage: Stage, unique: str) -> None:
    event = {
        "metadata": {"generateName": "x"},
        "involvedObject": {"kind": "Pod", "namespace": unique, "name": "p"},
        "reason": "Show",
        "type": "Normal",
    }
    before = stage.world()
    path = f"/api/v1/namespaces/{unique}/events"
    ran = fail_after(stage, lambda: put(stage.kube, path, event), unique)
    assert ran.code == 1, ran.err
    assert stage.world() == before


def wait_until(ready: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not ready():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


@pytest.fixture
def widgets(stage: Stage, unique: str) -> Iterator[str]:
    """The API group of a custom kind, Widget, while the test lasts."""
    group = f"{unique}.example.com"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    body = {
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }
    admin = stage.kube
    made(admin.create(DEFINITIONS, body))
    wait_until(lambda: admin.get(f"/apis/{group}/v1").status == 200, "the custom kind is not served")
    wait_until(lambda: group in _aggregated(admin).text, "the custom kind is not discovered")
    yield group
    admin.delete(f"{DEFINITIONS}/widgets.{group}")
    wait_until(lambda: group not in _aggregated(admin).text, "the custom kind is still discovered")


def _aggregated(admin: KubeClient) -> Answer:
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    return admin.get("/apis", accept=accept)


def test_an_object_of_a_custom_kind(stage: Stage, widgets: str, unique: str) -> None:
    path = f"/apis/{widgets}/v1/namespaces/{unique}/widgets"
    body = {"apiVersion": f"{widgets}/v1", "kind": "Widget"}
    ran = fail_after(stage, lambda: put(stage.kube, path, body), unique)
    assert ran.code == 3, ran.err
    assert stage.kube.get(f"{path}/theirs").status == 200
    assert f"widget.{widgets}/theirs" in ran.out


@pytest.fixture
def dead_group(stage: Stage, unique: str) -> Iterator[str]:
    """An API group whose API server does not answer, while the test lasts."""
    group, admin = f"{unique}.example.com", stage.kube
    service = {"name": "nowhere", "namespace": "default", "port": 443}
    spec = {
        "group": group,
        "version": "v1",
        "groupPriorityMinimum": 1,
        "versionPriority": 1,
        "service": service,
        "insecureSkipTLSVerify": True,
    }
    made(admin.create(API_SERVICES, {"metadata": {"name": f"v1.{group}"}, "spec": spec}))
    wait_until(lambda: group in _aggregated(admin).text, "the group is not discovered")
    yield group
    admin.delete(f"{API_SERVICES}/v1.{group}")
    wait_until(lambda: group not in _aggregated(admin).text, "the group is still discovered")


def test_a_group_whose_server_is_down(stage: Stage, dead_group: str, unique: str) -> None:
    ran = fail_after(stage, lambda: None, unique)
    assert ran.code == 3, ran.err
    assert stage.world()["kubernetes"]["namespaces"][unique]["phase"] == "Active"
    assert dead_group in ran.out


def test_a_caller_who_may_not_list_everything(stage: Stage, unique: str) -> None:
    user = stage.restricted(
        (("get", "create", "delete"), ("namespaces", "serviceaccounts")), (("list",), ("serviceaccounts",))
    )
    ran = fail_after(stage, lambda: None, unique, user=user)
    assert ran.code == 3, ran.err
    assert stage.world()["kubernetes"]["namespaces"][unique]["phase"] == "Active"
    assert "secrets (Forbidden)" in ran.out
    assert "role" in ran.out


def test_discovery_finds_a_lease(control_plane: ControlPlane, namespace: str) -> None:
    put(control_plane.admin, f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases", {})
    found = read_contents(kube_of(control_plane.admin).get, namespace)
    assert found == Contents(("lease.coordination.k8s.io/theirs",))
