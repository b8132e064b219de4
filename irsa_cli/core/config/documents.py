"""The documents of a file: which kind each of them is, and what it says of its cluster."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace

from yaml import MappingNode, Node

from irsa_cli.core.config import elsewhere
from irsa_cli.core.config.associations import association
from irsa_cli.core.config.entry_fields import ACCESS, ACCOUNT_FIELDS, OF_DOCUMENTS, access
from irsa_cli.core.config.model import Binding, Config, distinct
from irsa_cli.core.config.nodes import compose
from irsa_cli.core.config.reader import Fields, Reader, Table, text_fields
from irsa_cli.core.config.service_accounts import Defaults, ReadFile, binding
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.values import arn, names
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.slips import did_you_mean

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
    **text_fields("region", name="cluster"),
    "tags": ("tags", lambda reader, node: reader.text_map(node, names.tags)),
}
_BOUNDARY = text_fields(permissionsBoundary="boundary")


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
    ignored += elsewhere.notices(reader.source, node)
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
    bindings: list[Binding] = []
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
