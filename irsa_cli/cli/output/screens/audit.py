"""An audit as text: one line for each risk, the most severe first; also the explanation of a rule."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from heapq import nsmallest
from typing import Any

import click

from irsa_cli.cli.output.screens.kubernetes import may_lines, taker_lines
from irsa_cli.core.audit.auditing import Audit
from irsa_cli.core.audit.report import AuditReport, RiskReport, WhoCanReport
from irsa_cli.core.audit.ways import RolePath
from irsa_cli.core.trust.rules.rule import ORDER, Risk, Rule, Severity, some
from irsa_cli.core.values.heads import head, moment, plural
from irsa_cli.core.values.shown import visible

_COLOURS = {
    Severity.CRITICAL: "magenta",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
}
SHOWN = 3
"""The most ServiceAccounts of a path that are listed."""


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
            yield from (f"    {visible(line)}" for line in (*item.evidence, f"to fix: {item.suggestion}"))
            if item.command:
                yield f"    command: {visible(item.command)}"
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
    word = click.style(f"{item.severity.value:<8}", fg=_COLOURS[item.severity])
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
    more = f" and {len(way.accounts) - SHOWN} more" if len(way.accounts) > SHOWN else ""
    who = f"{way.cluster}: {', '.join(nsmallest(SHOWN, way.accounts))}{more}"
    roles = " -> ".join(path.roles)
    conditions = f", if {'; '.join(path.conditions)}" if path.conditions else ""
    return f"{who} -> {roles} ({way.by.value}, {way.statement}){conditions}"


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


# Rules


def overview(rules: Sequence[Rule]) -> Iterator[str]:
    """All rules, a line each."""
    widest = max(len(rule.id) for rule in rules)
    for rule in rules:
        yield f"{rule.id:<{widest}}  {rule.severity.value:<8}  {rule.title}"


def explanation(rule: Rule) -> Iterator[str]:
    """One rule with its example."""
    yield f"{rule.id} ({rule.severity.value}): {rule.title}"
    yield ""
    yield rule.reason
    yield f"To fix: {rule.fix}"
    yield f"Source: {rule.source}"
    for title, example in (("Unsafe", rule.before), ("Safe", rule.after)):
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
        "before": rule.before,
        "after": rule.after,
    }
