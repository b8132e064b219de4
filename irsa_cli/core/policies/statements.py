"""The parts of a policy's statements (name, actions, principals, tests), and what policies allow together.

Reading parts never raises. Permissions are yes, no, or under conditions: SCPs, RCPs, resource and session
policies are not evaluated, and conditions are not tested.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from typing import Any

from irsa_cli.core.policies.operators import Operator, like, operator_of
from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.policies.web_identity import ACTION

Statement = Mapping[str, Any]

PROVIDER = re.compile(r"arn:[\w-]+:iam::\d*:oidc-provider/(?P<url>.*)")
WAYS_IN = ("sts:AssumeRole", ACTION, "sts:AssumeRoleWithSAML")
"""The actions that give a role's credentials."""


def name_of(index: int, item: Statement) -> str:
    """The statement for people: its place, counted from 1, and its Sid."""
    return f"statement {index + 1}" + (f" ({item['Sid']})" if item.get("Sid") else "")


def place_of(index: int, *more: str | int) -> tuple[str | int, ...]:
    """Where a statement is in the document, or something in it."""
    return ("Statement", index, *more)


def statements(document: Any) -> list[Statement]:
    """All statements; what is none counts as an empty one, so that places stay."""
    found = as_list(document.get("Statement", [])) if isinstance(document, dict) else []
    return [item if isinstance(item, dict) else {} for item in found]


def allowing(document: Mapping[str, Any]) -> Iterator[tuple[int, Statement]]:
    """The statements that allow something, with their places."""
    for index, item in enumerate(statements(document)):
        if item.get("Effect") == "Allow":
            yield index, item


def actions_of(item: Statement) -> tuple[str, ...]:
    return tuple(map(str, as_list(item.get("Action", []))))


@lru_cache(maxsize=4096)
def covers(patterns: tuple[str, ...], action: str) -> bool:
    """Whether one of the patterns matches the action; case is ignored."""
    return any(like(action.lower(), pattern.lower()) for pattern in patterns)


def does(item: Statement, action: str) -> bool:
    """Whether its actions include this one."""
    excluding = "NotAction" in item
    patterns = tuple(map(str, as_list(item["NotAction"]))) if excluding else actions_of(item)
    return covers(patterns, action) != excluding


def names_everybody(item: Statement) -> bool:
    """Whether its principal is everybody, or all but some."""
    if "NotPrincipal" in item:
        return True
    principal = item.get("Principal")
    if not isinstance(principal, dict):
        return principal == "*"
    return any("*" in as_list(principal.get(kind, [])) for kind in ("AWS", "Federated"))


def principals(item: Statement, kind: str) -> tuple[str, ...]:
    """The principals of a kind (AWS, Federated, Service) that it names."""
    found = item.get("Principal")
    return tuple(map(str, as_list(found.get(kind, [])))) if isinstance(found, dict) else ()


def words_of(principal: Any) -> tuple[str, ...]:
    """A Principal element for people: each name with its kind."""
    if not isinstance(principal, dict):
        return (str(principal),)
    return tuple(f"{kind} {name}" for kind, names in principal.items() for name in as_list(names))


def trusted_providers(document: Mapping[str, Any]) -> frozenset[str]:
    """The ARNs of the OIDC providers that a trust policy names."""
    names = (name for item in statements(document) for name in principals(item, "Federated"))
    return frozenset(name for name in names if PROVIDER.fullmatch(name))


def names_provider(document: Mapping[str, Any], provider: str) -> bool:
    return any(provider in principals(item, "Federated") for item in statements(document))


def conditions_of(item: Statement) -> Iterator[tuple[str, str, Any]]:
    """Operator, key and value of each test in its conditions."""
    block = item.get("Condition")
    for name, keys in block.items() if isinstance(block, dict) else ():
        for key, value in keys.items() if isinstance(keys, dict) else ():
            yield str(name), str(key), value


def tests_of(item: Statement) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Operator, key and values of each test in its conditions."""
    for name, key, value in conditions_of(item):
        yield name, key, tuple(map(str, as_list(value)))


def tests_of_key(items: Iterable[Statement], key: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Operator and values of each test of a condition key."""
    for item in items:
        yield from ((name, values) for name, of, values in tests_of(item) if of.lower() == key.lower())


def values_of_key(document: Any, key: str) -> list[str]:
    """All values that the statements of a policy test a condition key against."""
    return list(chain.from_iterable(values for _, values in tests_of_key(statements(document), key)))


def comparing(name: str) -> Operator | None:
    """An operator that compares strings, None for another one."""
    operator = operator_of(name)
    return operator if operator is not None and operator.kind.startswith("String") else None


def is_positive(name: str) -> bool:
    """Whether an operator says what has to be, and not what must not."""
    operator = operator_of(name)
    return operator is not None and operator.compare is not None and not operator.negated


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
_UNREAD_BOUNDARY = "its permissions boundary, which was not read, allows it"


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
        return replace(found, conditions=(*found.conditions, _UNREAD_BOUNDARY))
    limit = _allowed({"the permissions boundary": boundary}, action, resource)
    return limit and replace(found, conditions=(*found.conditions, *limit.conditions))


def _allowed(policies: Policies, action: str, resource: str) -> Allowed | None:
    best: Allowed | None = None
    unless: list[str] = []
    for name, document in policies.items():
        if document is None:
            best = best or Allowed(name, (), (f"the policy {name}, which was not read, allows it",))
            continue
        for index, item in enumerate(statements(document)):
            truth = _on(item, resource) if does(item, action) else False
            if truth is False:
                continue
            condition = _condition(item)
            where = f"{name}, {name_of(index, item)}"
            if item.get("Effect") == "Deny":
                # Of any resource, only a Deny of all certainly denies something.
                counts = resource != ANY or "*" in as_list(item.get("Resource", []))
                if truth and not condition and counts:
                    return None
                if counts:
                    unless.append(f"{where} does not deny it{f' ({condition})' if condition else ''}")
            elif item.get("Effect") == "Allow":
                on = tuple(map(str, as_list(item.get("Resource", []))))
                named = f"{where}: {condition}" if condition else ""
                conditions = tuple(filter(None, (named, "" if truth else f"{where} means this resource")))
                if best is None or len(conditions) < len(best.conditions):
                    best = Allowed(where, on, conditions)
    return best and replace(best, conditions=(*best.conditions, *unless))


def _on(item: Mapping[str, Any], resource: str) -> bool | None:
    """Whether a statement is about the resource; None where a variable decides."""
    excluding = "NotResource" in item
    patterns = list(map(str, as_list(item["NotResource"] if excluding else item.get("Resource", []))))
    if resource == ANY:
        return bool(patterns)
    if any(like(resource, pattern) for pattern in patterns):
        return not excluding
    return None if any("${" in pattern for pattern in patterns) else excluding


def _condition(item: Mapping[str, Any]) -> str:
    """The conditions of a statement in one line, '' without one."""
    block = item.get("Condition")
    if block in (None, {}):
        return ""
    if not isinstance(block, dict):
        return "its condition holds"
    each = ((f"{operator} {key}", as_list(value)) for operator, key, value in conditions_of(item))
    return "; ".join(
        f"{name} {' or '.join(map(json.dumps, values[:3]))}{' or …' if len(values) > 3 else ''}"
        for name, values in each
    )
