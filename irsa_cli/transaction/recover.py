"""Finishing transactions whose process is gone by a rollback; `irsa_cli.transaction.runner` can continue."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.traits import Proof
from irsa_cli.core.recovery.authority import recover_command
from irsa_cli.transaction import steps as tracking
from irsa_cli.transaction.events import Leftover, Listener, end_of
from irsa_cli.transaction.journal import Journal, JournalError, RefusedJournal
from irsa_cli.transaction.protocol import Fence, Handler, Identity
from irsa_cli.transaction.reading import journals, last_sent, looks_finished, read, reopened
from irsa_cli.transaction.rollback import Rollback
from irsa_cli.transaction.steps import ROLLBACK_SECONDS
from irsa_cli.transaction.story import TAKES_BACK, About, Story


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
                _release(journal, story, covers)
            elif not story.finished:
                journal.event("outcome", outcome="superseded")
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
    """The transaction whose marks show what to roll back."""
    return str(story.context.get(TAKES_BACK) or story.transaction)


def record_found(
    folder: Path, transaction: str, plan: Plan, found: Mapping[int, Identity], context: Mapping[str, Any]
) -> Path:
    """Write a journal for the rollback of found changes (by their number); raises `JournalError`."""
    with contextlib.closing(Journal.open(folder, transaction, plan, context)) as journal:
        for index, identity in found.items():
            journal.event("begin", index)
            journal.event("done", index, changed=True, identity=dict(identity))
    return journal.path


def roll_back(
    path: Path,
    story: Story,
    handlers: Mapping[Kind, Handler],
    listen: Listener,
    *,
    rollback_seconds: float = ROLLBACK_SECONDS,
    fence: Fence | None = None,
) -> list[Leftover]:
    """Roll back a transaction; returns the leftovers. Raises `JournalError` while its process lives."""
    with reopened(path, story) as journal:
        stages = tracking.of_journal(story.stages, last_sent(path))
        rollback = Rollback(handlers, journal, listen, seconds=rollback_seconds, fence=fence)
        rollback.recall(stages, takes_back(story))
        leftovers = rollback.undo(stages, takes_back(story))
        rollback.note("outcome", **end_of(leftovers))
    return leftovers


def note_given_back(path: Path, roles: Collection[str]) -> None:
    """Note that all changes of these roles were rolled back; raises `JournalError` for a live process."""
    with contextlib.closing(Journal.reopen(path)) as journal:
        for index, record in enumerate(read(path).records):
            whole, target = record.change.object
            if record.needs_undo and whole.traits.owner_decides and target[0] in roles:
                journal.event("undone", index)


class DeletionEnd(Enum):
    """The end of a deletion whose last step nobody can roll back."""

    OPEN = "open"
    """The last step is not done, or it is no such deletion."""
    ENDED = "ended"
    HALF = "half"
    """The last step is done all the same, and earlier ones were rolled back before that was known."""


def ended_elsewhere(story: Story, handlers: Mapping[Kind, Handler]) -> bool:
    """Whether another run has ended what this one began: all of its plan is true, or gone with its role.

    Where nobody took its lock over, only of a deletion whose last step it did not come to: else it may be its
    own work, which can still be rolled back.
    """
    changes = [
        record.change for record in story.records if record.change.kind.traits.proof is not Proof.IS_MARK
    ]
    deletions = [item for item in changes if item.kind.is_whole and item.after is None]
    mine = not deletions or any(item.needs_undo for item in story.stages[-1])
    if any(item.undone for item in story.records) or (mine and not story.taken_over):
        return False

    def holds(change: Change) -> bool:
        return handlers[change.kind].look(change, story.transaction)

    gone = frozenset(item.target[0] for item in deletions if item.kind.traits.owner_decides and holds(item))
    return bool(changes) and all((item.roles and item.roles <= gone) or holds(item) for item in changes)


def look_at_deletion(
    path: Path, story: Story, handlers: Mapping[Kind, Handler], listen: Listener
) -> DeletionEnd:
    """Look whether the last step of a deletion is done; one that has `ENDED` is noted as committed.

    A deleted object of Kubernetes can't be restored as the same object. irsa waits for missing answers
    as in any rollback. Raises `JournalError` as `roll_back` does.
    """
    elsewhere = ended_elsewhere(story, handlers)
    if not elsewhere and not _may_have_ended(story):
        return DeletionEnd.OPEN
    with contextlib.closing(Journal.reopen(path)) as journal:
        if elsewhere:
            journal.event("outcome", outcome="superseded")
            return DeletionEnd.ENDED
        stages = tracking.of_journal(story.stages, last_sent(path))
        rollback = Rollback(handlers, journal, listen)
        if not rollback.finish_unanswered(stages[-1], story.transaction):
            return DeletionEnd.OPEN
        if any(item.undone for item in story.records):
            return DeletionEnd.HALF
        rollback.note("outcome", outcome="committed")
    return DeletionEnd.ENDED


def _may_have_ended(story: Story) -> bool:
    """Whether the run may have come to its end, in a step that nobody can roll back."""
    last = story.stages[-1] if story.stages else []
    begun = all(item.change.after is None and item.needs_undo for item in last)
    return begun and any(item.change.kind.traits.recreated for item in last)
