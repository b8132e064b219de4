"""Risks, paths to roles and rules as text, and risks as a report.

The text has one line for each risk, the most severe first; the report has them by file or role, so neither
is a view of the other. Texts of others (names, statements) are escaped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
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
    Part,
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
        yield from _paths(report)
        yield from _in_kubernetes(report)
    for risk in shown:
        word = click.style(f"{risk.severity.value:<8}", fg=_SEVERITIES[risk.severity][0])
        yield f"{word} {risk.rule.id}: {_short(audit, f'{whose(risk)}{risk.sentence}')}"
        if evidence:
            yield from (f"    {visible(line)}" for line in _details(risk))
    if shown:
        more = "" if evidence else " (evidence and fixes: -v)"
        yield f"To explain a finding: {shown[0].explained_by}{more}"
    yield summary(report)
    yield from filter(None, (report.scope.nothing, report.scope.left_out))


def _paths(report: AuditReport) -> Iterator[str]:
    """The paths to roles, if they were asked for."""
    if report.paths is None:
        return
    yield from (_short(report.audit, path_line(path)) for path in report.paths)
    yield ""


def _evidence(risk: Risk) -> Iterator[str]:
    """The evidence of a risk, how to fix it, and the command if there is one."""
    yield from risk.evidence
    yield f"to fix: {risk.suggestion}"
    if risk.command:
        yield f"command: {risk.command}"


def _details(risk: Risk) -> Iterator[str]:
    """The evidence of a risk, the corrected trust policy and the source of the rule."""
    yield from _evidence(risk)
    if risk.corrected is not None:
        yield "corrected trust policy:"
        document = json.dumps(risk.corrected, indent=2)
        yield from (f"  {line}" for line in document.splitlines())
    yield f"source: {risk.rule.source}"


def _in_kubernetes(report: AuditReport) -> Iterator[str]:
    """The rights of a ServiceAccount in its clusters, and who can act as it."""
    if report.audit is None or not report.audit.scope.account:
        return
    account = report.audit.scope.account
    for cluster, rights in report.audit.in_kubernetes.items():
        ways = [path.role for path in report.paths or () if path.way.cluster == cluster]
        yield f"Rights of {visible(account)} in cluster {visible(cluster)}"
        yield from (f"  {line}" for line in may_lines(rights))
        yield "Subjects that can act as it"
        yield from (f"  {line}" for line in taker_lines(rights, account, list(dict.fromkeys(ways))))
        yield ""


def _short(audit: Audit | None, text: str) -> str:
    """An escaped text without the account (which the head has) in the ARNs of roles and providers."""
    if audit is not None and len(audit.estate.accounts) == 1:
        account = min(audit.estate.accounts)
        text = re.sub(rf"(?<!')arn:[\w-]+:iam::{account}:(?:oidc-provider/|(?=role/))", "", text)
    return visible(text)


def facts(report: RiskReport) -> list[tuple[str, str]]:
    """The head of an audit: name and text of each known line; none for a report on files."""
    if not isinstance(report, AuditReport) or report.audit is None:
        return []
    return [(name, text) for name, text in _facts(report.audit, report.about) if text]


def _facts(audit: Audit, about: str = "") -> Iterator[tuple[str, str]]:
    estate = audit.estate
    clusters = [
        f"{cluster.name} ({cluster.region})" if cluster.region else cluster.name
        for cluster in estate.clusters
    ]
    yield "Account" if len(estate.accounts) == 1 else "Accounts", ", ".join(sorted(estate.accounts))
    yield "Cluster" if len(clusters) == 1 else "Clusters", ", ".join(sorted(clusters)) or "none"
    yield "Scope", about
    yield "Caller", estate.caller
    yield "Date", moment(estate.now)


def _head(audit: Audit | None) -> Iterator[str]:
    if audit:
        (account_word, numbers), (cluster_word, _), *_ = _facts(audit)
        names = some(sorted(cluster.name for cluster in audit.estate.clusters)) or "none"
        places = (f"{account_word.lower()} {numbers}", f"{cluster_word.lower()} {names}")
        yield head(*places, caller=audit.estate.caller, at=audit.estate.now)


def summary(report: RiskReport) -> str:
    """The number of risks by severity, and the objects that were checked."""
    selection = report.selection
    by_severity = {level.value: selection.count(level) for level in reversed(ORDER)}
    counts = _counts(by_severity) or ["no findings"]
    if report.problems:
        counts.insert(0, plural(len(report.problems), "problem"))
    hidden = _counts(
        {
            "accepted by .irsa.yaml": len(selection.accepted),
            "in the baseline": selection.known,
            "below --min-severity": selection.below,
        }
    )
    about = f" for {visible(report.about)}" if report.about else ""
    besides = f" ({'; '.join(hidden)})" if hidden else ""
    return f"{', '.join(counts)}{about} in {report.scope.counts}{besides}"


def _counts(numbers: Mapping[str, int]) -> list[str]:
    """The numbers that are not 0, each with what it counts."""
    return [f"{number} {counted}" for counted, number in numbers.items() if number]


def path_line(path: RolePath) -> str:
    """A path in one line: ServiceAccounts, roles, statement and conditions."""
    way = path.way
    roles = " -> ".join(path.roles)
    conditions = f", if {'; '.join(path.conditions)}" if path.conditions else ""
    return f"{way.cluster}: {way.who} -> {roles} ({way.by.value}, {way.statement}){conditions}"


def who_can_lines(report: WhoCanReport) -> Iterator[str]:
    yield from _head(report.audit)
    accounts: set[tuple[str, str]] = set()
    for able in report.found:
        way = able.path.way
        accounts.update((way.cluster, name) for name in way.accounts)
        allowed = able.allowed
        resources = ", ".join(allowed.resources[:SHOWN]) or "unknown resources"
        conditions = f", if {'; '.join(allowed.conditions)}" if allowed.conditions else ""
        text = f"{path_line(able.path)}; {allowed.by} allows it on {resources}{conditions}"
        yield _short(report.audit, text)
    action = f"{report.action} on {report.resource}" if report.resource else report.action
    if accounts:
        number = plural(len(accounts), "ServiceAccount")
        answer = f"{number} can perform {action}, in {plural(len(report.found), 'way')}."
    else:
        unread = sum(gap.matters for gap in report.scope.not_examined)
        but = f", but {plural(unread, 'item')} could not be read" if unread else ""
        answer = f"No ServiceAccount was found that can perform {action}{but}."
    yield visible(answer)
    yield report.scope.sentence


def of_risks(report: RiskReport, speaking: Speaking) -> Report:
    """The report of `audit` and `lint`: the risks by file or role."""
    lines: list[Part] = []
    messages = [*messages_of_reading(report.error, report.notes[len(report.problems) :])]
    unread = chain.from_iterable(map(failure_lines, report.unread))
    if speaking.output == "text":
        lines += map(Message, unread)
        if report.error is None:
            lines += _text(report, evidence=speaking.verbose)
    else:
        messages = [*unread, *messages]
    shown = report.selection.shown
    is_good: bool | None = not shown
    if is_good and (not report.scope.is_complete or report.unchecked or report.scope.nothing or report.error):
        is_good = None
    return Report(
        report,
        lines,
        messages,
        summary(report),
        is_good,
        tuple((name.lower(), text) for name, text in facts(report)),
        _entries(report),
        notes=(report.scope.sentence, *(note for note in report.notes if note not in report.unchecked)),
        unchecked=report.unchecked,
        findings=chain(
            (FoundRisk(risk, fingerprint(risk)) for risk in shown),
            (FoundRisk(risk, fingerprint(risk), why.reason) for risk, why in report.selection.accepted),
        ),
        suites=[Suite("", _cases(report))],
        error=report.error,
        own_views={"html": "irsa_cli.cli.output.audit_page:as_html"},
    )


def _entries(report: RiskReport) -> Iterator[Entry]:
    yield from failure(report.error)
    groups: dict[str, list[Line]] = {}
    for risk in report.selection.shown:
        title = risk.place.file if risk.place else risk.role or risk.cluster or "account"
        groups.setdefault(title, []).append(_risk(risk))
    for title, lines in groups.items():
        worst = min(lines, key=lambda line: line.rank)
        state = f"{worst.word} {'risk' if len(lines) == 1 else 'risks'}"
        yield Entry(title, state, worst.rank, tuple(lines))


def _cases(report: RiskReport) -> Iterator[Case]:
    """A case for each rule, which fails with all its risks."""
    for rule in RULES.values():
        classname = f"irsa.{rule.area.value}"
        risks = [risk for risk in report.selection.shown if risk.rule is rule]
        if not risks:
            yield Case(classname, rule.id)
            continue
        lines = [visible(f"{risk.severity.value}: {whose(risk)}{risk.sentence}") for risk in risks]
        message = f"{len(risks)}: {rule.title}"
        yield Case(classname, rule.id, "failure", message, "\n".join(lines), risks[0].severity.value)
    for risk, why in report.selection.accepted:
        name = f"{risk.rule.id}: {whose(risk)}{risk.sentence}"
        yield Case("irsa.accepted", name, "skipped", f"{why.reason} (until {why.until})")
    for text in filter(None, (str(report.error or report.scope.nothing), *report.unchecked)):
        yield Case("irsa.read", text, "error", text)


def _risk(risk: Risk) -> Line:
    _, rank, level = _SEVERITIES[risk.severity]
    subject = f"{risk.place.whose}: " if risk.place and risk.place.subject else ""
    more = (*_evidence(risk), f"source: {risk.rule.source}")
    documents = [Document(f"{risk.rule.id}: evidence and fix", more)]
    if risk.corrected is not None:
        lines = tuple(json.dumps(risk.corrected, indent=2).splitlines())
        documents.append(Document(f"{risk.rule.id}: the corrected trust policy", lines, "json"))
    text = f"{subject}{risk.sentence}"
    word = risk.severity.value
    return Line(text, rank, word, risk.rule.id, "", tuple(documents), level, risk.place)


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
