"""A small sample of the matrix, and every case that once failed; `python -m tests.faults` plays all of it."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.faults.cases import Case, Recording, matrix, shuffled
from tests.faults.commands import COMMANDS
from tests.faults.workers import Workers

SECONDS = float(os.environ.get("IRSA_FAULTS_SECONDS", "15"))
SEED = int(os.environ.get("IRSA_FAULTS_SEED", "0"))
Record = Callable[[Sequence[str]], Mapping[str, Recording]]
ONCE_FAILED = Path(__file__).with_name("once_failed.txt").read_text().split()


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    # In a process of its own: this one may have a sandbox already.
    with Workers("sandbox", 1) as running:
        yield running


@pytest.fixture(scope="module")
def record(workers: Workers) -> Record:
    """Recordings of commands, each made once."""
    known: dict[str, Recording] = {}

    def recordings(commands: Sequence[str]) -> dict[str, Recording]:
        known.update(workers.record([name for name in commands if name not in known]))
        return {name: known[name] for name in commands}

    return recordings


def matrix_of(recordings: Mapping[str, Recording]) -> list[Case]:
    return [case for recording in recordings.values() for case in matrix("sandbox", recording)]


def play(
    workers: Workers, recordings: Mapping[str, Recording], cases: Sequence[Case], seconds: float
) -> dict[str, str]:
    """Play cases for that long; the stories of those that failed, by id."""
    results = list(workers.play(cases, recordings, SEED, time.monotonic() + seconds))
    assert results
    return {result.case.id: result.story for result in results if result.failed}


def test_every_command_has_every_way_and_a_sample_breaks_no_promise(workers: Workers, record: Record) -> None:
    # One test: a recording of all commands takes longer than the sample.
    recordings = record(list(COMMANDS))
    cases = matrix_of(recordings)
    commands = {case.command for case in cases}
    assert commands == COMMANDS.keys()
    for command in commands:
        ways = {(case.injection, case.broken is not None) for case in cases if case.command == command}
        assert {("kill-after", False), ("disk-full", False)} <= ways
        assert ("kill-after", True) in ways or not COMMANDS[command].failing
    assert play(workers, recordings, shuffled(cases, SEED), SECONDS) == {}


def test_what_once_failed_holds(workers: Workers, record: Record) -> None:
    recordings = record(sorted({name.split(":")[1] for name in ONCE_FAILED}))
    known = {case.id: case for case in matrix_of(recordings)}
    assert set(ONCE_FAILED) <= known.keys()
    assert play(workers, recordings, [known[name] for name in ONCE_FAILED], 600) == {}
