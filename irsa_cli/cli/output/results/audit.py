"""Risks, paths to roles and rules as text, and risks as a report.

The text has one line for each risk, the most severe first; the report has them by file or role, so neither
is a view of the other. Texts of others (names, statements) are escaped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import click

from irsa_cli.cli.output.report import (
    Case,
    Document,
    Entry,
    FoundRisk,
    Level,
    Line,
    Message,
    Rank,
    Report,
    Suite,
    whose,
)
from irsa_cli.cli.output.result import failure, failure_lines, messages_of_reading
from irsa_cli.cli.output.results.kubernetes import may_lines, taker_lines
from irsa_cli.cli.output.speaking import Speaking
from irsa_cli.core.audit.auditing import Audit
from irsa_cli.core.audit.report import AuditReport, RiskReport, WhoCanReport, fingerprint
from irsa_cli.core.audit.ways import RolePath
from irsa_cli.core.trust.rules.rule import ORDER, RULES, SHOWN, Risk, Rule, Severity, after, before, some
from irsa_cli.core.values.shown import head, moment, plural, visible

_SEVERITIES = {
    Severity.CRITICAL: ("magenta", Rank.FAILED, Level.ERROR),
    Severity.HIGH: ("red", Rank.REFUSED, Level.ERROR),
    Severity.MEDIUM: ("yellow", Rank.WARNING, Level.WARNING),
    Severity.LOW: ("cyan", Rank.OPEN, Level.NOTICE),
}


def _text(report: RiskReport, *, evidence: bool) -> Iterator[str]:
    """The text with escaped parts: objects that were read, a line for each risk, the summary."""
    shown = report.selection.shown
    audit = None
    if isinstance(report, AuditReport):
        audit = report.audit
        yield from _head(audit)
        yield from (_short(audit, path_line(path)) for path in report.paths or ())
        if report.paths is not None:
            yield ""
        yield from _in_kubernetes(report)
    for item in shown:
        word = click.style(f"{item.severity.value:<8}", fg=_SEVERITIES[item.severity][0])
        yield f"{word} {item.rule.id}: {_short(audit, f'{whose(item)}{item.sentence}')}"
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
        number = plural(len(accounts), "ServiceAccount")
        ways = plural(len(report.found), "way")
        answer = f"{number} can perform {what}, in {ways}."
    yield visible(answer)
    yield report.scope.sentence


def of_risks(found: RiskReport, speaking: Speaking) -> Report:
    """The report of `audit` and `lint`: the risks by file or role."""
    shown = found.selection.shown
    unread = [Message(line) for error in found.unread for line in failure_lines(error)]
    is_text = speaking.output == "text"
    text = _text(found, evidence=speaking.verbose) if found.error is None else ()
    below = messages_of_reading(found.error, found.notes[len(found.problems) :])
    return Report(
        found,
        (*unread, *text) if is_text else (),
        below if is_text else (*unread, *below),
        summary(found),
        None if (found.unchecked or found.scope.nothing or found.error) and not shown else not shown,
        tuple((name.lower(), text) for name, text in facts(found)),
        _entries(found),
        notes=(found.scope.sentence, *(note for note in found.notes if note not in found.unchecked)),
        unchecked=found.unchecked,
        findings=chain(
            (FoundRisk(item, fingerprint(item)) for item in shown),
            (FoundRisk(item, fingerprint(item), why.reason) for item, why in found.selection.accepted),
        ),
        suites=[Suite("", _cases(found))],
        error=found.error,
        own_views={"html": "irsa_cli.cli.output.audit_page:as_html"},
    )


def _entries(found: RiskReport) -> Iterator[Entry]:
    yield from failure(found.error)
    groups: dict[str, list[Line]] = {}
    for item in found.selection.shown:
        title = item.place.file if item.place else item.role or item.cluster or "account"
        groups.setdefault(title, []).append(_risk(item))
    for title, lines in groups.items():
        worst = min(lines, key=lambda line: line.rank)
        state = f"{worst.word} {'risk' if len(lines) == 1 else 'risks'}"
        yield Entry(title, state, worst.rank, tuple(lines))


def _cases(found: RiskReport) -> Iterator[Case]:
    """A case for each rule, which fails with all its risks."""
    for rule in RULES.values():
        classname = f"irsa.{rule.area.value}"
        broken = [it for it in found.selection.shown if it.rule is rule]
        if not broken:
            yield Case(classname, rule.id)
            continue
        text = "\n".join(visible(f"{it.severity.value}: {whose(it)}{it.sentence}") for it in broken)
        message = f"{len(broken)}: {rule.title}"
        yield Case(classname, rule.id, "failure", message, text, broken[0].severity.value)
    for item, why in found.selection.accepted:
        name = f"{item.rule.id}: {whose(item)}{item.sentence}"
        yield Case("irsa.accepted", name, "skipped", f"{why.reason} (until {why.until})")
    for text in filter(None, (str(found.error or found.scope.nothing), *found.unchecked)):
        yield Case("irsa.read", text, "error", text)


def _risk(item: Risk) -> Line:
    _, rank, level = _SEVERITIES[item.severity]
    subject = f"{item.place.subject}: " if item.place and item.place.subject else ""
    more = (*_evidence(item), f"source: {item.rule.source}")
    documents = [Document(f"{item.rule.id}: evidence and fix", more)]
    if item.corrected is not None:
        lines = tuple(json.dumps(item.corrected, indent=2).splitlines())
        documents.append(Document(f"{item.rule.id}: the corrected trust policy", lines, "json"))
    text = f"{subject}{item.sentence}"
    word = item.severity.value
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
