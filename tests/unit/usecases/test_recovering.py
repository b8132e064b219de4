"""`irsa recover`: by the journals of this machine, and by what runs have left, wherever they ran."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest

from irsa_cli.core.recovery.leftovers import Recoveries
from irsa_cli.core.results.result import Ended, Result
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.recovery import by_journal
from irsa_cli.usecases.recovery.by_journal import recover_all
from tests.support.memory.cloud import Fault
from tests.support.memory.playing import DENIED, Killed
from tests.support.rows import arguments_of
from tests.unit.usecases.commands import Stage, provider
from tests.unit.world import World

CREATING = "create-sa reader -n backend --attach-policy-arn $S3"
HERE = "--cluster demo --min-age 0s"


def interrupted(stage: Stage, line: str = CREATING, operation: str = "AttachRolePolicy") -> str:
    """Kill a run right before a call: the journal is as it was then. Its name is `$run`, too."""
    kept, state = stage.play.folder / "kept", stage.play.folder / "state"

    def film() -> None:
        if not kept.exists():
            shutil.copytree(state, kept)
        raise Killed

    stage.play.cloud.faults.append(Fault(operation, first=film, times=1))
    with suppress(Killed):
        stage.irsa(*arguments_of(stage, line))
    stage.play.cloud.faults.clear()
    shutil.rmtree(state)
    kept.rename(state)
    name = stage.words["run"] = max(path.stem for path in state.glob("*.jsonl"))
    return name


def lost(stage: Stage, *lines: str) -> None:
    """Runs are killed, and their journals are gone."""
    for line in lines or [CREATING]:
        interrupted(stage, line)
    shutil.rmtree(stage.play.folder / "state")


@pytest.fixture
def before(stage: Stage) -> World:
    """A cluster with a provider, and what there was before anything was cut off."""
    provider(stage.play)
    return stage.play.world


def approving(stage: Stage, meanwhile: Callable[[], object]) -> Recoveries:
    """Recover all; what happens while the list is shown happens `meanwhile`."""
    shown: list[str] = []

    def approve(planned: Sequence[Result]) -> bool:
        shown.extend(result.transaction for result in planned)
        meanwhile()
        return True

    settings = Settings(state_dir=stage.play.folder / "state")
    found = recover_all(by_journal.Request(approve=approve, confirmed=True), settings, lambda call: None)
    assert {item.transaction for item in found.items} <= {*shown}
    assert found.exit_code == 4
    return found


def test_what_comes_after_the_list_was_shown_is_named_and_left(stage: Stage, before: World) -> None:
    play, first = stage.play, interrupted(stage)
    middle, state, kept = play.world, play.folder / "state", play.folder / "aside"
    state.rename(kept)
    second = interrupted(stage, CREATING.replace("reader", "worker"))
    both, late = play.world, state / f"{second}.jsonl"
    late.rename(play.folder / late.name)
    (kept / f"{first}.jsonl").rename(state / f"{first}.jsonl")
    found = approving(stage, lambda: (play.folder / late.name).rename(late))
    assert [(item.transaction, item.ended) for item in found.items] == [(first, Ended.ROLLED_BACK)]
    assert [(item.transaction, item.why) for item in found.skipped] == [(second, by_journal.SINCE)]
    assert play.world.roles.keys() == both.roles.keys() - middle.roles.keys()
    stage.run("recover --all --yes")
    assert play.world == before


def test_what_has_gone_on_after_the_list_was_shown_is_named_and_left(stage: Stage, before: World) -> None:
    """Another process has gone on with it: there is more to roll back than what was approved."""
    path = stage.play.folder / "state" / f"{interrupted(stage)}.jsonl"
    left, whole = stage.play.world, path.read_text()
    path.write_text(whole.splitlines(keepends=True)[0])
    (refused,) = approving(stage, lambda: path.write_text(whole)).items
    assert (refused.ended, stage.play.world) == (Ended.REFUSED, left)
    assert "it has changed since it was shown" in str(refused.error)
    stage.run("recover $run --yes")
    assert stage.play.world == before


NOBODYS = "20260101T000000000Z-00000000"


def test_an_unknown_one_is_wrong_usage(stage: Stage) -> None:
    stage.run(f"recover {NOBODYS}", code=2)


def test_what_can_not_be_taken_back_without_a_journal_has_one_now(stage: Stage, before: World) -> None:
    lost(stage)
    stage.play.cloud.break_("DeleteRole", DENIED, times=1000)
    stage.run(f"recover $run {HERE} --yes", code=3)
    stage.play.cloud.faults.clear()
    stage.run("recover --all --yes")
    assert stage.play.world == before
