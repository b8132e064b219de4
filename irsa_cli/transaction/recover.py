"""Finishing transactions whose process is gone: reading their journals and taking back what was begun."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from irsa_cli.core.plan import Kind
from irsa_cli.transaction.engine import Leftover, Listener, Worker, steps_of
from irsa_cli.transaction.journal import Journal, JournalError, Story, journals, read
from irsa_cli.transaction.protocol import Handler


def unfinished(folder: Path) -> list[tuple[Path, Story]]:
    """The transactions of this machine that neither committed nor were rolled back, oldest first."""
    found = []
    for path in journals(folder):
        try:
            story = read(path)
        except JournalError:
            continue
        if not story.finished:
            found.append((path, story))
    return found


def roll_back(path: Path, story: Story, handlers: Mapping[Kind, Handler], listen: Listener) -> list[Leftover]:
    """Take back what the transaction did; returns what could not be taken back.

    Raises `JournalError` when the transaction's process still lives, or did when `story` was read.
    """
    journal = Journal.reopen(path)
    try:
        if read(path) != story:
            raise JournalError(f"transaction {path.stem} went on meanwhile", reason="look at it again")
        # The request of a process that died may have been the last thing it sent: no request is
        # younger than the last line.
        last_sent = max(time.monotonic() - _age(path), 0.0)
        steps = steps_of(story.stages)
        for step in (step for stage in steps for step in stage):
            if step.record.begun and not step.record.done and not step.record.refused:
                step.unanswered = last_sent
        worker = Worker(handlers, journal, listen)
        leftovers = worker.undo(steps, story.transaction)
        worker.note("outcome", outcome="incomplete" if leftovers else "rolled-back")
    finally:
        journal.close()
    return leftovers


def _age(path: Path) -> float:
    """Seconds since the journal was last written."""
    return max(0.0, time.time() - path.stat().st_mtime)
