"""Reports of commands that write: plans and results, of one or many."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from irsa_cli.cli.output.plan_text import attributes, is_mark, totals, values
from irsa_cli.cli.output.reports.model import Document, Entry, Level, Line, PipelineReport, Rank, SourcePlace
from irsa_cli.cli.output.text import messages, text_lines
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.policies.policy import difference
from irsa_cli.core.results.applied import NOT_BEGUN, AppliedList
from irsa_cli.core.results.result import ChangeResult, Ended, Result
from irsa_cli.core.results.scope import plural
from irsa_cli.core.trust.rules.rule import Risk
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.heads import caller_name, moment

WORDS = {
    Ended.COMMITTED: "done",
    Ended.UNCHANGED: "unchanged",
    Ended.PLANNED: "to change",
    Ended.ROLLED_BACK: "rolled back",
    Ended.INCOMPLETE: "not rolled back completely",
    Ended.REFUSED: "refused",
    Ended.FAILED: "failed, nothing was changed",
    Ended.UNFINISHED: "unfinished",
}


_NOTHING_CHANGED = (Ended.UNCHANGED, Ended.PLANNED, Ended.REFUSED, Ended.FAILED)


def counted(done: AppliedList) -> str:
    """How many ServiceAccounts have which outcome, then everything else; '' if there are none."""
    words = totals_words(done)
    parts = [(number, words[ended]) for ended, number in done.summary.items()]
    parts += [(len(done.pending), "not started")] if done.pending else []
    accounts = plural(sum(number for number, _ in parts), "ServiceAccount")
    if len(parts) == 1:
        accounts += f" {parts[0][1]}"
    elif parts:
        accounts += f": {', '.join(f'{number} {word}' for number, word in parts)}"
    apart = (
        f"{plural(number, name) if number > 1 else name} {words[ended]}"
        for (name, ended), number in done.apart.items()
    )
    return "; ".join([*([accounts] if parts else []), *apart])


def totals_words(done: AppliedList) -> dict[str, str]:
    """The words of a total by outcome: none says that nothing was changed if something was."""
    changed = any(item.result.ended not in _NOTHING_CHANGED for item in done.items)
    words = {**WORDS, Ended.FAILED: "failed"} if changed else WORDS
    return {**{ended.value: words[ended] for ended in Ended}, NOT_BEGUN: "not started"}


GOOD = (Ended.COMMITTED, Ended.UNCHANGED, Ended.PLANNED)
_RANKS = {"delete": Rank.DELETED, "update": Rank.UPDATED, "create": Rank.CREATED}
_DOCUMENTS = {"trust": "trust policy", "document": "policy"}


def report_of(found: Result | AppliedList, title: str) -> PipelineReport:
    """The report of a command that writes, or of its plan."""
    return of_result(found, title) if isinstance(found, Result) else of_applied(found, title)


def of_result(result: Result, title: str) -> PipelineReport:
    """The report of a command about one transaction."""
    text = " ".join(text_lines(result)) if result.ended not in (Ended.PLANNED, Ended.UNFINISHED) else ""
    verdict = _plan_verdict([result]) if result.ended is Ended.PLANNED else WORDS[result.ended]
    entry = _entry(name_of(result) or title, result)
    has_more = entry.message or entry.lines
    notes = [*result.notes, *([text] if text and result.error is None else [])]
    return PipelineReport(
        title,
        verdict,
        _is_good(result),
        int(result.exit_code),
        facts_of(result.cluster, transaction=result.transaction),
        (entry,) if has_more else (),
        notes=tuple(notes),
    )


def of_applied(done: AppliedList, title: str) -> PipelineReport:
    """The report of a command about many ServiceAccounts, in the order of the files."""
    reached = (item.result.cluster for item in done.items if item.result.cluster)
    clusters = {cluster.arn: cluster for cluster in reached if cluster.arn}
    eventful = [
        item for item in done.items if item.result.ended is not Ended.UNCHANGED or item.result.warnings
    ]
    planned = [item.result for item in done.items if item.result.ended is Ended.PLANNED]
    plan = f". {_plan_verdict(planned)}" if planned else ""
    unchanged = len(done.items) - len(eventful)
    return PipelineReport(
        title,
        f"{counted(done) or 'nothing to do'}{plan}",
        all(_is_good(item.result) for item in done.items) and not (done.pending or done.missing),
        int(done.exit_code),
        facts_of(*clusters.values()),
        (
            *(_entry(item.title, item.result, _place(item.where)) for item in eventful),
            *(Entry(item.title, "not started", Rank.FAILED, level=Level.ERROR) for item in done.pending),
            *(Entry(f"shard {name}", "missing", Rank.FAILED, level=Level.ERROR) for name in done.missing),
        ),
        (f"{unchanged} unchanged",) if unchanged else (),
        (*done.notices, *(f"{item.title}: {note}" for item in done.items for note in item.result.notes)),
    )


def _plan_verdict(results: Sequence[Result]) -> str:
    changes = [change.change for result in results for change in result.changes]
    return totals(changes, whole=False).removesuffix(".").removesuffix(" (-v shows them)")


def facts_of(*clusters: Cluster | None, transaction: str = "") -> tuple[tuple[str, str], ...]:
    """Cluster, region and account of each, callers, time and transaction, if known."""
    known, found = [cluster for cluster in clusters if cluster is not None], []
    for cluster in known:
        found += [("cluster", cluster.name), ("region", cluster.region), ("account", cluster.account)]
    found += dict.fromkeys(("caller", caller_name(cluster.caller)) for cluster in known)
    found += [("time", moment(known[0].seen))] if known else []
    found.append(("transaction", transaction))
    return tuple((name, value) for name, value in found if value)


def name_of(result: Result) -> str:
    """The name of a result's ServiceAccount, role or provider; '' if it has none."""
    account, role = (result.facts.get(key) or {} for key in ("serviceAccount", "role"))
    if account:
        return f"{account['namespace']}/{account['name']}"
    return str(role.get("arn", "")) or str((result.facts.get("provider") or {}).get("url", ""))


