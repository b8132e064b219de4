"""Permissions in a ClusterConfig that eksctl manages and irsa does not: one notice for each part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from yaml import MappingNode, Node, ScalarNode, SequenceNode

from irsa_cli.core.config.nodes import BOOLEAN, is_off, text_of
from irsa_cli.core.config.reader import Fields, Reader

_POLICIES = ("attachPolicyARNs", "attachPolicy", "wellKnownPolicies")
_OF_NODES = ("instanceRoleARN", "instanceProfileARN", *_POLICIES[:2], "withAddonPolicies")
_OF_ADDONS = ("serviceAccountRoleARN", "useDefaultPodIdentityAssociations", "podIdentityAssociations")
_GRANTS: Mapping[str, tuple[str, ...]] = {
    "addons": (*_POLICIES, *_OF_ADDONS),
    "addonsConfig": ("autoApplyPodIdentityAssociations",),
    "karpenter": ("version", "defaultInstanceProfile", "withSpotInterruptionQueue"),
    "nodeGroups.iam": _OF_NODES,
    "managedNodeGroups.iam": _OF_NODES,
    "capabilities": ("roleArn", *_POLICIES),
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
