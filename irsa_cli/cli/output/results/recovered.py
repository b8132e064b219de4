"""Output of `irsa recover` and `irsa history` about several transactions."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import click

from irsa_cli.cli.output.plan_text import change_lines
from irsa_cli.cli.output.report import Message, Part, Report
from irsa_cli.cli.output.result import WORDS, name_of, of_result
from irsa_cli.cli.output.results.applied import of_many
from irsa_cli.cli.output.speaking import Speaking
from irsa_cli.cli.output.table import Table
from irsa_cli.cli.terminal.progress import KIND_WIDTH
from irsa_cli.cli.terminal.screen import age, mark
from irsa_cli.core.results.applied import AppliedList, Item
from irsa_cli.core.results.result import Ended, Result
from irsa_cli.core.values.errors import Refused
from irsa_cli.core.values.shown import visible

if TYPE_CHECKING:
    from irsa_cli.core.recovery.leftovers import Found, Leftovers, Recoveries
    from irsa_cli.usecases.recovery.history import Journals, Story

_WORDS = {**WORDS, Ended.PLANNED: "nothing was changed (dry run)", Ended.UNCHANGED: "nothing to do"}


def of_recoveries(done: Recoveries, speaking: Speaking) -> Report:
    """The outcome of each transaction, in the text with what went wrong below it."""
    parts: list[Part] = []
    for result in done.items:
        restored = any(item.state == "undone" and item.change.after is None for item in result.changes)
        end = ": restored what it had deleted or detached" if restored else ""
        end = end if result.ended is Ended.ROLLED_BACK else ""
        page = of_result(result, quiet=speaking.quiet, verbose=speaking.verbose)
        parts.append(visible(f"{_named(result)}  {_WORDS[result.ended]}{end}"))
        parts += [f"  {line}" for line in page.parts if result.ended is Ended.PLANNED]
        parts += [Message(f"  {line}") for line in page.messages]
    parts += [visible(f"{skipped.transaction}  skipped: {skipped.why}") for skipped in done.skipped]
    if not parts:
        parts.append("There is nothing to recover.")
    messages = [part for part in parts if isinstance(part, Message)]
    items = [
        Item("", " ".join(filter(None, (result.transaction, name_of(result)))), result)
        for result in done.items
    ]
    report = of_many(AppliedList(items), parts, () if speaking.output == "text" else messages)
    skipped = (f"{item.transaction} is skipped: {item.why}" for item in done.skipped)
    return replace(report, found=done, notes=(*report.notes, *skipped))


def intended_lines(planned: Sequence[Result], *, whole: bool) -> Iterator[str]:
    """The planned changes, a line each; `whole`: with every value, for a question."""
    for result in planned:
        yield visible(f"{_named(result)}  is planned:")
        yield from (visible(f"  Note: {note}") for note in result.notes)
        for change in (item.change for item in result.changes):
            if whole:
                yield from change_lines([change], whole=True)
            else:
                yield visible(
                    f"  {mark(change.action)} {change.kind.short:<{KIND_WIDTH}} {change.description}"
                )


def _named(result: Result) -> str:
    account = result.facts.get("serviceAccount")
    return (
        f"{result.transaction}  {account['namespace']}/{account['name']}" if account else result.transaction
    )


def of_found(found: Found) -> Report:
    """The leftovers of runs in a cluster, and how to roll the first back."""
    name = found.cluster.name
    is_eks = found.cluster.arn.startswith("arn:")
    parts: list[Part] = [visible(line) for item in found.leftovers for line in _lines(found, item)]
    first = next((item for item in found.leftovers if not found.why_not(item)), None)
    if first is not None:
        other = {"--issuer-url": found.cluster.issuer, "--account": found.cluster.account}
        options = {"-c": name, "-r": found.cluster.region} if is_eks else other
        where = shlex.join(text for pair in options.items() for text in pair)
        step = f"  irsa recover {first.transaction} {where}  # rolls it back; or --all"
        parts += [Message("Next:"), Message(visible(step))]
    return Report(found, parts or [f"No run is unfinished in {name}."])


def _lines(found: Found, leftovers: Leftovers) -> Iterator[str]:
    head = f"{leftovers.transaction}  {', '.join(leftovers.accounts)}".rstrip()
    yield f"{head}  {age(leftovers.age)} old"
    if leftovers.why:
        yield f"  {leftovers.why}"
    for piece in leftovers.pieces:
        yield f"  - {piece.change.kind.short:<{KIND_WIDTH}} {piece.change.description}"
    yield from (f"  Note: {note}" for note in leftovers.notes)
    for spared in leftovers.spared:
        yield f"  not touched: {spared.kind.value} {spared.name}: {spared.why}"
        yield from (f"    to end it: {step}" for step in spared.next_steps)
    why_not = found.why_not(leftovers)
    if why_not and leftovers.stages:
        yield f"  not rolled back: {why_not}"


_STORIES = ("TRANSACTION", "AGE", "STATE", "COMMAND", "CLUSTER", "SERVICEACCOUNT")
_LOCKS = {"held": "at work", "interrupted": "interrupted"}
"""The state of an unfinished run by its lock."""
_UNREAD = {True: click.style("refused", fg="red"), False: click.style("unreadable", fg="red")}
"""The state of a transaction whose journal is not read, by whether it was refused."""
_STATES = {"committed": "green", "rolled-back": "yellow", "superseded": "yellow"}


def of_journals(found: Journals, *, none: str, headers: bool) -> Report:
    """Transactions from journals, or `none`."""
    unread = [
        [visible(name), _age_of(name), _UNREAD[isinstance(error, Refused)], "?", "?", visible(str(error))]
        for name, error in found.unreadable.items()
    ]
    rows = [*unread, *(_story_row(found, story) for story in found.stories)]
    steps = [
        step for error in found.unreadable.values() if isinstance(error, Refused) for step in error.next_steps
    ]
    parts: list[Part] = [Table(_STORIES, rows, headless=not headers)] if rows else [none]
    return Report(found, [*parts, *(Message(visible(f"  {step}")) for step in steps)])


def _story_row(found: Journals, story: Story) -> list[str]:
    """A transaction as a row, with its lock if it is unfinished."""
    lock = found.locks.get(story.transaction)
    state = story.outcome or "unfinished"
    if lock is not None:
        state = _LOCKS.get(lock.value, state)
    cells = [story.transaction, _age_of(story.transaction), state, story.context.get("command", "?")]
    cells += [story.target.get("cluster") or "?", story.context.get("serviceAccount") or "-"]
    shown = [visible(str(cell)) for cell in cells]
    shown[2] = click.style(shown[2], fg=_STATES.get(story.outcome, "red"))
    return shown


def _age_of(transaction: str) -> str:
    """The age of a transaction, from its id."""
    try:
        begun = datetime.strptime(transaction[:15], "%Y%m%dT%H%M%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return "?"
    return age((datetime.now(timezone.utc) - begun).total_seconds())
