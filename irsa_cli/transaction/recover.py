"""Transactions whose process is gone: finding them, rolling them back, or completing them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any

from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.traits import Proof
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.transaction import steps as tracking
from irsa_cli.transaction.journal import Journal, JournalError, RefusedJournal
from irsa_cli.transaction.protocol import Fence, Handler, Identity, Leftover, Listener, Run, RunReport, end_of
from irsa_cli.transaction.reading import content_of, journals, read
from irsa_cli.transaction.rollback import Rollback
from irsa_cli.transaction.runner import Runner
from irsa_cli.transaction.steps import ROLLBACK_SECONDS, Tracked, all_of, numbered
from irsa_cli.transaction.story import TAKES_BACK, UNFINISHED, Record, Story, is_transaction


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
    folder: Path, transaction: str, plan: Plan, identities: Mapping[int, Identity], context: Mapping[str, Any]
) -> Path:
    """Write a journal for the rollback of found changes (by their number); raises `JournalError`."""
    with contextlib.closing(Journal.open(folder, transaction, plan, context)) as journal:
        for index, identity in identities.items():
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
        stages = of_journal(story.stages, last_sent(path))
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
    if any(record.undone for record in story.records):
        return False
    planned = (record.change for record in story.records)
    changes = [change for change in planned if change.kind.traits.proof is not Proof.IS_MARK]
    deletions = [change for change in changes if change.kind.is_whole and change.after is None]
    may_be_own = not deletions or any(record.needs_undo for record in story.stages[-1])
    if not changes or (may_be_own and not story.taken_over):
        return False

    def holds(change: Change) -> bool:
        return handlers[change.kind].look(change, story.transaction)

    owners = [change for change in deletions if change.kind.traits.owner_decides]
    gone = frozenset(change.target[0] for change in filter(holds, owners))
    return all(map(holds, _without_roles(changes, gone)))


def _without_roles(changes: Iterable[Change], roles: frozenset[str]) -> list[Change]:
    """The changes that are not about these roles alone."""
    return [change for change in changes if not change.roles or not change.roles <= roles]


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
        stages = of_journal(story.stages, last_sent(path))
        rollback = Rollback(handlers, journal, listen)
        if not rollback.finish_unanswered(stages[-1], story.transaction):
            return DeletionEnd.OPEN
        if any(record.undone for record in story.records):
            return DeletionEnd.HALF
        rollback.note("outcome", outcome="committed")
    return DeletionEnd.ENDED


def _may_have_ended(story: Story) -> bool:
    """Whether the run may have come to its end, in a step that nobody can roll back."""
    last = story.stages[-1] if story.stages else []
    begun = all(record.change.after is None and record.needs_undo for record in last)
    return begun and any(record.change.kind.traits.recreated for record in last)


def find(folder: Path, transaction: str) -> Path:
    """The path of a transaction's journal; raises `InvalidInput` when there is none."""
    path = folder / f"{transaction}.jsonl"
    if not is_transaction(transaction) or not path.is_file():
        raise InvalidInput(
            f"no transaction {transaction} in {folder}", next_steps=("irsa recover  # lists them",)
        )
    return path


def stories(folder: Path) -> Iterator[tuple[Path, Story]]:
    """The journals that can be read, oldest first."""
    for path in journals(folder):
        with contextlib.suppress(JournalError):
            yield path, read(path)


def unreadable(folder: Path) -> dict[str, JournalError]:
    """The transactions whose journals can't be read, oldest first, and why."""
    errors = {}
    for path in journals(folder):
        try:
            read(path)
        except JournalError as error:
            if not never_began(path):
                errors[path.stem] = error
    return errors


def unfinished(folder: Path) -> list[tuple[Path, Story]]:
    """The transactions of this machine that neither committed nor were rolled back, oldest first."""
    return [(path, story) for path, story in stories(folder) if not story.finished]


def roll_forward(
    path: Path, story: Story, handlers: Mapping[Kind, Handler], run: Run, listen: Listener
) -> RunReport:
    """Go on to the end of the plan; the report's outcome is `committed` or `unfinished`.

    What the journal doesn't say is done is done now, and nothing is rolled back, whatever happens: that is
    `roll_back`'s business. `run` bears the transaction's own name, so that its marks are
    known again. Raises `JournalError` when its process still lives, or did when `story` was read.
    """
    with reopened(path, story) as journal:
        stages = numbered(map(replace, stage) for stage in story.stages)
        sent = last_sent(path)
        for step in all_of(stages):
            # None counts as done before this process has checked it.
            record = step.record
            step.earlier = record.needs_undo
            step.noted = record.done
            record.done = False
            step.unanswered = sent if step.earlier and not step.noted else None
            step.written = sent if step.noted and record.changed else None
            if step.earlier and step.noted and step.change.action == "create":
                run.made(step.change)
        runner = Runner(stages, handlers, journal, run, listen)
        runner.recall()
        error = runner.go_on()
        return runner.end_well() if error is None else tracking.report(stages, UNFINISHED, error, [])


@contextlib.contextmanager
def reopened(path: Path, story: Story) -> Iterator[Journal]:
    """The journal, to write on; raises `JournalError` if its process lives, or did when `story` was read."""
    with contextlib.closing(Journal.reopen(path)) as journal:
        if read(path) != story:
            raise JournalError(
                f"transaction {path.stem} has changed in the meantime", reason="run this again"
            )
        yield journal


def last_sent(path: Path) -> float:
    """When (monotonic) a process that died may have sent its last request: not after the last line."""
    return max(time.monotonic() - max(0.0, time.time() - path.stat().st_mtime), 0.0)


def never_began(path: Path) -> bool:
    """Whether an unreadable journal is gone, or lacks a whole header, which is written before any call."""
    try:
        return b"\n" not in content_of(path)
    except JournalError as error:
        return isinstance(error.__cause__, FileNotFoundError)


def of_journal(stages: Sequence[Sequence[Record]], last_sent: float) -> list[list[Tracked]]:
    """The steps of a journal, to roll back; what was sent was sent until `last_sent` (monotonic seconds)."""
    steps = numbered(stages)
    for step in all_of(steps):
        record = step.record
        if record.begun and not record.done and not record.refused:
            step.unanswered = last_sent
        if record.done and record.changed:
            step.written = last_sent
    return steps
