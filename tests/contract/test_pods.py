"""Pods: created, also for show, with a ServiceAccount that exists; read, listed, patched, deleted."""

from typing import Any

import pytest

from tests.contract.clusters import Cluster
from tests.contract.statuses import assert_refused, causes
from tests.support.kubeclient import Json

CONTAINERS = [{"name": "app", "image": "example.com/app:1"}]


@pytest.fixture
def pods(namespace: str) -> str:
    """The path of the pods in this test's namespace."""
    return f"/api/v1/namespaces/{namespace}/pods"


def pod(name: str = "web-0", **spec: Any) -> Json:
    """A pod of the ServiceAccount that the fixture `account` makes."""
    whole = {"serviceAccountName": "app", "containers": CONTAINERS, **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": whole}


def test_create_and_get(cluster: Cluster, account: str, pods: str) -> None:
    made = cluster.admin.create(pods, pod())
    assert made.status == 201, made.text
    found = cluster.admin.get(f"{pods}/web-0").body
    assert (found["kind"], found["apiVersion"]) == ("Pod", "v1")
    assert found["metadata"]["uid"] == made.body["metadata"]["uid"]
    assert found["spec"]["serviceAccountName"] == found["spec"]["serviceAccount"] == "app"
    assert found["status"]["phase"] == "Pending"


def test_defaults(cluster: Cluster, account: str, pods: str) -> None:
    containers = [{"name": "a", "image": "a"}, {"name": "b", "image": "example.com:5000/b:1.2"}]
    spec = cluster.admin.create(pods, pod(containers=containers)).body["spec"]
    known = {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "enableServiceLinks": True,
    }
    assert {key: spec[key] for key in known} == known
    assert [container["imagePullPolicy"] for container in spec["containers"]] == ["Always", "IfNotPresent"]
    assert {container["terminationMessagePolicy"] for container in spec["containers"]} == {"File"}


def test_dry_run_makes_nothing(cluster: Cluster, account: str, pods: str) -> None:
    answer = cluster.admin.create(pods, pod(), dryRun="All")
    assert answer.status == 201
    assert "uid" in answer.body["metadata"]
    assert "resourceVersion" not in answer.body["metadata"]
    assert_refused(cluster.admin.get(f"{pods}/web-0"), 404, "NotFound", 'pods "web-0" not found')


def test_generated_name(cluster: Cluster, account: str, pods: str) -> None:
    body = pod()
    body["metadata"] = {"generateName": "web-"}
    names = {cluster.admin.create(pods, body).body["metadata"]["name"] for _ in range(2)}
    assert len(names) == 2
    assert all(name.startswith("web-") and len(name) == 9 for name in names)


def test_the_account_must_exist(cluster: Cluster, namespace: str, pods: str) -> None:
    answer = cluster.admin.create(pods, pod())
    message = (
        f'pods "web-0" is forbidden: error looking up service account {namespace}/app: '
        'serviceaccount "app" not found'
    )
    assert_refused(answer, 403, "Forbidden", message)


def test_the_default_account(cluster: Cluster, accounts: str, pods: str) -> None:
    body = pod()
    del body["spec"]["serviceAccountName"]
    assert_refused(cluster.admin.create(pods, body), 403, "Forbidden")
    assert cluster.admin.create(accounts, {"metadata": {"name": "default"}}).status == 201
    assert cluster.admin.create(pods, body).body["spec"]["serviceAccountName"] == "default"


def test_in_a_missing_namespace(cluster: Cluster, unique: str) -> None:
    answer = cluster.admin.create(f"/api/v1/namespaces/{unique}/pods", pod())
    assert_refused(answer, 404, "NotFound", f'namespaces "{unique}" not found')


def test_image_pull_secrets_come_from_the_account(cluster: Cluster, account: str, pods: str) -> None:
    spec = cluster.admin.create(pods, pod()).body["spec"]
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    own = cluster.admin.create(pods, pod("web-1", imagePullSecrets=[{"name": "mine"}])).body["spec"]
    assert own["imagePullSecrets"] == [{"name": "mine"}]


@pytest.mark.parametrize(("desired", "mounted"), [(True, True), (None, False), (False, False)])
def test_api_token(cluster: Cluster, account: str, pods: str, desired: bool | None, mounted: bool) -> None:
    spec = cluster.admin.create(pods, pod(automountServiceAccountToken=desired)).body["spec"]
    volumes = [volume["name"] for volume in spec.get("volumes", [])]
    mounts = spec["containers"][0].get("volumeMounts", [])
    assert len(volumes) == len(mounts) == int(mounted)
    if mounted:
        assert volumes[0].startswith("kube-api-access-")
        assert mounts[0] == {
            "name": volumes[0],
            "readOnly": True,
            "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
        }


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"containers": []}, ("spec.containers", "FieldValueRequired")),
        ({"containers": [{"name": "a"}]}, ("spec.containers[0].image", "FieldValueRequired")),
        ({"containers": [{"image": "a"}]}, ("spec.containers[0].name", "FieldValueRequired")),
        ({"containers": [{"name": "A", "image": "a"}]}, ("spec.containers[0].name", "FieldValueInvalid")),
        ({"containers": CONTAINERS * 2}, ("spec.containers[1].name", "FieldValueDuplicate")),
        ({"volumes": [{"name": "v", "emptyDir": {}}] * 2}, ("spec.volumes[1].name", "FieldValueDuplicate")),
    ],
)
def test_what_is_wrong_is_named(
    cluster: Cluster, account: str, pods: str, spec: Json, expected: tuple[str, str]
) -> None:
    answer = cluster.admin.create(pods, pod(**spec))
    assert_refused(answer, 422, "Invalid")
    assert expected in causes(answer)


