"""`make room` knows the tests of each room: `tests.rooms`."""

from tests.rooms import SCENARIOS, TESTS, concerned

PROGRAM = TESTS.parent / "irsa_cli"
WITHOUT = {"core", "usecases"}
"""Layers, whose rooms are within."""


def rooms() -> set[str]:
    folders = [path.parent for pattern in ("*/*.py", "*/*/*.py") for path in PROGRAM.glob(pattern)]
    inner = {"aws", "iam", "kube"}  # of the sandbox, beside rooms of the same names
    return {path.name for path in folders if path.parent.name != "sandbox" or path.name in inner} - WITHOUT


def test_each_room_has_tests() -> None:
    assert rooms() - {"iam"} == SCENARIOS.keys()
    assert [room for room in SCENARIOS if not concerned(room)] == []


def test_the_scenarios_of_a_room_exist() -> None:
    modules = {path.stem for path in (TESTS / "scenarios").glob("test_*.py")}
    assert {f"test_{name}" for names in SCENARIOS.values() for name in names} <= modules
