"""How a run ended is told by its exit code, whether or not its output can be written."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.stage import READ_ONLY, Stage

FULL = Path("/dev/full")

pytestmark = [
    pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full"),
    pytest.mark.parametrize("stage", ["sandbox"], indirect=True),
]


def unshown(stage: Stage, line: str) -> tuple[int, bool]:
    """The exit code of a run whose output has no room, and whether it says so."""
    command = [sys.executable, "-m", "irsa_cli", *line.split(), "-c", stage.cluster, "-q"]
    with FULL.open("w") as full:
        ran = subprocess.run(
            command, env=stage.env(), stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60
        )
    return ran.returncode, "cannot write the output: No space left on device" in ran.stderr


def test_what_is_done_is_done_though_nobody_can_read_of_it(stage: Stage, namespace: str) -> None:
    stage.run("associate-oidc")
    create = f"create-sa app -n {namespace} --attach-policy-arn {READ_ONLY}"
    assert unshown(stage, f"{create} --dry-run") == (1, True)
    assert stage.account(namespace, "app") is None
    for line, code in {
        create: 0,
        f"update-sa app -n {namespace} --tags a=b": 0,
        f"create-sa app -n {namespace} --no-policy -o json": 4,
        "get-sa -A": 1,
    }.items():
        assert unshown(stage, line) == (code, True), line
    assert stage.role_of(namespace, "app")["attached"] == [READ_ONLY]
    command = [sys.executable, "-m", "irsa_cli", "get-sa", "-c", stage.cluster]
    closed = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
    ran = subprocess.run(closed, env=stage.env(), stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    assert ran.returncode == 1
    assert ran.stderr.endswith("Error: cannot write the output: Bad file descriptor\n")
