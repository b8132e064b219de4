"""What CONTRIBUTING.md says of a new room is enough: in a copy of the project, the checks take one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.support.edited_program import ROOT, put

ROOM = "irsa_cli/usecases/pricing"
ADDED = {
    f"{ROOM}/__init__.py": '"""What roles cost. It has no prices of its own: those are facts of AWS."""\n',
    f"{ROOM}/cost.py": '"""The price of a role."""\n\nfrom irsa_cli.core.values.arn import Arn as Arn\n',
}
EDITS: dict[str, Callable[[str], str]] = {
    "pyproject.toml": lambda text: put(
        text, '    "command",\n    "texts",', '    "command",\n    "pricing | texts",'
    ),
    "docs/explanation/architecture.md": lambda text: put(
        text, "| `texts` |", "| `pricing` | prices |\n| `texts` |"
    ),
}
CONTRACT = "The rooms of the use cases import in one direction"


def _wrong_imports(project: Path, configuration: str) -> str:
    """What import-linter has against the rooms of the use cases; '' if nothing."""
    (section,) = (part for part in configuration.split("[[tool.importlinter.contracts]]") if CONTRACT in part)
    head = '[tool.importlinter]\nroot_package = "irsa_cli"\n[[tool.importlinter.contracts]]'
    (project / "pyproject.toml").write_text(head + section.partition("\n[tool")[0])
    run = "from importlinter.cli import lint_imports_command as run; run(['--no-cache'])"
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(project)}
    done = subprocess.run(
        [sys.executable, "-c", run], cwd=project, env=env, capture_output=True, text=True, check=False
    )
    return f"{done.stdout}{done.stderr}" if done.returncode else ""


def test_a_room_is_added_by_the_files_that_are_listed_and_no_others(tmp_path: Path) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    listed = re.search(r"^## A new room\n(.*?)^## ", text, re.M | re.S)
    assert listed is not None
    first, *others = re.findall(r"(?m)^\d\. `([\w/….]+)`", listed[1])
    assert first.replace("…", "pricing") == f"{ROOM}/__init__.py"
    assert others == list(EDITS)
    shutil.copytree(ROOT / "irsa_cli", tmp_path / "irsa_cli", ignore=shutil.ignore_patterns("__pycache__"))
    for name, content in ADDED.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    before = {name: (ROOT / name).read_text(encoding="utf-8") for name in EDITS}
    after = {name: edit(before[name]) for name, edit in EDITS.items()}
    assert "pricing" in _wrong_imports(tmp_path, before["pyproject.toml"])
    assert _wrong_imports(tmp_path, after["pyproject.toml"]) == ""
