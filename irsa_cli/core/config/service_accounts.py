"""An entry of `serviceAccounts`: fields, rules and contradictions; `OURS` are fields of irsa's own kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from yaml import MappingNode, Node

from irsa_cli.core.config import entry_fields
from irsa_cli.core.config.entry_fields import PolicyReader
from irsa_cli.core.config.model import BindingEntry
from irsa_cli.core.config.nodes import is_off
from irsa_cli.core.config.reader import Fields, Reader, Table, flag_fields, one_of, text_fields
from irsa_cli.core.policies.operators import COMPARISONS
from irsa_cli.core.values import checked, names

ReadFile = Callable[[str], str]
"""The text of a file that the configuration names; raises `InvalidInput`."""

_EKSCTL = "eksctl"
_OWN = "irsa/v1"
_NEW_ROLE = "new role"
_FIELDS: Mapping[tuple[str, ...], str] = {
    (_EKSCTL,): "metadata attachRoleARN status",
    (_EKSCTL, _NEW_ROLE): "attachPolicyARNs wellKnownPolicies attachPolicy permissionsBoundary"
    " roleName roleOnly tags subjectPattern",
    (_OWN, _NEW_ROLE): "inlinePolicies rolePath description maxSessionDuration subjects"
    " clusters trustConditions",
    (_OWN,): "audience stsRegionalEndpoints tokenExpiration podIdentity also",
}
"""By their origin, and whether they are about a new role, so that they contradict `attachRoleARN`."""


def _with(trait: str) -> Iterator[str]:
    return (name for traits, names in _FIELDS.items() if trait in traits for name in names.split())


EKSCTL = tuple(_with(_EKSCTL))
OURS = (*_with(_OWN), *entry_fields.ACCOUNT_FIELDS)
OF_A_NEW_ROLE = (*_with(_NEW_ROLE), *entry_fields.OF_A_CHAIN)
UNSAID = ("inline", "subjects", "target_role")
"""Attributes that eksctl's file can't express; of inline policies, those with other names."""
OF_POLICIES = ("attachPolicyARNs", "wellKnownPolicies", "attachPolicy")
METADATA = ("name", "namespace", "labels", "annotations")
_ROLE: Table = {
    **text_fields(
        BindingEntry, "attachRoleARN", "permissionsBoundary", "roleName", "rolePath", "description"
    ),
    **text_fields(BindingEntry, "subjectPattern"),
    **flag_fields("roleOnly"),
    "maxSessionDuration": (
        "max_session_duration",
        lambda reader, node: reader.whole_number(node, names.session_duration),
    ),
}
_WITH_TOKENS = (
    *("roleOnly", "subjectPattern", "externalID", "targetTagSession", "awsConfigMap", "roleAccount"),
    *("roleAssumeRole", "roleProfile"),
)
_OF_IRSA = ("subjects", "clusters", "trustConditions", "audience", "stsRegionalEndpoints", "tokenExpiration")
CONTRADICTING = {
    "podIdentity": (*_WITH_TOKENS, *_OF_IRSA),
    "also": (*_WITH_TOKENS, "attachRoleARN", "targetRole", "targetAssumeRole", "targetProfile"),
}
"""Fields that contradict EKS Pod Identity instead of the annotation, and next to it."""
NEEDS_NO_TAGS = "EKS accepts a session policy only with disableSessionTags: true"
_SETTINGS = flag_fields("createServiceAccount", "disableSessionTags")
_ALSO = one_of("pod-identity")
_OURS_HINT = "only 'apiVersion: irsa/v1, kind: Bindings' has it"


@dataclass(frozen=True)
class Defaults:
    """The document's defaults for all entries."""

    ours: bool
    read: ReadFile
    cluster: checked.ClusterName = ""
    region: checked.Region = ""
    tags: checked.Tags = field(default_factory=dict)
    boundary: checked.PolicyArn = ""
    accounts: Mapping[str, Any] = field(default_factory=dict)
    """Fields about other accounts, by attribute of entries."""


