"""Requests that are wrong before anything is looked up: bodies, media types, paths, methods."""

import pytest

from tests.contract.clusters import Cluster
from tests.contract.statuses import assert_refused

NAMESPACES = "/api/v1/namespaces"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"'])
def test_body_that_is_no_object(cluster: Cluster, body: bytes) -> None:
    answer = cluster.admin.create(NAMESPACES, body)
    assert_refused(answer, 400, "BadRequest")


def test_media_type_that_is_no_json(cluster: Cluster) -> None:
    answer = cluster.admin.request("POST", NAMESPACES, b"{}", content_type="text/plain")
    assert_refused(answer, 415, "UnsupportedMediaType")
    start = (
        "the body of the request was in an unknown format - accepted media types include: application/json"
    )
    assert answer.body["message"].startswith(start)


def test_body_over_three_mebibytes(cluster: Cluster) -> None:
    body = {"metadata": {"name": "x", "annotations": {"a": "v" * 3 * 1024 * 1024}}}
    answer = cluster.admin.create(NAMESPACES, body)
    message = "Request entity too large: limit is 3145728"
    assert_refused(answer, 413, "RequestEntityTooLarge", message)


@pytest.mark.parametrize("path", ["/api/v1/widgets", "/api/v1/namespaces/default/widgets/x"])
def test_resource_that_is_not_served(cluster: Cluster, path: str) -> None:
    answer = cluster.admin.get(path)
    message = "the server could not find the requested resource"
    assert_refused(answer, 404, "NotFound", message)


@pytest.mark.parametrize("path", ["/nowhere", "/apis/example.com/v1/widgets"])
def test_path_that_is_not_served(cluster: Cluster, path: str) -> None:
    answer = cluster.admin.get(path)
    assert (answer.status, answer.text) == (404, "404 page not found\n")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/namespaces/default"),
        ("POST", "/api/v1/namespaces/default/serviceaccounts/x"),
        ("PATCH", "/api/v1/namespaces"),
        ("PATCH", "/api/v1/namespaces/default/serviceaccounts"),
        ("POST", "/api/v1/serviceaccounts"),
        ("DELETE", "/api/v1/namespaces"),
    ],
)
def test_method_that_is_not_served(cluster: Cluster, method: str, path: str) -> None:
    answer = cluster.admin.request(method, path, {}, content_type="application/merge-patch+json")
    message = "the server does not allow this method on the requested resource"
    assert_refused(answer, 405, "MethodNotAllowed", message)


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
def test_health(cluster: Cluster, path: str) -> None:
    answer = cluster.connect(None).get(path)
    assert (answer.status, answer.text) == (200, "ok")
