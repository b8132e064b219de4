"""Whether a role's trust policy admits a caller, as STS decides it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
The policy is taken to be grammatical; `aws.grammar` sees to that when it is written.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from irsa_cli.sandbox.conditions import Context, holds, like, listed


@dataclass(frozen=True)
class Who:
    """Who wants to assume the role, as the principals of a policy name them.

    `federated` is a provider's ARN. `aws` are all names of an AWS caller: its ARN, and those of its role
    and account.
    """

    federated: str = ""
    aws: tuple[str, ...] = ()


def of_every_request() -> dict[str, list[str]]:
    """The condition keys that every direct call to STS has, as far as the sandbox knows them.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
    """
    now = datetime.now(timezone.utc)
    return {
        "aws:currenttime": [now.strftime("%Y-%m-%dT%H:%M:%SZ")],
        "aws:epochtime": [f"{now.timestamp():.0f}"],
        "aws:securetransport": ["true"],  # STS has no other.
        "aws:sourceip": ["127.0.0.1"],
        "aws:viaawsservice": ["false"],
    }


def admits(document: str, action: str, who: Who, context: Context) -> bool:
    """Whether some statement allows `action` to `who`, and none denies it."""
    return admitting(document, action, who, context) is not None


def admitting(document: str, action: str, who: Who, context: Context) -> set[str] | None:
    """The principals by which `document` allows `action` to `who`; None when it does not."""
    policy = json.loads(document)
    # Older policies, and those that name no version, have no variables.
    variables = policy.get("Version") == "2012-10-17"
    statements = listed(policy.get("Statement", []))
    fitting = [s for s in statements if _fits(s, action, context, variables=variables)]
    named = [(s["Effect"], _named(s, who)) for s in fitting]
    if any(effect == "Deny" and names for effect, names in named):
        return None
    allowing = [names for effect, names in named if effect == "Allow" and names]
    return set().union(*allowing) if allowing else None


def _fits(statement: dict[str, Any], action: str, context: Context, *, variables: bool) -> bool:
    if "Action" in statement:
        acts = any(like(a, action, ignore_case=True) for a in listed(statement["Action"]))
    else:
        acts = not any(like(a, action, ignore_case=True) for a in listed(statement.get("NotAction", [])))
    return acts and holds(
        statement.get("Condition", {}), context, variables=variables, denies=statement["Effect"] == "Deny"
    )


def _named(statement: dict[str, Any], who: Who) -> set[str]:
    if "NotPrincipal" in statement:
        return {"*"} - ({"*"} if _principals(statement["NotPrincipal"], who) else set())
    return _principals(statement.get("Principal", {}), who)


def _principals(principal: Any, who: Who) -> set[str]:
    if principal == "*":
        return {"*"}
    federated = {p for p in listed(principal.get("Federated", [])) if p == who.federated}
    aws = {p for p in listed(principal.get("AWS", [])) if who.aws and (p == "*" or p in who.aws)}
    return federated | aws
