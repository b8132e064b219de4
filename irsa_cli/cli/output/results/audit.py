"""Risks, paths to roles and rules as text, and risks as a report.

The text has one line for each risk, the most severe first; the report has them by file or role, so neither
is a view of the other. Texts of others (names, statements) are escaped.
"""

from __future__ import annotations

import json
import re
from collections import Counter
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
from irsa_cli.core.audit.report import AuditReport, RiskReport, WhoCanReport
from irsa_cli.core.audit.ways import RolePath
from irsa_cli.core.trust.rules.fingerprint import fingerprint
from irsa_cli.core.trust.rules.groups import RiskGroup, grouped
from irsa_cli.core.trust.rules.rule import ORDER, RULES, SHOWN, Risk, Rule, Severity, after, before, some
from irsa_cli.core.values.shown import head, moment, plural, visible

_SEVERITIES: Mapping[Severity, tuple[str, Rank, Level | None]] = {
    Severity.CRITICAL: ("magenta", Rank.FAILED, Level.ERROR),
    Severity.HIGH: ("red", Rank.REFUSED, Level.ERROR),
    Severity.MEDIUM: ("yellow", Rank.WARNING, Level.WARNING),
    Severity.LOW: ("cyan", Rank.OPEN, Level.NOTICE),
    Severity.NOTE: ("white", Rank.GOOD, None),
}


def _text(report: RiskReport, *, evidence: bool) -> Iterator[str]:
    """The text with escaped parts: objects that were read, a line for each cause, the summary.

    With `evidence`, each risk has its own line.
    """
    shown = report.selection.shown
    audit = None
    if isinstance(report, AuditReport):
        audit = report.audit
        yield from _head(audit)
        yield from _paths(report)
        yield from _in_kubernetes(report)
    groups = [RiskGroup((risk,)) for risk in shown] if evidence else grouped(shown)
    for group in groups:
        severity = group.first.severity
        word = click.style(f"{severity.value:<8}", fg=_SEVERITIES[severity][0])
        yield f"{word} {group.first.rule.id}: {_short(audit, _said(group))}"
        if evidence:
            yield from (f"    {visible(line)}" for line in _details(group.first))
    if shown:
        more = "" if evidence else " (evidence and fixes: -v)"
        yield f"To explain a finding: {shown[0].explained_by}{more}"
    yield summary(report, by_cause=not evidence)
    yield from filter(None, (report.scope.nothing, report.scope.left_out))


def _said(group: RiskGroup) -> str:
    """The risks of a cause in one line: whose they are, and the sentence of the first one."""
    first = f"{whose(group.first)}{group.first.sentence}"
    number = len(group.risks)
    if number == 1:
        return first
    if group.is_same:
        return f"{plural(number, group.kind)} ({some(group.names)}): {group.first.sentence}"
    return f"{first} (and {plural(number - 1, f'more {group.kind}')}: {some(group.names[1:])})"


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


def summary(report: RiskReport, *, by_cause: bool = True) -> str:
    """The number of risks by severity (of one cause: once), and the objects that were checked."""
    selection = report.selection
    listed = [group.first for group in grouped(selection.shown)] if by_cause else selection.shown
    numbers = Counter(risk.severity for risk in listed)
    counts = _counts({level.value: numbers[level] for level in reversed(ORDER[1:])})
    if notes := numbers[Severity.NOTE]:
        counts.append(plural(notes, "note"))
    counts = counts or ["no findings"]
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
    if len(listed) < len(selection.shown):
        about = f", {plural(len(selection.shown), 'finding')} in all{about}"
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
    entries: dict[str, list[Line]] = {}
    for group in grouped(report.selection.shown):
        entries.setdefault(_title(group), []).append(_line(group))
    for title, lines in entries.items():
        worst = min(lines, key=lambda line: line.rank)
        words = "note" if worst.word == Severity.NOTE.value else f"{worst.word} risk"
        state = words if len(lines) == 1 else f"{words}s"
        yield Entry(title, state, worst.rank, tuple(lines))


def _title(group: RiskGroup) -> str:
    """The role, cluster or file of risks; the rule if they are about several."""
    if len(group.risks) > 1:
        return group.first.rule.id
    risk = group.first
    return risk.place.file if risk.place else risk.role or risk.cluster or "account"


def _cases(report: RiskReport) -> Iterator[Case]:
    """A case for each rule, which fails with all its risks, and is skipped with notes only."""
    for rule in RULES.values():
        classname = f"irsa.{rule.area.value}"
        risks = [risk for risk in report.selection.shown if risk.rule is rule]
        if not risks:
            yield Case(classname, rule.id)
            continue
        lines = [visible(f"{risk.severity.value}: {whose(risk)}{risk.sentence}") for risk in risks]
        message = f"{len(risks)}: {rule.title}"
        worst = risks[0].severity
        element = "skipped" if worst is Severity.NOTE else "failure"
        yield Case(classname, rule.id, element, message, "\n".join(lines), worst.value)
    for risk, why in report.selection.accepted:
        name = f"{risk.rule.id}: {whose(risk)}{risk.sentence}"
        yield Case("irsa.accepted", name, "skipped", f"{why.reason} (until {why.until})")
    for text in filter(None, (str(report.error or report.scope.nothing), *report.unchecked)):
        yield Case("irsa.read", text, "error", text)


def _line(group: RiskGroup) -> Line:
    """The risks of a cause, with the evidence of each one."""
    risk = group.first
    _, rank, level = _SEVERITIES[risk.severity]
    subject = f"{risk.place.whose}: " if risk.place and risk.place.subject else ""
    text = f"{subject}{risk.sentence}"
    documents: list[Document] = []
    if len(group.risks) > 1:
        text = _said(group)
        number = plural(len(group.names), group.kind)
        documents.append(Document(f"{risk.rule.id}: {number}", group.names))
    for member in group.risks:
        documents += _documents(member, whose(member) if len(group.risks) > 1 else "")
    word = risk.severity.value
    return Line(text, rank, word, risk.rule.id, "", tuple(documents), level, risk.place)


def _documents(risk: Risk, owner: str) -> Iterator[Document]:
    """The evidence and the fix of a risk; `owner` begins their titles."""
    yield Document(
        f"{owner}{risk.rule.id}: evidence and fix", (*_evidence(risk), f"source: {risk.rule.source}")
    )
    if risk.corrected is not None:
        lines = tuple(json.dumps(risk.corrected, indent=2).splitlines())
        yield Document(f"{owner}{risk.rule.id}: the corrected trust policy", lines, "json")


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
        "consequence": rule.consequence.value,
        "reach": rule.reach.value,
        "broken": rule.broken,
        "about": rule.area.value,
        "title": rule.title,
        "reason": rule.reason,
        "fix": rule.fix,
        "source": rule.source,
        "before": before(rule),
        "after": after(rule),
    }
