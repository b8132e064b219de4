"""The envelope of every JSON and YAML document: docs/reference/output.schema.json is a promise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import ExitCode, IrsaError, Refused, ServiceError
from irsa_cli.core.values.shown import redacted

API_VERSION = "irsa/v1"


class DocumentKind(str, Enum):
    """The kind of a document's items; the value is its `kind`."""

    RESULTS = "ResultList"
    """Results and plans of commands that write, and every wrong command line."""
    BINDINGS = "BindingList"
    VERIFICATIONS = "VerificationList"
    PREFLIGHTS = "PreflightList"
    DIAGNOSES = "DiagnosisList"
    CAUSES = "CauseList"
    RISKS = "RiskList"
    ROLE_PATHS = "RolePathList"
    RULES = "RuleList"
    TRANSACTIONS = "TransactionList"
    LEFTOVERS = "LeftoverList"
    LOCKS = "LockList"
    DEAD_CLUSTERS = "DeadClusterList"
    POLICIES = "WellKnownPolicyList"
    TOKENS = "TokenList"
    CREDENTIALS = "CredentialsList"
    VERSIONS = "VersionList"
    SETTINGS = "SettingList"


class ReadOutcome(str, Enum):
    """The outcome of a command without a transaction; the value is its `outcome`."""

    OK = "ok"
    REFUSED = "refused"
    FAILED = "failed"

    @classmethod
    def of(cls, error: Exception | None) -> ReadOutcome:
        if error is None:
            return cls.OK
        if isinstance(error, Refused):
            return cls.REFUSED
        return cls.FAILED


@dataclass(frozen=True)
class ItemError:
    """An error, and the index of its item; None if it is about none or all."""

    error: Exception
    item: int | None = None

    def to_json(self) -> dict[str, Any]:
        return {**error_json(self.error), "item": self.item}


@dataclass(frozen=True)
class Envelope:
    """A document: the command's `outcome`, counts by outcome (`summary`), and `facts` for its `metadata`."""

    kind: DocumentKind
    outcome: Enum
    exit_code: int = ExitCode.DONE
    cluster: Cluster | None = None
    items: Sequence[Mapping[str, Any]] = ()
    summary: Mapping[str, int] = field(default_factory=dict)
    notes: Iterable[str] = ()
    errors: Sequence[ItemError] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self, command: str = "") -> dict[str, Any]:
        """The document; `command` is the user's, without `irsa`."""
        return {
            "apiVersion": API_VERSION,
            "kind": self.kind.value,
            "metadata": {
                "command": command,
                "outcome": self.outcome.value,
                "exitCode": int(self.exit_code),
                "cluster": cluster_json(self.cluster),
                "caller": self.cluster.caller or None if self.cluster else None,
                "summary": dict(self.summary),
                "notes": list(self.notes),
                **self.facts,
            },
            "items": [dict(item) for item in self.items],
            "errors": [error.to_json() for error in self.errors],
        }


def failed(kind: DocumentKind, error: Exception, exit_code: int) -> Envelope:
    """The document of a command that did not start: no items, and why."""
    return Envelope(kind, ReadOutcome.of(error), exit_code, errors=whole(error))


def whole(error: Exception | None) -> tuple[ItemError, ...]:
    """The error of a whole command as `errors`, if any."""
    return () if error is None else (ItemError(error),)


def cluster_json(cluster: Cluster | None) -> dict[str, str | None] | None:
    """A cluster as JSON, null if it is unknown; of one that was not reached, what the files say."""
    if cluster is None:
        return None
    fields = {
        "name": cluster.name,
        "arn": cluster.arn or None,
        "region": cluster.region or None,
        "account": cluster.account or None,
        "issuer": cluster.issuer or None,
    }
    if cluster.role_account:
        fields["roleAccount"] = cluster.role_account
    return fields


def error_json(error: Exception) -> dict[str, Any]:
    if not isinstance(error, IrsaError):
        return {
            "code": "InternalError",
            "message": redacted(f"{type(error).__name__}: {error}"),
            "reason": "",
            "details": [],
            "next": [],
        }
    fields: dict[str, Any] = {
        "code": error.code,
        "message": error.message,
        "reason": error.reason,
        "details": list(error.details),
        "next": list(error.next_steps),
    }
    if isinstance(error, ServiceError):
        fields |= {"service": error.service, "operation": error.operation}
    return fields
