"""The `irsa` of a test's shell ends as irsa does that is started anew: streams, folder, exit code.

That signals reach it is tried by the examples that only a signal ends (`tests/docs/test_examples.py`).
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import forks

REAL = f"{sys.executable} -m irsa_cli"
ENV = {"PATH": os.environ["PATH"], "HOME": os.devnull, "PYTHONUTF8": "1"}


def run(text: str, program: str, folder: Path) -> tuple[int, str, str]:
    ended = subprocess.run(
        ["bash", "-c", text.replace("irsa ", f"{program} ")],
        cwd=folder,
        env={**ENV, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.parametrize(
    "text",
    [
        "irsa --version",
        "irsa no-such-command",
        "irsa lint - <<< '{}'",
        "echo '{\"a\": 1}' > file.json; irsa lint file.json",
        "irsa history 2>&1 | cat; exit ${PIPESTATUS[0]}",
    ],
)
def test_it_ends_as_irsa_does(text: str, tmp_path: Path) -> None:
    assert run(text, forks.irsa(), tmp_path) == run(text, REAL, tmp_path)
