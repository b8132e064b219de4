"""A configuration file for the bindings of a cluster, as `irsa init` writes it.

An entry describes a role managed by irsa as it is, so that `irsa diff` finds nothing to do. All others are
comments with what to do first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

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


def text_of(found: Bindings, inline: Inline) -> str:
    cluster = found.cluster
    head = dict(zip(("apiVersion", "kind"), OWN, strict=True))
    where = {"metadata": {"name": cluster.name, "region": cluster.region}}
    home = {"roleAccount": cluster.home} if cluster.home != cluster.account else {}
    entries = [
        line for item in found.items for line in ("", *_entry(cluster, item, inline.get(item.role_arn, {})))
    ]
    example = (
        "  - metadata: {name: s3-reader, namespace: backend}",
        f'    attachPolicyARNs: ["arn:{cluster.partition}:iam::aws:policy/AmazonS3ReadOnlyAccess"]',
    )
    key = "serviceAccounts:"
    lines = [
        f"# Bindings of cluster {cluster.name} ({cluster.region}, account {cluster.account}), by irsa init.",
        f"# Compare this file with the cluster: irsa diff -f FILE -c {cluster.name} -r {cluster.region}",
        *(f"# Not read: {visible(note)}" for note in found.notes),
        *_yaml({**head, **where, **home}),
        key if any(line.startswith("  -") for line in entries) else f"# {key}",
        *(entries or (f"# {line}" for line in example)),
    ]
    return "\n".join((*lines, ""))


def _entry(
    cluster: Cluster, item: ListedBinding, inline: Mapping[str, Document] | Unreadable
) -> Iterator[str]:
    why = f": {item.reason}" if item.reason else ""
    yield visible(f"# {item.full_name or item.role_arn}: owner {item.owner}, status {item.status.value}{why}")
    role, unread = item.role, item.unread or (inline.why if isinstance(inline, Unreadable) else "")
    if not isinstance(role, Role) or isinstance(inline, Unreadable) or role.unread:
        yield f"# Left out: {visible(unread or 'there is no role to describe')}"
        return
    if item.by == "pod-identity":
        yield "# Left out: it has the role by EKS Pod Identity, not by an annotation"
        return
    lines = _yaml([_fields(cluster, item, role, inline)])
    ours = role.is_for(cluster, item.full_name)
    whole = item.status is BindingStatus.ROLE_ONLY or item.account is not None
    if ours and whole and item.status not in (BindingStatus.INCOMPLETE, BindingStatus.DELETING):
        if _subjects(cluster, role) is None:
            yield "# Left out: statements of the trust policy that irsa did not write. irsa keeps them."
        if others := _tags(role, of_files=False):
            yield visible(f"# Left out: tags that no file has set: {', '.join(others)}. irsa keeps them.")
        yield from lines
        return
    if item.next_steps:
        yield f"# First: {visible(item.next_steps[0])}"
    elif not ours and Arn.parse(role.arn).account == cluster.home:
        yield "# To manage it with irsa, adopt it, then remove the # before its lines:"
        yield f"#   irsa adopt {item.name} -n {item.namespace} -c {cluster.name} -r {cluster.region}"
    yield from (f"# {line}" for line in lines)


def _fields(
    cluster: Cluster, item: ListedBinding, role: Role, inline: Mapping[str, Document]
) -> dict[str, Any]:
    arn = Arn.parse(role.arn)
    if arn.account != cluster.home:
        return {"metadata": _metadata(item), "attachRoleARN": role.arn}
    default = names.default_role_name(cluster.name, cluster.arn, item.namespace, item.name)
    found = {
        "metadata": _metadata(item),
        "roleName": arn.name if arn.name != default else "",
        "rolePath": role.path if role.path != names.default_role_path(cluster.name) else "",
        "attachPolicyARNs": sorted(role.attached),
        "inlinePolicies": {name: inline[name] for name in inline if name != chain.POLICY_NAME},
        "permissionsBoundary": role.boundary,
        "tags": {key: value for key, value in role.tags.items() if key in _tags(role, of_files=True)},
        "roleOnly": item.status is BindingStatus.ROLE_ONLY,
        **_trust(cluster, item, role),
        **_pods(item, role, inline),
    }
    return {key: value for key, value in found.items() if value or key == "stsRegionalEndpoints"}


def _tags(role: Role, *, of_files: bool) -> list[str]:
    """The keys of the tags that an earlier file set, or else of all others."""
    kept = kept_tags(role.tags, ())
    return [
        key for key in role.tags if not key.startswith(("irsa/", "aws:")) and (key not in kept) == of_files
    ]


def _metadata(item: ListedBinding) -> dict[str, Any]:
    """The ServiceAccount, with the labels and annotations that an earlier file set."""
    found: dict[str, Any] = {"name": item.name, "namespace": item.namespace}
    account = item.account
    if account is not None:
        there = {"labels": account.labels, "annotations": account.annotations}
        for kind, keys in applied_keys(account.annotations).items():
            found[kind] = {key: there[kind][key] for key in keys if key in there[kind]}
    return {key: value for key, value in found.items() if value}


def _pods(item: ListedBinding, role: Role, inline: Mapping[str, Document]) -> dict[str, Any]:
    """The annotations of the webhook, and the target role, as fields."""
    if item.account is None:
        return {}
    there = item.account.annotations
    audience = there.get(states.AUDIENCE_ANNOTATION, DEFAULT_AUDIENCE)
    regional, seconds = (
        there.get(key, "") for key in (states.STS_REGIONAL_ANNOTATION, states.TOKEN_EXPIRATION_ANNOTATION)
    )
    target = chain.chain_of_policies(role.arn, inline)
    return {
        "audience": audience if audience != DEFAULT_AUDIENCE else "",
        **({"stsRegionalEndpoints": regional == "true"} if regional in ("true", "false") else {}),
        "tokenExpiration": int(seconds) if seconds.isdecimal() else None,
        "targetRole": target.target_arn if target else "",
        "targetTagSession": target is not None and target.tag_session,
        "externalID": noted_or_none(there, states.EXTERNAL_ID_ANNOTATION),
        "awsConfigMap": noted_or_none(there, states.CONFIG_MAP_ANNOTATION),
    }


def _subjects(cluster: Cluster, role: Role) -> list[str] | None:
    """The subjects that the trust policy allows; None if it has other statements than irsa writes."""
    found: list[str] = []
    for statement in as_list(role.trust.get("Statement", [])):
        known = read_statement(statement)
        if known is None or not known.provider.endswith(cluster.issuer.removeprefix("https:/")):
            return None
        found += known.subjects
    return found


def _trust(cluster: Cluster, item: ListedBinding, role: Role) -> dict[str, Any]:
    own, subjects = names.subject(item.namespace, item.name), _subjects(cluster, role) or []
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
