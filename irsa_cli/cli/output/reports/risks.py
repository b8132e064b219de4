"""Risks as CSV, JUnit XML and SARIF 2.1.0; texts of others are escaped."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from irsa_cli import __version__
from irsa_cli.cli.output.reports.junit import JunitCase, add_suite, xml_text
from irsa_cli.cli.output.screens.audit import where
from irsa_cli.cli.output.text import json_text
from irsa_cli.core.audit.report import RiskReport, fingerprint
from irsa_cli.core.results.envelope import error_json
from irsa_cli.core.trust.rules.rule import RULES, Risk, Rule, Severity
from irsa_cli.core.values.shown import visible

_COLUMNS = (
    "severity", "rule", "role", "cluster", "serviceAccount", "finding", "fix", "source", "fingerprint",
    "file", "line", "column",
)  # fmt: skip


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


SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {
    Severity.CRITICAL: ("error", "9.5"),
    Severity.HIGH: ("error", "8.0"),
    Severity.MEDIUM: ("warning", "5.5"),
    Severity.LOW: ("note", "2.5"),
}
"""The level of a severity, and code scanning's score."""


def as_sarif(report: RiskReport) -> str:
    """SARIF of one run: a result for each risk; accepted ones are suppressed.

    https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
    """
    results = [_result(item) for item in report.selection.shown]
    for item, why in report.selection.accepted:
        suppression = {"kind": "external", "status": "accepted", "justification": visible(why.reason)}
        results.append({**_result(item), "suppressions": [suppression]})
    notifications = [{"level": "warning", "message": {"text": visible(text)}} for text in report.notes]
    full_name, rules = f"irsa audit {__version__}", [*map(_rule, RULES.values())]
    driver = {"name": "irsa", "fullName": full_name, "version": __version__, "rules": rules}
    invocation = {
        "executionSuccessful": report.error is None,
        "exitCode": int(report.exit_code),
        **({"toolExecutionNotifications": notifications} if notifications else {}),
        "properties": {"summary": report.selection.summary, "scope": report.scope.to_json()},
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [invocation],
        "results": results,
        **({"properties": {"error": error_json(report.error)}} if report.error is not None else {}),
    }
    return json_text({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}) + "\n"


def _rule(rule: Rule) -> dict[str, Any]:
    level, score = _LEVELS[rule.severity]
    return {
        "id": rule.id,
        "name": f"Audit{rule.id.title().replace('-', '')}",
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.reason},
        "help": {"text": f"{rule.reason} To fix: {rule.fix}."},
        "helpUri": rule.source,
        "defaultConfiguration": {"level": level},
        "properties": {"security-severity": score, "tags": ["security", rule.area.value]},
    }


_IDS = list(RULES)


def _result(item: Risk) -> dict[str, Any]:
    # The role or subject; the place is in the locations.
    subject = item.place.subject if item.place else ""
    whose = where(item) if item.place is None else f"{subject}: " if subject else ""
    level, score = _LEVELS[item.severity]
    return {
        "ruleId": item.rule.id,
        "ruleIndex": _IDS.index(item.rule.id),
        "level": level,
        "message": {"text": visible(f"{whose}{item.sentence}. To fix: {item.suggestion}")},
        "locations": [_location(item)],
        "partialFingerprints": {"irsaRisk/v2": fingerprint(item)},
        "properties": {"security-severity": score},
    }


def _location(item: Risk) -> dict[str, Any]:
    """The place in a file, or an object's name: code scanning shows only results with a file."""
    region, name = {"startLine": 1}, item.role or item.statement
    if item.place is None:
        uri = _path(item)
    else:
        region = {"startLine": item.place.line, "startColumn": item.place.column}
        name = item.role or item.place.subject or item.statement
        file = item.place.file  # As a URI, relative to the current folder.
        uri = quote(file.removeprefix("./").encode("utf-8", "surrogateescape"))
        uri = f"file://{uri}" if file.startswith("/") else uri
    return {
        "physicalLocation": {"artifactLocation": {"uri": uri}, "region": region},
        "logicalLocations": [{"fullyQualifiedName": visible(name), "kind": "resource"}],
    }


def _path(item: Risk) -> str:
    """A path for an object without characters that need escapes in a URI."""
    if item.role:
        parts = item.role.split(":")
        name = f"iam/{parts[4] if len(parts) > 5 else ''}/{parts[-1]}"
    else:
        name = f"clusters/{item.cluster or 'none'}/{item.account or item.statement}"
    return "".join(sign if sign.isascii() and (sign.isalnum() or sign in "/._-") else "_" for sign in name)
