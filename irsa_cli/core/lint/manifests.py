"""Kubernetes' manifests: ServiceAccounts that name a role, and roles that operators make of objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from irsa_cli.core.lint.found import Found, LintedAccount, LintedTrust
from irsa_cli.core.lint.gaps import Gaps
from irsa_cli.core.lint.intrinsics import as_json
from irsa_cli.core.lint.placed import Placed
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION

_ROLES = {
    "iam.services.k8s.aws": ("spec", "assumeRolePolicyDocument"),
    "iam.aws.upbound.io": ("spec", "forProvider", "assumeRolePolicy"),
    "iam.aws.crossplane.io": ("spec", "forProvider", "assumeRolePolicyDocument"),
}
"""Where the trust policy is in a Role of ACK and of Crossplane's two providers, by the API's group."""


def is_manifest(value: Mapping[str, Any]) -> bool:
    """Whether it is an object of Kubernetes, or a list of them."""
    return all(isinstance(value.get(name), str) and value[name] for name in ("apiVersion", "kind"))


def of_manifest(placed: Placed) -> Iterator[Found]:
    """What it says of roles."""
    items = placed.value.get("items")
    if str(placed.value["kind"]).endswith("List") and isinstance(items, list):
        for index, item in enumerate(items):
            if isinstance(item, dict):
                # kubectl's lists say of each object what it is, the API's say it of the list only.
                kind = item.get("kind") or str(placed.value["kind"]).removesuffix("List")
                version = item.get("apiVersion") or placed.value["apiVersion"]
                yield from _of_object(placed.at("items", index), item, str(version), str(kind))
        return
    yield from _of_object(placed, placed.value, str(placed.value["apiVersion"]), str(placed.value["kind"]))


def _of_object(placed: Placed, value: Mapping[str, Any], version: str, kind: str) -> Iterator[Found]:
    metadata = value.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    name, namespace = str(metadata.get("name") or ""), str(metadata.get("namespace") or "")
    subject = f"{kind} {f'{namespace}/' if namespace else ''}{name}"
    if (version, kind) == ("v1", "ServiceAccount"):
        annotations = metadata.get("annotations")
        if isinstance(annotations, dict) and ROLE_ARN_ANNOTATION in annotations:
            there = replace(placed, subject="")
            yield LintedAccount(there, namespace, name, _text(annotations[ROLE_ARN_ANNOTATION]))
    elif kind == "Role" and (path := _ROLES.get(version.partition("/")[0])):
        found: Any = value
        for step in path:
            found = found.get(step) if isinstance(found, dict) else None
        if isinstance(found, str):
            document, gaps = as_json(found), Gaps()
            yield LintedTrust(placed.at(*path, subject=subject).inside(), document, gaps)


def _text(value: Any) -> str:
    return "" if value is None else str(value)
