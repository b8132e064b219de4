"""Every command that writes, with each of its writes broken in turn: all of it is done, or nothing is.

The fault matrix (tests/faults) does the same with processes, sockets and every kind of fault; this is its
quick sister, in which a mistake in a usecase shows within seconds.
"""

from __future__ import annotations

import copy
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.core.policies.policy import Document
from irsa_cli.core.trust.trust_policy import trusts_service
from tests.support.memory import MemoryCloud
from tests.support.memory.cloud import Fault
from tests.support.memory.eks import SERVICE, MemoryEks
from tests.support.memory.iam import MemoryIam, Refusal
from tests.support.memory.kube import MemoryKube
from tests.support.memory.playing import DENIED, LOST_AFTER, LOST_BEFORE, Killed, Play, Ran, playing
from tests.support.thoroughness import THOROUGH
from tests.unit.usecases.commands import CASES, S3
from tests.unit.world import World

RUN = re.compile(r"\d{8}T\d{9}Z-[0-9a-f]{8}")


@dataclass(frozen=True)
class Known:
    """What is known of a command from running it once, unbroken: the worlds around it, and its writes."""

    iam: MemoryIam
    kube: MemoryKube
    eks: MemoryEks
    folder: Path
    arguments: tuple[str, ...]
    before: World
    after: World
    writes: tuple[tuple[str, int], ...]
    """Each write: its operation, and how many of the same come before it. Of what is done to several
    ServiceAccounts at once, in a quick run one of each."""


Knowing = Callable[[str], Known]


@pytest.fixture(scope="session")
def known(tmp_path_factory: pytest.TempPathFactory) -> Knowing:
    """Prepares a case's world, keeps it, and runs its command there: once for all tests."""

    @cache
    def knowing(name: str) -> Known:
        folder = tmp_path_factory.mktemp("known")
        home = folder / "home"
        home.mkdir()
        with playing(home) as play:
            arguments = CASES[name].begin(play)
            iam, kube, eks = parts(play.cloud)
            before = play.world
            shutil.copytree(home, folder / "kept")
            play.irsa(*arguments)
            writes = play.cloud.writes
            numbered = [(item, writes[:number].count(item)) for number, item in enumerate(writes)]
            if name.startswith("apply") and not THOROUGH:
                numbered = [(item, number) for item, number in numbered if not number]
            return Known(iam, kube, eks, folder / "kept", arguments, before, play.world, tuple(numbered))

    return knowing


def parts(cloud: MemoryCloud) -> tuple[MemoryIam, MemoryKube, MemoryEks]:
    """A copy of what is in a cloud."""
    return copy.deepcopy((cloud.iam, cloud.kube, cloud.eks))


@contextmanager
def begun(case: Known, folder: Path) -> Iterator[Play]:
    """A fresh copy of a case's world, and of what its user has on disk."""
    shutil.copytree(case.folder, folder)
    cloud = MemoryCloud(*copy.deepcopy((case.iam, case.kube, case.eks)))
    with playing(folder, cloud) as play:
        yield play


def unnamed(world: World) -> World:
    """A world without the names of the runs that made what is in it.

    The order of the statements of a role for both ways does not count: one that is restored is the last.
    """

    def unordered(trust: Document) -> Document:
        statements = trust["Statement"]
        if not trusts_service(trust, SERVICE):
            return trust
        return {**trust, "Statement": sorted(statements, key=lambda item: json.dumps(item, sort_keys=True))}

    def plain(found: dict[str, str]) -> dict[str, str]:
        return {key: RUN.sub("RUN", value) for key, value in found.items()}

    def tagged(found: Mapping[Any, Any]) -> Any:
        return {key: replace(item, tags=plain(item.tags)) for key, item in found.items()}

    roles = {name: tagged({"": role.state})[""] for name, role in world.roles.items()}
    return replace(
        world,
        providers=tagged(world.providers),
        roles={
            name: replace(world.roles[name], state=replace(state, trust=unordered(dict(state.trust))))
            for name, state in roles.items()
        },
        accounts={
            key: replace(item, annotations=plain(item.annotations)) for key, item in world.accounts.items()
        },
        makers=plain(world.makers),
        associations=tagged(world.associations),
    )


@pytest.fixture
def case(request: pytest.FixtureRequest, known: Knowing) -> Known:
    return known(request.param)


EACH = pytest.mark.parametrize("case", CASES, indirect=True)
LOCKED = [name for name in CASES if "role only" not in name and "oidc" not in name]
"""Those that reach the cluster."""
EACH_LOCKED = pytest.mark.parametrize("case", LOCKED, indirect=True)


def paths(folder: Path) -> Iterator[Path]:
    """Folders that are not there yet."""
    number = 0
    while True:
        number += 1
        yield folder / str(number)


@EACH
def test_a_rehearsal_writes_nothing(case: Known, tmp_path: Path) -> None:
    with begun(case, tmp_path / "home") as play:
        ran = play.irsa(*case.arguments, "--dry-run", "--detailed-exitcode", code=6)
        assert (play.cloud.writes, play.world) == ([], case.before)
        assert "irsa recover" not in ran.out


