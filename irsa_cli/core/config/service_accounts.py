"""An entry of `serviceAccounts`: fields, rules and contradictions; `OURS` are fields of irsa's own kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from yaml import MappingNode, Node

from irsa_cli.core.config import entry_fields
from irsa_cli.core.config.entry_fields import PolicyReader
from irsa_cli.core.config.model import BindingEntry
from irsa_cli.core.config.reader import Fields, Reader, Table, flag_fields, is_given, one_of, text_fields
from irsa_cli.core.policies.operators import like
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
    if defaults.ours:
        fields = reader.fields(node, (*EKSCTL, *OURS), "serviceAccounts", {})
    else:
        fields = reader.fields(node, EKSCTL, "serviceAccounts", dict.fromkeys(OURS, _OURS_HINT))
    fields = reader.given(fields)
    if "metadata" not in fields:
        reader.problem(node, "this ServiceAccount has no metadata.name")
        return None, []
    entry = _metadata(reader, fields, defaults)
    if entry is None:
        return None, []
    entry = replace(entry, **_pod_identity(reader, fields, defaults.read))
    _check_role(reader, node, fields, entry, defaults)
    entry = _role(reader, fields, replace(entry, where=reader.line(node)), defaults)
    return _without_unset(entry)


def _check_role(reader: Reader, node: Node, fields: Fields, entry: BindingEntry, defaults: Defaults) -> None:
    """Note what contradicts an existing role, or that a ClusterConfig has neither a role nor a policy."""
    if "attachRoleARN" in fields:
        for name in OF_A_NEW_ROLE:
            is_of_association = name == "targetRole" and entry.pod_identity
            if is_given(fields, name) and not is_of_association:
                reader.problem(
                    fields[name], f"attachRoleARN uses an existing role: {name} contradicts it ({entry})"
                )
    elif not defaults.ours and not any(is_given(fields, name) for name in OF_POLICIES):
        reader.problem(
            node,
            f"{entry} has no policy: a ClusterConfig needs {', '.join(OF_POLICIES)} or attachRoleARN"
            " (not in irsa/v1 Bindings)",
        )


def _without_unset(entry: BindingEntry) -> tuple[BindingEntry, list[str]]:
    """The entry without labels and annotations that irsa does not set, and a notice about them."""
    if not entry.labels and not entry.annotations:
        return entry, []
    if entry.role_only:
        field_name = "roleOnly"
    elif not entry.web_identity and not entry.create_service_account:
        field_name = "podIdentity"
    else:
        return entry, []
    notice = f"{entry.where}: {field_name}: the labels and annotations of {entry} are not set"
    return replace(entry, labels={}, annotations={}), [notice]


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
    account = BindingEntry(namespace, name, cluster=defaults.cluster, region=defaults.region, unsaid=unsaid)
    if "labels" in fields:
        account = replace(account, labels=reader.text_map(fields["labels"], names.labels))
    return replace(account, **entry_fields.pod_settings(reader, entry, fields.get("annotations")))


def _pod_identity(reader: Reader, fields: Fields, read: ReadFile) -> dict[str, Any]:
    """The attributes of a `BindingEntry` by `podIdentity` and `also` of irsa's own entries."""
    node = fields.get("podIdentity")
    is_wanted = node is not None and (isinstance(node, MappingNode) or bool(reader.boolean(node)))
    also = "also" in fields and reader.text(fields["also"], _ALSO) is not None
    if not is_wanted and not also:
        return {}
    which = "also" if also else "podIdentity"
    for name in CONTRADICTING[which]:
        if is_given(fields, name):
            reader.problem(
                fields[name], f"{name} contradicts {which}: it does not work with EKS Pod Identity"
            )
    attributes: dict[str, Any] = {"pod_identity": True, "web_identity": also}
    if isinstance(node, MappingNode):
        attributes |= _settings(reader, node, read)
    return attributes


def _settings(reader: Reader, node: MappingNode, read: ReadFile) -> dict[str, Any]:
    fields = reader.fields(node, ("sessionPolicy", *_SETTINGS), "podIdentity", {})
    attributes = reader.said(fields, _SETTINGS)
    if "sessionPolicy" in fields:
        policies = PolicyReader(reader, read, ours=True)
        attributes["session_policy"] = policies.document_or_file(fields["sessionPolicy"]) or {}
        if attributes["session_policy"] and not attributes.get("disable_session_tags"):
            reader.problem(fields["sessionPolicy"], NEEDS_NO_TAGS)
    return attributes


def _role(reader: Reader, fields: Fields, entry: BindingEntry, defaults: Defaults) -> BindingEntry:
    attributes = reader.said(fields, _ROLE)
    policies = PolicyReader(reader, defaults.read, ours=defaults.ours).all(fields)
    entry = replace(entry, **attributes, **policies)
    if not entry.attach_role_arn and "permissionsBoundary" not in fields:
        entry = replace(entry, permissions_boundary=defaults.boundary)
    entry = with_tags(reader, fields, entry, defaults)
    accounts = reader.said(fields, entry_fields.ACCOUNT_FIELDS)
    chains = not entry.attach_role_arn or entry.pod_identity
    entry = replace(entry, **entry_fields.with_defaults(accounts, defaults.accounts, chains=chains))
    return _trust(reader, fields, entry)


def with_tags(reader: Reader, fields: Fields, entry: BindingEntry, defaults: Defaults) -> BindingEntry:
    """The entry with its tags and those of the document: on its role, and on an association."""
    own = reader.text_map(fields["tags"], names.tags) if "tags" in fields else {}
    if entry.attach_role_arn and not entry.pod_identity:
        return entry
    tags = {**defaults.tags, **own}
    if "tags" in fields:
        reader.checked(fields["tags"], names.tags, tags)
    return replace(entry, tags=tags)


def _trust(reader: Reader, fields: Fields, entry: BindingEntry) -> BindingEntry:
    pattern = entry.subject_pattern
    if pattern and not entry.role_only and not like(entry.name, pattern):
        reader.problem(
            fields["subjectPattern"],
            f"'{pattern}' does not match {entry.name}, so it could not assume its role",
        )
    table: Table = {
        "subjects": ("subjects", lambda reader, node: entry_fields.subjects(reader, node, entry.namespace)),
        "clusters": ("clusters", entry_fields.clusters),
        "trustConditions": ("conditions", entry_fields.conditions),
    }
    return replace(entry, **reader.said(fields, table))
