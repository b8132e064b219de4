"""ServiceAccounts, as far as irsa reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from irsa_cli.core.objects.kinds import Json
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.values.limits import moment
from irsa_cli.core.values.names import Namespaced


@dataclass(frozen=True)
class ServiceAccount(Namespaced):
    """A ServiceAccount; `annotated`: the last write of the role annotation's owner, if known.

    `managers` are those in its managedFields.
    """

    namespace: str
    name: str
    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    created: datetime | None = None
    annotated: datetime | None = None
    uid: str = ""
    managers: tuple[str, ...] = ()


def service_account(body: Json) -> ServiceAccount:
    metadata = body["metadata"]
    entries = metadata.get("managedFields") or []
    times = [moment(item.get("time")) for item in entries if f"f:{ROLE_ARN_ANNOTATION}" in _fields(item)]
    return ServiceAccount(
        namespace=metadata["namespace"],
        name=metadata["name"],
        annotations=metadata.get("annotations") or {},
        labels=metadata.get("labels") or {},
        created=moment(metadata.get("creationTimestamp")),
        annotated=max(filter(None, times), default=None),
        uid=metadata.get("uid", ""),
        managers=tuple(entry.get("manager", "") for entry in entries),
    )


def _fields(entry: Json) -> Json:
    """The annotations that a manager owns; of what is no record of that, none."""
    found: Any = entry
    for key in ("fieldsV1", "f:metadata", "f:annotations"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}
