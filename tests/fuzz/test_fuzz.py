"""The fuzzers' short run: the same inputs each time, and nothing found. The long one is `make fuzz`."""

from pathlib import Path

import pytest

from irsa_cli.sandbox import Sandbox
from tests.fuzz import answers, inputs, journals, lines, pods, readback
from tests.fuzz.places import PLACES
from tests.fuzz.runs import Figures
from tests.support.thoroughness import THOROUGH


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of the test's own, to which it comes back from wherever it goes."""
    monkeypatch.chdir(tmp_path)


def _clean(figures: Figures) -> None:
    assert not figures.found, "\n".join(figures.cases)


def test_command_lines(tmp_path: Path) -> None:
    _clean(lines.fuzz(tmp_path, 300, 1))


def test_files(sandbox: Sandbox, tmp_path: Path) -> None:
    _clean(inputs.fuzz(sandbox, tmp_path, 240, 1))


def test_every_place_of_every_type(sandbox: Sandbox, tmp_path: Path) -> None:
    # Some of all 10,000; a prime, as there are so many types.
    _clean(inputs.each(sandbox, tmp_path, one_in=1 if THOROUGH else 29))


def test_what_is_read_back(sandbox: Sandbox, tmp_path: Path) -> None:
    _clean(readback.fuzz(sandbox, tmp_path, len(PLACES), 1))


def test_journals(sandbox: Sandbox, tmp_path: Path) -> None:
    _clean(journals.fuzz(sandbox, tmp_path, 40, 1))


def test_pods(tmp_path: Path) -> None:
    _clean(pods.fuzz(tmp_path, 60, 1))


@pytest.mark.parametrize("reads", [True, False], ids=["readers", "writers"])
def test_answers(sandbox: Sandbox, tmp_path: Path, *, reads: bool) -> None:
    commands = answers.READERS if reads else answers.WRITERS
    _clean(answers.fuzz(sandbox, tmp_path, 3 * len(commands), 1, commands))
