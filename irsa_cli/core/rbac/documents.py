"""A cluster's RBAC and its access entries from what `kubectl` and `aws` have printed, piece by piece.

Which document is which is found in `irsa_cli.core.audit.documents`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.rbac.objects import RBAC_KINDS, RbacObjects, rbac_objects
from irsa_cli.core.rbac.principals import (
    AWS_AUTH,
    AccessEntry,
    ClusterAccess,
    aws_auth_of,
    uses_aws_auth,
    uses_entries,
)

Json = Mapping[str, Any]
NOT_GIVEN = Unreadable("no file has them")


@dataclass
class RbacFiles:
    """What files say of one cluster: objects by their kinds, and pieces of access entries by their ARNs."""

    objects: dict[str, list[Json]] = field(default_factory=dict)
    listed: list[str] | None = None
    entries: dict[str, Json] = field(default_factory=dict)
    policies: dict[str, list[Any]] = field(default_factory=dict)
    config_map: Json | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was found."""
        return not (self.objects or self.entries or self.policies or self.listed or self.config_map)

    def take_objects(self, items: Iterable[Json], kinds: Iterable[str]) -> None:
        """Take RBAC's objects of a list, and `aws-auth`; `kinds` are those that the list is of."""
        for kind in RBAC_KINDS:
            if f"{kind}List" in kinds:
                self.objects.setdefault(kind, [])
        for item in items:
            kind = str(item.get("kind", ""))
            if kind in RBAC_KINDS:
                self.objects.setdefault(kind, []).append(item)
            elif kind == "ConfigMap":
                self.take_config_map(item)

    def take_config_map(self, document: Json) -> None:
        """Take `aws-auth` of kube-system; others are nobody's business here."""
        metadata = document.get("metadata")
        if isinstance(metadata, dict) and metadata.get("name") == AWS_AUTH:
            self.config_map = document if isinstance(document.get("data") or {}, dict) else {}

    def take_listed(self, document: Json) -> None:
        """Take what list-access-entries prints."""
        self.listed = [*(self.listed or ()), *map(str, as_list(document["accessEntries"]))]

    def take_entry(self, document: Json) -> None:
        """Take what describe-access-entry prints."""
        entry = document["accessEntry"]
        if isinstance(entry, dict):
            self.entries[str(entry.get("principalArn", ""))] = entry

    def take_policies(self, document: Json) -> None:
        """Take what list-associated-access-policies prints."""
        arn = str(document.get("principalArn", ""))
        self.policies.setdefault(arn, []).extend(as_list(document["associatedAccessPolicies"]))

    @property
    def rbac(self) -> RbacObjects:
        """Roles and bindings."""
        return rbac_objects({kind: self.objects.get(kind, NOT_GIVEN) for kind in RBAC_KINDS})

    def access(self, mode: str) -> ClusterAccess:
        """The IAM principals; `mode` is the cluster's authentication mode, '' where it is not known."""
        aws_auth: tuple[AccessEntry, ...] | Unreadable = ()
        if uses_aws_auth(mode):
            aws_auth = NOT_GIVEN if self.config_map is None else aws_auth_of(self.config_map)
        return ClusterAccess(self._entries() if uses_entries(mode) else (), aws_auth)

    def _entries(self) -> tuple[AccessEntry, ...] | Unreadable:
        if self.listed is None and not self.entries:
            return NOT_GIVEN
        arns = dict.fromkeys((*(self.listed or ()), *self.entries))
        return tuple(map(self._entry, arns))

    def _entry(self, arn: str) -> AccessEntry:
        found = self.entries.get(arn)
        if found is None or arn not in self.policies:
            missing = "describe-access-entry" if found is None else "list-associated-access-policies"
            return AccessEntry(arn, hidden=f"no file has aws eks {missing} of them")
        try:
            return AccessEntry.read(arn, found, self.policies[arn])
        except (KeyError, TypeError, AttributeError):
            return AccessEntry(arn, hidden="they are not of the form that AWS gives them")
