"""`irsa recover`: by the journals of this machine, and by what runs have left, wherever they ran."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.core.plan.states import TRANSACTION_TAG
from irsa_cli.core.recovery.leftovers import Recoveries
from irsa_cli.core.results.result import Ended, Result
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.recovery import by_journal
from irsa_cli.usecases.recovery.by_journal import recover_all
from tests.support.memory.cloud import Fault
from tests.support.memory.playing import DENIED, Killed, Play, playing
from tests.unit.usecases.commands import CREATE, READER, S3, bound, provider
from tests.unit.world import World

HERE = ("-c", "demo", "--min-age", "0s")


def interrupted(play: Play, operation: str, *arguments: str) -> str:
    """Kill a run right before a call: the journal is as it was then. Returns the run's name."""
    kept = play.folder / "kept"
    state = play.folder / "state"
    filmed: list[Any] = []

    def film() -> None:
        if not filmed:
            filmed.append(None)
            shutil.copytree(state, kept)
        raise Killed

    play.cloud.faults.append(Fault(operation, first=film, times=1))
    with suppress(Killed):
        play.irsa(*(arguments or CREATE), code=None)
    play.cloud.faults.clear()
    shutil.rmtree(state)
    kept.rename(state)
    return max(path.stem for path in state.glob("*.jsonl"))


@pytest.fixture
def before(play: Play) -> World:
    """A cluster with a provider, and what there was before anything was cut off."""
    provider(play)
    return play.world


def test_it_is_listed_and_taken_back(play: Play, before: World) -> None:
    name = interrupted(play, "AttachRolePolicy")
    assert name in play.irsa("recover").out
    assert name in play.irsa("history").out
    left = play.world
    assert left != before
    play.irsa("recover", name, "--dry-run")
    assert play.world == left
    assert play.irsa("recover", name, "--yes", "-o", "json").metadata["outcome"] == "rolled-back"
    assert play.world == before
    assert play.irsa("recover", name, "--yes", "-o", "json").metadata["outcome"] == "unchanged"


def test_it_is_gone_on_with(play: Play, before: World) -> None:
    name = interrupted(play, "AttachRolePolicy")
    play.irsa("recover", name, "--forward", "--dry-run")
    play.irsa("recover", name, "--forward", "--yes")
    ((role, there),) = play.world.roles.items()
    assert there.attached == {S3}
    assert play.world.accounts["backend", "reader"].annotations["eks.amazonaws.com/role-arn"].endswith(role)
    assert play.irsa(*CREATE, "-o", "json").metadata["outcome"] == "unchanged"


def test_what_was_to_be_proven_can_not_be_gone_on_with(play: Play, before: World) -> None:
    name = interrupted(play, "AttachRolePolicy", *CREATE, "--verify")
    left = play.world
    assert "--verify" in play.irsa("recover", name, "--forward", "--yes", code=4).err
    assert play.world == left


def test_what_fails_going_on_is_told_with_both_ways_out(play: Play, before: World) -> None:
    name = interrupted(play, "AttachRolePolicy")
    play.cloud.break_("AttachRolePolicy", DENIED, times=5)
    ran = play.irsa("recover", name, "--forward", "--yes", code=None)
    assert ran.code not in (0, 2)
    assert f"irsa recover {name}" in ran.err
    play.cloud.faults.clear()
    play.irsa("recover", name, "--yes")
    assert play.world == before


def test_what_can_not_be_taken_back_is_named_and_can_be_tried_again(play: Play, before: World) -> None:
    name = interrupted(play, "AttachRolePolicy")
    play.cloud.break_("DeleteRole", DENIED, times=1000)
    assert "Role" in play.irsa("recover", name, "--yes", code=3).err
    play.cloud.faults.clear()
    play.irsa("recover", name, "--yes")
    assert play.world == before


OTHER = ("create-sa", "worker", "-n", "backend", "-c", "demo", "--attach-policy-arn", S3)


def approving(play: Play, meanwhile: Callable[[], object]) -> Recoveries:
    """Recover all; what happens while the list is shown happens `meanwhile`."""
    shown: list[str] = []

    def approve(planned: Sequence[Result]) -> bool:
        shown.extend(result.transaction for result in planned)
        meanwhile()
        return True

    settings = Settings(state_dir=play.folder / "state")
    found = recover_all(by_journal.Request(approve=approve, confirmed=True), settings, lambda call: None)
    assert {item.transaction for item in found.items} <= {*shown}
    return found


def test_what_comes_after_the_list_was_shown_is_named_and_left(play: Play, before: World) -> None:
    first = interrupted(play, "AttachRolePolicy")
    middle, kept = play.world, play.folder / "aside"
    (play.folder / "state").rename(kept)
    second = interrupted(play, "AttachRolePolicy", *OTHER)
    both, state = play.world, play.folder / "state"
    (state / f"{second}.jsonl").rename(play.folder / f"{second}.jsonl")
    (kept / f"{first}.jsonl").rename(state / f"{first}.jsonl")
    found = approving(play, lambda: (play.folder / f"{second}.jsonl").rename(state / f"{second}.jsonl"))
    assert [(item.transaction, item.ended) for item in found.items] == [(first, Ended.ROLLED_BACK)]
    assert [(item.transaction, item.why) for item in found.skipped] == [(second, by_journal.SINCE)]
    assert found.exit_code == 4
    assert play.world.roles.keys() == both.roles.keys() - middle.roles.keys()
    play.irsa("recover", "--all", "--yes")
    assert play.world == before


