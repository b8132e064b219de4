"""What a run can have to itself, the order in which that is taken, and the name of the Lease for it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import IntEnum

LONGEST = 63
"""Characters of a name that is a label of DNS, and of a label's value."""
_DIGEST = 12


class LockScope(IntEnum):
    """What kind of thing is locked; the numbers are the order in which locks are taken."""

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
    """One thing that one run at a time changes. All take theirs in this order, so none waits in a circle.

    `subject` is `namespace/name`, a namespace's name, a provider's ARN or a role's ARN.
    """

    scope: LockScope
    subject: str

    @classmethod
    def of_role(cls, account: str, name: str, partition: str = "aws") -> Lock:
        """A role's; its path is left out, as names are unique in an account whatever the path is."""
        return cls(LockScope.ROLE, f"arn:{partition}:iam::{account}:role/{name}")

    @property
    def words(self) -> str:
        """What it is, for a person."""
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
