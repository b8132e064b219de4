"""Events, and the fieldSelector that picks some of them: alike in the sandbox and on a real server."""

from __future__ import annotations

import pytest

from tests.contract.clusters import Cluster
from tests.contract.statuses import assert_refused
from tests.support.kubeclient import Json


@pytest.fixture
def events(cluster: Cluster, namespace: str) -> str:
    """The path of the events in a namespace in which three things were told."""
    path = f"/api/v1/namespaces/{namespace}/events"
    for name, kind, reason in (
        ("web.1", "ReplicaSet", "FailedCreate"),
        ("web.2", "ReplicaSet", "SuccessfulCreate"),
        ("once.1", "Job", "FailedCreate"),
    ):
        assert cluster.admin.create(path, event(namespace, name, kind, reason)).status == 201
    return path


def event(namespace: str, name: str, kind: str, reason: str) -> Json:
    about = {"kind": kind, "name": name.partition(".")[0], "namespace": namespace, "apiVersion": "apps/v1"}
    return {
        "metadata": {"name": name},
        "involvedObject": about,
        "reason": reason,
        "message": "Error creating: it was refused",
        "type": "Warning",
        "count": 3,
        "source": {"component": "replicaset-controller"},
        "firstTimestamp": "2026-11-01T10:00:00Z",
        "lastTimestamp": "2026-11-01T10:05:00Z",
    }


def names(body: Json) -> list[str]:
    return [item["metadata"]["name"] for item in body["items"]]


def test_what_was_told_is_answered(cluster: Cluster, namespace: str, events: str) -> None:
    body = cluster.admin.get(f"{events}/web.1").body
    wanted = event(namespace, "web.1", "ReplicaSet", "FailedCreate")
    assert {key: body[key] for key in wanted if key != "metadata"} == {
        key: value for key, value in wanted.items() if key != "metadata"
    }


@pytest.mark.parametrize(
    ("selector", "wanted"),
    [
        ("reason=FailedCreate", ["once.1", "web.1"]),
        ("reason==FailedCreate,involvedObject.kind=ReplicaSet", ["web.1"]),
        ("reason!=FailedCreate", ["web.2"]),
        ("involvedObject.name=web", ["web.1", "web.2"]),
        ("source=replicaset-controller", ["once.1", "web.1", "web.2"]),
        ("metadata.name=web.2", ["web.2"]),
        ("reason=Other", []),
    ],
)
def test_a_field_selector_picks_some(cluster: Cluster, events: str, selector: str, wanted: list[str]) -> None:
    assert names(cluster.admin.get(events, fieldSelector=selector).body) == wanted


def test_a_field_selector_goes_with_pages(cluster: Cluster, events: str) -> None:
    found: list[str] = []
    more: dict[str, str] = {}
    while True:
        body = cluster.admin.get(events, fieldSelector="reason=FailedCreate", limit="1", **more).body
        assert "remainingItemCount" not in body["metadata"]
        found += names(body)
        if "continue" not in body["metadata"]:
            break
        more = {"continue": body["metadata"]["continue"]}
    assert found == ["once.1", "web.1"]


def test_fields_that_can_not_be_selected_by(cluster: Cluster, events: str) -> None:
    answer = cluster.admin.get(events, fieldSelector="message=x")
    assert_refused(answer, 400, "BadRequest")
    assert "field label not supported: message" in answer.body["message"]
