"""What holds of the house as a whole.

Which room may import which is in import-linter's contracts (pyproject.toml).
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import irsa_cli

PROGRAM = Path(irsa_cli.__file__).parent
LISTS = {
    "irsa_cli.cli.commands",
    "irsa_cli.core",
    "irsa_cli.core.doctor.causes",
    "irsa_cli.core.planning",
    "irsa_cli.usecases.read",
}
"""Folders with one module or room for each of many things of one kind: commands, subjects, causes, reads."""


@pytest.fixture(scope="module")
def house(script: ModuleType) -> Any:
    """The house, measured."""
    return script.measure(PROGRAM.parent)


def test_a_room_can_be_taken_in_at_a_glance(house: Any) -> None:
    assert set(house.crowded) <= LISTS, "more than 16 modules and rooms in one folder: make a room of some"


def test_no_circle_of_files(house: Any) -> None:
    assert house.circles == []


def test_no_function_is_too_long_to_be_read(house: Any) -> None:
    assert house.long_functions == {}, "over 50 lines: give its parts names"


def test_a_class_name_means_one_thing(house: Any) -> None:
    """The sandbox shares nothing with the rest; each command has its `Request`."""
    own = {
        name: [place for place in places if not place.startswith("irsa_cli.sandbox")]
        for name, places in house.classes_twice.items()
        if name != "Request"
    }
    assert {name: places for name, places in own.items() if len(places) > 1} == {}


@pytest.mark.parametrize(
    "path", sorted(PROGRAM.rglob("*.py")), ids=lambda path: str(path.relative_to(PROGRAM)).removesuffix(".py")
)
def test_the_first_lines_say_what_lives_there(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("layer", ["core", "usecases"])
def test_tests_are_in_a_room_of_the_same_name(layer: str) -> None:
    rooms = {path.parent.name for path in (PROGRAM / layer).glob("*/__init__.py")}
    known = {path.parent.name for path in Path(__file__).parents[1].glob("*/__init__.py")}
    whole_commands = {"files", "plans", "read", "show", "write"}
    """Rooms of the use cases that are played as whole commands: tests/unit/usecases, tests/scenarios."""
    assert rooms - known <= whole_commands


DOCUMENTS = [PROGRAM.parent / "CONTRIBUTING.md", *sorted((PROGRAM.parent / "docs").rglob("*.md"))]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_documents_name_files_that_are_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    layers = "|".join(sorted(item.parent.name for item in PROGRAM.glob("*/__init__.py")))
    named = re.findall(rf"`(?:irsa_cli/)?((?:{layers})/[\w/]+\.py)`", text)
    tests = re.findall(r"`(tests/[\w/]+\.py)`", text)
    assert [name for name in named if not (PROGRAM / name).exists()] == []
    assert [name for name in tests if not (PROGRAM.parent / name).exists()] == []
