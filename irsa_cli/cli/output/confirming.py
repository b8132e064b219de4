"""The question before something is deleted: asked on a terminal, answered by `--yes`.

Where nobody can be asked, what names one thing to delete (`delete-sa`, `disassociate-oidc`) is carried out,
as kubectl and the AWS CLI do it. What finds out by itself what goes (`apply --prune`), or takes it from files
(`delete -f`), needs `--yes`: a pipeline that deletes says so in its own text.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from irsa_cli.cli.output.plan_text import change_lines
from irsa_cli.cli.terminal.progress import Progress
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.values.errors import NotConfirmed
from irsa_cli.core.values.shown import visible

QUESTION = "Delete this?"


def can_ask() -> bool:
    """Whether there is a person to ask: some CI systems have a terminal, at which nobody sits."""
    return sys.stdin.isatty() and sys.stderr.isatty() and not os.environ.get("CI")


def demand_yes(options: Mapping[str, Any], what: str) -> None:
    """Wrong usage where a command that deletes many has neither `--yes` nor somebody to ask."""
    if not (options["yes"] or options["dry_run"] or can_ask()):
        raise click.UsageError(
            f"{what} deletes, and there is no terminal to ask at: add --yes (--dry-run shows what would go)"
        )


class Confirmation:
    """Asks about what a run deletes; a yes holds for what was shown then. For several threads."""

    def __init__(self, progress: Progress, *, yes: bool, dry_run: bool) -> None:
        self._progress = progress
        self.asks = not (yes or dry_run) and can_ask()
        """Whether somebody is asked; else everything is as good as confirmed."""
        self._named = False
        self._shown: frozenset[object] = frozenset()
        self._lock = threading.Lock()

    def of_plan(self, changes: Iterable[Change]) -> bool:
        """Whether a plan may be carried out: one that deletes whole objects is shown and asked about.

        Raises `NotConfirmed` for a plan that deletes more than the one that was shown: it was made once the
        run's locks were held, or another run had come between, and a second question would keep those locks.
        """
        found = list(changes)
        deleted = frozenset(item.object for item in found if item.after is None and item.kind.is_whole)
        with self._lock:
            if not self.asks or self._named or deleted <= self._shown:
                return True
            if self._shown:
                raise _grown(item for item in found if item.object in deleted - self._shown)
            from irsa_cli.cli.output.plan_text import change_lines, totals
            from irsa_cli.core.plan.changes import not_again

            notes = [visible(f"Note: {note}") for note in not_again(found)]
            agreed = self._progress.ask([*change_lines(found), *notes, totals(found)], QUESTION)
            self._shown = deleted if agreed else self._shown
            return agreed

    def of_names(self, heading: str, names: Sequence[str]) -> bool:
        """Whether all of these may be deleted, with what belongs to them."""
        with self._lock:
            if not self.asks or not names:
                return True
            lines = [heading, *(f"  - {visible(name)}" for name in names)]
            self._named = self._progress.ask(lines, QUESTION)
            return self._named


def _grown(changes: Iterable[Change]) -> NotConfirmed:
    return NotConfirmed(
        "nothing is deleted",
        reason="there is more to delete by now than what was confirmed",
        details=[line.strip() for line in change_lines(changes)],
        next_steps=("run the same command again: it asks about all of it",),
    )
