"""Read a project's `.irsa.yaml`: its text in, checked values out."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from yaml import MappingNode, Node

from irsa_cli.core.config.entry_fields import namespace_pattern
from irsa_cli.core.config.nodes import compose
from irsa_cli.core.config.project import AuditIgnore, Project
from irsa_cli.core.config.reader import Reader, Table, flag_fields, one_of, text_fields
from irsa_cli.core.trust.rules.rule import RULES as AUDIT_RULES
from irsa_cli.core.trust.rules.rule import Severity
from irsa_cli.core.values import names
from irsa_cli.core.values.errors import InvalidInput

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
    if "ignore" not in fields:
        return ()
    entries = reader.items(fields["ignore"], "risks that are accepted")
    ignores = [_read(reader, entry) for entry in entries]
    return tuple(ignore for ignore in ignores if ignore is not None)


def read_service_accounts(reader: Reader, node: Node) -> tuple[str, ...]:
    """The field `serviceAccounts` of `.irsa.yaml`: namespaces in Git; problems go to the reader."""
    if not isinstance(node, MappingNode):
        reader.problem(node, "expected a mapping with git")
        return ()
    fields = reader.fields(node, ("git",), "serviceAccounts", {})
    if "git" not in fields:
        reader.problem(node, "git is missing: a list of namespaces, or globs for them")
        return ()
    return reader.texts(fields["git"], namespace_pattern)


def _read(reader: Reader, node: Node) -> AuditIgnore | None:
    if not isinstance(node, MappingNode):
        reader.problem(node, f"expected a mapping with {', '.join(_IGNORE_FIELDS)}")
        return None
    fields = reader.fields(node, _IGNORE_FIELDS, "audit.ignore", {})
    checks = {"rule": _rule, "reason": _filled, "until": _day}
    texts = {name: reader.text(value, checks.get(name, str)) or "" for name, value in fields.items()}
    missing = [name for name in checks if name not in texts]
    for name in missing:
        reader.problem(node, f"{name} is missing")
    if missing or not all(texts[name] for name in checks):
        return None
    account = texts.pop("serviceAccount", "")
    until = date.fromisoformat(texts.pop("until"))
    return AuditIgnore(**texts, account=account, until=until)


_SEVERITIES = (*(severity.value for severity in Severity if severity is not Severity.NOTE), "broken", "never")


def _severity(text: str) -> str:
    for word in text.split(","):
        if word.strip() not in _SEVERITIES:
            raise InvalidInput(f"'{word}' is not a severity", reason=f"expected {', '.join(_SEVERITIES)}")
    return text


_LOCK_TIMEOUT = names.seconds(0, 86400, "lock timeout")
_WIDE_TRUST = one_of("never", "by-flag")
_FIELDS: Table = {
    **text_fields(Project, "cluster", "region", "profile", "namespace", "expectAccount", "expectClusterARN"),
    "failOn": ("fail_on", lambda reader, node: reader.text(node, _severity) or ""),
    "allowWideTrust": ("never_wide_trust", lambda reader, node: reader.text(node, _WIDE_TRUST) == "never"),
    **text_fields(Project, "permissionsBoundary"),
    **flag_fields("requirePermissionsBoundary", "lock"),
    **text_fields(Project, "lockNamespace"),
    "lockTimeout": ("lock_timeout", lambda reader, node: reader.duration(node, _LOCK_TIMEOUT)),
    "serviceAccounts": ("git_namespaces", read_service_accounts),
    "audit": ("ignores", read_audit),
}


def parse_project(text: str, source: str) -> Project:
    """Read the file's text; raises `InvalidInput` with every problem and its place."""
    reader = Reader(source)
    documents = compose(text, source)
    for node in documents[1:]:
        reader.problem(node, "expected one document")
    settings: dict[str, Any] = {}
    for node in documents[:1]:
        if not isinstance(node, MappingNode):
            reader.problem(node, f"expected a mapping with {', '.join(_FIELDS)}")
            continue
        fields = reader.fields(node, _FIELDS, ".irsa.yaml", {})
        settings = reader.said(fields, _FIELDS)
        settings["lines"] = {name: value.start_mark.line + 1 for name, value in fields.items()}
    reader.finish()
    return Project(source, **settings)
