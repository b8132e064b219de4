"""A small sample of the matrix, and every case that once failed; `python -m tests.faults` plays all of it."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.faults.cases import Case, Recording, matrix, shuffled
from tests.faults.commands import COMMANDS
from tests.faults.workers import Workers

SECONDS = float(os.environ.get("IRSA_FAULTS_SECONDS", "15"))
SEED = int(os.environ.get("IRSA_FAULTS_SEED", "0"))
ONCE_FAILED = Path(__file__).with_name("once_failed.txt").read_text().split()


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    # In a process of its own: this one may have a sandbox already.
    with Workers("sandbox", 1) as running:
        yield running


def matrix_of(recordings: Mapping[str, Recording]) -> list[Case]:
    return [case for recording in recordings.values() for case in matrix("sandbox", recording)]


def play(
    workers: Workers, recordings: Mapping[str, Recording], cases: Sequence[Case], seconds: float
) -> dict[str, str]:
    """Play cases for that long; the stories of those that failed, by id."""
    results = list(workers.play(cases, recordings, SEED, time.monotonic() + seconds))
    assert results
    return {result.case.id: result.story for result in results if result.failed}


def test_every_command_has_every_way_and_a_sample_breaks_no_promise(workers: Workers) -> None:
    # One test: a recording of all commands takes longer than the sample.
    recordings = workers.record(list(COMMANDS))
    cases = matrix_of(recordings)
    commands = {case.command for case in cases}
    assert commands == COMMANDS.keys()
    for command in commands:
        ways = {(case.injection, case.broken is not None) for case in cases if case.command == command}
        assert {("kill-after", False), ("disk-full", False)} <= ways
        assert ("kill-after", True) in ways or not COMMANDS[command].failing
    assert play(workers, recordings, shuffled(cases, SEED), SECONDS) == {}


def test_what_once_failed_holds(workers: Workers) -> None:
    recordings = workers.record(sorted({name.split(":")[1] for name in ONCE_FAILED}))
    known = {case.id: case for case in matrix_of(recordings)}
    assert set(ONCE_FAILED) <= known.keys()
    assert play(workers, recordings, [known[name] for name in ONCE_FAILED], 600) == {}
