"""Reports of commands that write: plans and results, of one or many."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from irsa_cli.cli.output.plan_text import attributes, is_mark, totals, values
from irsa_cli.cli.output.reports.model import Document, Entry, Level, Line, PipelineReport, Rank
from irsa_cli.cli.output.text import failure_lines, messages, text_lines
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.policies.policy import difference
from irsa_cli.core.results.result import ChangeResult, Ended, Result
from irsa_cli.core.trust.rules.rule import FilePlace, Risk
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.shown import caller_name, moment

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


GOOD = (Ended.COMMITTED, Ended.UNCHANGED, Ended.PLANNED)
_RANKS = {"delete": Rank.DELETED, "update": Rank.UPDATED, "create": Rank.CREATED}
_DOCUMENTS = {"trust": "trust policy", "document": "policy", "session_policy": "session policy"}


def of_result(result: Result, title: str) -> PipelineReport:
    text = " ".join(text_lines(result)) if result.ended not in (Ended.PLANNED, Ended.UNFINISHED) else ""
    verdict = plan_verdict([result]) if result.ended is Ended.PLANNED else WORDS[result.ended]
    entry = entry_of(name_of(result) or title, result)
    has_more = entry.message or entry.lines
    notes = [*result.notes, *([text] if text and result.error is None else [])]
    return PipelineReport(
        title,
        verdict,
        is_good(result),
        int(result.exit_code),
        facts_of(result.cluster, transaction=result.transaction),
        (entry,) if has_more else (),
        notes=tuple(notes),
    )


def plan_verdict(results: Sequence[Result]) -> str:
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
    return [
        Line(risk.warning, Rank.WARNING, "warning", risk.rule.id, level=Level.WARNING) for risk in warnings
    ]


def is_good(result: Result) -> bool:
    """Whether it succeeded: a rollback without an error was wanted."""
    return result.ended in GOOD or (result.ended is Ended.ROLLED_BACK and result.error is None)


def entry_of(title: str, result: Result, place: FilePlace | None = None) -> Entry:
    # Without irsa's own marks, as in a text.
    lines = [_line(item) for item in result.changes if item.is_public and not is_mark(item.change)]
    lines += warning_lines(result.warnings)
    bad = not is_good(result)
    ranks = [line.rank for line in lines]
    rank = min([*ranks, Rank.GOOD])
    if bad:
        rank = Rank.REFUSED if result.ended is Ended.REFUSED else Rank.FAILED
    message = tuple(messages(replace(result, notes=[], warnings=())))  # They are elsewhere in the report.
    level = Level.ERROR if bad or result.left else None
    return Entry(title, WORDS[result.ended], rank, tuple(lines), message, level, place)


def failure(error: Exception | None, title: str) -> Iterator[Entry]:
    """The error that ended a command as a whole."""
    if error is not None:
        yield Entry(title, "failed", Rank.FAILED, message=tuple(failure_lines(error)), level=Level.ERROR)


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
        if old == new or not (old or new):
            continue
        title = f"{named} of {change.kind.value} {change.description}"
        if old and new:
            yield Document(f"{title}: what changes", tuple(difference(old, new)), "diff")
        else:
            lines = json.dumps(new or old, indent=2).splitlines()
            yield Document(title if new else f"{title}, as it was", tuple(lines), "json")
    if change.action != "delete" and (text := tuple(values(change))):
        yield Document(f"values of {change.kind.value} {change.description}", text)
