"""CONTRIBUTING.md's table of the files of each command is true: they are there, and import each other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest

from irsa_cli.cli.main import COMMANDS, module_of
from tests.support.edited_program import PROGRAM, ROOT

CELLS = re.compile(r"^\| `([\w-]+)` \| `(\w+\.py)` \|(.*?)\|(.*?)\|$", re.M)


def rows() -> dict[str, tuple[str, list[str], list[str]]]:
    """Of each command: its module in `cli/commands`, those in `usecases`, those in `core/planning`."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.partition("\n## A new command\n")[2].partition("\n## ")[0]
    found = {}
    for name, module, usecases, planning in CELLS.findall(section):
        uses = [f"usecases/{item}" for item in re.findall(r"`([\w/]+\.py)`", usecases)]
        plans = [f"core/planning/{item}" for item in re.findall(r"`(\w+\.py)`", planning)]
        found[name] = (f"cli/commands/{module}", uses, plans)
    return found


@cache
def imported(module: str) -> frozenset[str]:
    """The files of the program that a file imports, late imports included."""
    return frozenset(_imported(ast.parse((PROGRAM / module).read_text(encoding="utf-8"))))


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += (
            [f"{names[0]}.{alias.name}" for alias in node.names] if isinstance(node, ast.ImportFrom) else []
        )
        for name in names:
            path = "/".join(name.split(".")[1:]) + ".py"
            if name.startswith("irsa_cli.") and (PROGRAM / path).exists():
                yield path


def reached(module: str, within: str) -> set[str]:
    """What a file imports, by itself or by others of that folder."""
    found, todo = {module}, [module]
    while todo:
        for item in imported(todo.pop()) - found:
            found.add(item)
            if item.startswith(within):
                todo.append(item)
    return found


def test_the_table_has_each_command_and_its_module() -> None:
    assert {name: row[0] for name, row in rows().items()} == {
        name: f"cli/commands/{module_of(name).rpartition('.')[2]}.py" for name in COMMANDS
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_the_files_of_a_command_are_there_and_lead_to_each_other(command: str) -> None:
    module, usecases, planning = rows()[command]
    found = reached(module, "cli/")
    assert set(usecases) <= found
    assert set(planning) <= {item for usecase in usecases for item in reached(usecase, "usecases/")}
    plans = {item for usecase in usecases for item in imported(usecase)}
    assert bool(planning) or not any(item.startswith("core/planning/") for item in plans)
