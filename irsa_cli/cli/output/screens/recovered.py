"""Output of `irsa recover` and `irsa history` about several transactions."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import click

from irsa_cli.cli.output.of_results import WORDS
from irsa_cli.cli.output.plan_text import change_lines, plan_lines
from irsa_cli.cli.output.table import show_table
from irsa_cli.cli.output.text import messages, show_document
from irsa_cli.cli.terminal.progress import KIND_WIDTH
from irsa_cli.cli.terminal.wording import age, mark, put, say
from irsa_cli.core.results.envelope import DocumentKind, Envelope, ItemError, ReadOutcome
from irsa_cli.core.results.result import Ended, Result
from irsa_cli.core.values.errors import Refused
from irsa_cli.core.values.shown import visible

if TYPE_CHECKING:
    from irsa_cli.core.recovery.leftovers import Found, Leftovers, Recoveries
    from irsa_cli.usecases.recovery.history import Journals, Story

_WORDS = {**WORDS, Ended.PLANNED: "nothing was changed (dry run)", Ended.UNCHANGED: "nothing to do"}


def show_recoveries(done: Recoveries, output: str, *, quiet: bool, verbose: bool = False) -> None:
    """Print the outcome of each transaction; errors on standard error."""
    if output != "text":
        show_document(done.envelope(), output)
    for result in done.items:
        if output == "text":
            restored = any(item.state == "undone" and item.change.after is None for item in result.changes)
            end = ": restored what it had deleted or detached" if restored else ""
            say(f"{_named(result)}  {_WORDS[result.ended]}{end if result.ended is Ended.ROLLED_BACK else ''}")
            for line in plan_lines(result, whole=verbose) if result.ended is Ended.PLANNED else ():
                put(f"  {line}")
        if not quiet or result.error is not None or result.left:
            for line in messages(result):
                put(f"  {line}", err=True)
    if output == "text":
        for skipped in done.skipped:
            say(f"{skipped.transaction}  skipped: {skipped.why}")
        if not done.items and not done.skipped:
            click.echo("There is nothing to recover.")


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


def show_found(found: Found, output: str) -> int:
    """Print the leftovers of runs in a cluster; returns the exit code."""
    if output != "text":
        show_document(found.envelope(), output)
        return 0
    for leftovers in found.leftovers:
        for line in _lines(found, leftovers):
            say(line)
    name = found.cluster.name
    if not found.leftovers:
        click.echo(f"No run is unfinished in {name}.")
    for leftovers in found.leftovers:
        if not found.why_not(leftovers):
            say("Next:", err=True)
            is_eks = found.cluster.arn.startswith("arn:")
            other = {"--issuer-url": found.cluster.issuer, "--account": found.cluster.account}
            options = {"-c": name, "-r": found.cluster.region} if is_eks else other
            where = shlex.join(text for pair in options.items() for text in pair)
            step = f"irsa recover {leftovers.transaction} {where}"
            say(f"  {step}  # rolls it back; or --all", err=True)
            break
    return 0


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


def show_stories(
    found: Journals, output: str, *, none: str, headers: bool = True, exit_code: int = 0
) -> None:
    """Print transactions from journals, or `none`; unreadable ones are errors if the command fails."""
    stories, unreadable = found.stories, found.unreadable
    if output != "text":
        show_document(_envelope(found, exit_code), output)
        return
    unread = [
        [visible(name), _age_of(name), _UNREAD[isinstance(error, Refused)], "?", "?", visible(str(error))]
        for name, error in unreadable.items()
    ]
    show_table(
        _STORIES if headers else (),
        [*unread, *(_story_row(found, story) for story in stories)],
    )
    for error in unreadable.values():
        for step in error.next_steps if isinstance(error, Refused) else ():
            say(f"  {step}", err=True)
    if not stories and not unreadable:
        click.echo(none)


def _envelope(found: Journals, exit_code: int) -> Envelope:
    errors = list(found.unreadable.values()) if exit_code else []
    # The lock is that of an unfinished run; None without one, or if it is unknown.
    locks = [found.locks.get(story.transaction) for story in found.stories]
    items: list[dict[str, Any]] = [
        {**story.to_json(), "lock": lock and {"holder": story.lock_holder, "state": lock.value}}
        for story, lock in zip(found.stories, locks, strict=True)
    ]
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
