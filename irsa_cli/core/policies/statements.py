"""The parts of a policy's statements: name, actions, principals, tests. Never raises."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from irsa_cli.core.policies.conditions import Operator, operator_of
from irsa_cli.core.policies.operators import like
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
    """Whether a trust policy names an OIDC provider as a federated principal."""
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


def comparing(name: str) -> Operator | None:
    """An operator that compares strings, None for another one."""
    operator = operator_of(name)
    return operator if operator is not None and operator.kind.startswith("String") else None


def is_positive(name: str) -> bool:
    """Whether an operator says what has to be, and not what must not."""
    operator = operator_of(name)
    return operator is not None and operator.compare is not None and not operator.negated
