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
from irsa_cli.cli.output.result import WORDS, name_of, of_result, restored
from irsa_cli.cli.output.results.applied import of_many
from irsa_cli.cli.output.speaking import Speaking
from irsa_cli.cli.output.table import Table
from irsa_cli.cli.terminal.progress import KIND_WIDTH
from irsa_cli.cli.terminal.screen import age, mark
from irsa_cli.core.results.applied import AppliedList, Item
from irsa_cli.core.results.result import Ended, Result
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import Refused
from irsa_cli.core.values.shown import visible

if TYPE_CHECKING:
    from irsa_cli.core.recovery.leftovers import Found, Leftovers, Recoveries
    from irsa_cli.usecases.recovery.history import Journals, Story

_WORDS = {**WORDS, Ended.PLANNED: "nothing was changed (dry run)", Ended.UNCHANGED: "nothing to do"}


def of_recoveries(recoveries: Recoveries, speaking: Speaking) -> Report:
    """The outcome of each transaction, in the text with what went wrong below it."""
    lines: list[Part] = []
    for result in recoveries.items:
        has_restored = result.ended is Ended.ROLLED_BACK and restored(result)
        end = ": restored what it had deleted or detached" if has_restored else ""
        page = of_result(result, quiet=speaking.quiet, verbose=speaking.verbose)
        lines.append(visible(f"{_named(result)}  {_WORDS[result.ended]}{end}"))
        if result.ended is Ended.PLANNED:
            lines += [f"  {line}" for line in page.parts]
        lines += [Message(f"  {line}") for line in page.messages]
    lines += [visible(f"{skipped.transaction}  skipped: {skipped.why}") for skipped in recoveries.skipped]
    if not lines:
        lines.append("There is nothing to recover.")
    messages: list[str] = []
    if speaking.output != "text":
        messages += [message for message in lines if isinstance(message, Message)]
    ended = [
        Item("", f"{result.transaction} {name_of(result)}".strip(), result) for result in recoveries.items
    ]
    report = of_many(AppliedList(ended), lines, messages)
    skipped = (f"{run.transaction} is skipped: {run.why}" for run in recoveries.skipped)
    return replace(report, found=recoveries, notes=(*report.notes, *skipped))


def _item(result: Result) -> Item:
    return Item("", f"{result.transaction} {name_of(result)}".strip(), result)


def intended_lines(planned: Sequence[Result], *, whole: bool) -> Iterator[str]:
    """The planned changes, a line each; `whole`: with every value, for a question."""
    for result in planned:
        yield visible(f"{_named(result)}  is planned:")
        yield from (visible(f"  Note: {note}") for note in result.notes)
        for change in (entry.change for entry in result.changes):
            if whole:
                yield from change_lines([change], whole=True)
            else:
                yield visible(
                    f"  {mark(change.action)} {change.kind.short:<{KIND_WIDTH}} {change.description}"
                )


def _named(result: Result) -> str:
    account = result.facts.get("serviceAccount")
    if not account:
        return result.transaction
    return f"{result.transaction}  {account['namespace']}/{account['name']}"


def of_found(listed: Found) -> Report:
    """The leftovers of runs in a cluster, and how to roll the first back."""
    lines: list[Part] = []
    for leftovers in listed.leftovers:
        lines += map(visible, _lines(listed, leftovers))
    first = next((leftovers for leftovers in listed.leftovers if not listed.why_not(leftovers)), None)
    if first is not None:
        step = f"  irsa recover {first.transaction} {_options_for(listed.cluster)}  # rolls it back; or --all"
        lines += [Message("Next:"), Message(visible(step))]
    return Report(listed, lines or [f"No run is unfinished in {listed.cluster.name}."])


def _options_for(cluster: Cluster) -> str:
    """The options that say which cluster it is, for a shell."""
    if cluster.arn.startswith("arn:"):
        return shlex.join(["-c", cluster.name, "-r", cluster.region])
    return shlex.join(["--issuer-url", cluster.issuer, "--account", cluster.account])


def _lines(listed: Found, leftovers: Leftovers) -> Iterator[str]:
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
    why_not = listed.why_not(leftovers)
    if why_not and leftovers.stages:
        yield f"  not rolled back: {why_not}"


_STORIES = ("TRANSACTION", "AGE", "STATE", "COMMAND", "CLUSTER", "SERVICEACCOUNT")
_LOCKS = {"held": "at work", "interrupted": "interrupted"}
"""The state of an unfinished run by its lock."""
_STATES = {"committed": "green", "rolled-back": "yellow", "superseded": "yellow"}


def of_journals(journals: Journals, *, none: str, headers: bool) -> Report:
    """Transactions from journals, or `none`."""
    rows: list[list[str]] = []
    steps: list[Message] = []
    for name, error in journals.unreadable.items():
        state = "unreadable"
        if isinstance(error, Refused):
            state = "refused"
            steps += [Message(visible(f"  {step}")) for step in error.next_steps]
        shown_state = click.style(state, fg="red")
        rows.append([visible(name), _age_of(name), shown_state, "?", "?", visible(str(error))])
    rows += [_story_row(journals, story) for story in journals.stories]
    head: Part = Table(_STORIES, rows, headless=not headers) if rows else none
    return Report(journals, [head, *steps])


def _story_row(journals: Journals, story: Story) -> list[str]:
    """A transaction as a row, with its lock if it is unfinished."""
    lock = journals.locks.get(story.transaction)
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
