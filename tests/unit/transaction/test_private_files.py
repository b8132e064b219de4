"""What nobody but the user can have put there: by owner, by mode, by all the folders above, by links."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import NamespaceState
from irsa_cli.transaction import private
from irsa_cli.transaction.journal import Journal, JournalError, RefusedJournal
from irsa_cli.transaction.private import NotPrivate, make_folder, open_own
from irsa_cli.transaction.reading import read
from tests.support.named import named

NOBODY = 65534
PLAN = Plan.of([Change(Kind.NAMESPACE, ("a",), None, NamespaceState())])


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "above" / "state"
    make_folder(made)
    (made / "t1.jsonl").write_text("x\n")
    (made / "t1.jsonl").chmod(0o600)
    return made


def opened(path: Path) -> None:
    os.close(open_own(path))


def refused(path: Path, why: str) -> NotPrivate:
    with pytest.raises(NotPrivate, match=why) as caught:
        opened(path)
    return caught.value


def give_away(path: Path) -> None:
    """Have somebody else own it; who may not do that is somebody else itself."""
    if os.geteuid() == 0:
        os.chown(path, NOBODY, -1, follow_symlinks=False)


@named(
    "which mode",
    ("a folder that everybody writes", ".", 0o777),
    ("a sticky one", ".", 0o1777),
    ("a file that everybody writes", "t1.jsonl", 0o666),
    ("a parent that everybody writes", "..", 0o777),
)
def test_what_others_may_write_is_refused_with_the_fix(folder: Path, which: str, mode: int) -> None:
    opened(folder / "t1.jsonl")
    (folder / which).chmod(mode)
    error = refused(folder / "t1.jsonl", ".")
    (fix,) = error.next_steps
    assert error.exit_code == 4
    *verb, name = fix.partition("  #")[0].split()
    assert verb == ["chmod", "go-w"]
    Path(name).chmod(Path(name).stat().st_mode & ~0o022)
    opened(folder / "t1.jsonl")


def test_a_sticky_parent_is_as_good_as_tmp(folder: Path) -> None:
    folder.parent.chmod(0o1777)
    opened(folder / "t1.jsonl")


def test_a_group_of_others_may_not_write_it(folder: Path) -> None:
    if os.geteuid() == 0:
        os.chown(folder, -1, NOBODY)
        folder.chmod(0o770)
        refused(folder / "t1.jsonl", "group")
        # Root's own group has nobody else in it.
        os.chown(folder, -1, 0)
        opened(folder / "t1.jsonl")
    folder.chmod(0o700)
    opened(folder / "t1.jsonl")


@pytest.mark.parametrize("which", ["t1.jsonl", ".", ".."])
def test_what_belongs_to_somebody_else_is_refused(
    folder: Path, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_away(folder / which)
    if os.geteuid() != 0:
        user = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    refused(folder / "t1.jsonl", "belongs to")


def test_links_are_judged_by_whose_they_are_and_where_they_lead(folder: Path, tmp_path: Path) -> None:
    (folder / "t2.jsonl").symlink_to(folder / "t1.jsonl")
    refused(folder / "t2.jsonl", "symbolic link")
    link = tmp_path / "link"
    link.symlink_to("above/../above/state")
    opened(link / "t1.jsonl")
    folder.parent.chmod(0o777)
    refused(link / "t1.jsonl", "above")
    folder.parent.chmod(0o700)
    if os.geteuid() == 0:
        give_away(link)
        refused(link / "t1.jsonl", "the link belongs")
    (tmp_path / "loop").symlink_to("loop")
    refused(tmp_path / "loop" / "t1.jsonl", ".")


@pytest.mark.parametrize("mask", [0, 0o022, 0o777])
def test_folders_and_journals_are_the_users_alone_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    folder = tmp_path / "a" / "b" / "state"
    with umask(mask):
        Journal.open(folder, "t1", PLAN, {}).close()
    assert {path.stat().st_mode & 0o777 for path in (folder, folder.parent, folder.parent.parent)} == {0o700}
    assert (folder / "t1.jsonl").stat().st_mode & 0o777 == 0o600
    assert read(folder / "t1.jsonl").transaction == "t1"


def test_no_journal_is_begun_in_a_folder_of_others(folder: Path) -> None:
    folder.chmod(0o777)
    with pytest.raises(RefusedJournal, match="everybody can write to it"):
        Journal.open(folder, "t2", PLAN, {})
    assert [path.name for path in folder.iterdir()] == ["t1.jsonl"]


def test_a_journal_bears_the_seal_of_its_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "mine"))
    path = tmp_path / "t1.jsonl"
    Journal.open(tmp_path, "t1", PLAN, {"command": "create-sa", "umlaut": "ü"}).close()
    key = tmp_path / "mine" / "irsa" / private.NAME
    assert (key.stat().st_mode & 0o777, key.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    whole = path.read_text()
    for old, new, sealed in (('"a"', '"b"', False), ('"seal":"', '"seal":"0', False), ("", "", True)):
        path.write_text(whole.replace(old, new))
        assert read(path).sealed is sealed
    # A key that others may read, or have written, is nobody's secret.
    key.chmod(0o644)
    assert not read(path).sealed


def test_a_key_of_somebody_else_seals_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "theirs"))
    Journal.open(tmp_path, "t1", PLAN, {}).close()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "mine"))
    assert not read(tmp_path / "t1.jsonl").sealed


def test_without_a_place_for_a_key_a_journal_goes_unsealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(private, "_places", lambda: iter([tmp_path / "file" / "irsa" / private.NAME]))
    (tmp_path / "file").write_text("")
    Journal.open(tmp_path, "t1", PLAN, {}).close()
    assert not read(tmp_path / "t1.jsonl").sealed


def test_a_pipe_and_a_journal_of_others_are_told(folder: Path) -> None:
    os.mkfifo(folder / "t3.jsonl", 0o600)
    with pytest.raises(JournalError, match="not a file"):
        read(folder / "t3.jsonl")
    (folder / "t1.jsonl").chmod(0o606)
    with pytest.raises(RefusedJournal, match="everybody"):
        read(folder / "t1.jsonl")
