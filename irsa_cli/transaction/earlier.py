"""Interrupted runs for the same object as a later run, which continues from them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from irsa_cli.core.plan.changes import Change
from irsa_cli.transaction.journal import Journal, JournalError
from irsa_cli.transaction.reading import journals, looks_finished, read
from irsa_cli.transaction.story import About, Story, recover_command


def interrupted_runs(folder: Path, about: About, also: Collection[str] = ()) -> list[Path]:
    """The unfinished transactions for this command (or `also`) and ServiceAccount with a dead process."""
    found = []
    for path in journals(folder):
        with contextlib.suppress(JournalError, OSError):
            if not looks_finished(path) and _is_of(read(path), about, also):
                Journal.reopen(path).close()
                found.append(path)
    return found


def _is_of(story: Story, about: About, also: Collection[str]) -> bool:
    wanted = [about, *(about._replace(command=command) for command in also)]
    return not story.finished and story.about in wanted


Covers = Callable[[Story, Change], bool]
"""Whether what a change of a story is about is as a later run asked for it, and is not to be rolled back."""


def everything(_story: Story, _change: Change) -> bool:
    """A later run that asked for the same as the earlier one has left nothing of it."""
    return True


def leaves(story: Story, covers: Covers) -> bool:
    """Whether something has to be rolled back all the same."""
    return any(item.needs_undo and not covers(story, item.change) for item in story.records)


def supersede(paths: Iterable[Path], covers: Covers = everything) -> list[Path]:
    """Note that a later run has completed the work of these; returns those that stay unfinished."""
    others = []
    for path in paths:
        with contextlib.suppress(JournalError), contextlib.closing(Journal.reopen(path)) as journal:
            story = read(path)
            if leaves(story, covers):
                others.append(path)
                # Note that what a later run counts on is not this transaction's any more.
                for index, record in enumerate(story.records):
                    if record.needs_undo and covers(story, record.change):
                        journal.event("done", index, changed=False, identity={})
            elif not story.finished:
                journal.event("outcome", outcome="superseded")
    return others


def command_of(path: Path) -> str:
    """The command that recovers a transaction, as its journal tells how it was reached."""
    return recover_command(path.stem, read(path).to_paste)
