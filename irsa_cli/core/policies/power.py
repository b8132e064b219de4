"""What of a role's policies makes its holder administrator, or lets him become one: in words.

Pure, and by the plainest signs: AWS's own policies of that kind, and statements that allow all actions, or
all of IAM, on everything. What a permissions boundary leaves of it is not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from irsa_cli.core.policies.policy import as_list

_MANAGED = re.compile(r"arn:[\w-]+:iam::aws:policy/(AdministratorAccess|PowerUserAccess|IAMFullAccess)")
_ALL = {"*", "*:*", "iam:*"}


def power(attached: Iterable[str], inline: Mapping[str, Any] | None = None, boundary: str = "") -> str:
    """What is much of a role's policies, '' when nothing is.

    `attached` are the ARNs of managed policies, `inline` documents by name (or ARN). With a permissions
    `boundary` it is said that there is one: a role may do what both allow.
    """
    found = [match[1] for arn in sorted(attached) if (match := _MANAGED.fullmatch(arn))]
    for name, document in sorted((inline or {}).items()):
        if not _MANAGED.fullmatch(name):
            found += [f"{action} by the policy {name}" for action in _much(document)]
    if not found:
        return ""
    said = " and ".join(dict.fromkeys(found))
    return f"{said} (as far as its permissions boundary allows)" if boundary else said


def _much(document: Any) -> list[str]:
    statements = as_list(document.get("Statement", [])) if isinstance(document, dict) else []
    return [
        str(action)
        for item in statements
        if isinstance(item, dict)
        and item.get("Effect") == "Allow"
        and "*" in as_list(item.get("Resource", []))
        for action in as_list(item.get("Action", []))
        if str(action).lower() in _ALL
    ]
