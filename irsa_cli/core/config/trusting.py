"""Whom else a role is to admit: further subjects, clusters and conditions (irsa's own kind only)."""

from __future__ import annotations

import re
from typing import Any

from yaml import MappingNode, Node, ScalarNode

from irsa_cli.core.config.model import OtherCluster
from irsa_cli.core.config.reader import Reader
from irsa_cli.core.policies.conditions import operator_of
from irsa_cli.core.policies.operators import COMPARISONS
from irsa_cli.core.values import names
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.issuer import check_issuer
from irsa_cli.core.values.nearest import did_you_mean
from irsa_cli.core.values.placeholders import UNFILLED, placeholder_in_policy

_NAMESPACE_PATTERN = re.compile(r"[a-z0-9*?-]{1,63}", re.ASCII)


def namespace_pattern(text: str) -> str:
    """Check a namespace that may have the wildcards `*` and `?`."""
    if not {"*", "?"} & set(text):
        return names.namespace(text)
    if not _NAMESPACE_PATTERN.fullmatch(text):
        raise InvalidInput(
            f"'{text}' is not a valid pattern for namespaces",
            reason="expected a name with the wildcards * and ?, at most 63 characters",
        )
    return text


def name_pattern(text: str) -> str:
    """Check a ServiceAccount's name that may have the wildcards `*` and `?`."""
    return names.subject_pattern(text) if {"*", "?"} & set(text) else names.service_account(text)


def subjects(reader: Reader, node: Node, namespace: str) -> tuple[str, ...]:
    """The further ServiceAccounts that the role admits; `namespace` is the one of the entry."""
    found = []
    for item in reader.items(node, "subjects (namespace and name)"):
        fields = reader.fields(item, ("namespace", "name"), "subjects", {})
        if "name" not in fields:
            if isinstance(item, MappingNode):
                reader.problem(item, 'this subject has no name ("*" is any ServiceAccount of the namespace)')
            continue
        name = reader.text(fields["name"], name_pattern)
        there: str | None = namespace
        if "namespace" in fields:
            there = reader.text(fields["namespace"], namespace_pattern)
        if name and there:
            found.append(names.subject(there, name))
    return tuple(dict.fromkeys(found))


def clusters(reader: Reader, node: Node) -> tuple[OtherCluster, ...]:
    """The further clusters that the role admits these ServiceAccounts of."""
    found = []
    for item in reader.items(node, "clusters (name and region, or issuer)"):
        fields = reader.fields(item, ("name", "region", "issuer"), "clusters", {})
        if ("name" in fields) == ("issuer" in fields):
            if isinstance(item, MappingNode):
                reader.problem(item, "a cluster is given by its name or by its issuer, and not by both")
        elif "issuer" in fields and "region" in fields:
            reader.problem(fields["region"], "an issuer is in no region")
        rules = {"name": names.cluster, "region": names.region, "issuer": check_issuer}
        values = {name: reader.text(fields[name], rules[name]) or "" for name in fields}
        found.append(OtherCluster(**values))
    return tuple(dict.fromkeys(found))


def conditions(reader: Reader, node: Node) -> dict[str, dict[str, Any]]:
    """Conditions that each statement of the trust policy has besides audience and subject."""
    found: dict[str, dict[str, Any]] = {}
    for operator, (key, value) in reader.pairs(node).items():
        if operator_of(operator) is None:
            hint = did_you_mean(operator, COMPARISONS)
            reader.problem(key, f"IAM has no condition operator '{operator}'{hint and ': ' + hint}")
        found[operator] = {name: _values(reader, *pair) for name, pair in reader.pairs(value).items()}
        if not found[operator] and isinstance(value, MappingNode):
            reader.problem(value, f"{operator} has no keys")
    return found


def _values(reader: Reader, key: ScalarNode, node: Node) -> str | list[str]:
    if key.value.lower().endswith((":sub", ":aud")):
        reader.problem(key, f"irsa sets {key.value} itself: use subjects, subjectPattern or audience")
    elif ":" not in key.value:
        reader.problem(key, f"the condition key '{key.value}' names no service: expected SERVICE:KEY")
    if isinstance(node, ScalarNode):
        return reader.text(node, _filled) or ""
    values = list(reader.texts(node, _filled))
    if not values and not node.value:
        reader.problem(node, f"{key.value} has no values")
    return values


def _filled(text: str) -> str:
    """A value of a condition, in which IAM's variables may stand, and no place that nobody has filled in."""
    if "$" in text and (found := placeholder_in_policy(text)):
        raise InvalidInput(f"'{found}' {UNFILLED}")
    return text
