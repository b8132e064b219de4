"""The documents of a file: which kind each of them is, and what it says of its cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from yaml import MappingNode, Node

from irsa_cli.core.config import elsewhere
from irsa_cli.core.config.entry_fields import OF_DOCUMENTS, account_fields
from irsa_cli.core.config.model import Binding, Config, distinct
from irsa_cli.core.config.nodes import compose
from irsa_cli.core.config.reader import Fields, Reader
from irsa_cli.core.config.service_accounts import Around, ReadFile, binding
from irsa_cli.core.values import arn, names
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.slips import did_you_mean

EKSCTL = ("eksctl.io/v1alpha5", "ClusterConfig")
OWN = ("irsa/v1", "Bindings")

# https://eksctl.io/usage/schema/: what a ClusterConfig has besides the parts that irsa reads.
_CLUSTER_CONFIG = ("apiVersion", "kind", "metadata", "iam")
_EKSCTL_METADATA = ("name", "region", "tags")
_EKSCTL_METADATA_IGNORED = ("version", "forceUpdateVersion", "rollbackConfig", "annotations")
_IAM = ("withOIDC", "serviceAccounts")
_IAM_IGNORED = (
    "serviceRoleARN",
    "serviceRolePermissionsBoundary",
    "fargatePodExecutionRoleARN",
    "fargatePodExecutionRolePermissionsBoundary",
    "podIdentityAssociations",
    "vpcResourceControllerPolicy",
)
MOST_FIELDS = 100
_BINDINGS = (
    *("apiVersion", "kind", "metadata", "withOIDC", "permissionsBoundary", "serviceAccounts"),
    *OF_DOCUMENTS,
)
_BINDINGS_METADATA = ("name", "region", "tags")


def _no_files(path: str) -> str:
    raise InvalidInput(f"{path} can't be read here")


def parse(text: str, source: str, read: ReadFile = _no_files) -> list[Config]:
    """The configurations of a file; raises `InvalidInput` with every problem and its place.

    `read` gives the text of a policy document that the file names.
    """
    reader = Reader(source)
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


@dataclass(frozen=True)
class _Metadata:
    """What `metadata` says of the cluster."""

    name: str = ""
    region: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


def _config(reader: Reader, node: Node, read: ReadFile) -> Config:
    where = reader.line(node)
    if not isinstance(node, MappingNode):
        reader.problem(node, "expected a mapping with apiVersion and kind")
        return Config(where)
    kind = _kind(reader, node)
    reader.like_eksctl = kind == EKSCTL
    if kind == EKSCTL:
        return _cluster_config(reader, node, read)
    if kind == OWN:
        return _bindings(reader, node, read)
    return Config(where)


def _kind(reader: Reader, node: MappingNode) -> tuple[str, str] | None:
    found = []
    pairs = reader.pairs(node)
    for name in ("apiVersion", "kind"):
        if name not in pairs:
            reader.problem(node, f"this document has no {name}")
            return None
        found.append(reader.text(pairs[name][1]) or "")
    kind = (found[0], found[1])
    if kind not in (EKSCTL, OWN) and all(kind):
        known = " or ".join(f"{version} {name}" for version, name in (OWN, EKSCTL))
        reader.problem(pairs["kind"][1], f"{' '.join(kind)} is not read here: expected {known}")
    return kind


def _cluster_config(reader: Reader, node: MappingNode, read: ReadFile) -> Config:
    fields, notices = _lenient(reader, node, _CLUSTER_CONFIG, (*_IAM, "serviceAccounts"))
    metadata = _Metadata()
    if "metadata" in fields:
        own, _ = _lenient(reader, fields["metadata"], _EKSCTL_METADATA, ())
        metadata = _metadata(reader, own)
    more = ["..."] if len(notices) > MOST_FIELDS else []
    names_of_others = ", ".join([*notices[:MOST_FIELDS], *more])
    ignored = [f"{reader.line(node)}: not read by irsa: {names_of_others}"] if notices else []
    iam: Fields = {}
    if "iam" in fields:
        iam = reader.given(reader.fields(fields["iam"], (*_IAM, *_IAM_IGNORED), "iam", {}))
        others = [name for name in iam if name in _IAM_IGNORED]
        if others:
            ignored.append(f"{reader.line(fields['iam'])}: not read by irsa: iam.{', iam.'.join(others)}")
    ignored += elsewhere.notices(reader.source, node)
    return _assembled(reader, node, metadata, iam, ignored, ours=False, read=read)


def _bindings(reader: Reader, node: MappingNode, read: ReadFile) -> Config:
    fields = reader.fields(node, _BINDINGS, "Bindings", {"iam": "serviceAccounts stands at the top here"})
    metadata = _Metadata()
    if "metadata" in fields:
        metadata = _metadata(reader, reader.fields(fields["metadata"], _BINDINGS_METADATA, "metadata", {}))
    return _assembled(reader, node, metadata, fields, [], ours=True, read=read)


def _lenient(
    reader: Reader, node: Node, read: tuple[str, ...], misplaced: tuple[str, ...]
) -> tuple[Fields, list[str]]:
    """The fields that irsa reads and the names of the others; one that looks like a slip is a problem."""
    found = reader.pairs(node)
    others: list[str] = []
    for name, (key, _) in found.items():
        if name in read:
            continue
        if name in misplaced:
            hint = "it stands under iam"
        else:  # eksctl has three dozen fields here: who has more has no slip of the pen.
            hint = did_you_mean(name, read) if len(others) < MOST_FIELDS else ""
        if hint and name not in _EKSCTL_METADATA_IGNORED:
            reader.problem(key, f"unknown field '{name}': {hint}")
        others.append(name)
    return reader.given({name: value for name, (_, value) in found.items() if name in read}), others


def _metadata(reader: Reader, fields: Fields) -> _Metadata:
    found: dict[str, Any] = {}
    if "name" in fields:
        found["name"] = reader.text(fields["name"], names.cluster) or ""
    if "region" in fields:
        found["region"] = reader.text(fields["region"], names.region) or ""
    if "tags" in fields:
        found["tags"] = reader.text_map(fields["tags"], names.tags)
    return _Metadata(**found)


def _assembled(
    reader: Reader,
    node: Node,
    metadata: _Metadata,
    fields: Fields,
    notices: list[str],
    *,
    ours: bool,
    read: ReadFile,
) -> Config:
    boundary = ""
    if ours and "permissionsBoundary" in fields:
        boundary = reader.text(fields["permissionsBoundary"], arn.check_policy) or ""
    others = account_fields(reader, fields) if ours else {}
    around = Around(metadata.name, metadata.region, metadata.tags, ours, read, boundary, others)
    bindings: list[Binding] = []
    for item in (
        reader.items(fields["serviceAccounts"], "ServiceAccounts") if "serviceAccounts" in fields else ()
    ):
        found, more = binding(reader, item, around)
        notices += more
        if found is not None:
            bindings.append(found)
    with_oidc = "withOIDC" in fields and reader.boolean(fields["withOIDC"])
    if with_oidc is False and "withOIDC" in fields and bindings and not ours:
        reader.problem(
            fields["withOIDC"],
            "withOIDC: false contradicts serviceAccounts, for eksctl, too: their roles need the cluster's"
            " OIDC provider; say true, and it is made where it is missing",
        )
    return Config(
        reader.line(node),
        metadata.name,
        metadata.region,
        bool(with_oidc),
        tuple(bindings),
        tuple(notices),
        others,
    )
