"""The limits of the program: what a room may say, and how hard a function may be to follow.

Which room may import which, and that there are no circles, is in import-linter's contracts (pyproject.toml).
"""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any

import pytest

from irsa_cli.cli.main import COMMANDS, OLD_NAMES, module_of
from tests.support.edited_program import ROOT

NEARLY = 0.05
"""How far a figure of SECURITY.md may be from today's, as a share of it."""


@pytest.fixture(scope="module")
def house(script: ModuleType) -> Any:
    """The program, measured."""
    return script.measure(script.modules_of(ROOT), script.budgets())


def test_no_room_outgrows_its_budget(script: ModuleType, house: Any) -> None:
    assert script.outgrown(house.rooms, script.budgets()) == [], "see tools/house/budgets.txt"


def test_functions_that_are_hard_to_follow_only_become_fewer(script: ModuleType, house: Any) -> None:
    known, complex_today = script.listed(script.COMPLEX), house.complex.keys()
    assert sorted(complex_today - set(known)) == [], "write them simpler: early returns, fewer levels"
    assert sorted(set(known) - complex_today) == [], "simple by now: python tools/house/measure.py --write"
    assert known == sorted(set(known))


def test_security_says_how_much_code_can_write(script: ModuleType, house: Any) -> None:
    page = (ROOT / script.SECURITY).read_text(encoding="utf-8")
    said = script.FIGURES.search(page)
    assert said is not None
    figures = [int(figure.replace(",", "")) for figure in re.findall(r"\d[\d,]{3,}", said[0])]
    reaches = (house.writing, house.creating)
    today = [figure for reach in reaches for figure in (reach.nodes, reach.lines)]
    assert figures == pytest.approx(today, rel=NEARLY), "python tools/house/measure.py --write"


def test_the_commands_that_write_are_those_of_the_contract(script: ModuleType) -> None:
    """`diff` writes nothing, and is as far from the diagnosis as `apply`, whose plan it shows."""
    modules = {module_of(command) for command in (*COMMANDS, *OLD_NAMES)}
    configuration = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    contract = configuration.partition('name = "What writes reaches')[2].partition("forbidden_modules")[0]
    writing = {f"{script.COMMANDS}.{command}" for command in script.WRITING}
    assert writing <= modules
    assert set(re.findall(rf"{script.COMMANDS}\.\w+", contract)) == {*writing, f"{script.COMMANDS}.diff"}
