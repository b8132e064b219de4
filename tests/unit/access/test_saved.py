"""A saved plan keeps who gains and who loses a role, is stale if that differs, and has the flag for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.usecases.plans.saved_plan import digest_of
from tests.support.memory.playing import Play, playing
from tests.unit.usecases.commands import CREATE, POD_IDENTITY, READER, by_hand, provider

TAKES = (*CREATE, *POD_IDENTITY)
"""The ServiceAccount has another role by its annotation, and would get this one by an association."""


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    with playing(tmp_path) as found:
        yield found


def _saved(play: Play, *arguments: str, name: str = "plan.json") -> tuple[str, dict[str, Any]]:
    path = play.folder / name
    play.irsa(*arguments, "--dry-run", "--out", str(path))
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return str(path), document


def test_it_is_stale_if_another_gains_a_role(play: Play) -> None:
    provider(play)
    path, document = _saved(play, *CREATE)
    (gain,) = document["items"][0]["access"]["gains"]
    assert gain["who"]["name"] == "backend/reader"
    gain["who"]["name"] = "backend/other"
    Path(path).write_text(json.dumps({**document, "digest": digest_of(document)}), encoding="utf-8")
    shown = play.irsa("show", path)
    assert "Access: + backend/other can assume" in shown.out
    ran = play.irsa("apply", path, code=4)
    assert "not planned: backend/reader of demo can assume" in ran.err
    assert not play.world.roles


@pytest.mark.parametrize("broken", [{"gains": 1, "losses": []}, {"gains": [{}], "losses": []}, {}])
def test_what_is_not_written_by_irsa_is_not_read(play: Play, broken: Any) -> None:
    provider(play)
    path, document = _saved(play, *CREATE)
    document["items"][0]["access"] = broken
    Path(path).write_text(json.dumps({**document, "digest": digest_of(document)}), encoding="utf-8")
    assert "can't be read by this version" in play.irsa("show", path, code=2).err


def test_a_step_that_adds_takes_nothing(play: Play) -> None:
    """Refused before the first write, also in a dry run, naming who loses what and the way on."""
    by_hand(play)
    before = play.world
    for arguments in (TAKES, (*TAKES, "--dry-run")):
        ran = play.irsa(*arguments, code=4)
        assert "the plan would take a role from others" in ran.err
        assert "pods of backend/reader may no longer get theirs" in ran.err
        assert "run this again with --allow-access-change" in ran.err
        assert play.world == before
    play.irsa(*TAKES, "--allow-access-change")
    assert play.world.associations


def test_the_flag_is_in_the_plan_and_its_digest(play: Play) -> None:
    by_hand(play)
    path, document = _saved(play, *TAKES, "--allow-access-change")
    assert document["allowAccessChange"] is True
    without = {**document, "allowAccessChange": False}
    assert digest_of(without) != document["digest"]
    altered = play.file(json.dumps({**without, "digest": digest_of(without)}), "altered.json")
    assert "would take a role from others" in play.irsa("apply", altered, code=4).err
    assert not play.world.associations
    play.irsa("apply", path)
    assert play.world.associations


def test_the_way_back_is_not_refused(play: Play) -> None:
    """Without the association, pods get the role of the annotation again."""
    by_hand(play)
    play.irsa(*TAKES, "--allow-access-change")
    play.irsa("delete-sa", *READER)
    assert not play.world.associations
