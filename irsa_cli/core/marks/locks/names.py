"""Locks: their objects, the order in which a run takes them, names of their Leases, and a plan's locks."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import SERVICE_ACCOUNT_TAG, RoleState
from irsa_cli.core.values.arn import role_arn
from irsa_cli.core.values.cluster import Cluster

LONGEST = 63
"""Characters of a name that is a label of DNS, and of a label's value."""
_DIGEST = 12


class LockScope(IntEnum):
    """The kind of locked object; the numbers are the order in which locks are taken."""

    BINDING = 0
    NAMESPACE = 1
    PROVIDER = 2
    ROLE = 3

    @property
    def is_shared(self) -> bool:
        """Whether several bindings have it in common."""
        return self is not LockScope.BINDING


_WORDS = {
    LockScope.BINDING: "ServiceAccount",
    LockScope.NAMESPACE: "namespace",
    LockScope.PROVIDER: "OIDC provider",
    LockScope.ROLE: "role",
}


@dataclass(frozen=True, order=True)
class Lock:
    """One object (`subject`) for one run at a time; sorted, so that no runs wait in a circle."""

    scope: LockScope
    subject: str

    @classmethod
    def of_role(cls, account: str, name: str, partition: str = "aws") -> Lock:
        """A role's; its path is left out, as names are unique in an account whatever the path is."""
        return cls(LockScope.ROLE, f"arn:{partition}:iam::{account}:role/{name}")

    @property
    def words(self) -> str:
        return f"{_WORDS[self.scope]} {self.subject}"

    @property
    def name(self) -> str:
        """The name of its Lease (RFC 1123 label): readable, and never the one of another lock."""
        readable = self.subject.rpartition("/")[2] if self.scope.is_shared else self.subject
        kind = self.scope.name.lower()
        return distinct(f"irsa-{kind}-{readable}", f"{kind}\0{self.subject}")


def distinct(readable: str, identity: str) -> str:
    """A valid name of which a person knows what it is for, with a digest that keeps two apart."""
    digest = hashlib.sha256(identity.encode()).hexdigest()[:_DIGEST]
    plain = re.sub(r"[^a-z0-9]+", "-", readable.lower())[: LONGEST - _DIGEST - 1].strip("-")
    return f"{plain}-{digest}" if plain else f"irsa-{digest}"


def shared_locks(changes: Iterable[Change], cluster: Cluster) -> frozenset[Lock]:
    """The locks of objects that others may also use.

    That is namespaces and providers to create, mark or delete, roles to delete, and roles that
    were there before and whose trust policy is changed, in whatever account.
    """
    every = tuple(changes)
    made = {change.object for change in every if change.kind.is_whole and change.before is None}
    return frozenset(lock for change in every for lock in _shared(change, made, cluster))


def _shared(change: Change, made: set[tuple[Kind, tuple[str, ...]]], cluster: Cluster) -> Iterator[Lock]:
    kind, target = change.object
    if kind is Kind.NAMESPACE:
        yield Lock(LockScope.NAMESPACE, target[0])
    elif kind is Kind.PROVIDER:
        yield Lock(LockScope.PROVIDER, target[0])
    elif kind is Kind.TARGET_TRUST:
        arn = role_arn(target[0])
        yield Lock.of_role(arn.account, arn.name, arn.partition)
    elif kind is Kind.ROLE:
        deleted = change.kind.is_whole and change.after is None
        trusts = change.kind.traits.changes_trust and change.object not in made
        if deleted or trusts:
            yield Lock.of_role(cluster.home, target[0], cluster.partition)


def is_all_new(changes: Iterable[Change]) -> bool:
    """Whether there are changes, and each creates an object, or is about one that they create.

    A name (or an issuer) is taken once, so the create calls themselves find out when a plan is out of date.
    They can't detect the deletion of a role that a new ServiceAccount will use: the role must also be new.
    """
    every = tuple(changes)
    # Adding to an existing object is never refused a second time.
    made = {
        change.object
        for change in every
        if change.kind.is_whole and change.before is None and change.kind is not Kind.TARGET_TRUST
    }
    roles = {target[0] for kind, target in made if kind is Kind.ROLE}
    return bool(every) and all(change.object in made and change.roles <= roles for change in every)


def locks_of(changes: Iterable[Change], cluster: Cluster) -> frozenset[Lock]:
    """All locks that a plan needs."""
    every = tuple(changes)
    return shared_locks(every, cluster) | frozenset(_bindings(every))


def recovery_locks(changes: Iterable[Change], cluster: Cluster) -> frozenset[Lock]:
    """All locks for objects that a rollback or a continuation of these changes may touch."""
    every = tuple(changes)
    back = [change.inverse for change in every]
    return locks_of(every, cluster) | shared_locks(back, cluster)


def _bindings(changes: Iterable[Change]) -> Iterator[Lock]:
    """The locks of the ServiceAccounts in these changes, also of those with a new role."""
    for change in changes:
        if change.kind is Kind.SERVICE_ACCOUNT:
            yield Lock(LockScope.BINDING, change.name)
        for state in (change.before, change.after):
            if isinstance(state, RoleState) and state.tags.get(SERVICE_ACCOUNT_TAG):
                yield Lock(LockScope.BINDING, state.tags[SERVICE_ACCOUNT_TAG])
