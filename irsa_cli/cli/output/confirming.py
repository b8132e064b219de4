"""Ask before something is deleted: on a terminal, unless `--yes` is given.

Without a terminal, a command that names one thing (`delete-sa`, `disassociate-oidc`) runs, as with kubectl.
Commands that find the objects themselves (`apply --prune`) or in files (`delete -f`) need `--yes`.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from irsa_cli.cli.output.plan_text import change_lines, totals
from irsa_cli.cli.terminal.progress import Progress
from irsa_cli.core.plan.changes import Change, not_again
from irsa_cli.core.values.errors import NotConfirmed
from irsa_cli.core.values.shown import visible

QUESTION = "Delete this?"


def can_ask() -> bool:
    """Whether there is a person to ask: some CI systems have a terminal without one."""
    return sys.stdin.isatty() and sys.stderr.isatty() and not os.environ.get("CI")


def demand_yes(options: Mapping[str, Any], what: str) -> None:
    """Raise `UsageError` for a command that deletes many, without `--yes` and without a terminal."""
    if not (options["yes"] or options["dry_run"] or can_ask()):
        raise click.UsageError(
            f"{what} deletes, and there is no terminal to ask at: add --yes (to see the plan: --dry-run)"
        )


class Confirmation:
    """Asks about deletions; a yes holds for the objects shown. For several threads."""

    def __init__(self, progress: Progress, *, yes: bool, dry_run: bool) -> None:
        self._progress = progress
        self.asks = not (yes or dry_run) and can_ask()
        """Whether somebody is asked; else everything counts as confirmed."""
        self._named = False
        self._shown: frozenset[object] = frozenset()
        self._lock = threading.Lock()

    def of_plan(self, changes: Iterable[Change]) -> bool:
        """Show a plan that deletes whole objects, and ask about it.

        Raises `NotConfirmed` if a later plan deletes more: a second question would keep the run's locks.
        """
        found = list(changes)
        deleted = frozenset(item.object for item in found if item.after is None and item.kind.is_whole)
        with self._lock:
            if not self.asks or self._named or deleted <= self._shown:
                return True
            if self._shown:
                more = [item for item in found if item.object in deleted - self._shown]
                raise NotConfirmed(
                    "nothing is deleted",
                    reason="there is more to delete now than you confirmed",
                    details=[line.strip() for line in change_lines(more)],
                    next_steps=("run the same command again: it asks about all of it",),
                )
            notes = [visible(f"Note: {note}") for note in not_again(found)]
            agreed = self._progress.ask([*change_lines(found), *notes, totals(found)], QUESTION)
            self._shown = deleted if agreed else self._shown
            return agreed

    def of_names(self, heading: str, names: Sequence[str]) -> bool:
        """Whether all of these may be deleted, with their parts."""
        with self._lock:
            if not self.asks or not names:
                return True
            lines = [heading, *(f"  - {visible(name)}" for name in names)]
            self._named = self._progress.ask(lines, QUESTION)
            return self._named
