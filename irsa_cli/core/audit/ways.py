"""A way in: how ServiceAccounts become a role, and which statement decides. Found in `reach`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class By(str, Enum):
    """How a pod becomes a role; the value is what `-o json` shows."""

    WEB_IDENTITY = "web-identity"
    POD_IDENTITY = "pod-identity"


@dataclass(frozen=True)
class Way:
    """ServiceAccounts of a cluster (namespace/name) that become a role the same way.

    `statement` admits them, if all `conditions` hold, which can't be known from outside. `audiences` are
    those of the tokens with which they do. `named`: the statement names them one by one.
    """

    role: str
    cluster: str
    by: By
    accounts: frozenset[str]
    statement: str
    conditions: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()
    named: bool = False


@dataclass(frozen=True)
class Hop:
    """A role that becomes another one by sts:AssumeRole: what allows it, and what admits it."""

    source: str
    target: str
    allowed_by: str
    admitted_by: str
    conditions: tuple[str, ...] = ()


@dataclass(frozen=True)
class RolePath:
    """A way in, and the hops from its role to the last one. `cycle`: that leads back to a role before it."""

    way: Way
    hops: tuple[Hop, ...] = ()
    cycle: bool = False

    @property
    def role(self) -> str:
        """The role at its end."""
        return self.hops[-1].target if self.hops else self.way.role

    @property
    def roles(self) -> tuple[str, ...]:
        """All roles on it, in order."""
        return (self.way.role, *(hop.target for hop in self.hops))

    @property
    def conditions(self) -> tuple[str, ...]:
        """All that has to hold and can't be known."""
        return (*self.way.conditions, *(text for hop in self.hops for text in hop.conditions))
