"""API discovery, aggregated and in the old form: what both servers say of the kinds that both serve."""

import pytest

from irsa_cli.sandbox.kube.kinds import KINDS
from tests.contract.clusters import Cluster
from tests.contract.statuses import assert_refused
from tests.support.kubeclient import Json

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
SERVED = [(kind.group, kind.resource) for kind in KINDS.values()]
KEPT = ("kind", "namespaced", "singularName", "shortNames")


def groups(cluster: Cluster, path: str) -> dict[str, Json]:
    """The aggregated document's groups by name, each with its version v1."""
    body = cluster.admin.get(path, accept=f"{AGGREGATED},application/json").body
    assert (body["kind"], body["apiVersion"]) == ("APIGroupDiscoveryList", "apidiscovery.k8s.io/v2")
    found = {}
    for group in body["items"]:
        for version in group["versions"]:
            if version["version"] == "v1":
                found[group["metadata"].get("name", "")] = version
    return found


@pytest.mark.parametrize(("group", "resource"), SERVED)
def test_aggregated(cluster: Cluster, group: str, resource: str) -> None:
    version = groups(cluster, "/apis" if group else "/api")[group]
    assert version["freshness"] == "Current"
    (entry,) = [item for item in version["resources"] if item["resource"] == resource]
    kind = KINDS[group, resource]
    assert entry["responseKind"]["kind"] == kind.kind
    assert entry["scope"] == ("Namespaced" if kind.namespaced else "Cluster")
    assert entry["singularResource"] == kind.singular
    assert set(entry["verbs"]) >= {"create", "delete", "get", "list", "patch"}
    assert entry.get("shortNames", []) == list(kind.short_names)


@pytest.mark.parametrize(("group", "resource"), SERVED)
def test_one_group(cluster: Cluster, group: str, resource: str) -> None:
    body = cluster.admin.get(f"/apis/{group}/v1" if group else "/api/v1").body
    assert (body["kind"], body["groupVersion"]) == ("APIResourceList", f"{group}/v1" if group else "v1")
    (entry,) = [item for item in body["resources"] if item["name"] == resource]
    kind = KINDS[group, resource]
    expected = (kind.kind, kind.namespaced, kind.singular, list(kind.short_names) or None)
    assert tuple(entry.get(key) for key in KEPT) == expected


def test_subresources(cluster: Cluster) -> None:
    old = {item["name"] for item in cluster.admin.get("/api/v1").body["resources"]}
    assert {"serviceaccounts/token", "pods/status"} <= old
    new = groups(cluster, "/api")[""]["resources"]
    found = {item["resource"]: {sub["subresource"] for sub in item.get("subresources", [])} for item in new}
    assert "token" in found["serviceaccounts"]
    assert "status" in found["pods"]


def test_old_lists(cluster: Cluster) -> None:
    assert cluster.admin.get("/api").body["versions"] == ["v1"]
    body = cluster.admin.get("/apis").body
    found = {group["name"]: group["preferredVersion"]["groupVersion"] for group in body["groups"]}
    assert body["kind"] == "APIGroupList"
    assert found["coordination.k8s.io"] == "coordination.k8s.io/v1"
    assert found["authorization.k8s.io"] == "authorization.k8s.io/v1"


@pytest.mark.parametrize("path", ["/api", "/apis", "/api/v1", "/apis/coordination.k8s.io/v1"])
def test_for_everybody_who_is_known(cluster: Cluster, unique: str, path: str) -> None:
    assert cluster.user(unique).get(path).status == 200
    message = f'forbidden: User "system:anonymous" cannot get path "{path}"'
    assert_refused(cluster.connect(None).get(path), 403, "Forbidden", message)
