"""A copy of the program with a few files edited, for tests of what CONTRIBUTING.md says of additions."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import irsa_cli

PROGRAM = Path(irsa_cli.__file__).parent
ROOT = PROGRAM.parent
Edits = Mapping[str, Callable[[str], str]]
"""What becomes of the text of each file; a new one begins with ''."""


def put(text: str, before: str, instead: str) -> str:
    """The text with something instead of what stands in it once."""
    assert text.count(before) == 1, before
    return text.replace(before, instead)


def edited(to: Path, edits: Edits) -> Path:
    """The program with these edits, in a folder to import it from: links wherever nothing is edited."""
    folders = {folder for name in edits for folder in Path(name).parents}
    for folder in sorted(folders):
        (to / "irsa_cli" / folder).mkdir(parents=True, exist_ok=True)
        for path in (PROGRAM / folder).iterdir():
            inside = path.relative_to(PROGRAM)
            if inside not in folders and str(inside) not in edits and path.name != "__pycache__":
                (to / "irsa_cli" / inside).symlink_to(path)
    for name, edit in edits.items():
        there = PROGRAM / name
        (to / "irsa_cli" / name).write_text(edit(there.read_text() if there.exists() else ""))
    return to


def run_in(folder: Path, script: str, *arguments: str, call_timeout: float = 30.0) -> None:
    """Run a script on the program of that folder; what it asserts has to hold."""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{folder}:{ROOT}",
            "IRSA_CALL_TIMEOUT": str(call_timeout),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
