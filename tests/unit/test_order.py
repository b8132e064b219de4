"""The order of a run: `tests.support.order`."""

from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from tests.support import order

MODULES = [
    "tests/unit/a.py",
    "tests/unit/b.py",
    "tests/slow.py",
    "tests/slower.py",
    "tests/c.py",
    "tests/d.py",
]
SLOW = {"tests/slow.py": 20.0, "tests/slower.py": 40.0}


@given(st.lists(st.integers(0, 9), min_size=6, max_size=6), st.integers(2, 9))
def test_every_test_runs_once_and_modules_stay_together(counts: list[int], workers: int) -> None:
    tests = [
        (module, f"{module}::{number}")
        for module, count in zip(MODULES, counts, strict=True)
        for number in range(count)
    ]
    with mock.patch.object(order, "SLOW", SLOW):
        found = order.ordered(tests, workers)
    assert sorted(found) == sorted(test for _, test in tests)
    for module in SLOW:
        places = [place for place, test in enumerate(found) if test.startswith(module)]
        assert places == list(range(places[0], places[0] + len(places))) if places else True


def test_each_worker_begins_with_unit_tests_and_goes_on_with_what_is_slow() -> None:
    tests = [(MODULES[0], "u1"), (MODULES[0], "u2"), ("tests/c.py", "c1"), ("tests/c.py", "c2")]
    tests += [("tests/slow.py", "s"), ("tests/slower.py", "t")]
    with mock.patch.object(order, "SLOW", SLOW):
        assert order.ordered(tests, 2) == ["u1", "t", "c1", "u2", "s", "c2"]