def test_what_has_gone_on_after_the_list_was_shown_is_named_and_left(play: Play, before: World) -> None:
    """Another process has gone on with it: there is more to roll back than what was approved."""
    name = interrupted(play, "AttachRolePolicy")
    path, left = play.folder / "state" / f"{name}.jsonl", play.world
    whole = path.read_text()
    lines = whole.splitlines(keepends=True)
    begun = next(number for number, line in enumerate(lines) if '"begin"' in line)
    path.write_text("".join(lines[:begun]))
    found = approving(play, lambda: path.write_text(whole))
    assert [item.ended for item in found.items] == [Ended.REFUSED]
    assert "it has changed since it was shown" in str(found.items[0].error)
    assert (play.world, found.exit_code) == (left, 4)
    play.irsa("recover", name, "--yes")
    assert play.world == before


def test_an_unknown_one_is_wrong_usage(play: Play, before: World) -> None:
    play.irsa("recover", "20260101T000000000Z-00000000", code=2)


def test_a_damaged_journal_hides_no_other(play: Play, before: World) -> None:
    name = interrupted(play, "AttachRolePolicy")
    (play.folder / "state" / "20260101T000000000Z-00000000.jsonl").write_text("no journal\n")
    ran = play.irsa("recover", "--all", "--yes", code=None)
    assert "20260101T000000000Z-00000000" in ran.out + ran.err
    assert name in ran.out + ran.err
    assert play.world == before


@pytest.mark.parametrize("skip", ["AttachRolePolicy", "create serviceaccounts"])
def test_without_a_journal_it_is_found_by_its_marks(
    play: Play, before: World, tmp_path: Path, skip: str
) -> None:
    name = interrupted(play, skip)
    left = play.world
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with playing(elsewhere, play.cloud) as other:
        listed = other.irsa("recover", "-c", "demo")
        assert name in listed.out
        assert other.world == left
        # A run that young may live yet.
        other.irsa("recover", name, "-c", "demo", "--yes", code=4)
        assert other.world == left
        other.irsa("recover", name, *HERE, "--dry-run")
        assert other.world == left
        assert other.irsa("recover", name, *HERE, "--yes", "-o", "json").metadata["outcome"] == "rolled-back"
        assert other.world == before
        assert other.irsa("recover", name, *HERE, "--yes", "-o", "json").metadata["outcome"] == "unchanged"


def test_without_a_journal_all_that_is_old_enough_is_taken_back(play: Play, before: World) -> None:
    first = interrupted(play, "AttachRolePolicy")
    other = ("create-sa", "writer", "-n", "frontend", "-c", "demo", "--attach-policy-arn", S3)
    second = interrupted(play, "AttachRolePolicy", *other)
    shutil.rmtree(play.folder / "state")
    left = play.world
    ran = play.irsa("recover", "--all", "-c", "demo", "--yes", code=None)
    assert first in ran.out + ran.err
    assert play.world == left
    play.irsa("recover", "--all", *HERE, "--dry-run")
    assert play.world == left
    ran = play.irsa("recover", "--all", *HERE, "--yes")
    assert first in ran.out + ran.err
    assert second in ran.out + ran.err
    assert play.world == before


def test_without_a_journal_what_is_finished_is_left_alone(play: Play) -> None:
    bound(play)
    world = play.world
    shutil.rmtree(play.folder / "state")
    play.irsa("recover", "--all", *HERE, "--yes")
    assert play.world == world


def test_a_namespace_that_is_lived_in_is_spared(play: Play, before: World) -> None:
    name = interrupted(play, "AttachRolePolicy")
    shutil.rmtree(play.folder / "state")
    play.cloud.kube.put("configmaps", "backend", "theirs")
    ran = play.irsa("recover", name, *HERE, "--yes", code=None)
    assert "theirs" in ran.out + ran.err
    assert play.world.namespaces == {"backend"}
    assert play.world.roles == before.roles


def test_what_can_not_be_taken_back_without_a_journal_has_one_now(play: Play, before: World) -> None:
    name = interrupted(play, "AttachRolePolicy")
    shutil.rmtree(play.folder / "state")
    play.cloud.break_("DeleteRole", DENIED, times=1000)
    play.irsa("recover", name, *HERE, "--yes", code=3)
    play.cloud.faults.clear()
    play.irsa("recover", "--all", "--yes")
    assert play.world == before


def test_a_deletion_that_was_cut_off_is_undone_or_finished(play: Play) -> None:
    bound(play)
    before = play.world
    name = interrupted(play, "DeleteRole", "delete-sa", *READER)
    assert play.world != before
    play.irsa("recover", name, "--yes")
    assert play.world == before
    name = interrupted(play, "DeleteRole", "delete-sa", *READER)
    play.irsa("recover", name, "--forward", "--yes")
    assert play.world.roles == {}
    assert ("backend", "reader") not in play.world.accounts


def test_half_deleted_without_a_journal_is_shown_and_deleted_by_the_same_command(play: Play) -> None:
    bound(play)
    interrupted(play, "DeleteRole", "delete-sa", *READER)
    shutil.rmtree(play.folder / "state")
    for role in play.world.roles:
        play.cloud.iam.world.roles[role].state.tags[TRANSACTION_TAG] = "20260101T000000000Z-00000000"
    play.irsa("recover", *HERE)
    play.irsa("delete-sa", *READER)
    assert play.world.roles == {}
