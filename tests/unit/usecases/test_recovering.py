"""`irsa recover`: by the journals of this machine, and by what runs have left, wherever they ran."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from irsa_cli.core.plan.states import TRANSACTION_TAG
from irsa_cli.core.recovery.leftovers import Recoveries
from irsa_cli.core.results.result import Ended, Result
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.recovery import by_journal
from irsa_cli.usecases.recovery.by_journal import recover_all
from tests.support.memory.cloud import Fault
from tests.support.memory.playing import DENIED, Killed, playing
from tests.support.rows import arguments_of
from tests.unit.usecases.commands import S3, Stage, bound, provider
from tests.unit.world import World

CREATING = "create-sa reader -n backend --attach-policy-arn $S3"
DELETING = "delete-sa reader -n backend"
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


def test_it_is_listed_and_taken_back(stage: Stage, before: World) -> None:
    interrupted(stage)
    stage.run("recover", says="$run")
    stage.run("history", says="$run")
    assert stage.play.world != before
    stage.run("recover $run --dry-run", changes="")
    assert stage.run("recover $run --yes -o json").metadata["outcome"] == "rolled-back"
    assert stage.play.world == before
    stage.again("recover $run --yes")


def test_it_is_gone_on_with(stage: Stage, before: World) -> None:
    interrupted(stage)
    stage.run("recover $run --forward --dry-run", changes="")
    stage.run("recover $run --forward --yes")
    ((role, there),) = stage.play.world.roles.items()
    assert there.attached == {S3}
    annotations = stage.play.world.accounts["backend", "reader"].annotations
    assert annotations["eks.amazonaws.com/role-arn"].endswith(role)
    stage.again(CREATING)


def test_what_was_to_be_proven_can_not_be_gone_on_with(stage: Stage, before: World) -> None:
    interrupted(stage, f"{CREATING} --verify")
    stage.run("recover $run --forward --yes", code=4, says="--verify", changes="")


@pytest.mark.parametrize(
    ("operation", "flag", "code", "says"),
    [("AttachRolePolicy", "--forward", 1, "irsa recover $run"), ("DeleteRole", "", 3, "Role")],
)
def test_what_fails_is_told_and_can_be_tried_again(
    stage: Stage, before: World, operation: str, flag: str, code: int, says: str
) -> None:
    interrupted(stage)
    stage.play.cloud.break_(operation, DENIED, times=1000)
    stage.run(f"recover $run --yes {flag}", code=code, says=says)
    stage.play.cloud.faults.clear()
    stage.run("recover $run --yes")
    assert stage.play.world == before


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


def test_a_damaged_journal_hides_no_other(stage: Stage, before: World) -> None:
    interrupted(stage)
    (stage.play.folder / "state" / f"{NOBODYS}.jsonl").write_text("no journal\n")
    stage.run("recover --all --yes", code=1, says=[NOBODYS, "$run"])
    assert stage.play.world == before


@pytest.mark.parametrize("operation", ["AttachRolePolicy", "create serviceaccounts"])
def test_without_a_journal_it_is_found_by_its_marks(
    stage: Stage, before: World, tmp_path: Path, operation: str
) -> None:
    interrupted(stage, operation=operation)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with playing(elsewhere, stage.play.cloud) as play:
        other = Stage(play)
        other.words = stage.words
        other.run("recover --cluster demo", says="$run", changes="")
        # A run that young may live yet.
        other.run("recover $run --cluster demo --yes", code=4, changes="")
        other.run(f"recover $run {HERE} --dry-run", changes="")
        assert other.run(f"recover $run {HERE} --yes -o json").metadata["outcome"] == "rolled-back"
        assert play.world == before
        other.again(f"recover $run {HERE} --yes")


def test_without_a_journal_all_that_is_old_enough_is_taken_back(stage: Stage, before: World) -> None:
    lost(stage, CREATING, CREATING.replace("backend", "frontend"))
    ran = stage.irsa("recover", "--all", "--cluster", "demo", "--yes")
    assert stage.words["run"] in ran.out + ran.err
    stage.run(f"recover --all {HERE} --dry-run", changes="")
    stage.run(f"recover --all {HERE} --yes", says=["$run", "backend/reader", "frontend/reader"])
    assert stage.play.world == before


def test_without_a_journal_what_is_finished_is_left_alone(stage: Stage) -> None:
    bound(stage.play)
    shutil.rmtree(stage.play.folder / "state")
    stage.run(f"recover --all {HERE} --yes", changes="")


def test_a_namespace_that_is_lived_in_is_spared(stage: Stage, before: World) -> None:
    lost(stage)
    stage.play.cloud.kube.put("configmaps", "backend", "theirs")
    ran = stage.irsa(*f"recover {stage.words['run']} --yes {HERE}".split())
    assert "theirs" in ran.out + ran.err
    assert (stage.play.world.namespaces, stage.play.world.roles) == ({"backend"}, before.roles)


def test_what_can_not_be_taken_back_without_a_journal_has_one_now(stage: Stage, before: World) -> None:
    lost(stage)
    stage.play.cloud.break_("DeleteRole", DENIED, times=1000)
    stage.run(f"recover $run {HERE} --yes", code=3)
    stage.play.cloud.faults.clear()
    stage.run("recover --all --yes")
    assert stage.play.world == before


def test_a_deletion_that_was_cut_off_is_undone_or_finished(stage: Stage) -> None:
    bound(stage.play)
    before = stage.play.world
    interrupted(stage, DELETING, "DeleteRole")
    assert stage.play.world != before
    stage.run("recover $run --yes")
    assert stage.play.world == before
    interrupted(stage, DELETING, "DeleteRole")
    stage.run("recover $run --forward --yes")
    assert (stage.play.world.roles, stage.play.world.accounts) == ({}, {})


def test_half_deleted_without_a_journal_is_shown_and_deleted_by_the_same_command(stage: Stage) -> None:
    bound(stage.play)
    interrupted(stage, DELETING, "DeleteRole")
    shutil.rmtree(stage.play.folder / "state")
    for role in stage.play.cloud.iam.world.roles.values():
        role.state.tags[TRANSACTION_TAG] = NOBODYS
    stage.run(f"recover {HERE}")
    stage.run(DELETING)
    assert stage.play.world.roles == {}
