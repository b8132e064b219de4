"""One or two signals at any moment of a command's life, also while it is imported and while it ends.

What is struck is the interpreter's own main thread, at calls of functions that are counted: no time decides.
"""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from irsa_cli.sandbox import Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.stage import NO_LOCK, READ_ONLY, Stage

STRUCK = Path(__file__).parent.parent / "support" / "struck.py"
SIGNALS = (signal.SIGINT, signal.SIGTERM)
LISTENS = 60
"""By so many calls the entry point listens: what comes before is Python's own start."""
WHILE_IT_WRITES = (8_000, 2_000, 600)
AT_THE_END = (150, 30, 4)
"""So many calls before the last one: of a run that reads and writes, and when what is told is told."""


@pytest.fixture
def alone(sandbox: Sandbox, tmp_path: Path) -> Stage:
    made = sandbox_stage(sandbox, "demo", tmp_path)
    made.make_namespace("web")
    assert made.associate().code == 0
    return made


def run(stage: Stage, first: int, last: int, number: int, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, str(STRUCK), str(first), str(last), str(int(number)), *arguments]
    ended = subprocess.run(
        command, env={**stage.env(), **NO_LOCK}, capture_output=True, text=True, timeout=300, check=False
    )
    assert "Traceback" not in ended.stderr, (first, ended.stderr)
    assert "Exception ignored" not in ended.stderr, (first, ended.stderr)
    return ended.returncode, ended.stderr


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("last", [0, 40])
def test_what_writes_nothing(alone: Stage, number: int, last: int) -> None:
    _, err = run(alone, 0, 0, number, "version")
    total = int(err.splitlines()[-1])
    points = [LISTENS, total // 3, *(total - left for left in AT_THE_END)]
    found = {point: run(alone, point, last, number, "version")[0] for point in points}
    assert set(found.values()) <= {0, 128 + number}, found
    assert found[LISTENS] == 128 + number


@pytest.mark.parametrize(("number", "last"), [(signal.SIGINT, 0), (signal.SIGTERM, 40)])
def test_what_writes(alone: Stage, number: int, last: int) -> None:
    """The exit code tells what there is, whenever it was struck; twice, also that it was ended at once."""
    before = alone.world()
    create = ("create-sa", "app", "-n", "web", "-c", "demo", "--attach-policy-arn", READ_ONLY)
    delete = ("delete-sa", "app", "-n", "web", "-c", "demo", "-y", "-q")
    code, err = run(alone, 0, 0, number, *create)
    assert code == 0, err
    after, total = alone.world(), int(err.splitlines()[-1])
    for point in [total - left for left in (*WHILE_IT_WRITES, *AT_THE_END)]:
        assert alone.irsa(*delete, "--ignore-not-found").code == 0
        code, err = run(alone, point, last, number, *create)
        alone.sandbox.settle(120)
        if code in (-number, 3):
            assert alone.irsa("recover", "--all", "-y").code == 0
            assert set(alone.world()["roles"]) in (set(before["roles"]), set(after["roles"])), (point, err)
        elif code == 0:
            assert set(alone.world()["roles"]) == set(after["roles"]), (point, err)
        else:
            assert code == 128 + number, (point, code, err)
            assert alone.world() == before, (point, err)
