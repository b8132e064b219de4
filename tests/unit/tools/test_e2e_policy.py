"""tests.support.e2e_policy: e2e tests run, or are seen not to run, and fail the run when required."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HEALTH = "tests/contract/test_wire.py"


def run_pytest(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the health tests of both APIs where there is no real one."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "health", HEALTH]
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "IRSA_"))}
    return subprocess.run(
        [*command, *arguments],
        cwd=ROOT,
        env={**inherited, "KUBEBUILDER_ASSETS": str(ROOT / "docs"), **env},
        capture_output=True,
        text=True,
        check=False,
    )


def test_not_run_is_not_a_failure_but_said_loudly() -> None:
    ended = run_pytest()
    assert ended.returncode == 0, ended.stdout
    assert "3 passed, 3 skipped" in ended.stdout
    assert "e2e: NOT RUN: 3 tests" in ended.stdout


def test_required_ends_the_run_before_any_test() -> None:
    ended = run_pytest(IRSA_E2E="required")
    assert ended.returncode == 4
    assert "passed" not in ended.stdout
    assert "e2e tests are required" in ended.stderr
