"""The clock of the tests: time in which nobody was awake hardly counts, all other time does."""

import os
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import own_clock
from tests.support.own_clock import FILE, MOST, Clock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "clock"
    path.write_bytes(bytes(own_clock._LAYOUT.size))
    return path


def test_all_of_a_run_count_by_one_clock() -> None:
    assert Path(os.environ[FILE]).stat().st_size == own_clock._LAYOUT.size


@pytest.mark.parametrize(("asleep", "counted"), [(0.05, 0.05), (0.5, 0.5), (5.0, MOST), (60.0, MOST)])
def test_time_without_anybody_awake_hardly_counts(path: Path, asleep: float, counted: float) -> None:
    clock = Clock(path)
    with mock.patch.object(own_clock, "_monotonic", return_value=100.0) as now:
        clock.tick()
        began = clock.read()
        now.return_value += asleep
        assert clock.read() - began == pytest.approx(counted)
        clock.tick()
        assert Clock(path).read() - began == pytest.approx(counted)


def test_time_that_is_skipped_counts_as_passed(path: Path) -> None:
    clock = Clock(path)
    with mock.patch.object(own_clock, "_monotonic", return_value=100.0):
        clock.tick()
        began = clock.read()
        clock.tick(skipped=60.0)
        assert Clock(path).read() - began == pytest.approx(60.0)


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 9.0)), max_size=30))
def test_it_never_goes_back(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[bool, float]]
) -> None:
    path = tmp_path_factory.mktemp("clock") / "clock"
    path.write_bytes(bytes(own_clock._LAYOUT.size))
    clock = Clock(path)
    with mock.patch.object(own_clock, "_monotonic", return_value=100.0) as now:
        clock.tick()
        last = clock.read()
        for ticks, seconds in steps:
            now.return_value += seconds
            if ticks:
                clock.tick()
            assert clock.read() >= last - 1e-9
            last = clock.read()
