"""The permissions of a role's policies and boundary: yes, no, or under conditions.

SCPs, RCPs, resource and session policies are not evaluated, conditions are not tested.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from irsa_cli.core.policies.operators import like
from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.policies.statements import conditions_of, does, name_of, statements

ANY = ""
"""Any resource: an action is allowed on some."""


@dataclass(frozen=True)
class Allowed:
    """An allowed action: the statement, the resources, and the conditions, if any."""

    by: str
    resources: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()


Policies = Mapping[str, Any]
"""Documents by the name of the policy; None for one that could not be read."""


def allowed(
    policies: Policies, action: str, resource: str = ANY, *, boundary: Any = None, has_boundary: bool = False
) -> Allowed | None:
    """Whether policies allow an action on a resource (a pattern, or any); None if not.

    `has_boundary`: a boundary exists; its document is None if it could not be read.
    """
    found = _allowed(policies, action, resource)
    if found is None or not has_boundary:
        return found
    if boundary is None:
        why = "its permissions boundary, which was not read, allows it"
        return Allowed(found.by, found.resources, (*found.conditions, why))
    limit = _allowed({"the permissions boundary": boundary}, action, resource)
    if limit is None:
        return None
    return Allowed(found.by, found.resources, (*found.conditions, *limit.conditions))


def _allowed(policies: Policies, action: str, resource: str) -> Allowed | None:
    best: Allowed | None = None
    unless: list[str] = []
    for name, document in policies.items():
        if document is None:
            best = best or Allowed(name, (), (f"the policy {name}, which was not read, allows it",))
            continue
        for where, item in _about(name, document, action):
            truth = _on(item, resource)
            if truth is False:
                continue
            condition = _condition(item)
            if item.get("Effect") == "Deny":
                if truth and not condition and (resource != ANY or _is_everything(item)):
                    return None
                if resource != ANY or _is_everything(item):
                    unless.append(f"{where} does not deny it{f' ({condition})' if condition else ''}")
            elif item.get("Effect") == "Allow":
                on = tuple(map(str, as_list(item.get("Resource", []))))
                conditions = ((f"{where}: {condition}",) if condition else ()) + (
                    () if truth else (f"{where} means this resource",)
                )
                if best is None or len(conditions) < len(best.conditions):
                    best = Allowed(where, on, conditions)
    return None if best is None else Allowed(best.by, best.resources, (*best.conditions, *unless))


def _about(name: str, document: Any, action: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for index, item in enumerate(statements(document)):
        if does(item, action):
            yield f"{name}, {name_of(index, item)}", item


def _on(item: Mapping[str, Any], resource: str) -> bool | None:
    """Whether a statement is about the resource; None where a variable decides."""
    excluding = "NotResource" in item
    patterns = list(map(str, as_list(item["NotResource"] if excluding else item.get("Resource", []))))
    if resource == ANY:
        return bool(patterns)
    if any(like(resource, pattern) for pattern in patterns):
        return not excluding
    if any("${" in pattern for pattern in patterns):
        return None
    return excluding


def _is_everything(item: Mapping[str, Any]) -> bool:
    return "*" in as_list(item.get("Resource", []))


def _condition(item: Mapping[str, Any]) -> str:
    """The conditions of a statement in one line, '' without one."""
    block = item.get("Condition")
    if block in (None, {}):
        return ""
    if not isinstance(block, dict):
        return "its condition holds"
    return "; ".join(_words(item))


def _words(item: Mapping[str, Any]) -> Iterator[str]:
    for operator, key, value in conditions_of(item):
        values = as_list(value)
        shown = " or ".join(map(json.dumps, values[:3]))
        yield f"{operator} {key} {shown}{' or …' if len(values) > 3 else ''}"
