"""An audit as CSV, SARIF and JUnit XML, with foreign texts (names, statements) escaped."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import click

from irsa_cli import __version__
from irsa_cli.cli.output.reports.junit_sarif import JunitCase, add_suite, location, sarif_text, xml_text
from irsa_cli.cli.output.screens.audit import where
from irsa_cli.cli.output.text import show_error, show_reading
from irsa_cli.core.audit.baseline import fingerprint
from irsa_cli.core.audit.report import RiskReport
from irsa_cli.core.trust.rules.rule import Risk, Rule, Severity
from irsa_cli.core.trust.rules.table import RULES
from irsa_cli.core.values.shown import visible

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
    return sarif_text(
        map(_rule, RULES.values()),
        results,
        report,
        notes=[{"level": "warning", "message": {"text": visible(text)}} for text in report.notes],
        full_name=f"irsa audit {__version__}",
        properties={"summary": report.selection.summary, "scope": report.scope.to_json()},
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


FORMS: dict[str, Callable[[RiskReport], str]] = {"csv": as_csv, "sarif": as_sarif, "junit": as_junit}


def show_report(report: RiskReport, lines: Iterable[str], form: str) -> None:
    """Print a report in a form (`lines` are its text), its notes and its errors."""
    for error in report.unread:
        show_error(error)
    if form in FORMS:
        click.echo(FORMS[form](report), nl=False)
        lines, form = (), "text"
    show_reading(report, lines, form, report.notes[len(report.problems) :])
