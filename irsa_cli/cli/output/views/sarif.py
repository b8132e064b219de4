"""Findings as SARIF 2.1.0: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from irsa_cli import __version__
from irsa_cli.cli.output.report import FoundRisk, Report, whose
from irsa_cli.cli.output.views.documents import json_text
from irsa_cli.core.results.envelope import error_json
from irsa_cli.core.trust.rules.rule import RULES, Risk, Rule, Severity
from irsa_cli.core.values.shown import visible

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {
    Severity.CRITICAL: ("error", "9.5"),
    Severity.HIGH: ("error", "8.0"),
    Severity.MEDIUM: ("warning", "5.5"),
    Severity.LOW: ("note", "2.5"),
    Severity.NOTE: ("note", "0.5"),
}
"""The level of a severity, and code scanning's score."""


def as_sarif(report: Report, _most: int | None = None) -> str:
    """One run with a result for each finding; accepted ones are suppressed."""
    document = report.document
    notifications = [{"level": "warning", "message": {"text": visible(text)}} for text in document.notes]
    full_name = f"irsa audit {__version__}"
    rules = [*map(_rule, RULES.values())]
    driver = {"name": "irsa", "fullName": full_name, "version": __version__, "rules": rules}
    invocation = {
        "executionSuccessful": report.error is None,
        "exitCode": report.exit_code,
        **({"toolExecutionNotifications": notifications} if notifications else {}),
        "properties": {"summary": document.summary, "scope": document.facts["scope"]},
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [invocation],
        "results": [*map(_result, report.findings)],
        **({"properties": {"error": error_json(report.error)}} if report.error is not None else {}),
    }
    return json_text({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]})


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


def _result(finding: FoundRisk) -> dict[str, Any]:
    # The role or subject; the place is in the locations.
    risk = finding.risk
    beginning = whose(risk)
    if risk.place is not None:
        beginning = f"{risk.place.whose}: " if risk.place.subject else ""
    level, score = _LEVELS[risk.severity]
    suppression = {"kind": "external", "status": "accepted", "justification": visible(finding.accepted or "")}
    return {
        "ruleId": risk.rule.id,
        "ruleIndex": _IDS.index(risk.rule.id),
        "level": level,
        "message": {"text": visible(f"{beginning}{risk.sentence}. To fix: {risk.suggestion}")},
        "locations": [_location(risk)],
        "partialFingerprints": {"irsaRisk/v2": finding.fingerprint},
        "properties": {"security-severity": score},
        **({"suppressions": [suppression]} if finding.accepted is not None else {}),
    }


def _location(risk: Risk) -> dict[str, Any]:
    """The place in a file, or an object's name: code scanning shows only results with a file."""
    region = {"startLine": 1}
    name = risk.role or risk.statement
    if risk.place is None:
        uri = _path(risk)
    else:
        region = {"startLine": risk.place.line, "startColumn": risk.place.column}
        name = risk.role or risk.place.subject or risk.statement
        file = risk.place.file  # As a URI, relative to the current folder.
        uri = quote(file.removeprefix("./").encode("utf-8", "surrogateescape"))
        if file.startswith("/"):
            uri = f"file://{uri}"
    return {
        "physicalLocation": {"artifactLocation": {"uri": uri}, "region": region},
        "logicalLocations": [{"fullyQualifiedName": visible(name), "kind": "resource"}],
    }


def _path(risk: Risk) -> str:
    """A path for an object without characters that need escapes in a URI."""
    if risk.role:
        fields = risk.role.split(":")
        account = fields[4] if len(fields) > 5 else ""
        name = f"iam/{account}/{fields[-1]}"
    else:
        name = f"clusters/{risk.cluster or 'none'}/{risk.account or risk.statement}"
    return re.sub(r"[^A-Za-z0-9/._-]", "_", name)
