"""`irsa audit -o html`: the account as a page, in one file that requests nothing.

The page is opened in browsers with a session at AWS, and names in it are written by whoever may create a
ServiceAccount. So texts of others are in it only as JSON and shown by the DOM's textContent; a policy in the
page allows its own script and nothing else, and no library is loaded from elsewhere. Only reports of an
audit have this form: no command that writes can load it.

The picture is computed in `irsa_cli.core.audit`; here nothing is judged. Other forms of the same findings
are in `irsa_cli.cli.output.views`.
"""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from string import Template
from typing import Any

from irsa_cli import __version__
from irsa_cli.cli.output.report import Report
from irsa_cli.cli.output.results.audit import facts, rule_json, summary
from irsa_cli.core.audit.picture import Picture, picture_of
from irsa_cli.core.audit.report import AuditReport
from irsa_cli.core.results.envelope import error_json
from irsa_cli.core.trust.rules.rule import ORDER, Risk
from irsa_cli.core.values.shown import visible

SCRIPTS = (
    "base.js", "state.js", "connect.js", "findings.js", "overview.js", "group.js", "place.js", "draw.js",
    "chosen.js", "keys.js", "main.js",
)  # fmt: skip
_ESCAPED = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


def as_html(report: Report, _most: int | None = None) -> str:
    """The page of an audit in ASCII, which every encoding preserves."""
    audit = report.found
    assert isinstance(audit, AuditReport), "only an audit has estates to draw"
    style = _part("page.css")
    script = "(() => {\n" + "\n".join(map(_part, SCRIPTS)) + "})();\n"
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; "
        "base-uri 'none'; form-action 'none'"
    )
    fields = {
        "policy": policy,
        "style": style,
        "script": script,
        "data": json.dumps(_shown(_data(audit)), separators=(",", ":")).translate(_ESCAPED),
    }
    return Template(_part("page.html")).substitute(fields)


def _part(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="ascii")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _shown(value: Any) -> Any:
    """The value with escaped texts, for example characters that change the writing direction."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {name: _shown(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_shown(inner) for inner in value]
    return value


def _data(report: AuditReport) -> dict[str, Any]:
    """The facts that the page's scripts show."""
    selection = report.selection
    error = {} if report.error is None else error_json(report.error)
    picture = picture_of(report.audit, selection.shown, report.paths) if report.audit else None
    risks = [_risk(risk, "", picture) for risk in selection.shown]
    for risk, why in selection.accepted:
        risks.append(_risk(risk, f"{why.reason} (until {why.until})", picture))
    rules = [risk.rule for risk in selection.shown] + [risk.rule for risk, _ in selection.accepted]
    return {
        "version": __version__,
        "facts": facts(report),
        "levels": [level.value for level in reversed(ORDER)],
        "notes": list(report.notes),
        "error": ": ".join(str(error[name]) for name in ("message", "reason") if error.get(name)),
        "rules": {rule.id: rule_json(rule) for rule in rules},
        "risks": risks,
        "picture": picture.to_json() if picture else None,
        **_examined(report),
    }


def _examined(report: AuditReport) -> dict[str, Any]:
    """The parts of the account that were read."""
    audit = report.audit
    if audit is None:
        return {"summary": "", "unseen": 0, "accounts": 0, "clusters": []}
    return {
        "summary": f"{summary(report, by_cause=False)}. {report.scope.left_out}",
        "unseen": len(audit.unread),
        "accounts": len(audit.estate.accounts),
        "clusters": sorted(cluster.name for cluster in audit.estate.clusters),
    }


def _risk(risk: Risk, accepted: str, picture: Picture | None) -> dict[str, Any]:
    namespace = risk.account.partition("/")[0]
    clusters = [risk.cluster] if risk.cluster else []
    namespaces = [namespace] if namespace else []
    if picture is not None:
        clusters = clusters or picture.clusters_of(risk.role)
        namespaces = namespaces or picture.namespaces_of(risk.role)
    return {
        "severity": risk.severity.value,
        "rule": risk.rule.id,
        "sentence": risk.sentence,
        "role": risk.role,
        "account": risk.account,
        "fix": risk.suggestion,
        "evidence": list(risk.evidence),
        "clusters": clusters,
        "namespaces": namespaces,
        "accepted": accepted,
    }
