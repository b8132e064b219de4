"""The ways to act as a ServiceAccount by rights in Kubernetes: a maintained list, `takeovers.json`.

A right there is `VERB,VERB RESOURCE.GROUP`. Constrained impersonation exists since Kubernetes 1.35.
Certificates are left out (EKS signs none for API users), as are custom resources whose operators create pods.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from importlib.resources import files


class Named(Enum):
    """The meaning of a rule's resource names for a way."""

    ACCOUNT = "account"
    """ServiceAccounts: the one in question must be among them."""
    OTHER = "other"
    """Other objects: the way works if one of them is suitable."""
    NEW = "new"
    """Objects that do not exist yet: only server-side apply (patch) can create one of that name."""
    ROLE = "role"
    """Roles: their rules decide."""
    GROUP = "group"
    """Groups or users: the way works if they have the right."""
    AWS_AUTH = "aws-auth"
    """ConfigMaps: aws-auth must be among them."""


@dataclass(frozen=True)
class Right:
    """A right: one of the verbs on a resource."""

    verbs: tuple[str, ...]
    group: str
    resource: str

    def __str__(self) -> str:
        return f"{' or '.join(self.verbs)} {self.resource}"


@dataclass(frozen=True)
class Takeover:
    """A way to act as a ServiceAccount; `condition` is a requirement that RBAC does not show.

    `everywhere`: it needs the right in the whole cluster. `also`: one right of each tuple is also needed.
    `place` is the namespace: '' for the ServiceAccount's, `OTHER_NAMESPACE` for any other one.
    """

    id: str
    right: Right
    named: Named = Named.OTHER
    condition: str = ""
    everywhere: bool = False
    also: tuple[tuple[Right, ...], ...] = ()
    place: str = ""


_TABLE = json.loads((files(__package__) / "takeovers.json").read_text(encoding="utf-8"))
_CONDITIONS: dict[str, str] = _TABLE["conditions"]
RUNS, ACTS, HOST_PATH, IN_SECRET, AWS_AUTH_READ = (
    _CONDITIONS[name] for name in ("runs", "acts", "host-path", "in-secret", "aws-auth-read")
)
ALSO = "the subject can also "
OTHER_NAMESPACE = "*"


def _right(text: str) -> Right:
    verbs, _, resource = text.partition(" ")
    name, _, group = resource.partition(".")
    return Right(tuple(verbs.split(",")), group, name)


def _takeovers() -> Iterator[Takeover]:
    for row in _TABLE["takeovers"]:
        condition = _CONDITIONS[row["condition"]] if "condition" in row else ""
        also = tuple(tuple(map(_right, texts)) for texts in row.get("also", ()))
        more = {"everywhere": row.get("everywhere", False), "also": also, "place": row.get("place", "")}
        for right in map(_right, row["rights"]):
            needed = condition.format(resource=right.resource)
            yield Takeover(row["id"], right, Named(row.get("named", "other")), needed, **more)


TAKEOVERS = tuple(_takeovers())
