"""What `irsa audit` and `irsa who-can` say, as one document each.

How it looks as text is in `irsa_cli.cli.audit_render`. docs/reference/audit.schema.json describes the JSON,
and is a promise to scripts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from irsa_cli.core.inventory.audit.auditing import Audit
from irsa_cli.core.inventory.audit.selection import RiskSelection, fingerprint
from irsa_cli.core.inventory.audit.ways import RolePath
from irsa_cli.core.inventory.audit.who_can import Can
from irsa_cli.core.results.result import API_VERSION, error_json
from irsa_cli.core.trust.rules.rule import ORDER, Risk, Severity
from irsa_cli.core.values.errors import ExitCode, IrsaError


@dataclass(frozen=True)
class AuditReport:
    """An audit and what is shown of it, or the error with which nothing could be.

    `fail_on`: from which severity on the exit code tells. `paths` are shown where they were asked for.
    """

    audit: Audit | None = None
    selection: RiskSelection = field(default_factory=lambda: RiskSelection(()))
    paths: tuple[RolePath, ...] | None = None
    fail_on: Severity | None = None
    error: Exception | None = None
    signal: int = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What was not read, and what has ended."""
        unseen = self.audit.unseen if self.audit else ()
        return (*unseen, *self.selection.notes)

    @property
    def exit_code(self) -> int:
        """5 for a risk from `fail_on` on; 1 where there is none and not all was read; else 0."""
        if self.signal:
            return 128 + self.signal
        if self.error is not None:
            return _code_of(self.error)
        if self.fail_on is None:
            return ExitCode.DONE
        if self.selection.reaches(self.fail_on):
            return ExitCode.UNVERIFIED
        return ExitCode.FAILED if self.audit and self.audit.unseen else ExitCode.DONE

    def to_json(self) -> dict[str, Any]:
        """The document that `-o json` and `-o yaml` print."""
        clusters = [cluster.name for cluster in self.audit.estate.clusters] if self.audit else []
        summary = {level.value: self.selection.count(level) for level in reversed(ORDER)}
        return {
            "apiVersion": API_VERSION,
            "kind": "Audit",
            "metadata": {
                "command": "audit",
                "exitCode": int(self.exit_code),
                "clusters": clusters,
                "summary": {
                    **summary,
                    "accepted": len(self.selection.accepted),
                    "inBaseline": self.selection.known,
                    "roles": len(self.audit.estate.roles) if self.audit else 0,
                },
                "notes": list(self.notes),
            },
            "items": [risk_json(item) for item in self.selection.shown],
            "accepted": [
                {**risk_json(item), "acceptedBecause": why.reason, "until": str(why.until)}
                for item, why in self.selection.accepted
            ],
            **({} if self.paths is None else {"paths": list(map(path_json, self.paths))}),
            "errors": _errors(self.error),
        }


def _code_of(error: Exception) -> int:
    return error.exit_code if isinstance(error, IrsaError) else ExitCode.FAILED


def _errors(error: Exception | None) -> list[Any]:
    return [] if error is None else [error_json(error)]


def risk_json(item: Risk) -> dict[str, Any]:
    """A risk as `-o json` shows it."""
    return {
        **item.to_json(),
        "fingerprint": fingerprint(item),
        "title": item.rule.title,
        "cluster": item.cluster,
        "serviceAccount": item.account,
        "path": list(item.path),
        "source": item.rule.source,
        "evidence": list(item.evidence),
    }


def path_json(path: RolePath) -> dict[str, Any]:
    """A path to a role as `-o json` shows it."""
    return {
        "role": path.role,
        "cluster": path.way.cluster,
        "serviceAccounts": sorted(path.way.accounts),
        "by": path.way.by.value,
        "statement": path.way.statement,
        "through": [
            {"role": hop.source, "allowedBy": hop.allowed_by, "admittedBy": hop.admitted_by}
            for hop in path.hops
        ],
        "cycle": path.cycle,
        "if": list(path.conditions),
    }


@dataclass(frozen=True)
class WhoCanReport:
    """Who may do something, or the error with which it could not be found out."""

    action: str
    resource: str = ""
    audit: Audit | None = None
    found: tuple[Can, ...] = ()
    error: Exception | None = None
    signal: int = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What was not read."""
        return self.audit.unseen if self.audit else ()

    @property
    def exit_code(self) -> int:
        """0 whoever may do it: a list that could be made is no failure."""
        if self.signal:
            return 128 + self.signal
        return ExitCode.DONE if self.error is None else _code_of(self.error)

    def to_json(self) -> dict[str, Any]:
        """The document that `-o json` and `-o yaml` print."""
        clusters = [cluster.name for cluster in self.audit.estate.clusters] if self.audit else []
        return {
            "apiVersion": API_VERSION,
            "kind": "WhoCan",
            "metadata": {
                "command": "who-can",
                "exitCode": int(self.exit_code),
                "clusters": clusters,
                "action": self.action,
                "resource": self.resource or None,
                "summary": {"sure": _sure(self.found), "conditional": len(self.found) - _sure(self.found)},
                "notes": list(self.notes),
            },
            "items": list(map(can_json, self.found)),
            "errors": _errors(self.error),
        }


def _sure(found: Iterable[Can]) -> int:
    return sum(not item.conditions for item in found)


def can_json(item: Can) -> dict[str, Any]:
    """Who may do it by one path, as `-o json` shows it."""
    return {
        **path_json(item.path),
        "allowedBy": item.allowed.by,
        "resources": list(item.allowed.resources),
        "if": list(item.conditions),
    }
