"""How a run ended is told by its exit code, whether or not its output can be written."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.stage import READ_ONLY, Stage

FULL = Path("/dev/full")

pytestmark = pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")


def unshown(stage: Stage, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "irsa_cli", *arguments, "-c", stage.cluster, "-q"]
    with FULL.open("w") as full:
        return subprocess.run(
            command, env=stage.env(), stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60
        )


def test_what_is_done_is_done_though_nobody_can_read_of_it(stage: Stage, namespace: str) -> None:
    assert stage.associate().code == 0
    desired = ("create-sa", "app", "-n", namespace, "--attach-policy-arn", READ_ONLY)
    assert unshown(stage, *desired, "--dry-run").returncode == 1
    assert stage.account(namespace, "app") is None
    differs = (*desired[:4], "--no-policy", "-o", "json")
    for arguments, code in ((desired, 0), (("update-sa", *desired[1:4], "--tags", "a=b"), 0), (differs, 4)):
        ran = unshown(stage, *arguments)
        assert ran.returncode == code, ran.stderr
        assert "cannot write the output: No space left on device" in ran.stderr
    assert stage.role_of(namespace, "app")["attached"] == [READ_ONLY]
    assert unshown(stage, "get-sa", "-A").returncode == 1
    line = [sys.executable, "-m", "irsa_cli", "get-sa", "-c", stage.cluster]
    closed = ["sh", "-c", 'exec "$@" >&-', "sh", *line]
    ran = subprocess.run(closed, env=stage.env(), stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    assert ran.returncode == 1
    assert ran.stderr.endswith("Error: cannot write the output: Bad file descriptor\n")
