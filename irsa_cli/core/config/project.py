"""The settings of a project's `.irsa.yaml`: defaults and rules for runs, and accepted risks.

Its text in, checked values out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from yaml import MappingNode, Node

from irsa_cli.core.config.nodes import compose
from irsa_cli.core.config.reader import Reader, Table, flag_fields, one_of, text_fields
from irsa_cli.core.policies.operators import like
from irsa_cli.core.trust.rules.rule import RULES as AUDIT_RULES
from irsa_cli.core.trust.rules.rule import Risk, Severity
from irsa_cli.core.values import names
from irsa_cli.core.values.errors import InvalidInput

ACCEPTED_DAYS = 366
"""How far ahead `until` may be: what is accepted is looked at again at least once a year."""


@dataclass(frozen=True)
class AuditIgnore:
    """Accepted risks of a rule; '' matches everything.

    In a file, the role is its name there. It ends after `until`, and begins `ACCEPTED_DAYS` before it.
    """

    rule: str
    reason: str
    until: date
    role: str = ""
    cluster: str = ""
    account: str = ""
    file: str = ""

    def counts(self, today: date) -> bool:
        """Whether it holds on a day."""
        return today <= self.until <= today + timedelta(days=ACCEPTED_DAYS)

    def matches(self, risk: Risk) -> bool:
        """Whether a risk is meant, whatever day it is."""
        file, subject = (risk.place.file, risk.place.subject) if risk.place else ("", "")
        pairs = (
            (self.role, risk.role or subject),
            (self.cluster, risk.cluster),
            (self.account, risk.account),
            (self.file, file),
        )
        return risk.rule.id == self.rule and all(not wanted or like(got, wanted) for wanted, got in pairs)


@dataclass(frozen=True)
class Project:
    """The settings of a project; `source` is its file, '' if there is none."""

    source: str = ""
    permissions_boundary: str = ""
    require_permissions_boundary: bool = False
    lock: bool = True
    """Whether runs lock what they change."""
    lock_namespace: str = ""
    lock_timeout: float | None = None
    """Seconds that a run waits for a lock; None where the file does not say."""
    ignores: tuple[AuditIgnore, ...] = ()
    """Risks that are accepted."""
    cluster: str = ""
    region: str = ""
    profile: str = ""
    namespace: str = ""
    expect_account: str = ""
    """The account that every cluster has to be in; '' where any may be."""
    expect_cluster_arn: str = ""
    fail_on: str = ""
    """From which severity on `audit` and `lint` fail, where no flag says it."""
    never_wide_trust: bool = False
    """Whether trust policies that are too wide are refused whatever flags say."""
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)
    """In which line of the file each field is."""

    def place(self, name: str) -> str:
        """File and line of a field; '' where the file has no such field."""
        return f"{self.source}:{self.lines[name]}" if name in self.lines else ""


_IGNORE_FIELDS = ("rule", "role", "cluster", "serviceAccount", "file", "reason", "until")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _rule(text: str) -> str:
    if text not in AUDIT_RULES:
        raise InvalidInput(f"no rule '{text}'", reason="irsa audit --explain all lists them")
    return text


def _day(text: str) -> str:
    try:
        if _DATE.fullmatch(text):
            date.fromisoformat(text)
            return text
    except ValueError:
        pass
    raise InvalidInput(f"'{text}' is not a date", reason="expected YYYY-MM-DD")


def _filled(text: str) -> str:
    if not text.strip():
        raise InvalidInput("it is empty")
    return text


def read_audit(reader: Reader, node: Node) -> tuple[AuditIgnore, ...]:
    """The field `audit` of `.irsa.yaml`; problems go to the reader."""
    if not isinstance(node, MappingNode):
        reader.problem(node, "expected a mapping with ignore")
        return ()
    fields = reader.fields(node, ("ignore",), "audit", {})
    items = reader.items(fields["ignore"], "risks that are accepted") if "ignore" in fields else []
    return tuple(found for item in items if (found := _read(reader, item)) is not None)


def _read(reader: Reader, node: Node) -> AuditIgnore | None:
    if not isinstance(node, MappingNode):
        reader.problem(node, f"expected a mapping with {', '.join(_IGNORE_FIELDS)}")
        return None
    fields = reader.fields(node, _IGNORE_FIELDS, "audit.ignore", {})
    checks = {"rule": _rule, "reason": _filled, "until": _day}
    texts = {name: reader.text(found, checks.get(name, str)) or "" for name, found in fields.items()}
    missing = [name for name in checks if name not in texts]
    for name in missing:
        reader.problem(node, f"{name} is missing")
    if missing or not all(texts[name] for name in checks):
        return None
    account, until = texts.pop("serviceAccount", ""), date.fromisoformat(texts.pop("until"))
    return AuditIgnore(**texts, account=account, until=until)


_SEVERITIES = (*(item.value for item in Severity), "broken", "never")


def _severity(text: str) -> str:
    for word in text.split(","):
        if word.strip() not in _SEVERITIES:
            raise InvalidInput(f"'{word}' is not a severity", reason=f"expected {', '.join(_SEVERITIES)}")
    return text


_LOCK_TIMEOUT = names.seconds(0, 86400, "lock timeout")
_WIDE_TRUST = one_of("never", "by-flag")
_FIELDS: Table = {
    **text_fields("cluster", "region", "profile", "namespace", "expectAccount", "expectClusterARN"),
    "failOn": ("fail_on", lambda reader, node: reader.text(node, _severity) or ""),
    "allowWideTrust": ("never_wide_trust", lambda reader, node: reader.text(node, _WIDE_TRUST) == "never"),
    **text_fields("permissionsBoundary"),
    **flag_fields("requirePermissionsBoundary", "lock"),
    **text_fields("lockNamespace"),
    "lockTimeout": ("lock_timeout", lambda reader, node: reader.duration(node, _LOCK_TIMEOUT)),
    "audit": ("ignores", read_audit),
}


def parse_project(text: str, source: str) -> Project:
    """Read the file's text; raises `InvalidInput` with every problem and its place."""
    reader = Reader(source)
    documents = compose(text, source)
    for node in documents[1:]:
        reader.problem(node, "expected one document")
    found: dict[str, Any] = {}
    for node in documents[:1]:
        if not isinstance(node, MappingNode):
            reader.problem(node, f"expected a mapping with {', '.join(_FIELDS)}")
            continue
        fields = reader.fields(node, _FIELDS, ".irsa.yaml", {})
        found = {"lines": {name: item.start_mark.line + 1 for name, item in fields.items()}}
        found |= reader.said(fields, _FIELDS)
    reader.finish()
    return Project(source, **found)
