"""What `irsa get-sa` says: a list of bindings as one document.

How it looks as text is in `irsa_cli.cli.get_sa_render`.
docs/reference/bindings.schema.json describes the JSON, and is a promise to scripts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from irsa_cli.core.inventory.bindings import Bindings, BindingStatus, BoundRole, ListedBinding
from irsa_cli.core.results.result import API_VERSION, cluster_json, error_json
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import ExitCode, IrsaError
from irsa_cli.core.verification.report import statement_json


@dataclass(frozen=True)
class BindingList:
    """What was found, or the error with which nothing could be."""

    found: Bindings | None = None
    error: Exception | None = None
    signal: int = 0

    @property
    def items(self) -> tuple[ListedBinding, ...]:
        """The bindings."""
        return self.found.items if self.found else ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be looked at."""
        return self.found.notes if self.found else ()

    @property
    def exit_code(self) -> int:
        """0 whatever is wrong with a binding: a list that could be made is no failure."""
        if self.signal:
            return 128 + self.signal
        if self.error is not None:
            return self.error.exit_code if isinstance(self.error, IrsaError) else ExitCode.FAILED
        return ExitCode.DONE

    def count(self, status: BindingStatus) -> int:
        """How many have this status."""
        return sum(item.status is status for item in self.items)

    def to_json(self) -> dict[str, Any]:
        """The document that `-o json` and `-o yaml` print."""
        return {
            "apiVersion": API_VERSION,
            "kind": "BindingList",
            "exitCode": int(self.exit_code),
            "cluster": cluster_or_none(self.found.cluster if self.found else None),
            "summary": {status.value: self.count(status) for status in BindingStatus},
            "items": [binding_json(item) for item in self.items],
            "notes": list(self.notes),
            "error": None if self.error is None else error_json(self.error),
        }


def cluster_or_none(cluster: Cluster | None) -> dict[str, str] | None:
    """A cluster as `-o json` shows it, null before it is known."""
    return None if cluster is None else cluster_json(cluster)


def binding_json(item: ListedBinding) -> dict[str, Any]:
    """A binding as `-o json` shows it."""
    return {
        "serviceAccount": account_json(item),
        "role": role_json(item),
        "owner": item.owner,
        "status": item.status.value,
        "reason": item.reason or None,
        "next": list(item.next_steps),
        "warnings": [found.to_json() for found in item.wide],
        "trust": [statement_json(verdict) for verdict in item.explanation.verdicts]
        if item.explanation
        else [],
    }


def account_json(item: ListedBinding) -> dict[str, Any]:
    """The ServiceAccount of a binding; for a role without one, that for which it was made."""
    account = item.account
    return {
        "namespace": item.namespace,
        "name": item.name,
        "exists": account is not None,
        "madeBy": item.account_maker,
        "created": time_json(account.created if account else None),
    }


def role_json(item: ListedBinding) -> dict[str, Any]:
    """The role of a binding; what could not be read is null."""
    role = item.role
    if not isinstance(role, BoundRole):
        missing = False if role is None else None
        return {"arn": item.role_arn, "exists": missing, "madeBy": item.role_maker, **_NOTHING}
    policies = {"attached": list(role.attached), "inline": list(role.inline)}
    return {
        # The annotation may name another one than is there.
        "arn": role.arn,
        "exists": True,
        "madeBy": item.role_maker,
        "created": time_json(role.created),
        "lastUsed": time_json(role.last_used),
        "policies": None if role.hidden else policies,
        "permissionsBoundary": role.boundary or None,
        "tags": dict(role.tags),
    }


_NOTHING: dict[str, Any] = {
    "created": None,
    "lastUsed": None,
    "policies": None,
    "permissionsBoundary": None,
    "tags": None,
}


def time_json(moment: datetime | None) -> str | None:
    """A time as Kubernetes writes it: UTC, whole seconds."""
    return None if moment is None else moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
