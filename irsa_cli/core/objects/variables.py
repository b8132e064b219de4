"""A container's environment variables: all names, and the values that a module declares by `variable`.

Other values may be secrets: reading one is an error. `None` is a value from elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

HIDDEN = "(not shown)"
"""Stands for the value of a variable that irsa doesn't look at."""
ROLE = re.compile(r"arn:[\w-]+:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)
"""The ARN of a role: it is kept whatever the variable's name is."""


class Variable(str):
    """The name of a variable whose value is read; see `variable`."""

    __slots__ = ()


_DECLARED: set[str] = set()


def variable(name: str) -> Variable:
    """Declare that this variable's value is read: readings keep it. It must hold no secret."""
    _DECLARED.add(name)
    return Variable(name)


class UndeclaredVariable(LookupError):
    """A module asks for the value of a variable and had not declared it when the container was read."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the value of {name} is not kept: declare it by variable({name!r}) at the top of the module"
        )


class Environment:
    """The variables of a container, in their order."""

    __slots__ = ("_kept", "_names")

    def __init__(self, variables: Mapping[str, str | None] | None = None) -> None:
        """Keep of these what may be kept."""
        given = variables or {}
        self._names = tuple(given)
        self._kept: dict[str, str | None] = {}
        for name, value in given.items():
            is_role = ROLE.fullmatch(value or "") is not None
            if name in _DECLARED or not value or is_role:
                # A URL may have a password before its host.
                self._kept[name] = HIDDEN if "@" in (value or "") and not is_role else value

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __getitem__(self, name: Variable) -> str | None:
        if name not in self:
            _require_declared(name)
            raise KeyError(name)
        return self.get(name)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Environment):
            return NotImplemented
        return (self._names, self._kept) == (other._names, other._kept)

    def __hash__(self) -> int:
        return hash(self._names)

    def __repr__(self) -> str:
        return f"Environment({ {name: self._kept.get(name, HIDDEN) for name in self} })"

    def get(self, name: Variable, default: str | None = None) -> str | None:
        """The value of a declared variable, `default` where the container has no such variable."""
        _require_declared(name)
        if name not in self:
            return default
        if name not in self._kept:  # It was declared after the container was read.
            raise UndeclaredVariable(name)
        return self._kept[name]

    def is_set(self, name: str) -> bool:
        """Whether there is such a variable that is not empty, as far as can be seen; of any name."""
        return name in self and self._kept.get(name, HIDDEN) != ""

    def naming(self, role: str) -> tuple[str, ...]:
        """The variables, of any name, whose value is this ARN of a role."""
        return tuple(name for name in self if self._kept.get(name) == role)


def _require_declared(name: str) -> None:
    if name not in _DECLARED:
        raise UndeclaredVariable(name)
