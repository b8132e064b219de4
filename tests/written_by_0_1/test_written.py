"""Today's irsa goes on from what 0.1.0 had written at any moment, and ends where 0.1.0 ended."""

from pathlib import Path

import pytest

from irsa_cli.sandbox import Sandbox
from tests.support.thoroughness import THOROUGH
from tests.written_by_0_1.goings_on import GOINGS_ON, look, plain, play
from tests.written_by_0_1.recording import Moment, Recording, read, texts

COMMANDS = sorted(texts())


@pytest.fixture(autouse=True)
def hurried(short_pauses: None) -> None:
    """No run waits longer between two attempts than it has to."""


def chosen(recording: Recording) -> list[tuple[Moment, str]]:
    """Every third moment, each with one way to go on; thoroughly, all of them with all ways."""
    names = list(GOINGS_ON)
    if THOROUGH:
        return [(moment, name) for moment in recording.moments for name in names]
    first = COMMANDS.index(recording.command)
    return [
        (moment, names[(first + number) % len(names)])
        for number, moment in enumerate(recording.moments)
        if (first + number) % 3 == 0
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_run_of_0_1_is_gone_on_with_as_0_1_did(command: str, sandbox: Sandbox, tmp_path: Path) -> None:
    recording = read(command)
    for number, (moment, name) in enumerate(chosen(recording)):
        folder = tmp_path / str(number)
        folder.mkdir()
        end = moment.ends[name]
        expected = {"code": end["code"], "changes": plain(end["changes"])}
        assert play(sandbox, folder, recording, moment, name) == expected, (
            f"{recording.command}, {moment.sentence}: {name}"
        )


@pytest.mark.parametrize("command", COMMANDS[:: 1 if THOROUGH else 6])
def test_what_0_1_has_left_is_shown_as_0_1_showed_it(command: str, sandbox: Sandbox, tmp_path: Path) -> None:
    recording = read(command)
    for name, document in recording.looks.items():
        folder = tmp_path / name
        folder.mkdir()
        assert look(sandbox, folder, recording, name) == document, f"{command}: {name}"
