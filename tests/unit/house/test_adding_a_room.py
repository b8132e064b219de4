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

ROOM = "irsa_cli/core/pricing"
ADDED = {
    f"{ROOM}/__init__.py": '"""What roles cost. It has no prices of its own: those are facts of AWS."""\n',
    f"{ROOM}/cost.py": '"""The price of a role."""\n\nfrom irsa_cli.core.values.arn import Arn as Arn\n',
    "tests/unit/pricing/__init__.py": "",
}
EDITS: dict[str, Callable[[str], str]] = {
    "pyproject.toml": lambda text: put(
        text, '    "policies",\n    "values",', '    "policies | pricing",\n    "values",'
    ),
    "tests/unit/house/test_ratchet.py": lambda text: put(
        text, '    "irsa_cli.core.rbac": ', '    "irsa_cli.core.pricing": (4, 2),\n    "irsa_cli.core.rbac": '
    ),
    "docs/explanation/architecture.md": lambda text: put(
        text, "| `plan` |", "| `pricing` | prices |\n| `plan` |"
    ),
}
CHECKED = ("test_layout.py", "test_ratchet.py")


def _copied(to: Path) -> Path:
    """The project as far as the checks read it."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("irsa_cli", "tests/unit/house", "tests/support", "tools/house", "docs"):
        shutil.copytree(ROOT / name, to / name, ignore=ignored)
    for path in (ROOT / "tests" / "unit").glob("*/__init__.py"):
        (to / path.relative_to(ROOT)).parent.mkdir(exist_ok=True)
        shutil.copy(path, to / path.relative_to(ROOT))
    for name in (
        "tests/__init__.py",
        "tests/unit/__init__.py",
        "pyproject.toml",
        "CONTRIBUTING.md",
        "SECURITY.md",
    ):
        shutil.copy(ROOT / name, to / name)
    return to


def _failed(project: Path, *command: str) -> str:
    """What a command prints that fails there; '' if it succeeds."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(project)}
    done = subprocess.run(
        [sys.executable, *command], cwd=project, env=env, capture_output=True, text=True, check=False
    )
    return f"{done.stdout}{done.stderr}" if done.returncode else ""


def _imports(project: Path) -> str:
    return _failed(project, "-c", "from importlinter.cli import lint_imports_command as run; run([])")


def _house(project: Path) -> list[str]:
    """The names of the checks of the house that fail."""
    tests = [f"tests/unit/house/{name}" for name in CHECKED]
    ran = _failed(project, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", *tests)
    return re.findall(r"FAILED \S+::(\w+)", ran)


def test_a_room_is_added_by_the_files_that_are_listed_and_no_others(tmp_path: Path) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    listed = re.search(r"^## A new room\n(.*?)^## ", text, re.M | re.S)
    assert listed is not None
    first, *others = re.findall(r"(?m)^\d\. `([\w/….]+)`", listed[1])
    assert first.replace("…", "pricing") == f"{ROOM}/__init__.py"
    assert others == list(EDITS)
    project = _copied(tmp_path)
    for name, content in ADDED.items():
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(content)
    assert "pricing" in _imports(project)
    assert "test_no_room_grows_by_the_way" in _house(project)
    for name, edit in EDITS.items():
        (project / name).write_text(edit((project / name).read_text()))
    assert (_imports(project), _house(project)) == ("", [])
