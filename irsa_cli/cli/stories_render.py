"""Transactions as their journals tell them: the table of `irsa history`, and the list of `irsa recover`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import click

from irsa_cli.cli.render import show_document
from irsa_cli.cli.table import show_table
from irsa_cli.cli.wording import age, say
from irsa_cli.core.results.result import API_VERSION
from irsa_cli.core.values.errors import Refused
from irsa_cli.core.values.printable import visible

if TYPE_CHECKING:
    from irsa_cli.usecases.recovery.history import Story

_STORIES = ("TRANSACTION", "AGE", "STATE", "COMMAND", "CLUSTER", "SERVICEACCOUNT")
_STATES = {"committed": "green", "rolled-back": "yellow", "superseded": "yellow"}


def show_stories(
    stories: Sequence[Story],
    unreadable: Mapping[str, Exception],
    output: str,
    *,
    none: str,
    headers: bool = True,
) -> None:
    """Print transactions that were read from journals as a table; `none` is said when there are none.

    `unreadable` are those whose journals could not be read, and why.
    """
    if output != "text":
        document = {
            "apiVersion": API_VERSION,
            "kind": "TransactionList",
            "items": [{**story.to_json(), "outcome": story.outcome or "unfinished"} for story in stories],
            "unreadable": [
                {"transaction": name, "why": str(error), "refused": isinstance(error, Refused)}
                for name, error in unreadable.items()
            ],
        }
        show_document(document, output)
        return
    show_table(
        _STORIES if headers else (), [*map(_unread, unreadable, unreadable.values()), *map(_told, stories)]
    )
    for error in unreadable.values():
        for step in error.next_steps if isinstance(error, Refused) else ():
            say(f"  {step}", err=True)
    if not stories and not unreadable:
        click.echo(none)


def _told(story: Story) -> list[str]:
    """A transaction as a row."""
    state = story.outcome or "unfinished"
    cells = [story.transaction, _age(story.transaction), state, story.context.get("command", "?")]
    cells += [story.target.get("cluster") or "?", story.context.get("serviceAccount") or "-"]
    shown = [visible(str(cell)) for cell in cells]
    shown[2] = click.style(shown[2], fg=_STATES.get(state, "red"))
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
