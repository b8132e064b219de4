"""The fixtures that several folders of tests share: one sandbox for a process, one real control plane.

A pytest plugin, loaded by tests/conftest.py. moto keeps its state in module globals, so there is one
sandbox in each test process, and each test gets it as it was after its start.
"""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from irsa_cli.changes import trust_statement
from irsa_cli.core.values import limits
from irsa_cli.sandbox import ClusterSpec, ExternalCluster, Sandbox
from irsa_cli.transaction import rollback
from tests.faults.zygote import OVERLAP_SECONDS, PROPAGATION_SECONDS, RETRY_SECONDS, late_seconds
from tests.support.assets import find_assets
from tests.support.controlplane import ControlPlane, Etcd
from tests.support.podwebhook import pod_webhook


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[Sandbox]:
    """The sandbox of this test process, with one cluster, `demo`."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running_sandbox: Sandbox) -> Sandbox:
    """The sandbox as it was after its start."""
    running_sandbox.reset()
    return running_sandbox


@dataclass(frozen=True)
class RealCluster:
    """A real control plane, and what makes the sandbox's EKS name it."""

    control_plane: ControlPlane
    spec: ClusterSpec


@pytest.fixture(scope="session")
def etcd() -> Iterator[Etcd]:
    """One etcd for all API servers of this test process."""
    assets = find_assets()
    assert assets is not None
    with Etcd(assets) as running:
        yield running


@pytest.fixture(scope="session")
def real(running_sandbox: Sandbox, etcd: Etcd) -> Iterator[RealCluster]:
    """A real control plane with EKS's webhook for pods, known to EKS as `real` in eu-west-1."""
    with (
        real_cluster(running_sandbox, etcd, "real", "eu-west-1") as cluster,
        pod_webhook(cluster.control_plane.admin, "eu-west-1", _associations(running_sandbox, "real")),
    ):
        yield cluster


def _associations(sandbox: Sandbox, cluster: str) -> Callable[[str, str], bool]:
    """Which ServiceAccounts have an EKS Pod Identity association; none while EKS knows no such cluster."""

    def associated(namespace: str, name: str) -> bool:
        try:
            return sandbox.associated(cluster, namespace, name)
        except KeyError:
            return False

    return associated


class real_cluster:  # noqa: N801 - used like a function
    """A real control plane whose callers are authenticated by the sandbox, for a `with` block."""

    def __init__(
        self, sandbox: Sandbox, etcd: Etcd, name: str, region: str, *, elliptic: bool = False
    ) -> None:
        assets = find_assets()
        assert assets is not None
        self._name, self._region = name, region
        review = f"{sandbox.control_url}/token-review/{name}"
        self._plane = ControlPlane(assets, etcd, region=region, token_review_url=review, elliptic=elliptic)

    def __enter__(self) -> RealCluster:
        plane = self._plane.__enter__()
        external = ExternalCluster(plane.endpoint, plane.ca_pem, plane.issuer, plane.jwks)
        return RealCluster(plane, ClusterSpec(self._name, self._region, external=external))

    def __exit__(self, *_: object) -> None:
        self._plane.__exit__(None, None, None)


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs in this process repeats calls, and waits for IAM, no longer than runs of the zygote do."""
    monkeypatch.setattr(limits, "PROPAGATION_SECONDS", PROPAGATION_SECONDS)
    monkeypatch.setattr(limits, "OVERLAP_SECONDS", OVERLAP_SECONDS)
    monkeypatch.setattr(limits, "RETRY_SECONDS", RETRY_SECONDS)
    monkeypatch.setattr(rollback, "late_seconds", late_seconds)
    monkeypatch.setattr(trust_statement, "late_seconds", late_seconds)


@pytest.fixture
def unique() -> str:
    """A name that no other test uses."""
    return f"t-{uuid.uuid4().hex[:12]}"
