"""One entry of `serviceAccounts`: its fields, their rules, and which of them contradict each other.

eksctl's fields have eksctl's meaning (https://eksctl.io/usage/schema/#iam-serviceAccounts); those that only
irsa's own kind has are in `OURS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from yaml import MappingNode, Node

from irsa_cli.core.config.entry_fields import (
    ACCOUNT_FIELDS,
    OF_A_CHAIN,
    account_fields,
    clusters,
    conditions,
    pod_settings,
    subjects,
    with_defaults,
)
from irsa_cli.core.config.model import Binding
from irsa_cli.core.config.nodes import BOOLEAN, NULL, is_unset
from irsa_cli.core.config.policies import PolicyReader
from irsa_cli.core.config.reader import Fields, Reader
from irsa_cli.core.policies.operators import COMPARISONS
from irsa_cli.core.values import names

ReadFile = Callable[[str], str]
"""The text of a file that the configuration names; raises `InvalidInput`."""

EKSCTL = (
    "metadata",
    "attachPolicyARNs",
    "wellKnownPolicies",
    "attachPolicy",
    "attachRoleARN",
    "permissionsBoundary",
    "roleName",
    "roleOnly",
    "tags",
    "subjectPattern",
    "status",
)
OURS = (
    "rolePath",
    "description",
    "maxSessionDuration",
    "inlinePolicies",
    "subjects",
    "clusters",
    "trustConditions",
    "audience",
    "stsRegionalEndpoints",
    "tokenExpiration",
    *ACCOUNT_FIELDS,
)
UNSAID = ("inline", "subjects", "target_role")
"""What a spec has, and eksctl's file no word for; of inline policies, those of other names than its own."""
OF_POLICIES = ("attachPolicyARNs", "wellKnownPolicies", "attachPolicy")
METADATA = ("name", "namespace", "labels", "annotations")
OF_A_NEW_ROLE = (
    "attachPolicyARNs",
    "wellKnownPolicies",
    "attachPolicy",
    "inlinePolicies",
    "permissionsBoundary",
    "roleName",
    "rolePath",
    "roleOnly",
    "description",
    "maxSessionDuration",
    "tags",
    "subjectPattern",
    "subjects",
    "clusters",
    "trustConditions",
    *OF_A_CHAIN,
)
"""What can't be said of a role that exists already (`attachRoleARN`)."""
_ROLE_TEXTS = {
    "attachRoleARN": "attach_role_arn",
    "permissionsBoundary": "permissions_boundary",
    "roleName": "role_name",
    "rolePath": "role_path",
    "description": "description",
    "subjectPattern": "subject_pattern",
}
_OURS_HINT = "only 'apiVersion: irsa/v1, kind: Bindings' has it"


@dataclass(frozen=True)
class Around:
    """What the rest of the document says of all its entries."""

    cluster: str
    region: str
    tags: Mapping[str, str]
    ours: bool
    read: ReadFile
    boundary: str = ""
    accounts: Mapping[str, Any] = field(default_factory=dict)
    """What is said of other accounts, by attributes of entries."""


def binding(reader: Reader, node: Node, around: Around) -> tuple[Binding | None, list[str]]:
    """The entry and notices about it; None where problems were noted that leave no name."""
    known = (*EKSCTL, *OURS) if around.ours else EKSCTL
    fields = reader.fields(
        node, known, "serviceAccounts", {} if around.ours else dict.fromkeys(OURS, _OURS_HINT)
    )
    fields = reader.given(fields)
    if "metadata" not in fields:
        reader.problem(node, "this ServiceAccount has no metadata.name")
        return None, []
    found = _metadata(reader, fields, around)
    if found is None:
        return None, []
    _contradictions(reader, node, fields, found, around)
    found = _role(reader, fields, replace(found, where=reader.line(node)), around)
    if found.role_only and (found.labels or found.annotations):
        notice = f"{found.where}: roleOnly: the labels and annotations of {found} are not set"
        return replace(found, labels={}, annotations={}), [notice]
    return found, []


