"""An audit as text, CSV, SARIF and JUnit XML; also the explanation of a rule.

One line for each risk, the most severe first. Foreign texts (names, statements) are escaped.
"""

from __future__ import annotations

import csv
import io
import json
import pkgutil
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import click

from irsa_cli import __version__
from irsa_cli.cli.output.forms import RISKS
from irsa_cli.cli.output.reports.junit_sarif import JunitCase, add_suite, location, sarif_text, xml_text
from irsa_cli.cli.output.screens.kubernetes import may_lines, taker_lines
from irsa_cli.cli.output.text import show_error, show_reading
from irsa_cli.core.audit.auditing import Audit
from irsa_cli.core.audit.report import AuditReport, RiskReport, WhoCanReport, fingerprint
from irsa_cli.core.audit.ways import RolePath
from irsa_cli.core.trust.rules.rule import ORDER, RULES, SHOWN, Risk, Rule, Severity, some
from irsa_cli.core.values.shown import head, moment, plural, visible

_COLOURS = {
    Severity.CRITICAL: "magenta",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
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


_COLUMNS = (
    "severity", "rule", "role", "cluster", "serviceAccount", "finding", "fix", "source", "fingerprint",
    "file", "line", "column",
)  # fmt: skip


_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
}


_SCORES = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.5", Severity.LOW: "2.5"}


def as_csv(report: RiskReport) -> str:
    """Comma-separated values (RFC 4180) with a header and without formulas.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for item in report.selection.shown:
        row = (
            item.severity.value,
            item.rule.id,
            item.role,
            item.cluster,
            item.account,
            item.sentence,
            item.suggestion,
            item.rule.source,
            fingerprint(item),
            *((place.file, str(place.line), str(place.column)) if (place := item.place) else ("", "", "")),
        )
        writer.writerow(
            f"'{cell}" if cell[:1] in ("=", "+", "-", "@") else cell for cell in map(visible, row)
        )
    return text.getvalue()


def as_junit(report: RiskReport) -> str:
    """JUnit XML: a case for each rule, which fails with all its risks."""
    root = ElementTree.Element("testsuites", name=report.title)
    add_suite(root, report.title, list(_cases(report)))
    return xml_text(root)


def _cases(report: RiskReport) -> Iterator[JunitCase]:
    for rule in RULES.values():
        classname = f"irsa.{rule.area.value}"
        broken = [it for it in report.selection.shown if it.rule is rule]
        if not broken:
            yield JunitCase(classname, rule.id)
            continue
        text = "\n".join(visible(f"{it.severity.value}: {where(it)}{it.sentence}") for it in broken)
        message = f"{len(broken)}: {rule.title}"
        yield JunitCase(classname, rule.id, "failure", message, text, broken[0].severity.value)
    for item, why in report.selection.accepted:
        name = f"{item.rule.id}: {where(item)}{item.sentence}"
        yield JunitCase("irsa.accepted", name, "skipped", f"{why.reason} (until {why.until})")
    for text in filter(None, (str(report.error or report.scope.nothing), *report.unchecked)):
        yield JunitCase("irsa.read", text, "error", text)


def as_sarif(report: RiskReport) -> str:
    """SARIF: a result for each risk; accepted ones are suppressed."""
    results = [_result(item) for item in report.selection.shown]
    for item, why in report.selection.accepted:
        suppression = {"kind": "external", "status": "accepted", "justification": visible(why.reason)}
        results.append({**_result(item), "suppressions": [suppression]})
    facts = {"summary": report.selection.summary, "scope": report.scope.to_json()}
    return sarif_text(
        f"irsa audit {__version__}", map(_rule, RULES.values()), results, report, report.notes, facts
    )


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": f"Audit{rule.id.title().replace('-', '')}",
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.reason},
        "help": {"text": f"{rule.reason} To fix: {rule.fix}."},
        "helpUri": rule.source,
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"security-severity": _SCORES[rule.severity], "tags": ["security", rule.area.value]},
    }


_IDS = list(RULES)


def _result(item: Risk) -> dict[str, Any]:
    # The role or subject; the place is in the locations.
    subject = item.place.subject if item.place else ""
    whose = where(item) if item.place is None else f"{subject}: " if subject else ""
    return {
        "ruleId": item.rule.id,
        "ruleIndex": _IDS.index(item.rule.id),
        "level": _LEVELS[item.severity],
        "message": {"text": visible(f"{whose}{item.sentence}. To fix: {item.suggestion}")},
        "locations": [_location(item)],
        "partialFingerprints": {"irsaRisk/v2": fingerprint(item)},
        "properties": {"security-severity": _SCORES[item.severity]},
    }


def _location(item: Risk) -> dict[str, Any]:
    """The place in a file, or the object's name in an account."""
    if item.place is None:
        return location(_place(item), visible(item.role or item.statement))
    region = {"startLine": item.place.line, "startColumn": item.place.column}
    name = item.role or item.place.subject or item.statement
    file = item.place.file  # As a URI, relative to the current folder.
    uri = quote(file.removeprefix("./").encode("utf-8", "surrogateescape"))
    return location(f"file://{uri}" if file.startswith("/") else uri, visible(name), region)


def _place(item: Risk) -> str:
    """A path for an object without characters that need escapes in a URI."""
    if item.role:
        parts = item.role.split(":")
        name = f"iam/{parts[4] if len(parts) > 5 else ''}/{parts[-1]}"
    else:
        name = f"clusters/{item.cluster or 'none'}/{item.account or item.statement}"
    return "".join(sign if sign.isascii() and (sign.isalnum() or sign in "/._-") else "_" for sign in name)


def show_report(report: RiskReport, lines: Iterable[str], form: str) -> None:
    """Print a report in a form (`lines` are its text), its notes and its errors."""
    for error in report.unread:
        show_error(error)
    if form in RISKS:
        click.echo(pkgutil.resolve_name(RISKS[form])(report), nl=False)
        lines, form = (), "text"
    show_reading(report, lines, form, report.notes[len(report.problems) :])
