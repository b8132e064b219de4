"""The recipe of CONTRIBUTING.md for a room: followed in a copy, checks and tests of the house pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.edited_program import put
from tests.support.recipes import files_of, followed, run, run_tests

WHY = '''"""The price of what a command creates.

A reviewer asks what a plan costs before it runs. Prices are facts of AWS and change without a version of
irsa, so there is no list of them here: a caller brings them. What a plan contains is decided in
`irsa_cli.core.planning`; totals of a run are in `irsa_cli.core.results`.
"""
'''
COST = '"""The price of a role."""\n\nfrom irsa_cli.core.values.arn import Arn as Arn\n'
EDITS: dict[str, Callable[[str], str]] = {
    "irsa_cli/usecases/pricing/__init__.py": lambda _: WHY,
    "pyproject.toml": lambda text: put(
        text, '    "command",\n    "texts",', '    "command",\n    "pricing | texts",'
    ),
    "tools/house/budgets.txt": lambda text: f"{text}usecases/pricing  500\n",
    "docs/explanation/architecture.md": lambda text: put(
        text, "| `texts` |", "| `pricing` | prices |\n| `texts` |"
    ),
    "tests/unit/pricing/__init__.py": lambda _: "",
    "tests/rooms.py": lambda text: put(text, '    "rbac": ', '    "pricing": (),\n    "rbac": '),
}
LINT = "from importlinter.cli import lint_imports_command as run; run(['--no-cache'])"


def test_the_recipe_of_a_room_leaves_the_tests_green(tmp_path: Path) -> None:
    assert [name.replace("…", "pricing") for name in files_of("A new room")] == list(EDITS)
    project = followed(tmp_path, {**EDITS, "irsa_cli/usecases/pricing/cost.py": lambda _: COST})
    run(project, ["-c", LINT])
    run_tests(project, "tests/unit/house", "tests/docs/test_pages.py")


def test_the_checks_know_a_room_that_has_no_place(tmp_path: Path) -> None:
    edits = {name: edit for name, edit in EDITS.items() if name != "pyproject.toml"}
    project = followed(tmp_path, edits)
    with pytest.raises(AssertionError, match="pricing"):
        run(project, ["-c", LINT])