def _metadata(reader: Reader, entry: Fields, around: Around) -> Binding | None:
    """The ServiceAccount itself; None where problems were noted that leave no name."""
    node = entry["metadata"]
    fields = reader.given(reader.fields(node, METADATA, "metadata", {}))
    if "name" not in fields:
        reader.problem(node, "this ServiceAccount has no metadata.name")
        return None
    name = reader.text(fields["name"], names.service_account)
    namespace: str | None = "default"
    if "namespace" in fields:
        namespace = reader.text(fields["namespace"], names.namespace)
    if name is None or namespace is None:
        return None
    unsaid = () if around.ours else UNSAID
    found = Binding(namespace, name, cluster=around.cluster, region=around.region, unsaid=unsaid)
    if "labels" in fields:
        found = replace(found, labels=reader.text_map(fields["labels"], names.labels))
    return replace(found, **pod_settings(reader, entry, fields.get("annotations")))


def _contradictions(reader: Reader, entry: Node, fields: Fields, found: Binding, around: Around) -> None:
    if "attachRoleARN" in fields:
        for name in OF_A_NEW_ROLE:
            if name in fields and not _is_off(fields[name]):
                reader.problem(
                    fields[name], f"attachRoleARN uses a role as it is: {name} contradicts it ({found})"
                )

    elif not around.ours and all(_is_off(fields[name]) for name in OF_POLICIES if name in fields):
        reader.problem(
            entry,
            f"{found} has no policy: a ClusterConfig needs {', '.join(OF_POLICIES)} or attachRoleARN"
            " (irsa/v1 Bindings may do without)",
        )


def _is_off(node: Node) -> bool:
    """Whether a field says no more than its absence: false, null, an empty list, a mapping to such."""
    if isinstance(node, MappingNode):
        return all(value.tag in (BOOLEAN, NULL) and _is_off(value) for _, value in node.value)
    if node.tag == BOOLEAN:
        return node.value.lower() in ("false", "no", "off")
    return is_unset(node) or node.value == []


def _role(reader: Reader, fields: Fields, found: Binding, around: Around) -> Binding:
    """What the entry says of its role."""
    changes = {"role_only": False, **reader.said(fields, _ROLE_TEXTS, {"roleOnly": "role_only"})}
    if "maxSessionDuration" in fields:
        field = fields["maxSessionDuration"]
        changes["max_session_duration"] = reader.whole_number(field, names.session_duration)
    found = replace(found, **changes, **PolicyReader(reader, around.read, ours=around.ours).all(fields))
    if not found.attach_role_arn and "permissionsBoundary" not in fields:
        found = replace(found, permissions_boundary=around.boundary)
    found = _tags(reader, fields, found, around)
    said, chains = account_fields(reader, fields), not found.attach_role_arn
    found = replace(found, **with_defaults(said, around.accounts, chains=chains))
    return _trust(reader, fields, found)


def _tags(reader: Reader, fields: Fields, found: Binding, around: Around) -> Binding:
    own = reader.text_map(fields["tags"], names.tags) if "tags" in fields else {}
    if found.attach_role_arn:
        return found
    tags = {**around.tags, **own}
    if "tags" in fields:
        reader.checked(fields["tags"], names.tags, tags)
    return replace(found, tags=tags)


def _trust(reader: Reader, fields: Fields, found: Binding) -> Binding:
    """Whom the role admits besides the ServiceAccount itself, and on which further conditions."""
    pattern = found.subject_pattern
    like = COMPARISONS["StringLike"][0]
    if pattern and not found.role_only and not like(found.name, pattern, None):
        reader.problem(
            fields["subjectPattern"],
            f"'{pattern}' does not match {found.name}, which would get a role that it can't assume",
        )
    if "subjects" in fields:
        found = replace(found, subjects=subjects(reader, fields["subjects"], found.namespace))
    if "clusters" in fields:
        found = replace(found, clusters=clusters(reader, fields["clusters"]))
    if "trustConditions" in fields:
        found = replace(found, conditions=conditions(reader, fields["trustConditions"]))
    return found
