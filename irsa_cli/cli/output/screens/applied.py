"""Output of commands on many ServiceAccounts: a line for each, plans, the total, errors at the end."""

from __future__ import annotations

from collections.abc import Iterator

import click

from irsa_cli.cli.output.of_results import GOOD, WORDS, counted, report_of, totals_words
from irsa_cli.cli.output.plan_text import change_lines, totals
from irsa_cli.cli.output.speaking import Save, Speaking, deliver
from irsa_cli.cli.output.text import messages, show, show_document
from irsa_cli.cli.terminal.wording import mark, put, say
from irsa_cli.core.results.applied import AppliedList, Changed, Item
from irsa_cli.core.results.result import CLUSTER, Ended, Result
from irsa_cli.core.results.scope import plural
from irsa_cli.core.values.shown import visible

NAME_WIDTH = 39


def ended_line(item: Item) -> str:
    """An item that has ended, in one line; why it failed is said once, at the end."""
    result = item.result
    sign = _sign(result)
    count = plural(len(result.changes), "change")
    # Others of the cluster may have been changed before it failed.
    word = "failed" if (item.name, result.ended) == (CLUSTER, Ended.FAILED) else WORDS[result.ended]
    what = f"{word}, {count}" if result.changes else word
    took = f"  {result.seconds:.1f} s" if result.seconds else ""
    return f"  {sign} {visible(f'{item.title:<{NAME_WIDTH}}  {what}{took}')}"


def _sign(result: Result) -> str:
    if result.ended not in GOOD:
        return click.style(mark("failed"), fg="red")
    if result.ended is Ended.UNCHANGED:
        return mark("ok")
    # The sign is that of the first object that is created or deleted.
    changes = (item.change for item in result.changes)
    whole = [change.action for change in changes if change.kind.is_whole]
    action = next((action for action in whole if action != "update"), "update")
    return click.style(mark(action), fg={"create": "green"}.get(action, "yellow"))


def finish_applied(
    done: AppliedList | Result, speaking: Speaking, *, dry_run: bool, save: Save = lambda done: None
) -> int:
    """Show the outcome, for all or for none; returns the exit code. `save` gets the result."""

    def shown() -> None:
        if isinstance(done, Result):
            show(done, speaking.output, quiet=speaking.quiet, verbose=speaking.verbose)
        else:
            silent = (
                speaking.quiet
                and dry_run
                and all(item.result.ended is Ended.UNCHANGED for item in done.items)
            )
            if not silent or speaking.output != "text":
                _show(done, speaking)
        save(done)

    return deliver(done, report_of, speaking, shown, only_shows=dry_run)


def _show(done: AppliedList, speaking: Speaking) -> None:
    if speaking.output == "text":
        for line in _text(done, whole=speaking.verbose):
            put(line)
    else:
        show_document(done.envelope(), speaking.output)
    for line in _messages(done, quiet=speaking.quiet):
        say(line, err=True)


def _text(done: AppliedList, *, whole: bool) -> Iterator[str]:
    pending = [item for item in done.items if item.result.ended is Ended.PLANNED]
    for item in pending:
        named = item.place or item.cluster in item.name
        yield visible(f"{item.title}:" if named else f"{item.cluster} {item.name}:")
        yield from change_lines((change.change for change in item.result.changes), whole=whole)
        for one in item.result.facts.get("changedBy", ()):
            facts = {"what" if key == "object" else key: value for key, value in one.items()}
            yield visible(f"    changed: {Changed(**facts)}")
    if pending:
        yield totals((change.change for item in pending for change in item.result.changes), whole=whole)
    took = f" ({done.seconds:.1f} s)" if done.is_timed else ""
    yield f"{counted(done) or 'Nothing to do'}{took}."
    words = totals_words(done)
    widest = max(map(len, done.by_place), default=0)
    for place, found in done.by_place.items():  # The clusters, if there are several.
        parts = ", ".join(f"{count} {words[name]}" for name, count in found.items())
        yield visible(f"  {place:<{widest}}  {parts}")
    if pending:
        yield "Nothing was changed (dry run)."


def _messages(done: AppliedList, *, quiet: bool) -> Iterator[str]:
    if not quiet:
        yield from (f"Note: {notice}" for notice in done.notices)
    for item in done.items:
        result = item.result
        if result.error is not None or result.left or ((result.notes or result.warnings) and not quiet):
            where = f" ({item.where})" if item.where else ""
            yield f"{item.title}{where}:"
            yield from (f"  {line}" for line in messages(result))
        for stays in result.facts.get("stays", ()):
            yield f"{item.name}: {stays['what']} is done and stays: {stays['why']}"
    if done.missing:
        yield f"Missing shards: {', '.join(done.missing)}. Their results are unknown."
    if done.pending:
        yield f"Not started: {', '.join(item.title for item in done.pending)}"
