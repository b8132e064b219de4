"""A configuration file for the bindings of a cluster, as `irsa init` writes it.

An entry describes a role managed by irsa as it is, so that `irsa diff` finds nothing to do. All others are
comments with what to do first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from irsa_cli.core.binding.role_only import HandOver
from irsa_cli.core.config.documents import OWN
from irsa_cli.core.inventory.bindings import Bindings, BindingStatus, ListedBinding
from irsa_cli.core.marks.applied import applied_keys, kept_tags
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan import states
from irsa_cli.core.plan.rules import noted_or_none
from irsa_cli.core.policies.policy import Document, as_list
from irsa_cli.core.trust import chain
from irsa_cli.core.trust.trust_policy import read_statement
from irsa_cli.core.values import names
from irsa_cli.core.values.arn import DEFAULT_AUDIENCE, Arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import Unreadable
from irsa_cli.core.values.shown import visible

Inline = Mapping[str, Mapping[str, Document] | Unreadable]
"""The inline policies of roles, by the role's ARN."""


def text_of(bindings: Bindings, inline: Inline) -> str:
    cluster = bindings.cluster
    head = dict(zip(("apiVersion", "kind"), OWN, strict=True))
    where = {"metadata": {"name": cluster.name, "region": cluster.region}}
    home = {"roleAccount": cluster.home} if cluster.home != cluster.account else {}
    entries = [
        line
        for listed in bindings.items
        for line in ("", *_entry(cluster, listed, inline.get(listed.role_arn, {})))
    ]
    example = (
        "  - metadata: {name: s3-reader, namespace: backend}",
        f'    attachPolicyARNs: ["arn:{cluster.partition}:iam::aws:policy/AmazonS3ReadOnlyAccess"]',
    )
    key = "serviceAccounts:"
    lines = [
        f"# Bindings of cluster {cluster.name} ({cluster.region}, account {cluster.account}), by irsa init.",
        f"# Compare this file with the cluster: irsa diff -f FILE -c {cluster.name} -r {cluster.region}",
        *(f"# Not read: {visible(note)}" for note in bindings.notes),
        *_yaml({**head, **where, **home}),
        key if any(line.startswith("  -") for line in entries) else f"# {key}",
        *(entries or (f"# {line}" for line in example)),
    ]
    return "\n".join((*lines, ""))


def _entry(
    cluster: Cluster, listed: ListedBinding, inline: Mapping[str, Document] | Unreadable
) -> Iterator[str]:
    why = f": {listed.reason}" if listed.reason else ""
    yield visible(
        f"# {listed.full_name or listed.role_arn}: owner {listed.owner}, status {listed.status.value}{why}"
    )
    role = listed.role
    unread = listed.unread or (inline.why if isinstance(inline, Unreadable) else "")
    if not isinstance(role, Role) or isinstance(inline, Unreadable) or role.unread:
        yield f"# Left out: {visible(unread or 'there is no role to describe')}"
        return
    if listed.by == "pod-identity":
        yield "# Left out: it has the role by EKS Pod Identity, not by an annotation"
        return
    lines = _yaml([_fields(cluster, listed, role, inline)])
    ours = role.is_for(cluster, listed.full_name)
    whole = listed.status is BindingStatus.ROLE_ONLY or listed.account is not None
    if ours and whole and listed.status not in (BindingStatus.INCOMPLETE, BindingStatus.DELETING):
        if _subjects(cluster, role) is None:
            yield "# Left out: statements of the trust policy that irsa did not write. irsa keeps them."
        if others := _tags(role, of_files=False):
            yield visible(f"# Left out: tags that no file has set: {', '.join(others)}. irsa keeps them.")
        yield from lines
        return
    if listed.next_steps:
        yield f"# First: {visible(listed.next_steps[0])}"
    elif not ours and Arn.parse(role.arn).account == cluster.home:
        yield "# To manage it with irsa, adopt it, then remove the # before its lines:"
        yield f"#   irsa adopt {listed.name} -n {listed.namespace} -c {cluster.name} -r {cluster.region}"
    yield from (f"# {line}" for line in lines)


