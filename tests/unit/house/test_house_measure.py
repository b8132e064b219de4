"""tools/house/measure.py: what it counts, on a small house."""

from __future__ import annotations

import ast
from pathlib import Path
from types import ModuleType

import pytest

FILES = {
    "__init__.py": "",
    "__main__.py": "from irsa_cli.cli import main",
    "cli/__init__.py": "",
    "cli/main.py": "import importlib\ndef run(a): importlib.import_module(f'irsa_cli.cli.commands.{a}')",
    "cli/commands/__init__.py": "",
    "cli/commands/show.py": "from irsa_cli.low import views",
    "cli/commands/create_sa.py": "def run():\n    from irsa_cli.low.base import Thing",
    "cli/commands/associate_oidc.py": "",
    "low/__init__.py": '"""A room."""',
    "low/base.py": "class Thing:\n    pass\n",
    "low/views.py": "HERE = 'irsa_cli.low'\nVIEWS = {'a': f'{HERE}.one:show', 'b': 'irsa_cli.low.two:show'}",
    "low/one.py": "",
    "low/two.py": "from . import base\nif False:\n    import irsa_cli.low.more.deep",
    "low/more/__init__.py": "from importlib import import_module\n[import_module(name) for name in names]",
    "low/more/deep.py": "",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A house of two rooms."""
    for name, text in FILES.items():
        path = tmp_path / "irsa_cli" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("", 1),
        ("import a.b as c\nfrom d import (e, f)", 1),
        # Module, Assign, the Name a, the Constant
        ("a = 1", 4),
        ("a = (\n  1\n)", 4),
        # Module, FunctionDef, arguments, Return, BinOp, Name, Add, Name
        ("def f():\n    return a + b", 8),
        ("def f():\n    import late\n    return a + b", 8),
    ],
)
def test_nodes_count_what_is_said_and_no_imports(script: ModuleType, text: str, nodes: int) -> None:
    assert script.nodes_of(ast.parse(text)) == nodes


@pytest.mark.parametrize(
    ("body", "branches"),
    [
        ("pass", 1),
        ("if a: pass\n    elif b: pass\n    else: pass", 3),
        ("for a in b:\n        while c: pass", 3),
        ("try: pass\n    except E: pass\n    except F: pass", 3),
        ("return a and b or c", 3),
        ("return a if b else c", 2),
        ("return [a for a in b if c if d]", 4),
        ("match a:\n        case 1: pass\n        case _: pass", 3),
        ("def inner():\n        if a: pass", 1),
    ],
)
def test_branches_count_those_within_a_line(script: ModuleType, body: str, branches: int) -> None:
    (function,) = ast.parse(f"def f():\n    {body}").body
    assert script.branches_of(function) == branches


def test_a_room_is_a_folder_two_levels_deep(script: ModuleType, root: Path) -> None:
    house = script.measure(script.modules_of(root), {"low": 10})
    rooms = {room.name: room for room in house.rooms}
    assert set(rooms) == {".", "cli", "cli/commands", "low", "low/more"}
    assert (rooms["low"].budget, rooms["cli"].budget) == (10, None)
    assert house.nodes == sum(room.nodes for room in house.rooms)


def test_a_room_may_outgrow_its_budget_by_a_tenth(script: ModuleType, root: Path) -> None:
    rooms = script.rooms_of(script.modules_of(root), {}, {})
    exact = {room.name: room.nodes for room in rooms}
    assert script.outgrown(rooms, exact) == []
    tight = {room: int(nodes / script.MARGIN) for room, nodes in exact.items()}
    assert script.outgrown(rooms, {**exact, "low": tight["low"] - 1}) != []
    assert "no budget" in script.outgrown(rooms, {name: exact[name] for name in exact if name != "low"})[0]
    assert "no such room" in script.outgrown(rooms, {**exact, "gone": 500})[0]


def test_functions_that_are_hard_to_follow_are_named(script: ModuleType, root: Path) -> None:
    deep = "".join(f"{'    ' * level}if a{level}:\n" for level in range(2, 8)) + "    " * 8 + "pass\n"
    (root / "irsa_cli/low/base.py").write_text(f"class Thing:\n    def act(self):\n{deep}")
    assert script.complex_functions(script.modules_of(root)) == {"irsa_cli.low.base Thing.act": 21}


def test_a_command_reaches_late_imports_and_modules_named_in_strings(script: ModuleType, root: Path) -> None:
    modules = script.modules_of(root)
    packages = {"irsa_cli", "irsa_cli.cli", "irsa_cli.cli.commands", "irsa_cli.low"}
    program = packages | {"irsa_cli.__main__", "irsa_cli.cli.main"}
    creating = {"irsa_cli.cli.commands.create_sa", "irsa_cli.low.base"}
    assert script.reached_by_commands(modules, ["create_sa"]) == program | creating
    showing = {f"irsa_cli.low.{name}" for name in ("views", "one", "two", "base", "more", "more.deep")}
    assert script.reached_by_commands(modules, ["show"]) == program | {"irsa_cli.cli.commands.show"} | showing
    assert script.reach_of(modules, {"irsa_cli.low.base"}) == script.Reach(nodes=3, lines=2, modules=1)


def test_the_figures_of_security_and_the_list_are_written(
    script: ModuleType, root: Path, tmp_path: Path
) -> None:
    page, known = tmp_path / "SECURITY.md", tmp_path / "complex.txt"
    page.write_text("# A\n\nAbout 1 syntax nodes (2 lines) can write. They\nreach 3 (4 lines). A check.\n")
    known.write_text("# Why\nirsa_cli.low.base Thing.act\n")
    house = script.measure(script.modules_of(root), {})
    script.write(house, tmp_path, known)
    text = " ".join(page.read_text().split())
    assert text == f"# A {script.sentence(house)} A check."
    assert known.read_text() == "# Why\n"


def test_coverage_is_that_of_all_files_in_a_folder(script: ModuleType, root: Path) -> None:
    covered = {"irsa_cli/low/base.py": (1, 2), "irsa_cli/low/more/deep.py": (2, 2), "irsa_cli/top.py": (0, 4)}
    house = script.measure(script.modules_of(root), {}, covered)
    shares = {room.name: room.coverage for room in house.rooms if room.coverage is not None}
    assert (house.coverage, shares) == (37.5, {"low": 75.0, "low/more": 100.0})
    assert [*script._below(covered, ["irsa_cli.low=75"])] == []
    assert len([*script._below(covered, ["irsa_cli.low=76", "irsa_cli.other=1"])]) == 2
    assert "low/more" in script.table(house)
