"""The question before something is deleted: asked on a terminal, answered by `--yes`.

Where nobody can be asked, what names one thing to delete (`delete-sa`, `disassociate-oidc`) is carried out,
as kubectl and the AWS CLI do it. What finds out by itself what goes (`apply --prune`), or takes it from files
(`delete -f`), needs `--yes`: a pipeline that deletes says so in its own text.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.core.values.printable import visible

if TYPE_CHECKING:
    from irsa_cli.cli.progress import Progress
    from irsa_cli.core.plan.changes import Change


def can_ask() -> bool:
    """Whether there is a person to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def demand_yes(options: Mapping[str, Any], what: str) -> None:
    """Wrong usage where a command that deletes many has neither `--yes` nor somebody to ask."""
    if not (options["yes"] or options["dry_run"] or can_ask()):
        raise click.UsageError(
            f"{what} deletes, and there is no terminal to ask at: add --yes (--dry-run shows what would go)"
        )


class Confirmation:
    """Asks once a run; what was answered holds for the rest of it. For several threads."""

    def __init__(self, progress: Progress, *, yes: bool, dry_run: bool) -> None:
        self._progress = progress
        self._settled = yes or dry_run or not can_ask()
        self._lock = threading.Lock()

    def of_plan(self, changes: Iterable[Change]) -> bool:
        """Whether a plan may be carried out: one that deletes whole objects is shown and asked about."""
        found = list(changes)
        if not any(change.after is None and change.kind.is_whole for change in found):
            return True
        from irsa_cli.cli.plan_text import change_lines, totals

        return self._ask([*change_lines(found), totals(found)])

    def of_names(self, heading: str, names: Sequence[str]) -> bool:
        """Whether all of these may be deleted."""
        return not names or self._ask([heading, *(f"  - {visible(name)}" for name in names)])

    def _ask(self, lines: Sequence[str]) -> bool:
        with self._lock:
            self._settled = self._settled or self._progress.ask(lines, "Delete this?")
            return self._settled
