"""A stage on the sandbox's own Kubernetes API alone: for what is the same on a real one, or has faults there.

A module imports the fixture that it wants.
"""

from pathlib import Path

import pytest

from irsa_cli.sandbox import Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.stage import Stage


@pytest.fixture(name="small")
def small_alone(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A cluster of the sandbox."""
    return sandbox_stage(sandbox, "demo", tmp_path)


@pytest.fixture(name="stage")
def stage_alone(sandbox: Sandbox, tmp_path: Path) -> Stage:
    """The same, as the stage of all tests of a module."""
    return sandbox_stage(sandbox, "demo", tmp_path)
