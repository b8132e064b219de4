"""A short record of a plan and its current state, by which it is known again. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from importlib.resources import files
from typing import Any

from irsa_cli.core.plan.changes import Plan
from irsa_cli.core.plan.states import TRANSACTION_TAG

Seen = Mapping[str, str]
"""A current state: what its parts are called, and a digest of each value. No value can be read of it."""

_TABLES = json.loads((files(__package__) / "parts.json").read_text(encoding="utf-8"))
PASSED_OVER = frozenset(_TABLES["ignored"])
"""Changes without a meaning (IAM fills in thumbprints), or already in the target."""
_MAKER = ("provider", "tags", TRANSACTION_TAG)
"""The run that created the provider: for its dependents that may be another part of the same plan."""
_DOCUMENTS = frozenset({"trust", "document"})
_SILENT = frozenset({"state", "role", "account"})
_WORDS: Mapping[str, str] = _TABLES["words"]
THERE = "is there"


@dataclass(frozen=True)
class ServedAccounts:
    """Which ServiceAccounts (`namespace/name`) EKS Pod Identity serves: the association, or why unknown."""

    associations: Mapping[str, str] = field(default_factory=dict)


def seen_of(*parts: Any) -> Seen:
    """A current state in brief: of values of `irsa_cli.core.binding`, or any other dataclass."""
    found: dict[str, str] = {}
    for number, part in enumerate(parts, 1):
        # Of several the number tells which: what is there of one is not what is there of another.
        about = f"{number}: " if sum(type(one) is type(part) for one in parts) > 1 else ""
        found.update({f"{about}{name}": value for name, value in _leaves(part, ())})
    return dict(sorted(found.items()))


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if value is None or value == "":
        return
    if is_dataclass(value) and not isinstance(value, type):
        if path:
            yield _name(path), THERE
        for item in fields(value):
            if item.name not in PASSED_OVER:
                yield from _leaves(getattr(value, item.name), (*path, item.name))
    elif isinstance(value, Mapping) and not (path and path[-1] in _DOCUMENTS):
        # A document stands under its name; anything else is a text.
        found = ((key, one) for key, one in value.items() if (*path[-2:], key) != _MAKER)
        yield from ((_name((*path, str(key))), _digest(one)) for key, one in found)
    elif isinstance(value, Sequence | frozenset | set) and not isinstance(value, str):
        for number, one in enumerate(value):
            if is_dataclass(one):
                yield from _leaves(one, (*path, str(getattr(one, "name", number))))
            else:
                yield _name((*path, str(one))), THERE
    else:
        yield _name(path), _digest(value)


def _name(path: tuple[str, ...]) -> str:
    first = [_WORDS.get(part, part.replace("_", " ")) for part in path[:1]]
    rest = [_WORDS.get(part, part.replace("_", " ") if part.islower() else part) for part in path[1:]]
    return " ".join(
        [*first, *(word for word, part in zip(rest, path[1:], strict=True) if part not in _SILENT)]
    )


def _digest(value: Any) -> str:
    plain = value.value if isinstance(value, Enum) else value
    text = json.dumps(plain, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class PlannedWork:
    """One planned transaction: object, plan, and state then; `cluster` is an ARN; the rest as in journals."""

    cluster: str
    command: str
    service_account: str
    plan: Plan = field(default_factory=Plan)
    seen: Seen = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str]:
        """The object it is about."""
        return (self.cluster, self.command, self.service_account)
