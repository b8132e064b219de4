"""The writers of a ServiceAccount's role annotation, as the API server and `kubectl apply` note them on it.

Both notes can be missing, and anybody who may write the object can write them: what is none is `Unreadable`,
which is neither "nobody" nor "somebody". `irsa_cli.core.binding.field_owner` judges what the writers mean.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from irsa_cli.core.objects.kinds import Json
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.values.errors import Unreadable

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""The manifest of the last client-side apply, as JSON; Argo CD writes it too.
https://kubernetes.io/docs/tasks/manage-kubernetes-objects/declarative-config/"""
NOT_NOTED = Unreadable("it has no managedFields")


@dataclass(frozen=True)
class FieldWriter:
    """An entry of managedFields that has the role annotation.

    `applies`: by server-side apply, so that its next apply writes the value again.
    https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
    """

    name: str
    applies: bool


def role_writers(entries: Iterable[Json]) -> tuple[FieldWriter, ...] | Unreadable:
    """The writers that own the role annotation, by managedFields; none if nobody wrote it."""
    writers: list[FieldWriter] = []
    is_noted = False
    for entry in entries:
        is_noted = True
        annotations = _annotations(entry)
        if annotations is None:
            return Unreadable("its managedFields can't be read")
        if f"f:{ROLE_ARN_ANNOTATION}" in annotations:
            writers.append(FieldWriter(entry.get("manager", ""), entry.get("operation") == "Apply"))
    return tuple(writers) if is_noted else NOT_NOTED


def _annotations(entry: Json) -> Mapping[str, Any] | None:
    """The annotations that an entry owns; None for what is no such entry."""
    fields: Any = entry.get("fieldsV1")
    for key in ("f:metadata", "f:annotations"):
        fields = fields.get(key, {}) if isinstance(fields, dict) else None
    return fields if isinstance(fields, dict) else None


def applied_role(annotations: Mapping[str, str]) -> str | Unreadable:
    """The role in the manifest of the last client-side apply; '' without one."""
    text = annotations.get(LAST_APPLIED)
    if text is None:
        return ""
    try:
        manifest: Any = json.loads(text)
    except (ValueError, RecursionError):
        return Unreadable(f"its annotation {LAST_APPLIED} can't be read")
    for key in ("metadata", "annotations"):
        manifest = manifest.get(key) if isinstance(manifest, dict) else None
    role = manifest.get(ROLE_ARN_ANNOTATION, "") if isinstance(manifest, dict) else ""
    return role if isinstance(role, str) else Unreadable(f"its annotation {LAST_APPLIED} has no text as role")
