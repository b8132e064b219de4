"""Transactions as their journals tell them: the table of `irsa history`, and the list of `irsa recover`."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import click

from irsa_cli.cli.output.table import show_table
from irsa_cli.cli.output.text import show_document
from irsa_cli.cli.terminal.wording import age, say
from irsa_cli.core.results.envelope import DocumentKind, Envelope, ItemError, ReadOutcome
from irsa_cli.core.values.errors import Refused
from irsa_cli.core.values.shown import visible

if TYPE_CHECKING:
    from irsa_cli.usecases.recovery.history import Journals, Story

_STORIES = ("TRANSACTION", "AGE", "STATE", "COMMAND", "CLUSTER", "SERVICEACCOUNT")
_LOCKS = {"held": "at work", "interrupted": "interrupted"}
"""What is said of an unfinished run in place of its outcome, where its lock tells more."""
_STATES = {"committed": "green", "rolled-back": "yellow", "superseded": "yellow"}


def show_stories(
    found: Journals,
    output: str,
    *,
    none: str,
    headers: bool = True,
    exit_code: int = 0,
) -> None:
    """Print transactions that were read from journals; `none` is said when there are none.

    What can't be read is a fact of the list, and an error where it makes the command fail (`exit_code`).
    """
    stories, unreadable = found.stories, found.unreadable
    if output != "text":
        show_document(_envelope(found, exit_code), output)
        return
    show_table(
        _STORIES if headers else (),
        [*map(_unread, unreadable, unreadable.values()), *(_told(found, story) for story in stories)],
    )
    for error in unreadable.values():
        for step in error.next_steps if isinstance(error, Refused) else ():
            say(f"  {step}", err=True)
    if not stories and not unreadable:
        click.echo(none)


def _envelope(found: Journals, exit_code: int) -> Envelope:
    errors = list(found.unreadable.values()) if exit_code else []
    items = [{**story.to_json(), "lock": _lock_json(found, story)} for story in found.stories]
    unreadable = [
        {"transaction": name, "why": str(error), "refused": isinstance(error, Refused)}
        for name, error in found.unreadable.items()
    ]
    return Envelope(
        DocumentKind.TRANSACTIONS,
        ReadOutcome.of(errors[0] if errors else None),
        exit_code,
        items=items,
        summary=Counter(item["outcome"] for item in items),
        errors=[ItemError(error) for error in errors],
        facts={"unreadable": unreadable},
    )


def _lock_json(found: Journals, story: Story) -> dict[str, str] | None:
    """The lock of an unfinished run; None without one, or where nothing is known of it."""
    lock = found.locks.get(story.transaction)
    return None if lock is None else {"holder": story.lock_holder, "state": lock.value}


def _told(found: Journals, story: Story) -> list[str]:
    """A transaction as a row; of an unfinished one also what is known of its lock."""
    lock = found.locks.get(story.transaction)
    state = story.outcome or "unfinished"
    if lock is not None:
        state = _LOCKS.get(lock.value, state)
    cells = [story.transaction, _age(story.transaction), state, story.context.get("command", "?")]
    cells += [story.target.get("cluster") or "?", story.context.get("serviceAccount") or "-"]
    shown = [visible(str(cell)) for cell in cells]
    shown[2] = click.style(shown[2], fg=_STATES.get(story.outcome, "red"))
    return shown


def _unread(name: str, error: Exception) -> list[str]:
    """A transaction whose journal can't be read, or is refused, and why."""
    state = click.style("refused" if isinstance(error, Refused) else "unreadable", fg="red")
    return [visible(name), _age(name), state, "?", "?", visible(str(error))]


def _age(transaction: str) -> str:
    """How long ago a transaction began, which its id tells."""
    try:
        begun = datetime.strptime(transaction[:15], "%Y%m%dT%H%M%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return "?"
    return age((datetime.now(timezone.utc) - begun).total_seconds())
