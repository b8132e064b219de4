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

from irsa_cli.core.policies.iam_kinds import iam_kind
from irsa_cli.core.policies.operators import Operator, like, operator_of
from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.policies.web_identity import ACTION

Statement = Mapping[str, Any]

PROVIDER = re.compile(r"arn:[\w-]+:iam::\d*:oidc-provider/(?P<url>.*)")
WAYS_IN = ("sts:AssumeRole", ACTION, "sts:AssumeRoleWithSAML")
"""The actions that give a role's credentials."""


def name_of(index: int, statement: Statement) -> str:
    """The statement for people: its place, counted from 1, and its Sid."""
    name = f"statement {index + 1}"
    if statement.get("Sid"):
        name += f" ({statement['Sid']})"
    return name


def place_of(index: int, *more: str | int) -> tuple[str | int, ...]:
    """Where a statement is in the document, or something in it."""
    return ("Statement", index, *more)


def statements(document: Any) -> list[Statement]:
    """All statements; what is none counts as an empty one, so that places stay."""
    if not isinstance(document, dict):
        return []
    elements = as_list(document.get("Statement", []))
    return [element if isinstance(element, dict) else {} for element in elements]


def allowing(document: Mapping[str, Any]) -> Iterator[tuple[int, Statement]]:
    """The statements that allow something, with their places."""
    for index, statement in enumerate(statements(document)):
        if statement.get("Effect") == "Allow":
            yield index, statement


def actions_of(statement: Statement) -> tuple[str, ...]:
    return tuple(map(str, as_list(statement.get("Action", []))))


@lru_cache(maxsize=4096)
def covers(patterns: tuple[str, ...], action: str) -> bool:
    """Whether one of the patterns matches the action; case is ignored."""
    return any(like(action.lower(), pattern.lower()) for pattern in patterns)


def does(statement: Statement, action: str) -> bool:
    """Whether its actions include this one."""
    if "NotAction" in statement:
        return not covers(tuple(map(str, as_list(statement["NotAction"]))), action)
    return covers(actions_of(statement), action)


def names_everybody(statement: Statement) -> bool:
    """Whether its principal is everybody, or all but some."""
    if "NotPrincipal" in statement:
        return True
    principal = statement.get("Principal")
    if not isinstance(principal, dict):
        return principal == "*"
    return any("*" in as_list(principal.get(kind, [])) for kind in ("AWS", "Federated"))


def principals(statement: Statement, kind: str) -> tuple[str, ...]:
    """The principals of a kind (AWS, Federated, Service) that it names."""
    principal = statement.get("Principal")
    if not isinstance(principal, dict):
        return ()
    return tuple(map(str, as_list(principal.get(kind, []))))


def words_of(principal: Any) -> tuple[str, ...]:
    """A Principal element for people: each name with its kind."""
    if not isinstance(principal, dict):
        return (str(principal),)
    words: list[str] = []
    for kind, names in principal.items():
        words += [f"{kind} {name}" for name in as_list(names)]
    return tuple(words)


def trusted_providers(document: Mapping[str, Any]) -> frozenset[str]:
    """The ARNs of the OIDC providers that a trust policy names."""
    names = chain.from_iterable(principals(statement, "Federated") for statement in statements(document))
    return frozenset(filter(PROVIDER.fullmatch, names))


def names_provider(document: Mapping[str, Any], provider: str) -> bool:
    return any(provider in principals(statement, "Federated") for statement in statements(document))


def conditions_of(statement: Statement) -> Iterator[tuple[str, str, Any]]:
    """Operator, key and value of each test in its conditions."""
    block = statement.get("Condition")
    if not isinstance(block, dict):
        return
    for operator, keys in block.items():
        if isinstance(keys, dict):
            yield from ((str(operator), str(key), value) for key, value in keys.items())


def tests_of(statement: Statement) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Operator, key and values of each test in its conditions."""
    for operator, key, value in conditions_of(statement):
        yield operator, key, tuple(map(str, as_list(value)))


def tests_of_key(policy_statements: Iterable[Statement], key: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Operator and values of each test of a condition key."""
    for operator, tested_key, values in chain.from_iterable(map(tests_of, policy_statements)):
        if tested_key.lower() == key.lower():
            yield operator, values


def values_of_key(document: Any, key: str) -> list[str]:
    """All values that the statements of a policy test a condition key against."""
    return list(chain.from_iterable(values for _, values in tests_of_key(statements(document), key)))


