"""What a project's `.irsa.yaml` says: defaults and demands for all runs below its folder.

Finding and reading it is `irsa_cli.usecases.command.project_settings`' business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from yaml import MappingNode

from irsa_cli.core.config.audit_ignores import AuditIgnore, read_audit
from irsa_cli.core.config.nodes import compose
from irsa_cli.core.config.reader import Reader
from irsa_cli.core.plan.rules import RULES
from irsa_cli.core.trust.rules.rule import Severity
from irsa_cli.core.values.errors import InvalidInput

_FIELDS = (
    "cluster",
    "region",
    "profile",
    "namespace",
    "expectAccount",
    "expectClusterARN",
    "failOn",
    "allowWideTrust",
    "permissionsBoundary",
    "requirePermissionsBoundary",
    "lock",
    "lockNamespace",
    "lockTimeout",
    "audit",
)


@dataclass(frozen=True)
class Project:
    """The settings of a project; `source` is its file, '' where there is none."""

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


def _lock_timeout(seconds: int) -> int:
    if not 0 <= seconds <= 86400:
        raise InvalidInput(f"{seconds} is no time to wait for a lock", reason="expected 0 to 86400 seconds")
    return seconds


_SEVERITIES = (*(item.value for item in Severity), "never")


def _severity(text: str) -> str:
    if text not in _SEVERITIES:
        raise InvalidInput(f"'{text}' is no severity", reason=f"expected {', '.join(_SEVERITIES)}")
    return text


def _never(text: str) -> str:
    if text not in ("never", "by-flag"):
        raise InvalidInput(f"'{text}' is not known here", reason="expected never, or by-flag")
    return text


_TEXTS: Mapping[str, str] = {
    "permissionsBoundary": "permissions_boundary",
    "lockNamespace": "lock_namespace",
    "cluster": "cluster",
    "region": "region",
    "profile": "profile",
    "namespace": "namespace",
    "expectAccount": "expect_account",
    "expectClusterARN": "expect_cluster_arn",
    "failOn": "fail_on",
}
"""Fields that are a text, and what holds it."""


def parse_project(text: str, source: str) -> Project:
    """Read the file's text; raises `InvalidInput` with every problem and its place."""
    reader = Reader(source)
    documents = compose(text, source)
    for node in documents[1:]:
        reader.problem(node, "one document is expected")
    found: dict[str, Any] = {}
    for node in documents[:1]:
        if not isinstance(node, MappingNode):
            reader.problem(node, f"expected a mapping with {', '.join(_FIELDS)}")
            continue
        fields = reader.fields(node, _FIELDS, ".irsa.yaml", {})
        found = {"lines": {name: item.start_mark.line + 1 for name, item in fields.items()}}
        for name, attribute in _TEXTS.items():
            if name in fields:
                found[attribute] = reader.text(fields[name], RULES.get(attribute, _severity)) or ""
        if "requirePermissionsBoundary" in fields:
            found["require_permissions_boundary"] = bool(reader.boolean(fields["requirePermissionsBoundary"]))
        if "lock" in fields:
            found["lock"] = bool(reader.boolean(fields["lock"]))
        if "lockTimeout" in fields:
            found["lock_timeout"] = reader.duration(fields["lockTimeout"], _lock_timeout)
        if "allowWideTrust" in fields:
            found["never_wide_trust"] = reader.text(fields["allowWideTrust"], _never) == "never"
        if "audit" in fields:
            found["ignores"] = read_audit(reader, fields["audit"])
    reader.finish()
    return Project(source, **found)
