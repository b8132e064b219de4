"""API discovery in its aggregated form: what both servers say of the kinds that both serve."""

import pytest

from irsa_cli.sandbox.kube.kinds import KINDS
from tests.contract.clusters import Cluster
from tests.contract.statuses import assert_refused
from tests.support.kubeclient import Json

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
SERVED = [(kind.group, kind.resource) for kind in KINDS.values()]


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


def test_subresources(cluster: Cluster) -> None:
    new = groups(cluster, "/api")[""]["resources"]
    found = {item["resource"]: {sub["subresource"] for sub in item.get("subresources", [])} for item in new}
    assert "token" in found["serviceaccounts"]
    assert "status" in found["pods"]


@pytest.mark.parametrize("path", ["/api", "/apis"])
def test_for_everybody_who_is_known(cluster: Cluster, unique: str, path: str) -> None:
    assert cluster.user(unique).get(path, accept=AGGREGATED).status == 200
    message = f'forbidden: User "system:anonymous" cannot get path "{path}"'
    assert_refused(cluster.connect(None).get(path), 403, "Forbidden", message)
