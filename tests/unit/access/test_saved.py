"""A saved plan keeps who gains and who loses a role, is stale if that differs, and has the flag for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.usecases.plans.saved_plan import digest_of
from tests.support.memory.playing import playing
from tests.unit.usecases.commands import Stage, by_hand, provider

TAKES = "create-sa reader -n backend --attach-policy-arn $S3 --pod-identity --create-service-account"
"""The ServiceAccount has another role by its annotation, and would get this one by an association."""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with playing(tmp_path) as play:
        yield Stage(play)


def saved(stage: Stage, line: str = "create-sa reader -n backend --attach-policy-arn $S3") -> Any:
    stage.run(f"{line} --dry-run --out $folder/plan.json")
    return json.loads((stage.play.folder / "plan.json").read_text(encoding="utf-8"))


def alter(stage: Stage, document: Any, name: str = "plan.json") -> None:
    stage.play.file(json.dumps({**document, "digest": digest_of(document)}), name)


def test_it_is_stale_if_another_gains_a_role(stage: Stage) -> None:
    provider(stage.play)
    document = saved(stage)
    (gain,) = document["items"][0]["access"]["gains"]
    assert gain["who"]["name"] == "backend/reader"
    gain["who"]["name"] = "backend/other"
    alter(stage, document)
    stage.run("show $folder/plan.json", says="Access: + backend/other can assume")
    says = "not planned: backend/reader of demo can assume"
    stage.run("apply $folder/plan.json", code=4, says=says, changes="")


@pytest.mark.parametrize("broken", [{"gains": 1, "losses": []}, {"gains": [{}], "losses": []}, {}])
def test_what_is_not_written_by_irsa_is_not_read(stage: Stage, broken: Any) -> None:
    provider(stage.play)
    document = saved(stage)
    document["items"][0]["access"] = broken
    alter(stage, document)
    stage.run("show $folder/plan.json", code=2, says="can't be read by this version")


def test_a_step_that_adds_takes_nothing(stage: Stage) -> None:
    """Refused before the first write, also in a dry run, naming who loses what and the way on."""
    by_hand(stage.play)
    before = stage.play.world
    says = [
        "the plan would take a role from others",
        "pods of backend/reader may no longer get theirs",
        "run this again with --allow-access-change",
    ]
    for line in (TAKES, f"{TAKES} --dry-run"):
        stage.run(line, code=4, says=says, changes="")
    stage.run(f"{TAKES} --allow-access-change")
    assert stage.play.world.associations
    # Without the association, pods get the role of the annotation again.
    stage.run("delete-sa reader -n backend")
    assert stage.play.world.associations == before.associations


def test_the_flag_is_in_the_plan_and_its_digest(stage: Stage) -> None:
    by_hand(stage.play)
    document = saved(stage, f"{TAKES} --allow-access-change")
    assert document["allowAccessChange"] is True
    without = {**document, "allowAccessChange": False}
    assert digest_of(without) != document["digest"]
    alter(stage, without, "altered.json")
    stage.run("apply $folder/altered.json", code=4, says="would take a role from others", changes="")
    stage.run("apply $folder/plan.json")
    assert stage.play.world.associations
