"""What identity policies allow: the decision for one call, and AWS's words for a refusal.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
Resource policies, service control policies and session tags are not modelled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from irsa_cli.sandbox.conditions import Context, holds, like, listed

Document = Mapping[str, Any]
Verdict = Literal["allow", "deny", "silent"]


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
    verdicts = [(name, verdict(documents, act)) for name, documents in layers]
    for name, found in verdicts:
        if found == "deny":
            article = "an" if name[0] in "aeiou" else "a"
            return f"with an explicit deny in {article} {name}"
    for name, found in verdicts:
        if found == "silent":
            return f"because no {name} allows the {act.action} action"
    return ""


def verdict(documents: Sequence[Document], act: Act) -> Verdict:
    """What these policies together say to `act`; a denial anywhere wins."""
    effects = {
        statement["Effect"]
        for document in documents
        for statement in listed(document.get("Statement", []))
        if _fits(statement, act)
    }
    if "Deny" in effects:
        return "deny"
    return "allow" if "Allow" in effects else "silent"


def _fits(statement: Mapping[str, Any], act: Act) -> bool:
    return (
        _names(statement, "Action", act.action, ignore_case=True)
        and _names(statement, "Resource", act.resource)
        and holds(statement.get("Condition", {}), act.context, denies=statement["Effect"] == "Deny")
    )


def _names(statement: Mapping[str, Any], element: str, value: str, *, ignore_case: bool = False) -> bool:
    if element in statement:
        return any(like(p, value, ignore_case=ignore_case) for p in listed(statement[element]))
    excluded = listed(statement.get(f"Not{element}", []))
    return bool(excluded) and not any(like(p, value, ignore_case=ignore_case) for p in excluded)