def _fields(
    cluster: Cluster, listed: ListedBinding, role: Role, inline: Mapping[str, Document]
) -> dict[str, Any]:
    arn = Arn.parse(role.arn)
    if arn.account != cluster.home:
        return {"metadata": _metadata(listed), "attachRoleARN": role.arn}
    default = names.default_role_name(cluster.name, cluster.arn, listed.namespace, listed.name)
    values = {
        "metadata": _metadata(listed),
        "roleName": arn.name if arn.name != default else "",
        "rolePath": role.path if role.path != names.default_role_path(cluster.name) else "",
        "attachPolicyARNs": sorted(role.attached),
        "inlinePolicies": {name: inline[name] for name in inline if name != chain.POLICY_NAME},
        "permissionsBoundary": role.boundary,
        "tags": {key: value for key, value in role.tags.items() if key in _tags(role, of_files=True)},
        "roleOnly": _is_role_only(listed),
        **_trust(cluster, listed, role),
        **_pods(listed, role, inline),
    }
    return {key: value for key, value in values.items() if value or key == "stsRegionalEndpoints"}


def _is_role_only(listed: ListedBinding) -> bool:
    """Whether irsa writes no ServiceAccount for it."""
    return listed.status is BindingStatus.ROLE_ONLY or listed.hand_over is HandOver.ANNOTATED


def _tags(role: Role, *, of_files: bool) -> list[str]:
    """The keys of the tags that an earlier file set, or else of all others."""
    kept = kept_tags(role.tags, ())
    return [
        key for key in role.tags if not key.startswith(("irsa/", "aws:")) and (key not in kept) == of_files
    ]


def _metadata(listed: ListedBinding) -> dict[str, Any]:
    """The ServiceAccount, with the labels and annotations that an earlier file set."""
    metadata: dict[str, Any] = {"name": listed.name, "namespace": listed.namespace}
    account = listed.account
    if account is not None:
        present = {"labels": account.labels, "annotations": account.annotations}
        for kind, keys in applied_keys(account.annotations).items():
            metadata[kind] = {key: present[kind][key] for key in keys if key in present[kind]}
    return {key: value for key, value in metadata.items() if value}


def _pods(listed: ListedBinding, role: Role, inline: Mapping[str, Document]) -> dict[str, Any]:
    """The annotations of the webhook, and the target role, as fields."""
    if listed.account is None:
        return {}
    annotations = listed.account.annotations
    audience = annotations.get(states.AUDIENCE_ANNOTATION, DEFAULT_AUDIENCE)
    regional, seconds = (
        annotations.get(key, "")
        for key in (states.STS_REGIONAL_ANNOTATION, states.TOKEN_EXPIRATION_ANNOTATION)
    )
    target = chain.chain_of_policies(role.arn, inline)
    fields: dict[str, Any] = {
        "audience": audience if audience != DEFAULT_AUDIENCE else "",
        "targetRole": target.target_arn if target else "",
        "targetTagSession": target is not None and target.tag_session,
    }
    if _is_role_only(listed):
        return fields
    return {
        **fields,
        **({"stsRegionalEndpoints": regional == "true"} if regional in ("true", "false") else {}),
        "tokenExpiration": int(seconds) if seconds.isdecimal() else None,
        "externalID": noted_or_none(annotations, states.EXTERNAL_ID_ANNOTATION),
        "awsConfigMap": noted_or_none(annotations, states.CONFIG_MAP_ANNOTATION),
    }


def _subjects(cluster: Cluster, role: Role) -> list[str] | None:
    """The subjects that the trust policy allows; None if it has other statements than irsa writes."""
    subjects: list[str] = []
    for statement in as_list(role.trust.get("Statement", [])):
        known = read_statement(statement)
        if known is None or not known.provider.endswith(cluster.issuer.removeprefix("https:/")):
            return None
        subjects += known.subjects
    return subjects


def _trust(cluster: Cluster, listed: ListedBinding, role: Role) -> dict[str, Any]:
    own = names.subject(listed.namespace, listed.name)
    subjects = _subjects(cluster, role) or []
    wild = [text for text in subjects if text.rpartition(":")[0] == own.rpartition(":")[0] and "*" in text]
    pattern = wild[0] if wild and own not in subjects else own
    pairs = [text.split(":")[2:] for text in subjects if text != pattern]
    return {
        "subjectPattern": pattern.rpartition(":")[2] if pattern != own else "",
        "subjects": [{"namespace": namespace, "name": name} for namespace, name in pairs],
    }


def _yaml(value: Any) -> list[str]:
    text = yaml.safe_dump(value, sort_keys=False, width=10_000)
    return [f"  {line}" if isinstance(value, list) else line for line in text.splitlines()]
