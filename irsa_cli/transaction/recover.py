"""Finishing transactions whose process is gone: reading their journals and taking back what was begun.

Going on with them instead is in `irsa_cli.transaction.forward`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from irsa_cli.core.authority import recover_command
from irsa_cli.core.plan import Change, Kind, Plan
from irsa_cli.transaction.engine import (
    ROLLBACK_SECONDS,
    Leftover,
    Listener,
    Worker,
    outcome_of,
    steps_of,
)
from irsa_cli.transaction.journal import (
    TAKES_BACK,
    Journal,
    JournalError,
    RefusedJournal,
    Story,
    journals,
    looks_finished,
    never_began,
    read,
)
from irsa_cli.transaction.protocol import Handler, Identity


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


def cut_off(folder: Path, context: Mapping[str, Any], also: Collection[str] = ()) -> list[Path]:
    """The unfinished transactions for the same command and ServiceAccount whose processes are gone.

    Those of the commands `also` count as well.
    """
    found = []
    for path in journals(folder):
        with contextlib.suppress(JournalError, OSError):
            if not looks_finished(path) and _is_of(read(path), context, also):
                Journal.reopen(path).close()
                found.append(path)
    return found


def _is_of(story: Story, context: Mapping[str, Any], also: Collection[str]) -> bool:
    commands = (context["command"], *also)
    same = all(story.context.get(key) == context[key] for key in ("cluster", "serviceAccount"))
    return not story.finished and same and story.context.get("command") in commands


Covers = Callable[[Story, Change], bool]
"""Whether what a change of a story is about is as a later run wished it, and none of it to be taken back."""


def everything(_story: Story, _change: Change) -> bool:
    """A later run that wished the same as the earlier one has left nothing of it."""
    return True


def leaves(story: Story, covers: Covers) -> bool:
    """Whether something has to be taken back all the same."""
    return any(item.needs_undo and not covers(story, item.change) for item in story.records)


def supersede(paths: Iterable[Path], covers: Covers = everything) -> list[Path]:
    """Note that a later run has made true what these began: nothing of that is to be taken back.

    Returns those of which something else has to be: they stay unfinished for its sake.
    """
    others = []
    for path in paths:
        with contextlib.suppress(JournalError):
            journal = Journal.reopen(path)
            try:
                story = read(path)
                if leaves(story, covers):
                    others.append(path)
                    _release(journal, story, covers)
                elif not story.finished:
                    journal.event("outcome", outcome="superseded")
            finally:
                journal.close()
    return others


def _release(journal: Journal, story: Story, covers: Covers) -> None:
    """Note that what a later run counts on is not this transaction's any more."""
    for index, record in enumerate(story.records):
        if record.needs_undo and covers(story, record.change):
            journal.event("done", index, changed=False, identity={})


def command_of(path: Path) -> str:
    """The command that recovers a transaction, as its journal tells how it was reached."""
    return recover_command(path.stem, read(path).to_paste)


def is_running(path: Path) -> bool:
    """Whether the process that writes this journal lives; raises `RefusedJournal`."""
    try:
        Journal.reopen(path).close()
    except RefusedJournal:
        raise
    except JournalError:
        return True
    return False


def takes_back(story: Story) -> str:
    """The transaction whose marks tell what is to be taken back."""
    return str(story.context.get(TAKES_BACK) or story.transaction)


def record_found(
    folder: Path, transaction: str, plan: Plan, found: Mapping[int, Identity], context: Mapping[str, Any]
) -> Path:
    """Write a journal by which what was found (changes by their number in the plan) can be taken back.

    Raises `JournalError` when that can't be done.
    """
    journal = Journal.open(folder, transaction, plan, context)
    try:
        for index, identity in found.items():
            journal.event("begin", index)
            journal.event("done", index, changed=True, identity=dict(identity))
    finally:
        journal.close()
    return journal.path


def roll_back(
    path: Path,
    story: Story,
    handlers: Mapping[Kind, Handler],
    listen: Listener,
    *,
    rollback_seconds: float = ROLLBACK_SECONDS,
) -> list[Leftover]:
    """Take back what the transaction did; returns what could not be taken back.

    Raises `JournalError` when the transaction's process still lives, or did when `story` was read.
    """
    journal = Journal.reopen(path)
    try:
        if read(path) != story:
            raise JournalError(f"transaction {path.stem} went on meanwhile", reason="look at it again")
        steps = steps_of(story.stages, last_sent(path))
        worker = Worker(handlers, journal, listen, rollback_seconds=rollback_seconds)
        leftovers = worker.undo(steps, takes_back(story))
        worker.note("outcome", outcome=outcome_of(leftovers))
    finally:
        journal.close()
    return leftovers


class Deletion(Enum):
    """What became of a deletion whose last step nobody can take back."""

    OPEN = "open"
    """The last step is not done, or it is no such deletion."""
    ENDED = "ended"
    HALF = "half"
    """The last step is done all the same, and earlier ones were taken back before that was known."""


def look_at_deletion(
    path: Path, story: Story, handlers: Mapping[Kind, Handler], listen: Listener
) -> Deletion:
    """Look whether the last step of a deletion is done; one that has `ENDED` is noted as committed.

    An object of Kubernetes that is deleted never comes back as what it was. What nobody answered is waited
    for as in any rollback. Raises `JournalError` as `roll_back` does.
    """
    if not _may_have_ended(story):
        return Deletion.OPEN
    journal = Journal.reopen(path)
    try:
        steps = steps_of(story.stages, last_sent(path))
        worker = Worker(handlers, journal, listen)
        if not worker.finish_unanswered(steps[-1], story.transaction):
            return Deletion.OPEN
        if any(item.undone for item in story.records):
            return Deletion.HALF
        worker.note("outcome", outcome="committed")
    finally:
        journal.close()
    return Deletion.ENDED


def _may_have_ended(story: Story) -> bool:
    """Whether the run may have come to its end, in a step that nobody can take back."""
    last = story.stages[-1] if story.stages else []
    begun = all(item.change.after is None and item.needs_undo for item in last)
    return begun and any(item.change.kind.traits.made_anew for item in last)


def last_sent(path: Path) -> float:
    """When (monotonic) a process that died may have sent its last request: not after the last line."""
    return max(time.monotonic() - _age(path), 0.0)


def _age(path: Path) -> float:
    """Seconds since the journal was last written."""
    return max(0.0, time.time() - path.stat().st_mtime)
