"""Today's irsa goes on from what 0.1.0 had written at any moment, and ends where 0.1.0 ended."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
        shown = _as_recorded(look(sandbox, folder, recording, name), document)
        assert shown == _without_advice(document), f"{command}: {name}"


def _as_recorded(shown: Any, recorded: Any) -> Any:
    """What is shown now, without the keys that are new since 0.1, and without advice."""
    if isinstance(shown, dict) and isinstance(recorded, dict):
        known = shown.keys() & recorded.keys()
        return {key: _as_recorded(shown[key], recorded[key]) for key in known - _advice(recorded)}
    if isinstance(shown, list) and isinstance(recorded, list) and len(shown) == len(recorded):
        return [_as_recorded(part, as_it_was) for part, as_it_was in zip(shown, recorded, strict=True)]
    return shown


def _without_advice(recorded: Any) -> Any:
    if isinstance(recorded, dict):
        kept = recorded.keys() - _advice(recorded)
        return {key: _without_advice(recorded[key]) for key in kept}
    if isinstance(recorded, list):
        return [_without_advice(part) for part in recorded]
    return recorded


def _advice(recorded: Mapping[str, Any]) -> set[str]:
    """The keys whose words changed: a role without its ServiceAccount waits for Git since 0.1."""
    of_role_only = recorded.get("status") == "role-only" or recorded.get("code") == "Refused"
    return {"reason", "next", "details"} if of_role_only else set()
