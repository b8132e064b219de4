"""Recipes of CONTRIBUTING.md, followed in a copy of the project: their files, and the tests they concern.

A recipe is right if the suite is green after somebody has followed it. The program alone, with
some edits, is in `tests.support.edited_program`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.rooms import concerned
from tests.support.edited_program import ROOT, Edits

FOLDERS = ("irsa_cli", "tests", "tools", "docs", "man", "benchmarks", "ci", "examples", "templates", "deploy")
FILES = (
    "*.md",
    "*.toml",
    "*.txt",
    "*.yml",
    "Makefile",
    "LICENSE",
    "hatch_build.py",
    "requirements.lock",
    "Containerfile",
)
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "bin", ".*")


def files_of(recipe: str) -> list[str]:
    """The files that the numbered steps of a recipe name, in their order."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {recipe}\n(.*?)^## ", text, re.M | re.S)
    assert section is not None, recipe
    steps = re.findall(r"(?ms)^\d\. (.*?)(?=^\d\. |^\n|\Z)", section[1])
    return [name for step in steps for name in re.findall(r"`([\w/….-]+\.(?:py|json|md|toml|txt))`", step)]


def followed(to: Path, edits: Edits) -> Path:
    """A copy of the project with these edits, by the path of each file."""
    for folder in FOLDERS:
        if (ROOT / folder).exists():
            shutil.copytree(ROOT / folder, to / folder, ignore=_LEFT_OUT)
    for pattern in FILES:
        for path in ROOT.glob(pattern):
            shutil.copy(path, to / path.name)
    for name, edit in edits.items():
        path = to / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(edit(path.read_text(encoding="utf-8") if path.exists() else ""), encoding="utf-8")
    return to


def generate(project: Path, *tools: str) -> None:
    """Run generators of pages in the copy."""
    for tool in tools:
        run(project, [f"tools/docs/{tool}.py"])


def unit_tests(*rooms: str) -> list[str]:
    """The folders of unit tests of rooms, as `make room` has them."""
    found = (path for room in rooms for path in concerned(room) if path.is_dir())
    return [path.relative_to(ROOT).as_posix() for path in found]


def run_tests(project: Path, *modules: str) -> None:
    """Run tests in the copy, without those of recipes: all have to pass."""
    options = ["-m", "pytest", "-q", "--maxfail=5", "-p", "no:cacheprovider", "--ignore-glob=*test_adding_*"]
    run(project, [*options, *modules])


def run(project: Path, words: Iterable[str]) -> str:
    """Run Python in the copy and return its output; it has to succeed."""
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "IRSA_"))
    }
    environment.update(PYTHONPATH=str(project), IRSA_TEST_PROFILE="brief")
    ended = subprocess.run(
        [sys.executable, *words],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, f"{ended.stdout[-6000:]}{ended.stderr[-2000:]}"
    return ended.stdout
