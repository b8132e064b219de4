"""A small sample of the matrix, and every case that once failed; `python -m tests.faults` plays all of it."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.faults.cases import Case, Recording, check_ways, matrix, shuffled
from tests.faults.workers import Workers

SECONDS = float(os.environ.get("IRSA_FAULTS_SECONDS", "15"))
SEED = int(os.environ.get("IRSA_FAULTS_SEED", "0"))
SAMPLED = ("fresh", "update", "delete", "recover", "apply-prune", "create-pod-identity")
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


def test_a_sample_breaks_no_promise(workers: Workers, record: Record) -> None:
    # One test: recording takes longer than the sample. CI plays a sample of all commands before the tests.
    cases = matrix_of(record(SAMPLED))
    check_ways(cases)
    assert {case.command for case in cases} == {*SAMPLED}
    assert play(workers, record(SAMPLED), shuffled(cases, SEED), SECONDS) == {}


def test_what_once_failed_holds(workers: Workers, record: Record) -> None:
    recordings = record(sorted({name.split(":")[1] for name in ONCE_FAILED}))
    known = {case.id: case for case in matrix_of(recordings)}
    assert set(ONCE_FAILED) <= known.keys()
    assert play(workers, recordings, [known[name] for name in ONCE_FAILED], 600) == {}
