"""Lists: of all namespaces, in pages, and as metadata only."""

import pytest

from tests.contract.clusters import Cluster
from tests.contract.statuses import assert_refused
from tests.support.kubeclient import Json

PARTIAL = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


@pytest.fixture
def five(cluster: Cluster, accounts: str) -> list[str]:
    """The names of five ServiceAccounts, in the order of the list."""
    names = [f"app-{number}" for number in range(5)]
    for name in names:
        assert cluster.admin.create(accounts, {"metadata": {"name": name}}).status == 201
    return names


def names_of(body: Json) -> list[str]:
    return [item["metadata"]["name"] for item in body["items"]]


def test_pages(cluster: Cluster, accounts: str, five: list[str]) -> None:
    found: list[str] = []
    query: dict[str, str] = {}
    pages = 0
    versions = set()
    while True:
        body = cluster.admin.get(accounts, limit="2", **query).body
        found += names_of(body)
        pages += 1
        versions.add(body["metadata"]["resourceVersion"])
        more = body["metadata"].get("continue")
        assert body["metadata"].get("remainingItemCount", 0) == len(five) - len(found)
        if not more:
            break
        query = {"continue": more}
    assert (found, pages, len(versions)) == (five, 3, 1)


def test_rest_without_a_limit(cluster: Cluster, accounts: str, five: list[str]) -> None:
    token = cluster.admin.get(accounts, limit="2").body["metadata"]["continue"]
    body = cluster.admin.get(accounts, **{"continue": token}).body
    assert names_of(body) == five[2:]
    assert "continue" not in body["metadata"]


@pytest.mark.parametrize("limit", ["5", "500", "0", "-1"])
def test_limits_that_do_not_bind(cluster: Cluster, accounts: str, five: list[str], limit: str) -> None:
    body = cluster.admin.get(accounts, limit=limit).body
    assert names_of(body) == five
    assert set(body["metadata"]) == {"resourceVersion"}


@pytest.mark.parametrize("query", [{"limit": "x"}, {"limit": ""}, {"limit": "1", "continue": "rubbish"}])
def test_bad_queries(cluster: Cluster, accounts: str, query: dict[str, str]) -> None:
    assert_refused(cluster.admin.get(accounts, **query), 400, "BadRequest")


def test_all_namespaces_in_pages(cluster: Cluster, namespace: str, five: list[str]) -> None:
    found: set[tuple[str, str]] = set()
    query: dict[str, str] = {}
    while True:
        body = cluster.admin.get("/api/v1/serviceaccounts", limit="3", **query).body
        found |= {(item["metadata"]["namespace"], item["metadata"]["name"]) for item in body["items"]}
        if not body["metadata"].get("continue"):
            break
        query = {"continue": body["metadata"]["continue"]}
    assert {(namespace, name) for name in five} <= found


def test_namespaces_in_pages(cluster: Cluster, namespace: str) -> None:
    whole = names_of(cluster.admin.get("/api/v1/namespaces").body)
    first = cluster.admin.get("/api/v1/namespaces", limit="1").body
    assert first["metadata"]["remainingItemCount"] == len(whole) - 1
    rest = cluster.admin.get("/api/v1/namespaces", **{"continue": first["metadata"]["continue"]}).body
    assert names_of(first) + names_of(rest) == whole
    assert namespace in whole


def test_order_is_that_of_the_keys(cluster: Cluster, unique: str) -> None:
    short, long = unique, f"{unique}-a"
    for place in (long, short):
        cluster.admin.create("/api/v1/namespaces", {"metadata": {"name": place}})
        cluster.admin.create(f"/api/v1/namespaces/{place}/serviceaccounts", {"metadata": {"name": "app"}})
    items = cluster.admin.get("/api/v1/serviceaccounts").body["items"]
    places = [item["metadata"]["namespace"] for item in items]
    # "/" comes after "-".
    assert [place for place in places if place.startswith(unique)] == [long, short]


def test_metadata_only(cluster: Cluster, account: str, accounts: str) -> None:
    body = cluster.admin.get(accounts, accept=PARTIAL).body
    assert (body["kind"], body["apiVersion"]) == ("PartialObjectMetadataList", "meta.k8s.io/v1")
    (item,) = body["items"]
    assert set(item) == {"kind", "apiVersion", "metadata"}
    assert (item["kind"], item["metadata"]["name"]) == ("PartialObjectMetadata", "app")
    assert item["metadata"]["annotations"] == {"meta.helm.sh/release-name": "app"}


def test_metadata_in_pages(cluster: Cluster, accounts: str, five: list[str]) -> None:
    body = cluster.admin.get(accounts, accept=f"{PARTIAL},application/json", limit="1").body
    assert (body["kind"], names_of(body)) == ("PartialObjectMetadataList", five[:1])
    assert body["metadata"]["remainingItemCount"] == 4


def test_the_first_media_type_counts(cluster: Cluster, account: str, accounts: str) -> None:
    body = cluster.admin.get(accounts, accept=f"application/json,{PARTIAL}").body
    assert body["kind"] == "ServiceAccountList"
