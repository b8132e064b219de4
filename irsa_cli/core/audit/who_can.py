"""Which pods may do something in AWS: by the effective permissions of the roles that they become."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from irsa_cli.core.audit.estate import Estate
from irsa_cli.core.audit.hops import policies_of
from irsa_cli.core.audit.reach import Reachable
from irsa_cli.core.audit.ways import RolePath
from irsa_cli.core.inventory.bindings import BoundRole
from irsa_cli.core.policies.permissions import ANY, Allowed, allowed


@dataclass(frozen=True)
class Can:
    """ServiceAccounts that may do it: by a path to a role, and by what the role's policies allow."""

    path: RolePath
    allowed: Allowed

    @property
    def accounts(self) -> tuple[str, ...]:
        """The ServiceAccounts (namespace/name), in order."""
        return tuple(sorted(self.path.way.accounts))

    @property
    def conditions(self) -> tuple[str, ...]:
        """All that has to hold and can't be known."""
        return (*self.path.conditions, *self.allowed.conditions)


def may(estate: Estate, role: BoundRole, action: str, resource: str = ANY) -> Allowed | None:
    """Whether a role may do it, its permissions boundary included."""
    boundary = estate.policies.get(role.boundary) if role.boundary else None
    policies = policies_of(estate, role)
    return allowed(policies, action, resource, boundary=boundary, has_boundary=bool(role.boundary))


def who_can(reach: Reachable, action: str, resource: str = ANY) -> Iterator[Can]:
    """The ServiceAccounts that may do it, the sure ones first; roles without a way in are left out."""
    found: list[Can] = []
    for role in reach.estate.roles:
        answer = may(reach.estate, role, action, resource)
        if answer is not None:
            found += [Can(path, answer) for path in reach.paths(role.arn)]
    yield from sorted(
        found, key=lambda item: (bool(item.conditions), item.path.way.cluster, item.path.role, item.accounts)
    )
