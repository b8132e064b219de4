"""Each command that writes says who gains a role and who loses one, dry or not, as does `irsa recover`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.usecases.plans.reading import COMMANDS
from tests.support.memory.playing import DENIED, Play, playing
from tests.unit.usecases.commands import CASES, CREATE, READER, Case, provider


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    with playing(tmp_path) as found:
        yield found


def _items(play: Play, *arguments: str, code: int | None = 0) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(play.irsa(*arguments, "-o", "json", code=code).out)["items"]
    return found


def _changed(item: dict[str, Any], side: str) -> list[str]:
    return [f"{one['who']['name']} {one['role']['arn'].rpartition('/')[2]}" for one in item["access"][side]]


@pytest.mark.parametrize("case", CASES.values(), ids=[*CASES])
def test_the_dry_run_and_the_run_say_it(play: Play, case: Case) -> None:
    arguments = case.begin(play)
    planned = _items(play, *arguments, "--dry-run")
    done = _items(play, *arguments)
    changing = [item for item in (*planned, *done) if item["changes"]]
    assert changing
    assert all(item["access"] is not None for item in changing)
    if "apply" not in arguments:  # Its shared parts are laid first, and known then.
        keys = ("gains", "losses")
        assert [[item["access"][key] for key in keys] for item in planned if item["changes"]] == [
            [item["access"][key] for key in keys] for item in done if item["changes"]
        ]


def test_these_are_all_that_write() -> None:
    said = {case.arguments[0] for case in CASES.values()}
    of_clusters = {"repoint", "retire"}  # tests/scenarios has their worlds.
    assert {name.split()[0] for name in COMMANDS} - said == of_clusters


def test_recover_says_it(play: Play) -> None:
    provider(play)
    play.cloud.break_("AttachRolePolicy", DENIED)
    play.cloud.break_("DeleteRole", DENIED, times=99)
    play.irsa(*CREATE, code=3)
    play.cloud.faults.clear()
    (planned,) = _items(play, "recover", "--all", "--dry-run")
    (done,) = _items(play, "recover", "--all", "--yes")
    for item in (planned, done):
        assert item["changes"]
        assert [name.partition(" ")[0] for name in _changed(item, "losses")] == [
            "system:serviceaccount:backend:reader" if item is planned else "backend/reader"
        ]
        assert _changed(item, "gains") == []


def test_what_is_said_is_what_is_so(play: Play) -> None:
    """In texts, on one page with the plan."""
    provider(play)
    text = play.irsa(*CREATE, "--dry-run").out.splitlines()
    gain, nobody = (line for line in text if line.startswith("Access: "))
    assert gain.startswith("Access: + backend/reader can assume demo-backend-reader-")
    assert nobody == "Access: nobody loses a role"
    play.irsa(*CREATE)
    gone = play.irsa("delete-sa", *READER, "--dry-run").out.splitlines()
    (loss,) = (line for line in gone if line.startswith("Access: "))
    assert loss.startswith("Access: - backend/reader can no longer assume demo-backend-reader-")
