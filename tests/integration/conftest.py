"""What the tests of this folder that run irsa share: a cluster of the sandbox with a provider."""

from pathlib import Path

import pytest

from irsa_cli.sandbox import Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.stage import Stage


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """The cluster `demo`, associated; the log is empty."""
    made = sandbox_stage(sandbox, "demo", tmp_path)
    made.run("associate-oidc")
    sandbox.calls.clear()
    return made
