"""One entry of `serviceAccounts`: its fields, their rules, and which of them contradict each other.

eksctl's fields have eksctl's meaning (https://eksctl.io/usage/schema/#iam-serviceAccounts); those that only
irsa's own kind has are in `OURS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from yaml import Node, ScalarNode

from irsa_cli.core import arn, names
from irsa_cli.core.comparing import COMPARISONS
from irsa_cli.core.config.model import Binding
from irsa_cli.core.config.nodes import text_of
from irsa_cli.core.config.policies import PolicyReader
from irsa_cli.core.config.reader import Fields, Reader
from irsa_cli.core.config.trusting import clusters, conditions, subjects
from irsa_cli.core.issuer import DEFAULT_AUDIENCE
from irsa_cli.core.states import (
    AUDIENCE_ANNOTATION,
    ROLE_ARN_ANNOTATION,
    STS_REGIONAL_ANNOTATION,
    TOKEN_EXPIRATION_ANNOTATION,
)

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
)
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
)
"""What can't be said of a role that exists already (`attachRoleARN`)."""
_OURS_HINT = "only 'apiVersion: irsa/v1, kind: Bindings' has it"


@dataclass(frozen=True)
class Around:
    """What the rest of the document says of all its entries."""

    cluster: str
    region: str
    tags: Mapping[str, str]
    ours: bool
    read: ReadFile


def binding(reader: Reader, node: Node, around: Around) -> tuple[Binding | None, list[str]]:
    """The entry and notices about it; None where problems were noted that leave no name."""
    known = (*EKSCTL, *OURS) if around.ours else EKSCTL
    fields = reader.fields(
        node, known, "serviceAccounts", {} if around.ours else dict.fromkeys(OURS, _OURS_HINT)
    )
    if "metadata" not in fields:
        reader.problem(node, "this ServiceAccount has no metadata.name")
        return None, []
    found = _metadata(reader, fields["metadata"], around)
    if found is None:
        return None, []
    _contradictions(reader, fields, found)
    found = _role(reader, fields, replace(found, where=reader.line(node)), around)
    return _service_account(reader, fields, found)


def _metadata(reader: Reader, node: Node, around: Around) -> Binding | None:
    fields = reader.fields(node, METADATA, "metadata", {})
    if "name" not in fields:
        reader.problem(node, "this ServiceAccount has no metadata.name")
        return None
    name = reader.text(fields["name"], names.service_account)
    namespace: str | None = "default"
    if "namespace" in fields:
        namespace = reader.text(fields["namespace"], names.namespace)
    if name is None or namespace is None:
        return None
    found = Binding(namespace, name, cluster=around.cluster, region=around.region)
    if "labels" in fields:
        found = replace(found, labels=reader.text_map(fields["labels"], names.labels))
    if "annotations" in fields:
        found = _annotations(reader, fields["annotations"], found)
    return found


def _annotations(reader: Reader, node: Node, found: Binding) -> Binding:
    """The annotations; those of the pod identity webhook become the fields that irsa has for them."""
    fields: dict[str, Any] = {}
    others: dict[str, str] = {}
    for key, value in reader.pairs(node).values():
        text = reader.text(value)
        if text is None:
            continue
        if text_of(key) == ROLE_ARN_ANNOTATION:
            reader.problem(key, "irsa sets the role's ARN itself; for a role that exists, say attachRoleARN")
        elif text_of(key) in _WEBHOOK:
            fields.update(_webhook_annotation(reader, key, value, text))
        elif reader.checked(key, names.service_account_annotations, {text_of(key): text}) is not None:
            others[text_of(key)] = text
    reader.checked(node, names.service_account_annotations, others)
    return replace(found, annotations=others, **fields)


_WEBHOOK = {
    AUDIENCE_ANNOTATION: "audience",
    STS_REGIONAL_ANNOTATION: "sts_regional_endpoints",
    TOKEN_EXPIRATION_ANNOTATION: "token_expiration",
}


def _webhook_annotation(reader: Reader, key: ScalarNode, value: Node, text: str) -> dict[str, Any]:
    name = text_of(key)
    if name == AUDIENCE_ANNOTATION:
        return {_WEBHOOK[name]: reader.checked(value, names.audience, text) or ""}
    if name == STS_REGIONAL_ANNOTATION:
        if text not in ("true", "false"):
            reader.problem(value, f'expected "true" or "false", not \'{text}\'')
        return {_WEBHOOK[name]: text == "true"}
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        reader.problem(value, f"expected seconds in decimal digits, not '{text}'")
        return {}
    return {_WEBHOOK[name]: reader.checked(value, names.token_expiration, int(text))}


def _contradictions(reader: Reader, fields: Fields, found: Binding) -> None:
    if "attachRoleARN" in fields:
        for name in OF_A_NEW_ROLE:
            if name in fields and not _is_off(fields[name]):
                reader.problem(
                    fields[name], f"attachRoleARN uses a role as it is: {name} contradicts it ({found})"
                )


def _is_off(node: Node) -> bool:
    """Whether a field says no more than its absence: false, or empty."""
    return node.value in ("false", []) or not node.value


def _role(reader: Reader, fields: Fields, found: Binding, around: Around) -> Binding:
    """What the entry says of its role."""
    changes: dict[str, Any] = {}
    texts: dict[str, tuple[str, Callable[[str], str]]] = {
        "attachRoleARN": ("attach_role_arn", arn.check_role),
        "permissionsBoundary": ("permissions_boundary", arn.check_policy),
        "roleName": ("role_name", names.role),
        "rolePath": ("role_path", names.role_path),
        "description": ("description", names.description),
        "subjectPattern": ("subject_pattern", names.subject_pattern),
    }
    for field, (attribute, rule) in texts.items():
        if field in fields:
            changes[attribute] = reader.text(fields[field], rule) or ""
    if "maxSessionDuration" in fields:
        seconds = reader.whole_number(fields["maxSessionDuration"], names.session_duration)
        changes["max_session_duration"] = seconds or 3600
    changes["role_only"] = bool("roleOnly" in fields and reader.boolean(fields["roleOnly"]))
    found = replace(found, **changes, **PolicyReader(reader, around.read, ours=around.ours).all(fields))
    found = _tags(reader, fields, found, around)
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


def _service_account(reader: Reader, fields: Fields, found: Binding) -> tuple[Binding, list[str]]:
    """What the entry says of the ServiceAccount beyond its metadata."""
    given: dict[str, Any] = {}
    if "audience" in fields:
        given["audience"] = reader.text(fields["audience"], names.audience) or DEFAULT_AUDIENCE
    if "stsRegionalEndpoints" in fields:
        given["sts_regional_endpoints"] = reader.boolean(fields["stsRegionalEndpoints"])
    if "tokenExpiration" in fields:
        node = fields["tokenExpiration"]
        given["token_expiration"] = reader.whole_number(node, names.token_expiration)
    fresh = Binding("", "")
    for attribute, value in given.items():
        before = getattr(found, attribute)
        if before not in (getattr(fresh, attribute), value):
            annotation = next(key for key, name in _WEBHOOK.items() if name == attribute)
            reader.problem(
                fields["metadata"], f"the annotation {annotation} contradicts the field of {found}"
            )
    found = replace(found, **given)
    if found.role_only and (found.labels or found.annotations):
        notice = f"{found.where}: roleOnly: the labels and annotations of {found} are not set"
        return replace(found, labels={}, annotations={}), [notice]
    return found, []