def test_mounts_need_volumes_and_paths(cluster: Cluster, account: str, pods: str) -> None:
    mounts = [{"name": "v", "mountPath": "/v"}, {"name": "w", "mountPath": ""}]
    containers = [{"name": "a", "image": "a", "volumeMounts": mounts}]
    answer = cluster.admin.create(pods, pod(containers=containers))
    assert_refused(answer, 422, "Invalid")
    assert causes(answer) == {
        ("spec.containers[0].volumeMounts[0].name", "FieldValueNotFound"),
        ("spec.containers[0].volumeMounts[1].name", "FieldValueNotFound"),
        ("spec.containers[0].volumeMounts[1].mountPath", "FieldValueRequired"),
    }


def test_projected_token_lives_ten_minutes(cluster: Cluster, account: str, pods: str) -> None:
    sources = [{"serviceAccountToken": {"path": "token", "expirationSeconds": 599}}]
    answer = cluster.admin.create(pods, pod(volumes=[{"name": "v", "projected": {"sources": sources}}]))
    where = "spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds"
    assert_refused(answer, 422, "Invalid")
    assert causes(answer) == {(where, "FieldValueInvalid")}


def test_environment_and_volumes_are_kept(cluster: Cluster, account: str, pods: str) -> None:
    environment = [
        {"name": "A", "value": "1"},
        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
    ]
    containers = [{"name": "a", "image": "a", "env": environment, "envFrom": [{"secretRef": {"name": "s"}}]}]
    cluster.admin.create(pods, pod(containers=containers, nodeSelector={"kubernetes.io/os": "linux"}))
    spec = cluster.admin.get(f"{pods}/web-0").body["spec"]
    assert spec["containers"][0]["env"] == environment
    assert spec["containers"][0]["envFrom"] == [{"secretRef": {"name": "s"}}]
    assert spec["nodeSelector"] == {"kubernetes.io/os": "linux"}


def test_metadata_may_change_and_the_account_may_not(cluster: Cluster, account: str, pods: str) -> None:
    cluster.admin.create(pods, pod())
    path = f"{pods}/web-0"
    assert cluster.admin.patch(path, {"metadata": {"labels": {"a": "b"}}}).status == 200
    answer = cluster.admin.patch(path, {"spec": {"serviceAccountName": "other"}})
    assert_refused(answer, 422, "Invalid")
    assert ("spec", "FieldValueForbidden") in causes(answer)
    found = cluster.admin.get(path).body
    assert (found["metadata"]["labels"], found["spec"]["serviceAccountName"]) == ({"a": "b"}, "app")


def test_status_has_a_path_of_its_own(cluster: Cluster, account: str, pods: str) -> None:
    cluster.admin.create(pods, pod())
    path = f"{pods}/web-0"
    change = {"status": {"phase": "Running", "startTime": "2026-01-01T00:00:00Z"}}
    assert cluster.admin.patch(path, change).status == 200
    assert cluster.admin.get(path).body["status"]["phase"] == "Pending"
    assert cluster.admin.patch(f"{path}/status", {**change, "metadata": {"labels": {"a": "b"}}}).status == 200
    found = cluster.admin.get(path).body
    assert (found["status"]["phase"], found["status"]["startTime"]) == ("Running", "2026-01-01T00:00:00Z")


def test_delete(cluster: Cluster, account: str, pods: str) -> None:
    uid = cluster.admin.create(pods, pod()).body["metadata"]["uid"]
    answer = cluster.admin.delete(f"{pods}/web-0")
    assert (answer.status, answer.body["kind"], answer.body["metadata"]["uid"]) == (200, "Pod", uid)
    assert answer.body["metadata"]["deletionGracePeriodSeconds"] == 0
    assert cluster.admin.get(f"{pods}/web-0").status == 404


def test_a_pod_on_a_node_lingers(cluster: Cluster, account: str, pods: str) -> None:
    cluster.admin.create(pods, pod(nodeName="node-1"))
    cluster.admin.delete(f"{pods}/web-0")
    metadata = cluster.admin.get(f"{pods}/web-0").body["metadata"]
    assert metadata["deletionGracePeriodSeconds"] == 30
    assert "deletionTimestamp" in metadata
    assert cluster.admin.delete(f"{pods}/web-0", {"gracePeriodSeconds": 0}).status == 200
    assert cluster.admin.get(f"{pods}/web-0").status == 404


def test_list_of_a_namespace_and_of_all(cluster: Cluster, namespace: str, account: str, pods: str) -> None:
    for name in ("web-0", "web-1"):
        cluster.admin.create(pods, pod(name))
    names = [item["metadata"]["name"] for item in cluster.admin.get(pods).body["items"]]
    assert names == ["web-0", "web-1"]
    everywhere = cluster.admin.get("/api/v1/pods").body["items"]
    places = [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in everywhere]
    assert {(namespace, "web-0"), (namespace, "web-1")} <= set(places)
