"""ServiceAccounts, as far as irsa reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from irsa_cli.core.objects.field_owners import NOT_NOTED, FieldWriter, applied_role, role_writers
from irsa_cli.core.objects.kinds import Json
from irsa_cli.core.plan.changes import NOT_SEEN
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.values.errors import Unreadable
from irsa_cli.core.values.limits import moment
from irsa_cli.core.values.names import Namespaced

_SERVERS_OWN = (
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "generation",
    "managedFields",
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)
"""Metadata that the API server sets itself."""


@dataclass(frozen=True)
class ServiceAccount(Namespaced):
    """A ServiceAccount as it was seen; one that does not exist has no `uid`.

    `annotated`: the last write of the role annotation's owner, if known. `managers` are its writers by its
    managedFields; `role_writers` are those of the role annotation, and `applied_role` is the role in the
    manifest of the last client-side apply.
    """

    namespace: str = field(metadata=NOT_SEEN)
    name: str = field(metadata=NOT_SEEN)
    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    created: datetime | None = field(default=None, metadata=NOT_SEEN)
    annotated: datetime | None = field(default=None, metadata=NOT_SEEN)
    uid: str = ""
    managers: tuple[str, ...] = field(default=(), compare=False)
    role_writers: tuple[FieldWriter, ...] | Unreadable = field(
        default=NOT_NOTED, compare=False, metadata=NOT_SEEN
    )
    applied_role: str | Unreadable = field(default="", compare=False, metadata=NOT_SEEN)
    resource_version: str = ""
    manifest: Document = field(default_factory=dict)
    """The object without what the API server adds, if somebody may have to create it again."""
    pulls_images: bool = field(default=False, compare=False, metadata=NOT_SEEN)
    """Whether it has `imagePullSecrets`."""

    @property
    def exists(self) -> bool:
        return bool(self.uid)

    @property
    def role_arn(self) -> str:
        """The value of its role annotation, '' without one."""
        return self.annotations.get(ROLE_ARN_ANNOTATION, "")


def service_account(body: Json) -> ServiceAccount:
    """A ServiceAccount of a list, or read alone; raises LookupError for what is none."""
    metadata = body["metadata"]
    entries = metadata.get("managedFields") or []
    annotations = metadata.get("annotations") or {}
    times = [moment(item.get("time")) for item in entries if f"f:{ROLE_ARN_ANNOTATION}" in _fields(item)]
    return ServiceAccount(
        namespace=metadata["namespace"],
        name=metadata["name"],
        annotations=annotations,
        labels=metadata.get("labels") or {},
        created=moment(metadata.get("creationTimestamp")),
        annotated=max(filter(None, times), default=None),
        uid=metadata.get("uid", ""),
        managers=tuple(entry.get("manager", "") for entry in entries),
        role_writers=role_writers(entries),
        applied_role=applied_role(annotations),
        resource_version=metadata.get("resourceVersion", ""),
        pulls_images=bool(body.get("imagePullSecrets")),
    )


def with_manifest(body: Json) -> ServiceAccount:
    """A ServiceAccount that may be deleted: with its manifest."""
    metadata = {key: value for key, value in body["metadata"].items() if key not in _SERVERS_OWN}
    manifest = {**body, "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
    return replace(service_account(body), manifest=manifest)


def _fields(entry: Json) -> Json:
    """The annotations that a manager owns; of what is no record of that, none."""
    found: Any = entry
    for key in ("fieldsV1", "f:metadata", "f:annotations"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}