def warning_lines(warnings: Iterable[Risk]) -> list[Line]:
    """Warnings about broad trust policies."""
    return [
        Line(risk.warning, Rank.WARNING, "warning", risk.rule.id, level=Level.WARNING) for risk in warnings
    ]


def _place(where: str) -> SourcePlace | None:
    """A place FILE:LINE of a configuration file."""
    file, _, line = where.rpartition(":")
    return (
        SourcePlace(file, int(line)) if file and line.isdecimal() else SourcePlace(where) if where else None
    )


def _is_good(result: Result) -> bool:
    """Whether it succeeded: a rollback without an error was wanted."""
    return result.ended in GOOD or (result.ended is Ended.ROLLED_BACK and result.error is None)


def _entry(title: str, result: Result, place: SourcePlace | None = None) -> Entry:
    # Without irsa's own marks, as in a text.
    lines = [_line(item) for item in result.changes if item.is_public and not is_mark(item.change)]
    lines += warning_lines(result.warnings)
    bad = not _is_good(result)
    ranks = [line.rank for line in lines]
    rank = min([*ranks, Rank.GOOD])
    if bad:
        rank = Rank.REFUSED if result.ended is Ended.REFUSED else Rank.FAILED
    message = tuple(messages(replace(result, notes=[], warnings=())))  # They are elsewhere in the report.
    level = Level.ERROR if bad or result.left else None
    return Entry(title, WORDS[result.ended], rank, tuple(lines), message, level, place)


def _line(item: ChangeResult) -> Line:
    change = item.change
    rank = _RANKS[change.action]
    if change.action == "update" and change.kind.traits.changes_trust:
        rank = Rank.TRUST
    if item.state in ("failed", "left"):
        rank = Rank.FAILED
    state = "" if item.state in ("planned", "done") else f" ({item.state})"
    return Line(
        f"({change.kind.value}){state}",
        rank,
        change.action,
        change.description,
        f"{change.action} {change.kind.value} {change.description}",
        tuple(_documents(change)),
    )


def _documents(change: Change) -> Iterator[Document]:
    """The documents of a change: policies, as a difference if there was one before."""
    before, after = attributes(change)
    for key, named in _DOCUMENTS.items():
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        title = f"{named} of {change.kind.value} {change.description}"
        if old and new:
            yield Document(f"{title}: what changes", tuple(difference(old, new)), "diff")
        else:
            lines = json.dumps(new or old, indent=2).splitlines()
            yield Document(title if new else f"{title}, as it was", tuple(lines), "json")
    if change.action != "delete" and (text := tuple(values(change))):
        yield Document(f"values of {change.kind.value} {change.description}", text)
