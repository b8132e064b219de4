"""Namespaces: reading, creating, deleting, and what happens in one that is ending."""

import pytest

from tests.contract.clusters import Cluster
from tests.contract.statuses import assert_refused, causes

NAMESPACES = "/api/v1/namespaces"


def test_get(cluster: Cluster, namespace: str) -> None:
    answer = cluster.admin.get(f"{NAMESPACES}/{namespace}")
    assert answer.status == 200
    assert answer.body["kind"] == "Namespace"
    assert answer.body["metadata"]["name"] == namespace
    assert answer.body["metadata"]["labels"] == {"kubernetes.io/metadata.name": namespace}
    assert answer.body["spec"] == {"finalizers": ["kubernetes"]}
    assert answer.body["status"] == {"phase": "Active"}


def test_get_missing(cluster: Cluster, unique: str) -> None:
    answer = cluster.admin.get(f"{NAMESPACES}/{unique}")
    details = assert_refused(answer, 404, "NotFound", f'namespaces "{unique}" not found')
    assert details == {"name": unique, "kind": "namespaces"}


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public", "kube-node-lease"])
def test_a_new_cluster_has_the_usual_namespaces(cluster: Cluster, name: str) -> None:
    assert cluster.admin.get(f"{NAMESPACES}/{name}").body["status"]["phase"] == "Active"


def test_list_has_it_without_kind(cluster: Cluster, namespace: str) -> None:
    body = cluster.admin.get(NAMESPACES).body
    assert (body["kind"], body["apiVersion"]) == ("NamespaceList", "v1")
    assert body["metadata"]["resourceVersion"].isdecimal()
    (item,) = [item for item in body["items"] if item["metadata"]["name"] == namespace]
    assert "kind" not in item
    assert "apiVersion" not in item


def test_create_again(cluster: Cluster, namespace: str) -> None:
    answer = cluster.admin.create(NAMESPACES, {"metadata": {"name": namespace}})
    message = f'namespaces "{namespace}" already exists'
    details = assert_refused(answer, 409, "AlreadyExists", message)
    assert details == {"name": namespace, "kind": "namespaces"}


def test_create_dry_run_leaves_nothing(cluster: Cluster, unique: str) -> None:
    answer = cluster.admin.create(NAMESPACES, {"metadata": {"name": unique}}, dryRun="All")
    assert answer.status == 201
    assert answer.body["metadata"]["uid"]
    assert "resourceVersion" not in answer.body["metadata"]
    assert cluster.admin.get(f"{NAMESPACES}/{unique}").status == 404


def test_create_dry_run_sees_that_it_exists(cluster: Cluster, namespace: str) -> None:
    answer = cluster.admin.create(NAMESPACES, {"metadata": {"name": namespace}}, dryRun="All")
    assert_refused(answer, 409, "AlreadyExists")


@pytest.mark.parametrize("name", ["Upper", "under_score", "a.b", "-a", "a-", "a" * 64, "ä"])
def test_create_bad_name(cluster: Cluster, name: str) -> None:
    answer = cluster.admin.create(NAMESPACES, {"metadata": {"name": name}})
    details = assert_refused(answer, 422, "Invalid")
    assert (details["name"], details["kind"]) == (name, "Namespace")
    assert ("metadata.name", "FieldValueInvalid") in causes(answer)
    start = f'Namespace "{name}" is invalid: '
    assert answer.body["message"].startswith((start + "metadata.name", start + "[metadata.name"))


@pytest.mark.parametrize("body", [{}, {"metadata": {}}, {"metadata": {"name": ""}}])
def test_create_without_name(cluster: Cluster, body: object) -> None:
    answer = cluster.admin.create(NAMESPACES, body)
    assert_refused(answer, 422, "Invalid")
    assert ("metadata.name", "FieldValueRequired") in causes(answer)


