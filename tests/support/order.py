"""The order of a run on several workers: unit tests first, so that a mistake is known early, then slow ones.

A pytest plugin, loaded by tests/conftest.py. The workers begin with equal shares of the list, each from its
front, and later take from the ends of others' shares (pytest-xdist, `--dist worksteal`). So each share has
its part of the unit tests, then its part of the slow modules, each as a whole, and cheap tests at its end.
"""

import os
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TypeVar

import pytest

T = TypeVar("T")
SLOW: dict[str, float] = {}
"""Seconds of the modules that take longest, as `tools/house/suite.py` prints them; all others are cheap."""
UNIT = "tests/unit/"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests in order, the same in each worker."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        items[:] = ordered([(item.nodeid.partition("::")[0], item) for item in items], workers)


def ordered(tests: Sequence[tuple[str, T]], workers: int) -> list[T]:
    """Tests with their modules, in the order of a run."""
    units = [test for module, test in tests if module.startswith(UNIT) and module not in SLOW]
    cheap = [test for module, test in tests if not module.startswith(UNIT) and module not in SLOW]
    slow = _spread([(module, test) for module, test in tests if module in SLOW], workers)
    shares: list[T] = []
    for number, size in enumerate(_sizes(len(tests), workers)):
        share = _take(units, len(units) // (workers - number)) + slow[number]
        shares += share + _take(cheap, size - len(share))
    return shares + units + cheap


def _sizes(count: int, workers: int) -> Iterable[int]:
    """How many tests each worker begins with."""
    for number in range(workers):
        size = count // (workers - number)
        count -= size
        yield size


def _take(tests: list[T], count: int) -> list[T]:
    taken = tests[: max(0, count)]
    del tests[: len(taken)]
    return taken


def _spread(tests: Sequence[tuple[str, T]], workers: int) -> list[list[T]]:
    """The slow modules for each worker, so that all have as much to do."""
    modules = [(name, list(group)) for name, group in groupby(tests, key=lambda test: test[0])]
    shares: list[list[T]] = [[] for _ in range(workers)]
    seconds = [0.0] * workers
    for name, group in sorted(modules, key=lambda module: -SLOW[module[0]]):
        number = seconds.index(min(seconds))
        seconds[number] += SLOW[name]
        shares[number] += [test for _, test in group]
    return shares
