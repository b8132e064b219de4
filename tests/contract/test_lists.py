"""Lists: of all namespaces, in pages, by labels and fields, and as metadata only; events and discovery."""

import pytest

from irsa_cli.sandbox.kube.kinds import KINDS
from tests.contract.asking import Asking, Row, alike, rows
from tests.contract.clusters import Cluster
from tests.support.kubeclient import Json

PARTIAL = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def names_of(body: Json) -> list[str]:
    return [item["metadata"]["name"] for item in body["items"]]


def pages(cluster: Cluster, path: str, limit: str, **query: str) -> list[Json]:
    """All pages of a list."""
    found = [cluster.admin.get(path, limit=limit, **query).body]
    while more := found[-1]["metadata"].get("continue"):
        found.append(cluster.admin.get(path, limit=limit, **{"continue": more}, **query).body)
    return found


@pytest.fixture
def five(cluster: Cluster, accounts: str) -> list[str]:
    """The names of five ServiceAccounts, in the order of the list."""
    names = [f"app-{number}" for number in range(5)]
    for name in names:
        assert cluster.admin.create(accounts, {"metadata": {"name": name}}).status == 201
    return names


def test_pages(cluster: Cluster, accounts: str, five: list[str]) -> None:
    found = pages(cluster, accounts, "2")
    assert [names_of(body) for body in found] == [five[:2], five[2:4], five[4:]]
    assert [body["metadata"].get("remainingItemCount", 0) for body in found] == [3, 1, 0]
    assert len({body["metadata"]["resourceVersion"] for body in found}) == 1


@pytest.mark.parametrize("limit", ["5", "500", "0", "-1"])
def test_limits_that_do_not_bind(cluster: Cluster, accounts: str, five: list[str], limit: str) -> None:
    body = cluster.admin.get(accounts, limit=limit).body
    assert (names_of(body), set(body["metadata"])) == (five, {"resourceVersion"})


def test_all_namespaces_in_pages(cluster: Cluster, namespace: str, five: list[str]) -> None:
    items = [
        item["metadata"] for body in pages(cluster, "/api/v1/serviceaccounts", "3") for item in body["items"]
    ]
    places = [item["namespace"] for item in items]
    assert places == sorted(places, key=lambda place: f"{place}/")
    assert [item["name"] for item in items if item["namespace"] == namespace] == five


def test_the_rest_comes_without_a_limit(cluster: Cluster, namespace: str) -> None:
    whole = names_of(cluster.admin.get("/api/v1/namespaces").body)
    first = cluster.admin.get("/api/v1/namespaces", limit="1").body
    assert first["metadata"]["remainingItemCount"] == len(whole) - 1
    rest = cluster.admin.get("/api/v1/namespaces", **{"continue": first["metadata"]["continue"]}).body
    assert names_of(first) + names_of(rest) == whole
    assert namespace in whole
    assert "continue" not in rest["metadata"]


def test_order_is_that_of_the_keys(cluster: Cluster, unique: str) -> None:
    short, long = unique, f"{unique}-a"
    for place in (long, short):
        cluster.admin.create("/api/v1/namespaces", {"metadata": {"name": place}})
        cluster.admin.create(f"/api/v1/namespaces/{place}/serviceaccounts", {"metadata": {"name": "app"}})
    items = cluster.admin.get("/api/v1/serviceaccounts").body["items"]
    places = [item["metadata"]["namespace"] for item in items]
    # "/" comes after "-".
    assert [place for place in places if place.startswith(unique)] == [long, short]


def lease(name: str, labels: str = "") -> str:
    """A Lease with labels is made."""
    return f"POST $leases {{metadata: {{name: {name}, labels: {{{labels}}}}}}}"


@rows(
    *alike(
        "a bad query",
        "GET $accounts?<>",
        "400 BadRequest",
        *("limit=x", "limit=", "limit=1&continue=rubbish"),
    ),
    Row(
        "metadata only",
        "GET $accounts",
        "200",
        options={"accept": PARTIAL},
        shows="{kind: PartialObjectMetadataList, apiVersion: meta.k8s.io/v1, items: [{kind:"
        " PartialObjectMetadata,"
        " metadata: {name: app, annotations: {meta.helm.sh/release-name: app}}, secrets: null}]}",
    ),
    Row(
        "metadata in pages",
        "GET $accounts?limit=1",
        "200",
        given="POST $accounts {metadata: {name: b}}",
        options={"accept": f"{PARTIAL},application/json"},
        shows="{kind: PartialObjectMetadataList, items: [{metadata: {name: app}}],"
        " metadata: {remainingItemCount: 1}}",
    ),
    Row(
        "the first media type counts",
        "GET $accounts",
        "200",
        options={"accept": f"application/json,{PARTIAL}"},
        shows="kind: ServiceAccountList",
    ),
    *alike(
        "no selector",
        "GET $leases?labelSelector=<>",
        "400 BadRequest",
        *("z+in", "a+b", "=", "%2C", "z=2%2C"),
    ),
    *alike(
        "no selector either",
        "GET $leases?labelSelector=<>",
        "400 BadRequest",
        *("z=2=3", "Z_!=a", "z=a+b", "a//b"),
    ),
    Row(
        "labels go with pages",
        "GET $leases?labelSelector=odd=0&limit=2",
        "200",
        given=[lease(name, f"odd: '{number % 2}'") for number, name in enumerate("abcde")],
        shows="{items: [{metadata: {name: a}}, {metadata: {name: c}}], metadata: {remainingItemCount: null}}",
    ),
    Row(
        "a field that can't be selected by",
        "GET $spaces/$ns/events?fieldSelector=message=x",
        "400 BadRequest",
        "...field label not supported: message",
    ),
    *alike(
        "discovery is for who is known",
        "GET <>",
        "200",
        "/api",
        "/apis",
        by="user",
        options={"accept": DISCOVERY},
    ),
    *alike(
        "discovery is not for everybody",
        "GET <>",
        "403 Forbidden",
        *("/api", "/apis"),
        says='forbidden: User "system:anonymous" cannot get path "<>"',
        by="nobody",
    ),
)
def test_lists(asking: Asking, row: Row) -> None:
    row.play(asking)


