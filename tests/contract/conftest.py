"""Fixtures of the contract tests: each test runs against the sandbox's API and a real server."""

from collections.abc import Iterator

import pytest

from tests.contract.asking import Asking
from tests.contract.clusters import Cluster, on_real_server, simulated
from tests.support.controlplane import Etcd


@pytest.fixture(scope="session")
def sandbox_cluster() -> Iterator[Cluster]:
    """The sandbox's Kubernetes API."""
    with simulated() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def real_cluster(etcd: Etcd) -> Iterator[Cluster]:
    """A real kube-apiserver; only asked for by tests marked e2e, which are skipped without binaries."""
    with on_real_server(etcd) as cluster:
        yield cluster


@pytest.fixture(params=["sandbox", pytest.param("real", marks=pytest.mark.e2e)])
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """Each of the two APIs that must agree."""
    found = request.getfixturevalue(f"{request.param}_cluster")
    assert isinstance(found, Cluster)
    return found


@pytest.fixture
def namespace(cluster: Cluster, unique: str) -> str:
    """A namespace of this test's own."""
    answer = cluster.admin.create("/api/v1/namespaces", {"metadata": {"name": unique}})
    assert answer.status == 201, answer.text
    return unique


@pytest.fixture
def accounts(namespace: str) -> str:
    """The path of the ServiceAccounts in this test's namespace."""
    return f"/api/v1/namespaces/{namespace}/serviceaccounts"


@pytest.fixture
def asking(cluster: Cluster, namespace: str) -> Asking:
    """The namespace with the ServiceAccount `app`, and requests to it."""
    return Asking(cluster, namespace)


@pytest.fixture
def account(asking: Asking) -> str:
    """The path of the ServiceAccount `app` as Helm would have made it."""
    return asking.words["app"]
