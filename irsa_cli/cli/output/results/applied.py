"""Output of commands on many ServiceAccounts: a line for each, plans, the total, errors at the end."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain

import click

from irsa_cli.cli.output.plan_text import NOTHING_CHANGED, access_lines, change_lines, total_lines
from irsa_cli.cli.output.report import Entry, Level, Line, Part, Rank, Report
from irsa_cli.cli.output.result import (
    GOOD,
    WORDS,
    entry_of,
    facts_of,
    is_good,
    messages,
    of_result,
    plan_verdict,
)
from irsa_cli.cli.output.speaking import Speaking
from irsa_cli.cli.terminal.screen import mark
from irsa_cli.core.results.applied import NOT_BEGUN, AppliedList, Changed, Item, SavedRequest
from irsa_cli.core.results.result import CLUSTER, Ended, Result
from irsa_cli.core.trust.rules.rule import FilePlace
from irsa_cli.core.values.shown import listed, plural, visible

NAME_WIDTH = 39
SHARED_BY = 3
"""A note that so many have is said once, with their number; of fewer, each says it."""


def ended_line(item: Item) -> str:
    """An item that has ended, in one line; why it failed is said once, at the end."""
    result = item.result
    sign = _sign(result)
    count = plural(len(result.changes), "change")
    # Others of the cluster may have been changed before it failed.
    word = "failed" if (item.name, result.ended) == (CLUSTER, Ended.FAILED) else WORDS[result.ended]
    outcome = f"{word}, {count}" if result.changes else word
    took = f"  {result.seconds:.1f} s" if result.seconds else ""
    return f"  {sign} {visible(f'{item.title:<{NAME_WIDTH}}  {outcome}{took}')}"


def _sign(result: Result) -> str:
    if result.ended not in GOOD:
        return click.style(mark("failed"), fg="red")
    if result.ended is Ended.UNCHANGED:
        return mark("ok")
    # The sign is that of the first object that is created or deleted.
    changes = (entry.change for entry in result.changes)
    whole = [change.action for change in changes if change.kind.is_whole]
    action = next((action for action in whole if action != "update"), "update")
    return click.style(mark(action), fg={"create": "green"}.get(action, "yellow"))


def of_applied(
    applied: AppliedList | Result, speaking: Speaking, *, dry_run: bool, first: Iterable[Part] = ()
) -> Report:
    """The report of many ServiceAccounts in the order of the files, or of a run that ended before them.

    Its text begins with the parts `first`; that of a saved plan begins with its request.
    """
    if isinstance(applied, Result):
        return of_result(applied, quiet=speaking.quiet, verbose=speaking.verbose)
    unchanged = all(item.result.ended is Ended.UNCHANGED for item in applied.items)
    silent = speaking.output == "text" and speaking.quiet and dry_run and unchanged
    if silent:
        return of_many(applied, first, ())
    shown = chain(first, _text(applied, whole=speaking.verbose))
    report = of_many(applied, shown, map(visible, _messages(applied, quiet=speaking.quiet)))
    return report if applied.request is None else _with_request(report, applied.request)


def _with_request(report: Report, request: SavedRequest) -> Report:
    """The report of a saved plan below the request that it carries out."""
    title = f"irsa {request.command}"
    # JSON, so that no two values look the same.
    settings = [
        f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in request.to_json().items()
    ]
    text = (f"Request of {title}:", *(visible(f"  {line}") for line in settings))
    entry = Entry(title, "request", Rank.UPDATED, tuple(Line(line, Rank.UPDATED) for line in settings))
    return replace(report, parts=chain(text, report.parts), entries=(entry, *report.entries))


def of_many(applied: AppliedList, shown: Iterable[Part], lines: Iterable[str]) -> Report:
    """The report of many results with this text."""
    reached = (item.result.cluster for item in applied.items if item.result.cluster)
    clusters = {cluster.arn: cluster for cluster in reached if cluster.arn}
    planned = [item.result for item in applied.items if item.result.ended is Ended.PLANNED]
    plan = f". {plan_verdict(planned)}" if planned else ""
    unchanged = sum(not _is_eventful(item) for item in applied.items)
    return Report(
        applied,
        shown,
        lines,
        f"{counted(applied) or 'nothing to do'}{plan}",
        all(is_good(item.result) for item in applied.items) and not (applied.pending or applied.missing),
        facts_of(*clusters.values()),
        _entries(applied),
        (f"{unchanged} unchanged",) if unchanged else (),
        (*applied.notices, *applied.recorded_notes, *shared_notes(applied), *_own_notes(applied)),
    )


def _notes_of_several(applied: AppliedList) -> dict[str, list[str]]:
    """The notes that several have, with the names of those."""
    names_of: dict[str, list[str]] = {}
    for item in applied.items:
        for note in dict.fromkeys(item.result.notes):
            names_of.setdefault(note, []).append(item.title)
    return {note: names for note, names in names_of.items() if len(names) >= SHARED_BY}


def shared_notes(applied: AppliedList) -> Iterator[str]:
    """The notes that several have, each once."""
    for note, names in _notes_of_several(applied).items():
        if len(names) == len(applied.items):
            yield f"for all {plural(len(names), applied.noun)}: {note}"
        else:
            yield f"for {plural(len(names), applied.noun)} ({', '.join(listed(names, SHARED_BY))}): {note}"


def _without_shared(applied: AppliedList) -> Iterator[tuple[Item, Result]]:
    """The items, each with the result without the notes that several have."""
    shared = _notes_of_several(applied)
    for item in applied.items:
        notes = [note for note in item.result.notes if note not in shared]
        yield item, replace(item.result, notes=notes)


def _own_notes(applied: AppliedList) -> Iterator[str]:
    for item, result in _without_shared(applied):
        yield from (f"{item.title}: {note}" for note in result.notes)


def _is_eventful(item: Item) -> bool:
    return item.result.ended is not Ended.UNCHANGED or bool(item.result.warnings)


def _entries(applied: AppliedList) -> Iterator[Entry]:
    for item in filter(_is_eventful, applied.items):
        yield entry_of(item.title, item.result, _place(item.where))
    for pending in applied.pending:
        yield Entry(pending.title, "not started", Rank.FAILED, level=Level.ERROR)
    for name in applied.missing:
        yield Entry(f"shard {name}", "missing", Rank.FAILED, level=Level.ERROR)


def _text(applied: AppliedList, *, whole: bool) -> Iterator[str]:
    planned = [item for item in applied.items if item.result.ended is Ended.PLANNED]
    for item in planned:
        yield from _planned_lines(item, whole=whole)
    if planned:
        yield from total_lines([item.result for item in planned], whole=whole)
    took = f" ({applied.seconds:.1f} s)" if applied.is_timed else ""
    yield f"{counted(applied) or 'Nothing to do'}{took}."
    committed = (item.result for item in applied.items if item.result.ended is Ended.COMMITTED)
    yield from access_lines(committed, whole=whole, ended=True)
    yield from _counts_by_place(applied)
    if planned:
        yield NOTHING_CHANGED


def _planned_lines(item: Item, *, whole: bool) -> Iterator[str]:
    """The planned changes of one, and who changed what differs."""
    has_cluster = item.place or item.cluster in item.name
    yield visible(f"{item.title}:" if has_cluster else f"{item.cluster} {item.name}:")
    yield from change_lines((change.change for change in item.result.changes), whole=whole)
    for written in item.result.facts.get("changedBy", ()):
        yield visible(f"    changed: {Changed.from_json(written)}")


def _counts_by_place(applied: AppliedList) -> Iterator[str]:
    """The outcomes in each cluster, if there are several."""
    words = totals_words(applied)
    widest = max(map(len, applied.by_place), default=0)
    for place, numbers in applied.by_place.items():
        counts = ", ".join(f"{number} {words[name]}" for name, number in numbers.items())
        yield visible(f"  {place:<{widest}}  {counts}")


def _messages(applied: AppliedList, *, quiet: bool) -> Iterator[str]:
    if not quiet:
        notices = (*applied.notices, *applied.recorded_notes, *shared_notes(applied))
        yield from (f"Note: {notice}" for notice in notices)
    for item, result in _without_shared(applied):
        has_news = not quiet and (result.notes or result.warnings)
        if result.error is not None or result.left or has_news:
            where = f" ({item.where})" if item.where else ""
            yield f"{item.title}{where}:"
            yield from (f"  {line}" for line in messages(result))
        for stays in result.facts.get("stays", ()):
            yield f"{item.name}: {stays['what']} is done and stays: {stays['why']}"
    if applied.missing:
        yield f"Missing shards: {', '.join(applied.missing)}. Their results are unknown."
    if applied.pending:
        yield f"Not started: {', '.join(item.title for item in applied.pending)}"


_NOTHING_CHANGED = (Ended.UNCHANGED, Ended.PLANNED, Ended.REFUSED, Ended.FAILED)


def counted(applied: AppliedList) -> str:
    """How many (ServiceAccounts) have which outcome, then everything else; '' if there are none."""
    words = totals_words(applied)
    outcomes = [(number, words[ended]) for ended, number in applied.summary.items()]
    if applied.pending:
        outcomes.append((len(applied.pending), words[NOT_BEGUN]))
    total = plural(sum(number for number, _ in outcomes), applied.noun)
    sentences: list[str] = []
    if len(outcomes) == 1:
        sentences.append(f"{total} {outcomes[0][1]}")
    elif outcomes:
        sentences.append(f"{total}: {', '.join(f'{number} {word}' for number, word in outcomes)}")
    for (name, ended), number in applied.apart.items():
        objects = plural(number, name) if number > 1 else name
        sentences.append(f"{objects} {words[ended]}")
    return "; ".join(sentences)


def totals_words(applied: AppliedList) -> dict[str, str]:
    """The words of a total by outcome: none says that nothing was changed if something was."""
    changed = any(item.result.ended not in _NOTHING_CHANGED for item in applied.items)
    words = {**WORDS, Ended.FAILED: "failed"} if changed else WORDS
    return {**{ended.value: words[ended] for ended in Ended}, NOT_BEGUN: "not started"}


def _place(where: str) -> FilePlace | None:
    """A place FILE:LINE of a configuration file."""
    file, _, line = where.rpartition(":")
    if file and line.isdecimal():
        return FilePlace(file, int(line))
    return FilePlace(where) if where else None
