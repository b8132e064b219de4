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
from irsa_cli.core.config.reader import Fields, Reader, Table, flag_fields, text_fields
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
    found = []
    pairs = reader.pairs(node)
    for name in ("apiVersion", "kind"):
        if name not in pairs:
            other = "use --inline-policy" if "Statement" in pairs else "to write one: irsa init --out FILE"
            reader.problem(node, f"this document has no {name} ({other})")
            return None
        found.append(reader.text(pairs[name][1]) or "")
    kind = (found[0], found[1])
    if kind not in (EKSCTL, OWN) and all(kind):
        known = " or ".join(f"{version} {name}" for version, name in (OWN, EKSCTL))
        known += f" (use {_command_for(node)})" if kind == ("v1", "ServiceAccount") else ""
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
    try:
        return check(str(node.value)) if node is not None else otherwise
    except InvalidInput:
        return otherwise


def _by_key(node: Node | None) -> dict[str, Node]:
    return {str(key.value): value for key, value in node.value} if isinstance(node, MappingNode) else {}


def _cluster_config(reader: Reader, node: MappingNode, read: ReadFile) -> Config:
    under_iam = dict.fromkeys((*_IAM, "serviceAccounts"), "it belongs under iam")
    fields, others = _lenient(reader, node, _CLUSTER_CONFIG, under_iam)
    metadata: Fields = {}
    if "metadata" in fields:
        ours = dict.fromkeys(ACCESS, f"it is a field of {' '.join(OWN)}")
        metadata, _ = _lenient(reader, fields["metadata"], tuple(_METADATA), ours)
    said = reader.said(metadata, _METADATA)
    shown = ", ".join([*others[:MOST_FIELDS], *(["..."] if len(others) > MOST_FIELDS else [])])
    ignored = [f"{reader.line(node)}: not read by irsa: {shown}"] if others else []
    iam: Fields = {}
    if "iam" in fields:
        iam = reader.given(reader.fields(fields["iam"], (*_IAM, *_IAM_IGNORED), "iam", {}))
        if others := [name for name in iam if name in _IAM_IGNORED]:
            ignored.append(f"{reader.line(fields['iam'])}: not read by irsa: iam.{', iam.'.join(others)}")
    ignored += notices(reader.source, node)
    found = _assembled(reader, node, iam, Defaults(**said, ours=False, read=read), ignored)
    needs_provider = any(item.web_identity for item in found.bindings)
    if needs_provider and "withOIDC" in iam and reader.boolean(iam["withOIDC"]) is False:
        reader.problem(
            iam["withOIDC"],
            "withOIDC: false contradicts serviceAccounts (also in eksctl): set it to true",
        )
    return found


def _bindings(reader: Reader, node: MappingNode, read: ReadFile) -> Config:
    fields = reader.fields(node, _BINDINGS, "Bindings", {"iam": "serviceAccounts is a top-level field here"})
    metadata: Fields = {}
    if "metadata" in fields:
        metadata = reader.fields(fields["metadata"], {**_METADATA, **ACCESS}, "metadata", {})
    said = reader.said(metadata, _METADATA) | reader.said(fields, _BOUNDARY)
    accounts = reader.said(fields, ACCOUNT_FIELDS)
    found = _assembled(reader, node, fields, Defaults(**said, ours=True, read=read, accounts=accounts), [])
    account, role = access(reader, metadata)
    bindings = tuple(replace(item, account=account) for item in found.bindings)
    return replace(found, account=account, assume_role=role, bindings=bindings)


def _lenient(
    reader: Reader, node: Node, read: tuple[str, ...], misplaced: Mapping[str, str]
) -> tuple[Fields, list[str]]:
    """The fields that irsa reads and the names of the others; one that looks like a slip is a problem."""
    found = reader.pairs(node)
    others: list[str] = []
    for name, (key, _) in found.items():
        if name in read:
            continue
        if name in misplaced:
            hint = misplaced[name]
        else:  # eksctl has three dozen fields here: who has more has no slip of the pen.
            hint = did_you_mean(name, read) if len(others) < MOST_FIELDS else ""
        if hint and name not in _EKSCTL_METADATA_IGNORED:
            reader.problem(key, f"unknown field '{name}': {hint}")
        others.append(name)
    return reader.given({name: value for name, (_, value) in found.items() if name in read}), others


