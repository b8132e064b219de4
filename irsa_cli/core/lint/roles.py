"""Trust policies as IAM has them: alone, and as `aws iam` prints them with their roles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from irsa_cli.core.lint.found import LintedTrust
from irsa_cli.core.lint.intrinsics import as_json
from irsa_cli.core.lint.placed import Path, Placed
from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.trust.rules.power import power

_DOCUMENT = "AssumeRolePolicyDocument"
_LISTS = ("RoleDetailList", "Roles")


def is_policy(value: Any) -> bool:
    """Whether a document is a trust policy: its statements have principals."""
    if not isinstance(value, dict) or "Statement" not in value:
        return False
    items = as_list(value["Statement"])
    return any(isinstance(item, dict) and item.keys() & {"Principal", "NotPrincipal"} for item in items)


def is_roles(value: Mapping[str, Any]) -> bool:
    """Whether it is what `aws iam get-role`, `list-roles` or `get-account-authorization-details` prints."""
    one = value.get("Role")
    return (isinstance(one, dict) and _DOCUMENT in one) or any(
        isinstance(value.get(name), list) for name in _LISTS
    )


def of_policy(placed: Placed) -> Iterator[LintedTrust]:
    """The policy alone."""
    yield LintedTrust(placed, placed.value)


def of_roles(placed: Placed) -> Iterator[LintedTrust]:
    """The policies of all roles."""
    value = placed.value
    paths: list[Path] = [("Role",)] if isinstance(value.get("Role"), dict) else []
    paths += [(name, index) for name in _LISTS for index, _ in enumerate(listed(value.get(name)))]
    for path in paths:
        role: Any = value
        for step in path:
            role = role[step]
        if isinstance(role, dict) and _DOCUMENT in role:
            found = placed.at(*path, _DOCUMENT, subject=str(role.get("Arn") or role.get("RoleName") or ""))
            document = role[_DOCUMENT]
            known = as_json(unquote(document)) if isinstance(document, str) else document
            yield LintedTrust(found, known, power=_power(role))


def _power(role: Mapping[str, Any]) -> str:
    attached = [str(item.get("PolicyArn")) for item in dicts(role.get("AttachedManagedPolicies"))]
    inline = {
        str(item.get("PolicyName")): item.get("PolicyDocument") for item in dicts(role.get("RolePolicyList"))
    }
    boundary = role.get("PermissionsBoundary")
    limit = str(boundary.get("PermissionsBoundaryArn", "")) if isinstance(boundary, dict) else ""
    return power(attached, inline, limit)


def listed(value: Any) -> list[Any]:
    """The elements of a list; nothing of what is none."""
    return value if isinstance(value, list) else []


def dicts(value: Any) -> list[dict[str, Any]]:
    """The mappings of a list."""
    return [item for item in listed(value) if isinstance(item, dict)]