def test_patch_keeps_what_is_the_servers(cluster: Cluster, namespace: str) -> None:
    path = f"{NAMESPACES}/{namespace}"
    patch = {"metadata": {"labels": {"team": "a"}}, "spec": None, "status": {"phase": "Terminating"}}
    answer = cluster.admin.patch(path, patch)
    assert answer.status == 200
    assert answer.body["status"] == {"phase": "Active"}
    assert answer.body["spec"] == {"finalizers": ["kubernetes"]}
    assert cluster.world()["namespaces"][namespace]["labels"]["team"] == "a"


def test_delete_makes_it_end(cluster: Cluster, namespace: str) -> None:
    answer = cluster.admin.delete(f"{NAMESPACES}/{namespace}")
    assert answer.status == 200
    assert answer.body["kind"] == "Namespace"
    assert answer.body["status"]["phase"] == "Terminating"
    assert answer.body["metadata"]["deletionTimestamp"]


def test_delete_dry_run_leaves_it(cluster: Cluster, namespace: str) -> None:
    answer = cluster.admin.delete(f"{NAMESPACES}/{namespace}", dryRun="All")
    assert answer.status == 200
    assert answer.body["status"]["phase"] == "Terminating"
    assert cluster.world()["namespaces"][namespace]["phase"] == "Active"


def test_delete_with_another_uid(cluster: Cluster, namespace: str) -> None:
    path = f"{NAMESPACES}/{namespace}"
    uid = cluster.admin.get(path).body["metadata"]["uid"]
    answer = cluster.admin.delete(path, {"preconditions": {"uid": "another"}})
    message = (
        f'Operation cannot be fulfilled on namespaces "{namespace}": Precondition failed: '
        f"UID in precondition: another, UID in object meta: {uid}"
    )
    assert_refused(answer, 409, "Conflict", message)
    assert cluster.world()["namespaces"][namespace]["phase"] == "Active"


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
def test_delete_of_the_systems_own(cluster: Cluster, name: str) -> None:
    answer = cluster.admin.delete(f"{NAMESPACES}/{name}")
    message = f'namespaces "{name}" is forbidden: this namespace may not be deleted'
    assert_refused(answer, 403, "Forbidden", message)


def test_delete_missing(cluster: Cluster, unique: str) -> None:
    answer = cluster.admin.delete(f"{NAMESPACES}/{unique}")
    assert_refused(answer, 404, "NotFound", f'namespaces "{unique}" not found')


def test_nothing_new_in_one_that_ends(cluster: Cluster, namespace: str, account: str) -> None:
    cluster.admin.delete(f"{NAMESPACES}/{namespace}")
    create = cluster.admin.create(account.rpartition("/")[0], {"metadata": {"name": "late"}})
    message = (
        f'serviceaccounts "late" is forbidden: unable to create new content in namespace {namespace} '
        "because it is being terminated"
    )
    assert_refused(create, 403, "Forbidden", message)
    assert causes(create) == {("metadata.namespace", "NamespaceTerminating")}
    token = cluster.admin.create(f"{account}/token", {"spec": {}})
    assert_refused(token, 403, "Forbidden")
    assert causes(token) == {("metadata.namespace", "NamespaceTerminating")}


def test_what_is_in_one_that_ends_can_change_and_go(cluster: Cluster, namespace: str, account: str) -> None:
    cluster.admin.delete(f"{NAMESPACES}/{namespace}")
    patch = {"metadata": {"annotations": {"a": "b"}}}
    assert cluster.admin.patch(account, patch).status == 200
    assert cluster.admin.delete(account).status == 200


def test_create_again_while_it_ends(cluster: Cluster, namespace: str) -> None:
    cluster.admin.delete(f"{NAMESPACES}/{namespace}")
    answer = cluster.admin.create(NAMESPACES, {"metadata": {"name": namespace}})
    message = f'object is being deleted: namespaces "{namespace}" already exists'
    assert_refused(answer, 409, "AlreadyExists", message)


def test_delete_again_while_it_ends(cluster: Cluster, namespace: str) -> None:
    path = f"{NAMESPACES}/{namespace}"
    cluster.admin.delete(path)
    version = cluster.admin.get(path).body["metadata"]["resourceVersion"]
    again = cluster.admin.delete(path)
    assert (again.status, again.body["metadata"]["resourceVersion"]) == (200, version)
