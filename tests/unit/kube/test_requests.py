"""One call to Kubernetes as a value: its path, and what it refuses to be."""

import pytest

from irsa_cli.kube.calls import Request


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
        (
            Request("delete leases", "apps", "a/b"),
            "/apis/coordination.k8s.io/v1/namespaces/apps/leases/a%2Fb",
        ),
        (Request("get /version", address="/version"), "/version"),
    ],
)
def test_the_path(request_: Request, path: str) -> None:
    assert request_.path == path


@pytest.mark.parametrize("verb", ["get", "update", "patch", "delete"])
def test_nothing_is_about_all_objects_for_want_of_a_name(verb: str) -> None:
    with pytest.raises(ValueError, match="needs a name"):
        _ = Request(f"{verb} serviceaccounts", "apps").path