@pytest.fixture
def leases(asking: Asking) -> str:
    """The path of three Leases with labels."""
    for line in (lease("a", "kind: binding, x/y: '1'"), lease("b", "kind: binding, x/y: '2'"), lease("c")):
        asking.ask(line)
    return asking.words["leases"]


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("", "abc"),
        ("kind=binding", "ab"),
        ("kind==binding", "ab"),
        ("kind!=binding", "c"),
        (" kind = binding , x/y = 1 ", "a"),
        ("kind=binding,x/y!=1", "b"),
        ("kind", "ab"),
        ("!kind", "c"),
        ("x/y in (1, 2)", "ab"),
        ("x/y notin (1)", "bc"),
        ("x/y in (1,2),kind", "ab"),
        ("x/y=", ""),
        ("other", ""),
        ("inn", ""),
    ],
)
def test_labels(cluster: Cluster, leases: str, selector: str, names: str) -> None:
    assert names_of(cluster.admin.get(leases, labelSelector=selector).body) == list(names)


EVENT = (
    "POST $spaces/$ns/events {metadata: {name: <>}, involvedObject: {kind: <kind>, name: <object>,"
    " namespace: $ns,"
    " apiVersion: apps/v1}, reason: <reason>, message: it was refused, type: Warning, count: 3, source:"
    " {component: replicaset-controller}, firstTimestamp: '2026-11-01T10:00:00Z', lastTimestamp:"
    " '2026-11-01T10:05:00Z'}"
)


@pytest.fixture
def events(asking: Asking) -> str:
    """The path of the events in a namespace in which three things were told."""
    for words in ("web.1 ReplicaSet FailedCreate", "web.2 ReplicaSet Created", "once.1 Job FailedCreate"):
        name, kind, reason = words.split()
        line = EVENT.replace("<>", name).replace("<kind>", kind).replace("<reason>", reason)
        asking.ask(line.replace("<object>", name.partition(".")[0]))
    return asking.text("$spaces/$ns/events")


def test_an_event_is_answered(cluster: Cluster, events: str) -> None:
    body = cluster.admin.get(f"{events}/web.2").body
    assert (body["reason"], body["count"], body["type"]) == ("Created", 3, "Warning")
    assert (body["involvedObject"]["name"], body["lastTimestamp"]) == ("web", "2026-11-01T10:05:00Z")
    assert body["source"] == {"component": "replicaset-controller"}


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("reason=FailedCreate", "once.1 web.1"),
        ("reason==FailedCreate,involvedObject.kind=ReplicaSet", "web.1"),
        ("reason!=FailedCreate", "web.2"),
        ("involvedObject.name=web", "web.1 web.2"),
        ("source=replicaset-controller", "once.1 web.1 web.2"),
        ("metadata.name=web.2", "web.2"),
        ("reason=Other", ""),
    ],
)
def test_fields(cluster: Cluster, events: str, selector: str, names: str) -> None:
    assert names_of(cluster.admin.get(events, fieldSelector=selector).body) == names.split()


def test_fields_go_with_pages(cluster: Cluster, events: str) -> None:
    found = pages(cluster, events, "1", fieldSelector="reason=FailedCreate")
    assert [name for body in found for name in names_of(body)] == ["once.1", "web.1"]
    assert not any("remainingItemCount" in body["metadata"] for body in found)


def groups(cluster: Cluster, path: str) -> dict[str, Json]:
    """The aggregated document's groups by name, each with its version v1."""
    body = cluster.admin.get(path, accept=f"{DISCOVERY},application/json").body
    assert (body["kind"], body["apiVersion"]) == ("APIGroupDiscoveryList", "apidiscovery.k8s.io/v2")
    return {
        group["metadata"].get("name", ""): version
        for group in body["items"]
        for version in group["versions"]
        if version["version"] == "v1"
    }


@pytest.mark.parametrize(("group", "resource"), KINDS)
def test_discovery(cluster: Cluster, group: str, resource: str) -> None:
    version = groups(cluster, "/apis" if group else "/api")[group]
    assert version["freshness"] == "Current"
    (entry,) = [item for item in version["resources"] if item["resource"] == resource]
    kind = KINDS[group, resource]
    assert entry["responseKind"]["kind"] == kind.kind
    assert entry["scope"] == ("Namespaced" if kind.namespaced else "Cluster")
    assert entry["singularResource"] == kind.singular
    verbs = {"create", "delete", "get", "list", "patch", "update"}
    assert set(entry["verbs"]) >= verbs
    assert entry.get("shortNames", []) == list(kind.short_names)
    parts = {item["subresource"] for item in entry.get("subresources", [])}
    assert {"serviceaccounts": {"token"}, "pods": {"status"}}.get(resource, set()) <= parts
