"""The documents of a file: which kind each of them is, and what it says of its cluster.

Of a ClusterConfig also the entries of `iam.podIdentityAssociations`, and one notice for each part with
permissions that eksctl manages and irsa does not.
https://docs.aws.amazon.com/eks/latest/eksctl/pod-identity-associations.html
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from yaml import MappingNode, Node, ScalarNode, SequenceNode

from irsa_cli.core.config.entry_fields import ACCESS, ACCOUNT_FIELDS, OF_DOCUMENTS, PolicyReader, access
from irsa_cli.core.config.model import UNSAID_BY_ASSOCIATIONS, BindingEntry, Config, distinct
from irsa_cli.core.config.nodes import BOOLEAN, compose, is_off, text_of
from irsa_cli.core.config.policies import read_policy
from irsa_cli.core.config.reader import Fields, Reader, Table, flag_fields, is_given, text_fields
from irsa_cli.core.config.service_accounts import NEEDS_NO_TAGS, Defaults, ReadFile, binding, with_tags
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.values import arn, names
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.names import did_you_mean

EKSCTL = ("eksctl.io/v1alpha5", "ClusterConfig")
OWN = ("irsa/v1", "Bindings")

# https://eksctl.io/usage/schema/: what a ClusterConfig has besides the parts that irsa reads.
_CLUSTER_CONFIG = ("apiVersion", "kind", "metadata", "iam")
_EKSCTL_METADATA_IGNORED = ("version", "forceUpdateVersion", "rollbackConfig", "annotations")
_IAM = ("withOIDC", "serviceAccounts", "podIdentityAssociations")
_IAM_IGNORED = (
    "serviceRoleARN",
    "serviceRolePermissionsBoundary",
    "fargatePodExecutionRoleARN",
    "fargatePodExecutionRolePermissionsBoundary",
    "vpcResourceControllerPolicy",
)
MOST_FIELDS = 100
_BINDINGS = (
    *("apiVersion", "kind", "metadata", "withOIDC", "permissionsBoundary", "serviceAccounts"),
    *OF_DOCUMENTS,
)
_METADATA: Table = {
    **text_fields(Defaults, "region", name="cluster"),
    "tags": ("tags", lambda reader, node: reader.text_map(node, names.tags)),
}
_BOUNDARY = text_fields(Defaults, permissionsBoundary="boundary")


def _no_files(path: str) -> str:
    raise InvalidInput(f"{path} can't be read here")


def parse(text: str, source: str, read: ReadFile = _no_files, *, deletes: bool = False) -> list[Config]:
    """The configurations of a file; raises `InvalidInput` with all problems.

    `read` reads policy files. `deletes`: an association without a role is not a problem, as for eksctl.
    """
    reader = Reader(source)
    reader.deletes = deletes
    configs = [_config(reader, node, read) for node in compose(text, source)]
    try:
        distinct(configs)
    except InvalidInput as error:
        reader.problems += error.details or (str(error),)
    reader.finish()
    return configs


def parse_document(node: Node, source: str, read: ReadFile = _no_files) -> Config:
    """The configuration of one document; raises `InvalidInput` with every problem and its place."""
    reader = Reader(source)
    config = _config(reader, node, read)
    reader.finish()
    return config


def _config(reader: Reader, node: Node, read: ReadFile) -> Config:
    where = reader.line(node)
    if not isinstance(node, MappingNode):
        reader.problem(node, "expected a mapping with apiVersion and kind")
        return Config(where)
    kind = _kind(reader, node)
    reader.like_eksctl = kind == EKSCTL
    if kind not in (EKSCTL, OWN):
        return Config(where)
    return (_cluster_config if kind == EKSCTL else _bindings)(reader, node, read)


def _kind(reader: Reader, node: MappingNode) -> tuple[str, str] | None:
    pairs = reader.pairs(node)
    texts: list[str] = []
    for field in ("apiVersion", "kind"):
        if field not in pairs:
            instead = "use --inline-policy" if "Statement" in pairs else "to write one: irsa init --out FILE"
            reader.problem(node, f"this document has no {field} ({instead})")
            return None
        _, value = pairs[field]
        texts.append(reader.text(value) or "")
    kind = (texts[0], texts[1])
    if kind not in (EKSCTL, OWN) and all(kind):
        known = f"{' '.join(OWN)} or {' '.join(EKSCTL)}"
        if kind == ("v1", "ServiceAccount"):
            known += f" (use {_command_for(node)})"
        reader.problem(pairs["kind"][1], f"{' '.join(kind)} is not read here: expected {known}")
    return kind


def _command_for(account: MappingNode) -> str:
    """The command for a ServiceAccount of Kubernetes; what is not valid in it is left to the reader."""
    metadata = _by_key(_by_key(account).get("metadata"))
    role = _by_key(metadata.get("annotations")).get(ROLE_ARN_ANNOTATION)
    name = _checked(names.service_account, metadata.get("name"), "NAME")
    words = ["irsa", "create-sa", name, "-n", _checked(names.namespace, metadata.get("namespace"), "default")]
    if role is not None:
        words += ["--attach-role-arn", _checked(arn.check_role, role, "ROLE-ARN")]
    return shlex.join(words)


def _checked(check: Callable[[str], str], node: Node | None, otherwise: str) -> str:
    if node is None:
        return otherwise
    try:
        return check(str(node.value))
    except InvalidInput:
        return otherwise


def _by_key(node: Node | None) -> dict[str, Node]:
    if not isinstance(node, MappingNode):
        return {}
    return {str(key.value): value for key, value in node.value}


def _cluster_config(reader: Reader, node: MappingNode, read: ReadFile) -> Config:
    under_iam = dict.fromkeys((*_IAM, "serviceAccounts"), "it belongs under iam")
    fields, unread = _lenient(reader, node, _CLUSTER_CONFIG, under_iam)
    metadata: Fields = {}
    if "metadata" in fields:
        ours = dict.fromkeys(ACCESS, f"it is a field of {' '.join(OWN)}")
        metadata, _ = _lenient(reader, fields["metadata"], tuple(_METADATA), ours)
    defaults = Defaults(**reader.said(metadata, _METADATA), ours=False, read=read)
    ignored: list[str] = []
    if unread:
        names_shown = unread[:MOST_FIELDS]
        if len(unread) > MOST_FIELDS:
            names_shown.append("...")
        ignored.append(f"{reader.line(node)}: not read by irsa: {', '.join(names_shown)}")
    iam: Fields = {}
    if "iam" in fields:
        iam = reader.given(reader.fields(fields["iam"], (*_IAM, *_IAM_IGNORED), "iam", {}))
        unread_iam = [f"iam.{name}" for name in iam if name in _IAM_IGNORED]
        if unread_iam:
            ignored.append(f"{reader.line(fields['iam'])}: not read by irsa: {', '.join(unread_iam)}")
    ignored += notices(reader.source, node)
    config = _assembled(reader, node, iam, defaults, ignored)
    needs_provider = any(entry.web_identity for entry in config.bindings)
    if needs_provider and "withOIDC" in iam and reader.boolean(iam["withOIDC"]) is False:
        reader.problem(
            iam["withOIDC"],
            "withOIDC: false contradicts serviceAccounts (also in eksctl): set it to true",
        )
    return config


def _bindings(reader: Reader, node: MappingNode, read: ReadFile) -> Config:
    fields = reader.fields(node, _BINDINGS, "Bindings", {"iam": "serviceAccounts is a top-level field here"})
    metadata: Fields = {}
    if "metadata" in fields:
        metadata = reader.fields(fields["metadata"], {**_METADATA, **ACCESS}, "metadata", {})
    attributes = reader.said(metadata, _METADATA) | reader.said(fields, _BOUNDARY)
    accounts = reader.said(fields, ACCOUNT_FIELDS)
    defaults = Defaults(**attributes, ours=True, read=read, accounts=accounts)
    config = _assembled(reader, node, fields, defaults, [])
    account, role = access(reader, metadata)
    bindings = tuple(replace(entry, account=account) for entry in config.bindings)
    return replace(config, account=account, assume_role=role, bindings=bindings)


def _lenient(
    reader: Reader, node: Node, read: tuple[str, ...], misplaced: Mapping[str, str]
) -> tuple[Fields, list[str]]:
    """The fields that irsa reads and the names of the others; one that looks like a slip is a problem."""
    pairs = reader.pairs(node)
    unread: list[str] = []
    for name, (key, _) in pairs.items():
        if name in read:
            continue
        hint = misplaced.get(name, "")
        # eksctl has three dozen fields here: who has more has no slip of the pen.
        if not hint and len(unread) < MOST_FIELDS:
            hint = did_you_mean(name, read)
        if hint and name not in _EKSCTL_METADATA_IGNORED:
            reader.problem(key, f"unknown field '{name}': {hint}")
        unread.append(name)
    return reader.given({name: value for name, (_, value) in pairs.items() if name in read}), unread


def _assembled(reader: Reader, node: Node, fields: Fields, defaults: Defaults, notices: list[str]) -> Config:
    bindings: list[BindingEntry] = []
    for name, kind, read in (
        ("serviceAccounts", "ServiceAccounts", binding),
        ("podIdentityAssociations", "associations", association),
    ):
        nodes = reader.items(fields[name], kind) if name in fields else []
        for entry_node in nodes:
            entry, notices_of_entry = read(reader, entry_node, defaults)
            notices += notices_of_entry
            if entry is not None:
                bindings.append(entry)
    return Config(
        reader.line(node),
        defaults.cluster,
        defaults.region,
        "withOIDC" in fields and bool(reader.boolean(fields["withOIDC"])),
        tuple(bindings),
        tuple(notices),
        defaults.accounts,
    )


_GRANTED_POLICIES = ("attachPolicyARNs", "attachPolicy", "wellKnownPolicies")
_OF_NODES = ("instanceRoleARN", "instanceProfileARN", *_GRANTED_POLICIES[:2], "withAddonPolicies")
_OF_ADDONS = ("serviceAccountRoleARN", "useDefaultPodIdentityAssociations", "podIdentityAssociations")
_GRANTS: Mapping[str, tuple[str, ...]] = {
    "addons": (*_GRANTED_POLICIES, *_OF_ADDONS),
    "addonsConfig": ("autoApplyPodIdentityAssociations",),
    "karpenter": ("version", "defaultInstanceProfile", "withSpotInterruptionQueue"),
    "nodeGroups.iam": _OF_NODES,
    "managedNodeGroups.iam": _OF_NODES,
    "capabilities": ("roleArn", *_GRANTED_POLICIES),
    "iam": ("serviceRoleARN", "fargatePodExecutionRoleARN"),
    "fargateProfiles": ("podExecutionRoleARN",),
    "autoModeConfig": ("nodeRoleARN",),
    "iamIdentityMappings": ("arn", "account", "groups"),
    "accessConfig.accessEntries": ("principalARN",),
}
"""By part (https://eksctl.io/usage/schema/), its fields that give somebody permissions."""


def notices(source: str, root: MappingNode) -> list[str]:
    """The permissions that irsa does not manage, with their places."""
    reader = Reader(source)  # Its notes are dropped: eksctl checks these parts.
    lines: list[tuple[int, str]] = []
    for path, grants in _GRANTS.items():
        for words, node, fields in _mappings(reader, root, path.split(".")):
            granted = [f"{name}{_values(fields[name])}" for name in grants if is_given(fields, name)]
            if granted:
                lines.append((node.start_mark.line + 1, f"{' '.join(words)}: {'; '.join(granted)}"))
    return [f"{source}:{line}: not managed by irsa: {text}" for line, text in sorted(lines)]


def _mappings(reader: Reader, node: Node, path: Sequence[str]) -> Iterator[tuple[list[str], Node, Fields]]:
    """The mappings at a path, those of a list one by one; each with the words that identify it."""
    if isinstance(node, SequenceNode):
        for element in node.value:
            yield from _mappings(reader, element, path)
    elif isinstance(node, MappingNode):
        fields = {key: value for key, (_, value) in reader.pairs(node).items()}
        name = fields.get("name")
        own_name = [text_of(name)] if isinstance(name, ScalarNode) else []
        if not path:
            yield own_name, node, fields
        elif path[0] in fields:
            for words, below, fields_below in _mappings(reader, fields[path[0]], path[1:]):
                yield [*own_name, path[0], *words], below, fields_below


def _values(node: Node) -> str:
    """The texts of a field, and the names of what it switches on; '' for what is neither."""
    nodes = node.value if isinstance(node, SequenceNode) else [node]
    if isinstance(node, MappingNode):
        nodes = [key for key, value in node.value if value.tag == BOOLEAN and not is_off(value)]
    texts = [text_of(scalar) for scalar in nodes if isinstance(scalar, ScalarNode) and scalar.tag != BOOLEAN]
    if not texts:
        return ""
    return f" {', '.join(texts)}"


ROLE_POLICIES = {
    "permissionPolicyARNs": "attachPolicyARNs",
    "permissionPolicy": "attachPolicy",
    "wellKnownPolicies": "wellKnownPolicies",
}
"""Fields about policies, and how entries of `serviceAccounts` name them."""


def _session_policy(reader: Reader, node: Node) -> Document:
    """A policy as a text in JSON."""
    return reader.checked(node, lambda text: read_policy(text, "policy"), reader.text(node)) or {}


_ROLE: Table = {
    **text_fields(BindingEntry, roleARN="attach_role_arn", permissionsBoundaryARN="permissions_boundary"),
    **text_fields(BindingEntry, "roleName", targetRoleARN="target_role"),
    **flag_fields("createServiceAccount", "disableSessionTags"),
    "policy": ("session_policy", _session_policy),
}
OF_ASSOCIATION = (
    "namespace",
    "serviceAccountName",
    *_ROLE,
    *ROLE_POLICIES,
    "permissionPolicyName",
    "tags",
)


def association(reader: Reader, node: Node, defaults: Defaults) -> tuple[BindingEntry | None, list[str]]:
    """An entry of `iam.podIdentityAssociations` and notices; None where problems leave no name."""
    fields = reader.given(reader.fields(node, OF_ASSOCIATION, "podIdentityAssociations", {}))
    missing = [key for key in ("namespace", "serviceAccountName") if key not in fields]
    if missing:
        if isinstance(node, MappingNode):
            for key in missing:
                reader.problem(node, f"this Pod Identity association has no {key}")
        return None, []
    namespace = reader.text(fields["namespace"], names.namespace)
    name = reader.text(fields["serviceAccountName"], names.service_account)
    if namespace is None or name is None:
        return None, []
    entry = BindingEntry(
        namespace,
        name,
        cluster=defaults.cluster,
        region=defaults.region,
        where=reader.line(node),
        pod_identity=True,
        web_identity=False,
        unsaid=UNSAID_BY_ASSOCIATIONS,
    )
    _check_role(reader, node, fields, entry)
    entry = replace(entry, **reader.said(fields, _ROLE), **_policies(reader, fields, defaults))
    if entry.session_policy and not entry.disable_session_tags:
        reader.problem(fields["policy"], NEEDS_NO_TAGS)
    entry = with_tags(reader, fields, entry, defaults)
    if entry.attach_role_arn and entry.role_name:
        ignored = f"{entry.where}: roleName of {entry} is ignored, as by eksctl: roleARN is given"
        return replace(entry, role_name=""), [ignored]
    return entry, []


def _check_role(reader: Reader, node: Node, fields: Fields, entry: BindingEntry) -> None:
    """Note what contradicts an existing role, or that there is neither a role nor a policy."""
    of_new_role = [name for name in (*ROLE_POLICIES, "permissionsBoundaryARN") if is_given(fields, name)]
    if "roleARN" in fields:
        for name in of_new_role:
            reader.problem(fields[name], f"roleARN uses an existing role: {name} contradicts it ({entry})")
    elif not reader.deletes and not any(name in ROLE_POLICIES for name in of_new_role):
        reader.problem(
            node,
            f"{entry} has no role: an association needs roleARN, or one of {', '.join(ROLE_POLICIES)}",
        )
    if "permissionPolicyName" in fields and not is_given(fields, "permissionPolicy"):
        reader.problem(fields["permissionPolicyName"], "permissionPolicyName needs permissionPolicy")


def _policies(reader: Reader, fields: Fields, defaults: Defaults) -> dict[str, Any]:
    """The policies of the role, the inline one under its own name."""
    renamed = {ROLE_POLICIES[name]: node for name, node in fields.items() if name in ROLE_POLICIES}
    attributes = PolicyReader(reader, defaults.read, ours=False).all(renamed)
    if "permissionPolicyName" in fields:
        name = reader.text(fields["permissionPolicyName"], names.inline_policy)
        document = attributes["inline"].get(names.ATTACH_POLICY, {})
        attributes["inline"] = {name: document} if name else {}
    return attributes
