"""What a project's `.irsa.yaml` says: defaults and demands for all runs below its folder.

Finding and reading it is `irsa_cli.usecases.command.project_settings`' business.
"""

from __future__ import annotations

from dataclasses import dataclass

from yaml import MappingNode

from irsa_cli.core.config.audit_ignores import AuditIgnore, read_audit
from irsa_cli.core.config.nodes import compose
from irsa_cli.core.config.reader import Reader
from irsa_cli.core.values import arn, names
from irsa_cli.core.values.errors import InvalidInput

_FIELDS = (
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


def _lock_timeout(seconds: int) -> int:
    if not 0 <= seconds <= 86400:
        raise InvalidInput(f"{seconds} is no time to wait for a lock", reason="expected 0 to 86400 seconds")
    return seconds


def parse_project(text: str, source: str) -> Project:
    """Read the file's text; raises `InvalidInput` with every problem and its place."""
    reader = Reader(source)
    documents = compose(text, source)
    for node in documents[1:]:
        reader.problem(node, "one document is expected")
    boundary, required, lock, namespace = "", False, True, ""
    timeout: float | None = None
    ignores: tuple[AuditIgnore, ...] = ()
    for node in documents[:1]:
        if not isinstance(node, MappingNode):
            reader.problem(node, f"expected a mapping with {', '.join(_FIELDS)}")
            continue
        fields = reader.fields(node, _FIELDS, ".irsa.yaml", {})
        if "permissionsBoundary" in fields:
            boundary = reader.text(fields["permissionsBoundary"], arn.check_policy) or ""
        if "requirePermissionsBoundary" in fields:
            required = bool(reader.boolean(fields["requirePermissionsBoundary"]))
        if "lock" in fields:
            lock = bool(reader.boolean(fields["lock"]))
        if "lockNamespace" in fields:
            namespace = reader.text(fields["lockNamespace"], names.namespace) or ""
        if "lockTimeout" in fields:
            timeout = reader.duration(fields["lockTimeout"], _lock_timeout)
        if "audit" in fields:
            ignores = read_audit(reader, fields["audit"])
    reader.finish()
    return Project(source, boundary, required, lock, namespace, timeout, ignores)
