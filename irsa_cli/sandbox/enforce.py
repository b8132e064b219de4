"""Evaluate policies: identity policies, with AWS's words for a refusal, and the trust policies of roles.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
Resource policies, service control policies and session tags are not modelled. Of a condition key that the
sandbox knows nothing of, the worst is assumed: what allows by it allows nothing, what denies by it denies.
A trust policy is taken to be grammatical; `aws.iam.grammar` sees to that when it is written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Literal

from irsa_cli.sandbox.conditions import Context, holds, like, listed
from irsa_cli.sandbox.model import table

Document = Mapping[str, Any]
Verdict = Literal["allow", "deny", "silent"]

# The keys that the sandbox gives values to; one of these without a value is one that the request lacks.
_KEYS = frozenset(table("known keys"))
_TAGS = ("aws:principaltag/", "aws:requesttag/", "aws:resourcetag/", "iam:resourcetag/")


@dataclass(frozen=True)
class Act:
    """A call as policies see it: `iam:CreateRole` on a resource's ARN, with the values of condition keys."""

    action: str
    resource: str
    context: Context = field(default_factory=dict)


@dataclass(frozen=True)
class Powers:
    """All that bounds a caller: identity policies, and what they are intersected with (None: not set)."""

    identity: Sequence[Document]
    boundary: Document | None = None
    session: Document | None = None


def refusal(powers: Powers, act: Act) -> str:
    """Why `act` is refused, as AWS words it; empty when it is allowed."""
    layers: list[tuple[str, Sequence[Document]]] = [("identity-based policy", powers.identity)]
    if powers.boundary is not None:
        layers.append(("permissions boundary", [powers.boundary]))
    if powers.session is not None:
        layers.append(("session policy", [powers.session]))
    verdicts = [(name, verdict(documents, act, wary=True)) for name, documents in layers]
    for name, found in verdicts:
        if found == "deny":
            article = "an" if name[0] in "aeiou" else "a"
            return f"with an explicit deny in {article} {name}"
    for name, found in verdicts:
        if found == "silent":
            return f"because no {name} allows the {act.action} action"
    return ""


def verdict(documents: Sequence[Document], act: Act, *, wary: bool = False) -> Verdict:
    """The verdict of these policies on `act`, a Deny wins; `wary`: unknown keys count against the caller."""
    effects = {
        statement["Effect"]
        for document in documents
        for statement in listed(document.get("Statement", []))
        if _fits(statement, act, variables=document.get("Version") == "2012-10-17", wary=wary)
    }
    if "Deny" in effects:
        return "deny"
    return "allow" if "Allow" in effects else "silent"


def _fits(statement: Mapping[str, Any], act: Act, *, variables: bool, wary: bool) -> bool:
    if not _acts(statement, act.action):
        return False
    source = act.context if variables else None
    if not _names(statement, "Resource", lambda pattern: like(pattern, act.resource, source)):
        return False
    conditions = statement.get("Condition", {})
    if wary and not all(_is_known(key, act) for keys in conditions.values() for key in keys):
        return bool(statement["Effect"] == "Deny")
    return holds(conditions, act.context, variables=variables, denies=statement["Effect"] == "Deny")


def _is_known(key: str, act: Act) -> bool:
    name = key.lower()
    return name in _KEYS or name in act.context or name.startswith(_TAGS)


def _acts(statement: Mapping[str, Any], action: str) -> bool:
    return _names(statement, "Action", lambda pattern: like(pattern, action, ignore_case=True))


def _names(statement: Mapping[str, Any], element: str, fits: Callable[[str], bool]) -> bool:
    """Whether some pattern of an element fits, or there is none of its Not form that does."""
    if element in statement:
        return any(fits(pattern) for pattern in listed(statement[element]))
    excluded = listed(statement.get(f"Not{element}", []))
    return bool(excluded) and not any(fits(pattern) for pattern in excluded)


@dataclass(frozen=True)
class Who:
    """The caller that wants to assume the role, as the principals of a policy name it.

    `federated` is a provider's ARN, `service` a service of AWS. `aws` are all names of an AWS caller: its
    ARN, and those of its role and account.
    """

    federated: str = ""
    aws: tuple[str, ...] = ()
    service: str = ""


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
    named = [
        (s["Effect"], _named(s, who))
        for s in statements
        if _acts(s, action)
        and holds(s.get("Condition", {}), context, variables=variables, denies=s["Effect"] == "Deny")
    ]
    if any(effect == "Deny" and names for effect, names in named):
        return None
    allowing = [names for effect, names in named if effect == "Allow" and names]
    return set().union(*allowing) if allowing else None


def _named(statement: dict[str, Any], who: Who) -> set[str]:
    if "NotPrincipal" in statement:
        return {"*"} - ({"*"} if _principals(statement["NotPrincipal"], who) else set())
    return _principals(statement.get("Principal", {}), who)


def _principals(principal: Any, who: Who) -> set[str]:
    if principal == "*":
        return {"*"} if not who.service else set()
    federated = {p for p in listed(principal.get("Federated", [])) if p == who.federated}
    aws = {p for p in listed(principal.get("AWS", [])) if who.aws and (p == "*" or p in who.aws)}
    return federated | aws | {p for p in listed(principal.get("Service", [])) if p == who.service}