@EACH
def test_again_there_is_nothing_to_do(case: Known, tmp_path: Path) -> None:
    with begun(case, tmp_path / "home") as play:
        play.irsa(*case.arguments)
        play.irsa(*case.arguments, code=4 if case.arguments[0] == "delete-sa" else 0)
        assert play.cloud.writes == []
        assert unnamed(play.world) == unnamed(case.after)


@pytest.mark.parametrize("how", [DENIED, LOST_BEFORE, LOST_AFTER])
@EACH
def test_where_a_write_fails_all_is_done_or_taken_back(
    case: Known, how: str | Refusal, tmp_path: Path
) -> None:
    """Exit code 0: all of it is done; 1: nothing of it. 3: a ServiceAccount had to be made again."""
    folders = paths(tmp_path)
    for operation, number in case.writes:
        with begun(case, next(folders)) as play:
            play.cloud.break_(operation, how, skip=number)
            ran = play.irsa(*case.arguments, code=None)
            where = f"{operation} {number}: {ran}"
            assert ran.code in (0, 1) or made_again(ran), where
            expected = case.before if ran.code else case.after
            assert unnamed(play.world) == unnamed(expected), where


def made_again(ran: Ran) -> bool:
    return ran.code == 3 and "was created again" in ran.err


@EACH_LOCKED
def test_at_the_end_no_lock_is_left(case: Known, tmp_path: Path) -> None:
    with begun(case, tmp_path / "home") as play:
        play.irsa(*case.arguments, "--lock")
        assert play.cloud.calls.count("create leases") == play.cloud.calls.count("delete leases") > 0
        assert play.cloud.locks == []
        assert list((tmp_path / "home" / "state" / "locks").iterdir()) == []


@pytest.mark.parametrize(("how", "code"), [(DENIED, 4), (LOST_BEFORE, 1)])
@EACH_LOCKED
def test_where_no_lock_can_be_had_nothing_is_written(
    case: Known, how: str | Refusal, code: int, tmp_path: Path
) -> None:
    with begun(case, tmp_path / "home") as play:
        play.cloud.break_("create leases", how, times=1000)
        ran = play.irsa(*case.arguments, "--lock", code=code)
        assert (play.cloud.writes, play.world) == ([], case.before)
        assert ("--no-lock" in ran.err) == (how is DENIED)
        play.irsa(*case.arguments, "--no-lock")
        assert unnamed(play.world) == unnamed(case.after)
        assert play.cloud.locks == []


@pytest.mark.parametrize("how", [LOST_BEFORE, LOST_AFTER, DENIED])
@EACH_LOCKED
def test_a_lock_that_can_not_be_given_back_is_only_told(
    case: Known, how: str | Refusal, tmp_path: Path
) -> None:
    with begun(case, tmp_path / "home") as play:
        play.cloud.break_("delete leases", how, times=1000)
        ran = play.irsa(*case.arguments, "--lock")
        assert unnamed(play.world) == unnamed(case.after)
        assert "could not be released" in ran.err
        play.cloud.faults.clear()
        # The next run of this machine knows that nobody holds them.
        play.irsa("recover", "--all", "--yes", "--lock")
        play.irsa("create-sa", "other", "-n", "backend", "-c", "demo", "--attach-policy-arn", S3, "--lock")


@EACH
def test_who_is_killed_after_a_write_can_be_recovered_or_run_it_again(case: Known, tmp_path: Path) -> None:
    folders = paths(tmp_path)
    for operation, number in case.writes:
        where = f"{operation} {number}"
        with killed(case, operation, number, folders) as play:
            left = parts(play.cloud), next(folders)
            shutil.copytree(play.folder, left[1])
            ran = play.irsa("recover", "--all", "--yes", code=None)
            assert ran.code == 0 or made_again(ran), f"{where}: {ran}"
            assert unnamed(play.world) in (unnamed(case.before), unnamed(case.after)), where
            play.irsa("recover", "--all", "--yes")
            assert play.cloud.writes == [], where
        with playing(left[1], MemoryCloud(*left[0])) as play:
            play.irsa(*case.arguments)
            assert unnamed(play.world) == unnamed(case.after), where


@contextmanager
def killed(case: Known, operation: str, number: int, folders: Iterator[Path]) -> Iterator[Play]:
    """What there is, in the cloud and on disk, when a run is killed right after a write.

    It is filmed at that moment: whatever the threads of the run do after it is not there.
    """
    kept: list[tuple[MemoryIam, MemoryKube, MemoryEks]] = []
    running, left = next(folders), next(folders)
    with begun(case, running) as play:

        def film() -> None:
            kept.append(parts(play.cloud))
            shutil.copytree(running, left)
            raise Killed

        play.cloud.faults.append(Fault(operation, skip=number, then=film))
        with suppress(Killed):
            play.irsa(*case.arguments, code=None)
    with playing(left, MemoryCloud(*kept[0])) as play:
        yield play
