"""Findings and tables as comma-separated values (RFC 4180) with a header and without formulas.

https://owasp.org/www-community/attacks/CSV_Injection
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from irsa_cli.cli.output.report import FoundRisk, Report
from irsa_cli.core.values.shown import visible

_COLUMNS = (
    "severity", "rule", "role", "cluster", "serviceAccount", "finding", "fix", "source", "fingerprint",
    "file", "line", "column",
)  # fmt: skip


def as_csv(report: Report, _most: int | None = None) -> str:
    open_findings = (finding for finding in report.findings if finding.accepted is None)
    return comma_separated(_COLUMNS, map(_row, open_findings))


def comma_separated(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A header and rows with safe cells."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(map(_cell, row))
    return text.getvalue()


def _row(finding: FoundRisk) -> Iterator[str]:
    risk = finding.risk
    yield from (risk.severity.value, risk.rule.id, risk.role, risk.cluster, risk.account)
    yield from (risk.sentence, risk.suggestion, risk.rule.source, finding.fingerprint)
    if risk.place:
        yield from (risk.place.file, str(risk.place.line), str(risk.place.column))
    else:
        yield from ("", "", "")


def _cell(text: str) -> str:
    """A cell that no spreadsheet reads as a formula."""
    shown = visible(text)
    return f"'{shown}" if shown.startswith(("=", "+", "-", "@")) else shown
