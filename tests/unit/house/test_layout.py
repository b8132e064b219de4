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


def test_no_circle_of_files_and_no_long_function(house: Any) -> None:
    assert (house.circles, house.long_functions) == ([], {}), "a function has 50 lines at most"


def test_a_class_name_means_one_thing(house: Any) -> None:
    """The sandbox shares nothing with the rest; each command has its `Request`."""
    own = {
        name: [place for place in places if not place.startswith("irsa_cli.sandbox")]
        for name, places in house.classes_twice.items()
        if name != "Request"
    }
    assert {name: places for name, places in own.items() if len(places) > 1} == {}


def test_the_first_lines_say_what_lives_there() -> None:
    files = sorted(PROGRAM.rglob("*.py"))
    assert len(files) > 300
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
