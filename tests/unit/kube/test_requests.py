"""One call to Kubernetes as a value: its path, and what it refuses to be."""

import posixpath
from urllib.parse import unquote

import pytest
import urllib3
from hypothesis import example, given
from hypothesis import strategies as st

from irsa_cli.core.values.errors import Outcome, ServiceError
from irsa_cli.kube.calls import Request
from irsa_cli.kube.client import Listable


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        (Request("get namespaces", "", "apps"), "/api/v1/namespaces/apps"),
        (Request("list serviceaccounts"), "/api/v1/serviceaccounts"),
        (Request("list serviceaccounts", "apps"), "/api/v1/namespaces/apps/serviceaccounts"),
        (
            Request("create serviceaccounts/token", "apps", "reader"),
            "/api/v1/namespaces/apps/serviceaccounts/reader/token",
        ),
        (Request("get /version", address="/version"), "/version"),
    ],
)
def test_the_path(request_: Request, path: str) -> None:
    assert request_.path == path


@pytest.mark.parametrize("verb", ["get", "update", "patch", "delete"])
def test_nothing_is_about_all_objects_for_want_of_a_name(verb: str) -> None:
    with pytest.raises(ServiceError, match="there is no name"):
        Request(f"{verb} serviceaccounts", "apps")
    with pytest.raises(ServiceError, match="there is no namespace"):
        Request(f"{verb} serviceaccounts", "", "reader")


VERBS = st.sampled_from(["get", "list", "create", "update", "patch", "delete"])


@given(VERBS, st.sampled_from(["serviceaccounts", "leases", "pods/log"]), st.text(), st.text())
@example("get", "serviceaccounts", "backend", "..")
@example("get", "serviceaccounts", "..", "app")
@example("get", "serviceaccounts", "backend", "%2e%2e")
@example("get", "leases", "backend", "a/../../b")
@example("list", "serviceaccounts", ".", "")
def test_a_name_stays_in_its_place(verb: str, resource: str, namespace: str, name: str) -> None:
    """Whatever it is: the client and any proxy resolve the path to the same segments, or nothing is sent."""
    refused: list[ServiceError] = []
    try:
        path = Request(f"{verb} {resource}", namespace, name).path
    except ServiceError as error:
        refused.append(error)
    if refused:
        assert [(error.code, error.outcome) for error in refused] == [("InvalidName", Outcome.NOT_SENT)]
        return
    kind, _, part = resource.partition("/")
    base = ["apis", "coordination.k8s.io", "v1"] if kind == "leases" else ["api", "v1"]
    place = ["namespaces", namespace] if namespace else []
    expected = [*base, *place, kind, *filter(None, (name, part))]
    resolved = posixpath.normpath(urllib3.util.parse_url(f"https://host{path}").path or "")
    assert [unquote(segment) for segment in resolved.split("/")[1:]] == expected


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "%2f"])
def test_the_contents_of_a_namespace_are_of_that_namespace(name: str) -> None:
    with pytest.raises(ServiceError, match="was not sent"):
        Listable("apps", "v1", "deployments", "Deployment").path(name)
