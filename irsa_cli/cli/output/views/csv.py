"""Findings as comma-separated values (RFC 4180) with a header and without formulas.

https://owasp.org/www-community/attacks/CSV_Injection
"""

from __future__ import annotations

import csv
import io

from irsa_cli.cli.output.report import Report
from irsa_cli.core.values.shown import visible

_COLUMNS = (
    "severity", "rule", "role", "cluster", "serviceAccount", "finding", "fix", "source", "fingerprint",
    "file", "line", "column",
)  # fmt: skip


def as_csv(report: Report, _most: int | None = None) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for item in report.findings:
        if item.accepted is None:
            risk = item.risk
            place = item.risk.place
            row = (
                *(risk.severity.value, risk.rule.id, risk.role, risk.cluster, risk.account),
                *(risk.sentence, risk.suggestion, risk.rule.source, item.fingerprint),
                *((place.file, str(place.line), str(place.column)) if place else ("", "", "")),
            )
            cells = map(visible, row)
            writer.writerow(f"'{cell}" if cell[:1] in ("=", "+", "-", "@") else cell for cell in cells)
    return text.getvalue()