def _assembled(reader: Reader, node: Node, fields: Fields, defaults: Defaults, notices: list[str]) -> Config:
    bindings: list[BindingEntry] = []
    for name, what, read in (
        ("serviceAccounts", "ServiceAccounts", binding),
        ("podIdentityAssociations", "associations", association),
    ):
        for item in reader.items(fields[name], what) if name in fields else ():
            found, more = read(reader, item, defaults)
            notices += more
            bindings += [] if found is None else [found]
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
    found: list[tuple[int, str]] = []
    for path, grants in _GRANTS.items():
        for words, node, fields in _parts(reader, root, path.split(".")):
            given = [
                f"{name}{_values(fields[name])}"
                for name in grants
                if name in fields and not is_off(fields[name])
            ]
            if given:
                found.append((node.start_mark.line + 1, f"{' '.join(words)}: {'; '.join(given)}"))
    return [f"{source}:{line}: not managed by irsa: {text}" for line, text in sorted(found)]


def _parts(reader: Reader, node: Node, path: Sequence[str]) -> Iterator[tuple[list[str], Node, Fields]]:
    """The mappings at a path, those of a list one by one; each with the words that identify it."""
    if isinstance(node, SequenceNode):
        for item in node.value:
            yield from _parts(reader, item, path)
    elif isinstance(node, MappingNode):
        fields = {key: value for key, (_, value) in reader.pairs(node).items()}
        name = fields.get("name")
        named = [text_of(name)] if isinstance(name, ScalarNode) else []
        if not path:
            yield named, node, fields
        elif path[0] in fields:
            for words, part, its_fields in _parts(reader, fields[path[0]], path[1:]):
                yield [*named, path[0], *words], part, its_fields


def _values(node: Node) -> str:
    """The texts of a field, and the names of what it switches on; '' for what is neither."""
    found = node.value if isinstance(node, SequenceNode) else [node]
    if isinstance(node, MappingNode):
        found = [key for key, value in node.value if value.tag == BOOLEAN and not is_off(value)]
    texts = [text_of(item) for item in found if isinstance(item, ScalarNode) and item.tag != BOOLEAN]
    return f" {', '.join(texts)}" if texts else ""


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
    for key in missing if isinstance(node, MappingNode) else ():
        reader.problem(node, f"this Pod Identity association has no {key}")
    if missing:
        return None, []
    namespace = reader.text(fields["namespace"], names.namespace)
    name = reader.text(fields["serviceAccountName"], names.service_account)
    if namespace is None or name is None:
        return None, []
    found = BindingEntry(
        namespace,
        name,
        cluster=defaults.cluster,
        region=defaults.region,
        where=reader.line(node),
        pod_identity=True,
        web_identity=False,
        unsaid=UNSAID_BY_ASSOCIATIONS,
    )
    _check_role(reader, node, fields, found)
    found = replace(found, **reader.said(fields, _ROLE), **_policies(reader, fields, defaults))
    if found.session_policy and not found.disable_session_tags:
        reader.problem(fields["policy"], NEEDS_NO_TAGS)
    found = with_tags(reader, fields, found, defaults)
    if found.attach_role_arn and found.role_name:
        ignored = f"{found.where}: roleName of {found} is ignored, as by eksctl: roleARN is given"
        return replace(found, role_name=""), [ignored]
    return found, []


def _check_role(reader: Reader, node: Node, fields: Fields, found: BindingEntry) -> None:
    """Note what contradicts an existing role, or that there is neither a role nor a policy."""
    given = [name for name in (*ROLE_POLICIES, "permissionsBoundaryARN") if not _is_off(fields, name)]
    if "roleARN" in fields:
        for name in given:
            reader.problem(fields[name], f"roleARN uses an existing role: {name} contradicts it ({found})")
    elif not reader.deletes and not any(name in ROLE_POLICIES for name in given):
        reader.problem(
            node,
            f"{found} has no role: an association needs roleARN, or one of {', '.join(ROLE_POLICIES)}",
        )
    if "permissionPolicyName" in fields and _is_off(fields, "permissionPolicy"):
        reader.problem(fields["permissionPolicyName"], "permissionPolicyName needs permissionPolicy")


def _is_off(fields: Fields, name: str) -> bool:
    return name not in fields or is_off(fields[name])


def _policies(reader: Reader, fields: Fields, defaults: Defaults) -> dict[str, Any]:
    """The policies of the role, the inline one under its own name."""
    renamed = {ROLE_POLICIES[name]: node for name, node in fields.items() if name in ROLE_POLICIES}
    found = PolicyReader(reader, defaults.read, ours=False).all(renamed)
    if "permissionPolicyName" in fields:
        name = reader.text(fields["permissionPolicyName"], names.inline_policy)
        found["inline"] = dict.fromkeys(filter(None, [name]), found["inline"].get(names.ATTACH_POLICY, {}))
    return found
