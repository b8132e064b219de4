"""What the rules ask of one statement of a trust policy: its name, actions, principals, tests.

Documents are others': whatever is in them, nothing here raises for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from irsa_cli.core.policies.conditions import Operator, operator_of
from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.policies.web_identity import ACTION
from irsa_cli.core.trust.evaluation import covers

Statement = Mapping[str, Any]

WAYS_IN = ("sts:AssumeRole", ACTION, "sts:AssumeRoleWithSAML")
"""The actions that give a role's credentials."""


def name_of(index: int, item: Statement) -> str:
    """The statement for people: its place, counted from 1, and its Sid."""
    return f"statement {index + 1}" + (f" ({item['Sid']})" if item.get("Sid") else "")


def place_of(index: int, *more: str | int) -> tuple[str | int, ...]:
    """Where a statement is in the document, or something in it."""
    return ("Statement", index, *more)


def statements(document: Mapping[str, Any]) -> list[Statement]:
    """All statements; what is none counts as an empty one, so that places stay."""
    return [item if isinstance(item, dict) else {} for item in as_list(document.get("Statement", []))]


def allowing(document: Mapping[str, Any]) -> Iterator[tuple[int, Statement]]:
    """The statements that allow something, with their places."""
    for index, item in enumerate(statements(document)):
        if item.get("Effect") == "Allow":
            yield index, item


def actions_of(item: Statement) -> tuple[str, ...]:
    """The patterns of its actions."""
    return tuple(map(str, as_list(item.get("Action", []))))


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


def tests_of(item: Statement) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Operator, key and values of each test in its conditions."""
    block = item.get("Condition")
    for name, keys in block.items() if isinstance(block, dict) else ():
        for key, values in keys.items() if isinstance(keys, dict) else ():
            yield str(name), str(key), tuple(map(str, as_list(values)))


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
