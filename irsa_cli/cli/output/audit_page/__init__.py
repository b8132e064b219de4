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
    parts = {
        "policy": policy,
        "style": style,
        "script": script,
        "data": json.dumps(_shown(_data(audit)), separators=(",", ":")).translate(_ESCAPED),
    }
    return Template(_part("page.html")).substitute(parts)


def _part(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="ascii")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _shown(value: Any) -> Any:
    """The value with escaped texts, for example characters that change the writing direction."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {name: _shown(item) for name, item in value.items()}
    return [_shown(item) for item in value] if isinstance(value, (list, tuple)) else value


def _data(report: AuditReport) -> dict[str, Any]:
    selection = report.selection
    audit = report.audit
    risks = [*selection.shown, *(item for item, _ in selection.accepted)]
    picture = picture_of(audit, selection.shown, report.paths) if audit else None
    reasons = [f"{why.reason} (until {why.until})" for _, why in selection.accepted]
    accepted = [*("" for _ in selection.shown), *reasons]
    error = {} if report.error is None else error_json(report.error)
    return {
        "version": __version__,
        "facts": facts(report),
        "summary": " ".join((f"{summary(report)}.", report.scope.left_out)) if audit else "",
        "levels": [level.value for level in reversed(ORDER)],
        "notes": list(report.notes),
        "unseen": len(audit.unread) if audit else 0,
        "error": ": ".join(str(error[name]) for name in ("message", "reason") if error.get(name)),
        "accounts": len(audit.estate.accounts) if audit else 0,
        "clusters": sorted(cluster.name for cluster in audit.estate.clusters) if audit else [],
        "rules": {item.rule.id: rule_json(item.rule) for item in risks},
        "risks": [_risk(item, why, picture) for item, why in zip(risks, accepted, strict=True)],
        "picture": picture.to_json() if picture else None,
    }


def _risk(item: Risk, accepted: str, picture: Picture | None) -> dict[str, Any]:
    namespace = item.account.partition("/")[0]
    clusters = [item.cluster] if item.cluster else picture.clusters_of(item.role) if picture else []
    namespaces = [namespace] if namespace else picture.namespaces_of(item.role) if picture else []
    return {
        "severity": item.severity.value,
        "rule": item.rule.id,
        "sentence": item.sentence,
        "role": item.role,
        "account": item.account,
        "fix": item.suggestion,
        "evidence": list(item.evidence),
        "clusters": clusters,
        "namespaces": namespaces,
        "accepted": accepted,
    }
