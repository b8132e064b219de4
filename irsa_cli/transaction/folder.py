"""The folder of all journals: which there are, which are not finished, and which are old enough to go."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.transaction.journal import JournalError, refused
from irsa_cli.transaction.private import NotPrivate, check_folder, open_own
from irsa_cli.transaction.reading import never_began, read
from irsa_cli.transaction.story import FINISHED, Story, is_transaction

KEEP_FINISHED = 200
"""How many finished journals stay, newest first."""


def check_place(folder: Path) -> None:
    """Raise `RefusedJournal` where no journal in the folder would be taken as this user's."""
    try:
        check_folder(folder)
    except NotPrivate as error:
        raise refused(error) from error


def find(folder: Path, transaction: str) -> Path:
    """The path of a transaction's journal; raises `InvalidInput` when there is none."""
    path = folder / f"{transaction}.jsonl"
    if not is_transaction(transaction) or not path.is_file():
        raise InvalidInput(
            f"no transaction {transaction} in {folder}", next_steps=("irsa recover  # lists them",)
        )
    return path


def journals(folder: Path) -> list[Path]:
    """The journals of this machine, oldest first."""
    return sorted(folder.glob("*.jsonl"))


def looks_finished(path: Path) -> bool:
    """Whether the last line says so: a quick look, for when there are many journals."""
    try:
        handle = open_own(path)
    except NotPrivate as error:
        raise refused(error) from error
    with open(handle, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - 200))
        last = file.read(200).strip().rsplit(b"\n", 1)[-1]
    return any(f'"outcome":"{outcome}"'.encode() in last for outcome in FINISHED)


def prune(folder: Path, keep: int = KEEP_FINISHED) -> None:
    """Remove the oldest finished journals, unfinished ones never."""
    found = journals(folder)
    for path in found[: max(0, len(found) - keep)]:
        try:
            if read(path).finished:
                path.unlink()
        except (JournalError, OSError):
            continue


def stories(folder: Path) -> Iterator[tuple[Path, Story]]:
    """The journals that can be read, oldest first."""
    for path in journals(folder):
        with contextlib.suppress(JournalError):
            yield path, read(path)


def unreadable(folder: Path) -> dict[str, JournalError]:
    """The transactions whose journals can't be read, oldest first, and why."""
    found = {}
    for path in journals(folder):
        try:
            read(path)
        except JournalError as error:
            if not never_began(path):
                found[path.stem] = error
    return found


def unfinished(folder: Path) -> list[tuple[Path, Story]]:
    """The transactions of this machine that neither committed nor were rolled back, oldest first."""
    return [(path, story) for path, story in stories(folder) if not story.finished]


def history(folder: Path) -> list[Story]:
    """All transactions of this machine, oldest first."""
    return [story for _, story in stories(folder)]
