"""tools/house/measure.py: what it counts, on a small house."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

FILES = {
    "__init__.py": "",
    "top.py": "from irsa_cli.low import base\nfrom irsa_cli.low.base import Thing",
    "low/__init__.py": '"""A room."""',
    "low/base.py": "class Thing:\n    pass\n",
    "low/one.py": "from . import base\n\ndef late() -> None:\n    from .two import f",
    "low/two.py": "TYPE_CHECKING = False\nif TYPE_CHECKING:\n    import irsa_cli.low.one\ndef f(): ...",
    "low/more/__init__.py": "",
    "low/more/deep.py": "from irsa_cli.low.one import late\n\nclass Thing:\n    pass\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A house of two floors, with a circle."""
    for name, text in FILES.items():
        path = tmp_path / "irsa_cli" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_rooms_arrows_floors_and_circles(script: ModuleType, root: Path) -> None:
    house = script.measure(root)
    rooms = {room.name: room for room in house.rooms}
    low, whole = rooms["irsa_cli.low"], rooms["irsa_cli"]
    assert (low.modules, low.rooms, low.parts) == (3, 1, 4)
    # one -> base, one -> two, two -> one, more -> one
    assert (low.arrows, low.floors, low.circles) == (4, 3, 1)
    assert (whole.arrows, whole.floors, whole.circles) == (1, 2, 0)
    assert house.circles == [["irsa_cli.low.one", "irsa_cli.low.two"]]
    assert house.classes_twice == {"Thing": ["irsa_cli.low.base", "irsa_cli.low.more.deep"]}
    assert house.crowded == {}


def test_what_is_long_is_named(script: ModuleType, root: Path) -> None:
    body = "def long() -> None:\n" + "    pass\n" * script.LONG_MODULE
    (root / "irsa_cli/low/base.py").write_text(body)
    house = script.measure(root)
    assert house.long_modules == {"irsa_cli.low.base": script.LONG_MODULE + 1}
    assert house.long_functions == {"irsa_cli.low.base.long": script.LONG_MODULE + 1}


def test_coverage_is_that_of_all_files_in_a_room(script: ModuleType, root: Path) -> None:
    covered = {"irsa_cli/low/base.py": (1, 2), "irsa_cli/low/more/deep.py": (2, 2), "irsa_cli/top.py": (0, 4)}
    found = {room.name: room.coverage for room in script.measure(root, covered).rooms}
    assert found == {"irsa_cli": 37.5, "irsa_cli.low": 75.0, "irsa_cli.low.more": 100.0}
    house = script.measure(root, covered)
    assert [*script._below(house, ["irsa_cli.low=75"])] == []
    assert len([*script._below(house, ["irsa_cli.low=76", "irsa_cli.other=1"])]) == 2


def test_the_table_names_all_of_it(script: ModuleType, root: Path) -> None:
    text = script.table(script.measure(root))
    assert "irsa_cli.low.more" in text
    assert "Thing: irsa_cli.low.base irsa_cli.low.more.deep" in text