def comparing(name: str) -> Operator | None:
    """An operator that compares strings, None for another one."""
    operator = operator_of(name)
    if operator is None or not operator.kind.startswith("String"):
        return None
    return operator


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

    def under(self, *conditions: str) -> Allowed:
        """The same, under more conditions."""
        return replace(self, conditions=(*self.conditions, *conditions))


Policies = Mapping[str, Any]
"""Documents by the name of the policy; None for one that could not be read."""
_UNREAD_BOUNDARY = "its permissions boundary, which was not read, allows it"


def allowed(
    policies: Policies, action: str, resource: str = ANY, *, boundary: Any = None, has_boundary: bool = False
) -> Allowed | None:
    """Whether policies allow an action on a resource (a pattern, or any); None if not.

    `has_boundary`: a boundary exists; its document is None if it could not be read.
    """
    permission = _allowed(policies, action, resource)
    if permission is None or not has_boundary:
        return permission
    if boundary is None:
        return permission.under(_UNREAD_BOUNDARY)
    limit = _allowed({"the permissions boundary": boundary}, action, resource)
    if limit is None:
        return None
    return permission.under(*limit.conditions)


def _allowed(policies: Policies, action: str, resource: str) -> Allowed | None:
    best: Allowed | None = None
    unless: list[str] = []
    for name, document in policies.items():
        if document is None:
            best = best or Allowed(name, (), (f"the policy {name}, which was not read, allows it",))
            continue
        for index, statement, truth in _about(document, action, resource):
            where = f"{name}, {name_of(index, statement)}"
            if statement.get("Effect") == "Allow":
                permission = _permission(where, statement, truth)
                if best is None or len(permission.conditions) < len(best.conditions):
                    best = permission
            elif statement.get("Effect") == "Deny":
                # Of any resource, only a Deny of all certainly denies something.
                if resource == ANY and "*" not in as_list(statement.get("Resource", [])):
                    continue
                condition = _condition(statement)
                if truth and not condition:
                    return None
                unless.append(f"{where} does not deny it{f' ({condition})' if condition else ''}")
    if best is None:
        return None
    return best.under(*unless)


def _about(document: Any, action: str, resource: str) -> Iterator[tuple[int, Statement, bool | None]]:
    """The statements about an action on a resource; None where a variable decides whether they are."""
    for index, statement in enumerate(statements(document)):
        if does(statement, action):
            truth = _on(statement, resource, iam_kind(action))
            if truth is not False:
                yield index, statement, truth


def _permission(where: str, statement: Statement, truth: bool | None) -> Allowed:
    conditions: list[str] = []
    condition = _condition(statement)
    if condition:
        conditions.append(f"{where}: {condition}")
    if truth is None:
        conditions.append(f"{where} means this resource")
    resources = tuple(map(str, as_list(statement.get("Resource", []))))
    return Allowed(where, resources, tuple(conditions))


def _on(statement: Statement, resource: str, kind: str) -> bool | None:
    """Whether a statement is about the resource; None where a variable decides.

    `kind` is the kind of IAM resource of the action: of any resource, a role is no user.
    """
    excluding = "NotResource" in statement
    element = statement["NotResource"] if excluding else statement.get("Resource", [])
    patterns = list(map(str, as_list(element)))
    if resource == ANY:
        return bool(patterns) and (excluding or any(can_be(kind, pattern) for pattern in patterns))
    if any(like(resource, pattern) for pattern in patterns):
        return not excluding
    if any("${" in pattern for pattern in patterns):
        return None
    return excluding


def can_be(kind: str, pattern: str) -> bool:
    """Whether a pattern of resources can mean an IAM resource of the kind ('' for any)."""
    if not kind or not pattern.strip("*"):
        return True
    _, _, service, *_, path = [*pattern.split(":", 5), *"*****"][:6]
    return like("iam", service) and like(kind, path.partition("/")[0])


def _condition(statement: Statement) -> str:
    """The conditions of a statement in one line, '' without one."""
    block = statement.get("Condition")
    if block in (None, {}):
        return ""
    if not isinstance(block, dict):
        return "its condition holds"
    tests = []
    for operator, key, value in conditions_of(statement):
        values = as_list(value)
        shown = list(map(json.dumps, values[:3]))
        if len(values) > 3:
            shown.append("…")
        tests.append(f"{operator} {key} {' or '.join(shown)}")
    return "; ".join(tests)
