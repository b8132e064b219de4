"""Fixtures of the e2e tests: the real control plane as an EKS cluster of the sandbox.

Everything in this folder is marked `e2e`; see tests.support.e2e_policy for when it runs, and
tests.support.fixtures for what is started once.
"""

from collections.abc import Iterator

import pytest

from irsa_cli.sandbox import Sandbox
from tests.support.controlplane import ControlPlane
from tests.support.fixtures import RealCluster
from tests.support.intruder import Stage


@pytest.fixture
def control_plane(real: RealCluster, sandbox: Sandbox) -> ControlPlane:
    """The real API server, with a fresh AWS account around it, as the EKS cluster `real`."""
    sandbox.add_cluster(real.spec)
    return real.control_plane


@pytest.fixture
def namespace(control_plane: ControlPlane, unique: str) -> str:
    """A namespace of this test's own on the real cluster."""
    answer = control_plane.admin.create("/api/v1/namespaces", {"metadata": {"name": unique}})
    assert answer.status == 201, answer.text
    return unique


@pytest.fixture
def rbac_stage(control_plane: ControlPlane, sandbox: Sandbox, unique: str) -> Iterator[Stage]:
    """Lets somebody have the RBAC of a shipped file on the real cluster."""
    stage = Stage(control_plane, sandbox, unique)
    yield stage
    stage.leave()