def binding(reader: Reader, node: Node, defaults: Defaults) -> tuple[BindingEntry | None, list[str]]:
    """The entry and notices about it; None where problems were noted that leave no name."""
    known = (*EKSCTL, *OURS) if defaults.ours else EKSCTL
    fields = reader.fields(
        node, known, "serviceAccounts", {} if defaults.ours else dict.fromkeys(OURS, _OURS_HINT)
    )
    fields = reader.given(fields)
    if "metadata" not in fields:
        reader.problem(node, "this ServiceAccount has no metadata.name")
        return None, []
    found = _metadata(reader, fields, defaults)
    if found is None:
        return None, []
    found = replace(found, **_pod_identity(reader, fields, defaults.read))
    if "attachRoleARN" in fields:
        for name in OF_A_NEW_ROLE:
            given = name in fields and not is_off(fields[name])
            if given and not (name == "targetRole" and found.pod_identity):
                reader.problem(
                    fields[name], f"attachRoleARN uses an existing role: {name} contradicts it ({found})"
                )

    elif not defaults.ours and all(is_off(fields[name]) for name in OF_POLICIES if name in fields):
        reader.problem(
            node,
            f"{found} has no policy: a ClusterConfig needs {', '.join(OF_POLICIES)} or attachRoleARN"
            " (not in irsa/v1 Bindings)",
        )
    found = _role(reader, fields, replace(found, where=reader.line(node)), defaults)
    creates = found.web_identity or found.create_service_account
    if (found.role_only or not creates) and (found.labels or found.annotations):
        which = "roleOnly" if found.role_only else "podIdentity"
        notice = f"{found.where}: {which}: the labels and annotations of {found} are not set"
        return replace(found, labels={}, annotations={}), [notice]
    return found, []


def _metadata(reader: Reader, entry: Fields, defaults: Defaults) -> BindingEntry | None:
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
    unsaid = () if defaults.ours else UNSAID
    found = BindingEntry(namespace, name, cluster=defaults.cluster, region=defaults.region, unsaid=unsaid)
    if "labels" in fields:
        found = replace(found, labels=reader.text_map(fields["labels"], names.labels))
    return replace(found, **entry_fields.pod_settings(reader, entry, fields.get("annotations")))


def _pod_identity(reader: Reader, fields: Fields, read: ReadFile) -> dict[str, Any]:
    """The attributes of a `BindingEntry` by `podIdentity` and `also` of irsa's own entries."""
    node = fields.get("podIdentity")
    has_settings = isinstance(node, MappingNode)
    given = node is not None and (has_settings or bool(reader.boolean(node)))
    also = "also" in fields and reader.text(fields["also"], _ALSO) is not None
    if not (given or also):
        return {}
    which = "also" if also else "podIdentity"
    for name in CONTRADICTING[which]:
        if name in fields and not is_off(fields[name]):
            reader.problem(
                fields[name], f"{name} contradicts {which}: it does not work with EKS Pod Identity"
            )
    found: dict[str, Any] = {"pod_identity": True, "web_identity": also}
    if node is not None and has_settings:
        known = ("sessionPolicy", *_SETTINGS)
        own = reader.fields(node, known, "podIdentity", {})
        found |= reader.said(own, _SETTINGS)
        if "sessionPolicy" in own:
            policies = PolicyReader(reader, read, ours=True)
            found["session_policy"] = policies.document_or_file(own["sessionPolicy"]) or {}
            if found["session_policy"] and not found.get("disable_session_tags"):
                reader.problem(own["sessionPolicy"], NEEDS_NO_TAGS)
    return found


def _role(reader: Reader, fields: Fields, found: BindingEntry, defaults: Defaults) -> BindingEntry:
    changes = reader.said(fields, _ROLE)
    found = replace(found, **changes, **PolicyReader(reader, defaults.read, ours=defaults.ours).all(fields))
    if not found.attach_role_arn and "permissionsBoundary" not in fields:
        found = replace(found, permissions_boundary=defaults.boundary)
    found = with_tags(reader, fields, found, defaults)
    said = reader.said(fields, entry_fields.ACCOUNT_FIELDS)
    chains = not found.attach_role_arn or found.pod_identity
    found = replace(found, **entry_fields.with_defaults(said, defaults.accounts, chains=chains))
    return _trust(reader, fields, found)


def with_tags(reader: Reader, fields: Fields, found: BindingEntry, defaults: Defaults) -> BindingEntry:
    """The entry with its tags and those of the document: on its role, and on an association."""
    own = reader.text_map(fields["tags"], names.tags) if "tags" in fields else {}
    if found.attach_role_arn and not found.pod_identity:
        return found
    tags = {**defaults.tags, **own}
    if "tags" in fields:
        reader.checked(fields["tags"], names.tags, tags)
    return replace(found, tags=tags)


def _trust(reader: Reader, fields: Fields, found: BindingEntry) -> BindingEntry:
    pattern = found.subject_pattern
    like = COMPARISONS["StringLike"][0]
    if pattern and not found.role_only and not like(found.name, pattern, None):
        reader.problem(
            fields["subjectPattern"],
            f"'{pattern}' does not match {found.name}, so it could not assume its role",
        )
    table: Table = {
        "subjects": ("subjects", lambda reader, node: entry_fields.subjects(reader, node, found.namespace)),
        "clusters": ("clusters", entry_fields.clusters),
        "trustConditions": ("conditions", entry_fields.conditions),
    }
    return replace(found, **reader.said(fields, table))
