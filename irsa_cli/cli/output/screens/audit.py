"""Risks, paths to roles and rules as text, and risks as a report.

The text has one line for each risk, the most severe first; the report has them by file or role, so neither
is a view of the other. Texts of others (names, statements) are escaped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import click

from irsa_cli.cli.output.forms import RISKS
from irsa_cli.cli.output.of_results import failure
from irsa_cli.cli.output.reports.model import Document, Entry, Level, Line, PipelineReport, Rank
from irsa_cli.cli.output.screens.kubernetes import may_lines, taker_lines
from irsa_cli.cli.output.speaking import Speaking, deliver
from irsa_cli.cli.output.text import Message, failure_lines, page_of_reading
from irsa_cli.core.audit.auditing import Audit
from irsa_cli.core.audit.report import AuditReport, RiskReport, WhoCanReport
from irsa_cli.core.audit.ways import RolePath
from irsa_cli.core.trust.rules.rule import ORDER, SHOWN, Risk, Rule, Severity, after, before, some
from irsa_cli.core.values.shown import head, moment, plural, visible

_SEVERITIES = {
    Severity.CRITICAL: ("magenta", Rank.FAILED, Level.ERROR),
    Severity.HIGH: ("red", Rank.REFUSED, Level.ERROR),
    Severity.MEDIUM: ("yellow", Rank.WARNING, Level.WARNING),
    Severity.LOW: ("cyan", Rank.OPEN, Level.NOTICE),
}


def lines(report: AuditReport, *, evidence: bool) -> Iterator[str]:
    """The text of an audit with escaped parts."""
    yield from _head(report.audit)
    for path in report.paths or ():
        yield _short(report.audit, path_line(path))
    if report.paths is not None:
        yield ""
    yield from _in_kubernetes(report)
    yield from risk_lines(report, evidence=evidence)


def risk_lines(report: RiskReport, *, evidence: bool) -> Iterator[str]:
    """The risks, a line each, and their summary."""
    shown = report.selection.shown
    for item in shown:
        yield risk_line(item, report.audit if isinstance(report, AuditReport) else None)
        if evidence:
            yield from (f"    {visible(line)}" for line in _evidence(item))
            if item.corrected is not None:
                yield "    corrected trust policy:"
                document = json.dumps(item.corrected, indent=2)
                yield from (f"      {visible(line)}" for line in document.splitlines())
            yield f"    source: {item.rule.source}"
    if shown:
        more = "" if evidence else " (evidence and fixes: -v)"
        yield f"To explain a finding: {shown[0].explained_by}{more}"
    yield summary(report)
    yield from filter(None, (report.scope.nothing, report.scope.left_out))


def _evidence(item: Risk) -> list[str]:
    """The evidence of a risk, how to fix it, and the command if there is one."""
    command = [f"command: {item.command}"] if item.command else []
    return [*item.evidence, f"to fix: {item.suggestion}", *command]


def _in_kubernetes(report: AuditReport) -> Iterator[str]:
    """The rights of a ServiceAccount in its clusters, and who can act as it."""
    if report.audit is None or not report.audit.scope.account:
        return
    account = report.audit.scope.account
    for cluster, found in report.audit.in_kubernetes.items():
        ways = [path.role for path in report.paths or () if path.way.cluster == cluster]
        yield f"Rights of {visible(account)} in cluster {visible(cluster)}"
        yield from (f"  {line}" for line in may_lines(found))
        yield "Subjects that can act as it"
        yield from (f"  {line}" for line in taker_lines(found, account, list(dict.fromkeys(ways))))
        yield ""


def risk_line(item: Risk, audit: Audit | None = None) -> str:
    """A risk in one line: severity, rule, place or role, sentence."""
    word = click.style(f"{item.severity.value:<8}", fg=_SEVERITIES[item.severity][0])
    return f"{word} {item.rule.id}: {_short(audit, f'{where(item)}{item.sentence}')}"


def _short(audit: Audit | None, text: str) -> str:
    """An escaped text without the account (which the head has) in the ARNs of roles and providers."""
    accounts = audit.estate.accounts if audit else frozenset()
    if len(accounts) == 1:
        text = re.sub(rf"(?<!')arn:[\w-]+:iam::{min(accounts)}:(?:oidc-provider/|(?=role/))", "", text)
    return visible(text)


def facts(report: RiskReport) -> list[tuple[str, str]]:
    """The head of an audit: name and text of each known line; none for a report on files."""
    audit = report.audit if isinstance(report, AuditReport) else None
    return [(name, text) for name, text in _facts(audit, report.about) if text] if audit else []


def _facts(audit: Audit, about: str = "") -> Iterator[tuple[str, str]]:
    estate = audit.estate
    clusters = [f"{it.name} ({it.region})" if it.region else it.name for it in estate.clusters]
    yield "Account" if len(estate.accounts) == 1 else "Accounts", ", ".join(sorted(estate.accounts))
    yield "Cluster" if len(clusters) == 1 else "Clusters", ", ".join(sorted(clusters)) or "none"
    yield "Scope", about
    yield "Caller", estate.caller
    yield "Date", moment(estate.now)


def _head(audit: Audit | None) -> Iterator[str]:
    if audit:
        (account, numbers), (cluster, _), *_ = _facts(audit)
        names = some(sorted(it.name for it in audit.estate.clusters)) or "none"
        found = (f"{account.lower()} {numbers}", f"{cluster.lower()} {names}")
        yield head(*found, caller=audit.estate.caller, at=audit.estate.now)


def where(item: Risk) -> str:
    """The place or role of a risk as the beginning of a line."""
    if item.place is not None:
        subject = item.place.subject
        return f"{item.place}: {f'{subject}: ' if subject else ''}"
    named = item.role and item.role not in item.sentence
    return f"{item.role}: " if named else ""


def summary(report: RiskReport) -> str:
    """The number of risks by severity, and the objects that were checked."""
    selection = report.selection
    counts = [f"{number} {level.value}" for level in reversed(ORDER) if (number := selection.count(level))]
    found = ", ".join(counts) or "no findings"
    found = f"{plural(len(report.problems), 'problem')}, {found}" if report.problems else found
    rest = [
        f"{number} {what}"
        for number, what in (
            (len(selection.accepted), "accepted by .irsa.yaml"),
            (selection.known, "in the baseline"),
            (selection.below, "below --min-severity"),
        )
        if number
    ]
    about = f" for {visible(report.about)}" if report.about else ""
    others = f" ({'; '.join(rest)})" if rest else ""
    return f"{found}{about} in {report.scope.counts}{others}"


def path_line(path: RolePath) -> str:
    """A path in one line: ServiceAccounts, roles, statement and conditions."""
    way = path.way
    roles = " -> ".join(path.roles)
    conditions = f", if {'; '.join(path.conditions)}" if path.conditions else ""
    return f"{way.cluster}: {way.who} -> {roles} ({way.by.value}, {way.statement}){conditions}"


def who_can_lines(report: WhoCanReport) -> Iterator[str]:
    yield from _head(report.audit)
    for item in report.found:
        on = ", ".join(item.allowed.resources[:SHOWN]) or "unknown resources"
        allowed = item.allowed.conditions
        conditions = f", if {'; '.join(allowed)}" if allowed else ""
        text = f"{path_line(item.path)}; {item.allowed.by} allows it on {on}{conditions}"
        yield _short(report.audit, text)
    accounts = {(item.path.way.cluster, name) for item in report.found for name in item.path.way.accounts}
    what = f"{report.action}{f' on {report.resource}' if report.resource else ''}"
    unread = sum(item.matters for item in report.scope.not_examined)
    but = f", but {plural(unread, 'item')} could not be read" if unread else ""
    answer = f"No ServiceAccount was found that can perform {what}{but}."
    if accounts:
        number, ways = plural(len(accounts), "ServiceAccount"), plural(len(report.found), "way")
        answer = f"{number} can perform {what}, in {ways}."
    yield visible(answer)
    yield report.scope.sentence


def of_risks(report: RiskReport, _title: str = "") -> PipelineReport:
    """The report of `audit` and `lint`: the risks by file or role."""
    shown = report.selection.shown
    groups: dict[str, list[Risk]] = {}
    for item in shown:
        groups.setdefault(
            item.place.file if item.place else item.role or item.cluster or "account", []
        ).append(item)
    entries = []
    for title, items in groups.items():
        lines = tuple(map(_risk, items))
        worst = min(lines, key=lambda line: line.rank)
        state = f"{worst.word} {'risk' if len(lines) == 1 else 'risks'}"
        entries.append(Entry(title, state, worst.rank, lines))
    return PipelineReport(
        report.title,
        summary(report),
        None if (report.unchecked or report.scope.nothing or report.error) and not shown else not shown,
        int(report.exit_code),
        tuple((name.lower(), text) for name, text in facts(report)),
        (*failure(report.error, report.title), *entries),
        notes=(report.scope.sentence, *(note for note in report.notes if note not in report.unchecked)),
        warnings=report.unchecked,
    )


def _risk(item: Risk) -> Line:
    _, rank, level = _SEVERITIES[item.severity]
    subject = f"{item.place.subject}: " if item.place and item.place.subject else ""
    more = (*_evidence(item), f"source: {item.rule.source}")
    documents = [Document(f"{item.rule.id}: evidence and fix", more)]
    if item.corrected is not None:
        lines = tuple(json.dumps(item.corrected, indent=2).splitlines())
        documents.append(Document(f"{item.rule.id}: the corrected trust policy", lines, "json"))
    text, word = f"{subject}{item.sentence}", item.severity.value
    return Line(text, rank, word, item.rule.id, "", tuple(documents), level, item.place)


# Rules


def overview(rules: Sequence[Rule]) -> Iterator[str]:
    widest = max(len(rule.id) for rule in rules)
    for rule in rules:
        yield f"{rule.id:<{widest}}  {rule.severity.value:<8}  {rule.title}"


def explanation(rule: Rule) -> Iterator[str]:
    yield f"{rule.id} ({rule.severity.value}): {rule.title}"
    yield ""
    yield rule.reason
    yield f"To fix: {rule.fix}"
    yield f"Source: {rule.source}"
    for title, example in (("Unsafe", before(rule)), ("Safe", after(rule))):
        yield ""
        yield f"{title}:"
        yield from (f"  {line}" for line in json.dumps(example, indent=2).splitlines())


def rule_json(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "severity": rule.severity.value,
        "broken": rule.broken,
        "about": rule.area.value,
        "title": rule.title,
        "reason": rule.reason,
        "fix": rule.fix,
        "source": rule.source,
        "before": before(rule),
        "after": after(rule),
    }


def deliver_risks(report: RiskReport, lines: Iterable[str], speaking: Speaking) -> int:
    """Print a report in a form (`lines` are its text), its notes and its errors; returns the exit code."""
    unread = [Message(line) for error in report.unread for line in failure_lines(error)]
    page = page_of_reading((*unread, *lines), report.error, report.notes[len(report.problems) :])
    if speaking.output != "text":
        page = replace(page, messages=(*unread, *page.messages))
    forms = {**RISKS, "html": "irsa_cli.cli.output.audit_page:as_html"}
    return deliver(report, speaking, replace(page, forms=forms), of_risks)
