"""What holds of the house as a whole.

Which room may import which is in import-linter's contracts (pyproject.toml).
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import irsa_cli

PROGRAM = Path(irsa_cli.__file__).parent


def test_a_class_name_means_one_thing() -> None:
    """The sandbox shares nothing with the rest; each command has its `Request`."""
    places: dict[str, list[str]] = {}
    for path in sorted(PROGRAM.rglob("*.py")):
        inside = path.relative_to(PROGRAM)
        if inside.parts[0] != "sandbox":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places.setdefault(node.name, []).append(inside.as_posix())
    assert {name: files for name, files in places.items() if len(files) > 1 and name != "Request"} == {}


def test_the_first_lines_say_what_lives_there() -> None:
    files = sorted(PROGRAM.rglob("*.py"))
    assert files
    silent = [path for path in files if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert silent == []


@pytest.mark.parametrize("layer", ["core", "usecases"])
def test_tests_are_in_a_room_of_the_same_name(layer: str) -> None:
    rooms = {path.parent.name for path in (PROGRAM / layer).glob("*/__init__.py")}
    known = {path.parent.name for path in Path(__file__).parents[1].glob("*/__init__.py")}
    whole_commands = {"files", "plans", "read", "show", "write"}
    """Rooms of the use cases that are played as whole commands: tests/unit/usecases, tests/scenarios."""
    assert rooms - known <= whole_commands


def test_documents_name_files_that_are_there() -> None:
    layers = "|".join(sorted(item.parent.name for item in PROGRAM.glob("*/__init__.py")))
    for path in (PROGRAM.parent / "CONTRIBUTING.md", *(PROGRAM.parent / "docs").rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        named = re.findall(rf"`(?:irsa_cli/)?((?:{layers})/[\w/]+\.py)`", text)
        tests = re.findall(r"`(tests/[\w/]+\.py)`", text)
        places = [PROGRAM / name for name in named] + [PROGRAM.parent / name for name in tests]
        assert [str(place) for place in places if not place.exists()] == [], path
