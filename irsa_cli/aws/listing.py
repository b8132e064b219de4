"""Reading IAM at large: all roles of an account, and whether a role is in use."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, cast

from irsa_cli.aws.errors import call, pages
from irsa_cli.aws.iam import or_none, role_of
from irsa_cli.aws.recent_writes import server_time
from irsa_cli.core.plan.states import RoleState
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.values.doing import Count

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

PAGE = 1000
"""Roles asked for at once, the most that IAM gives; it may give fewer."""

PARALLEL = 8


@dataclass(frozen=True)
class ListedRole:
    """A role as ListRoles shows it: without tags, boundary and use."""

    name: str
    arn: str
    path: str
    trust: Document
    created: datetime


@dataclass(frozen=True)
class FoundRole:
    """A role as GetRole shows it. `last_used` is None when IAM knows of no use in the last 400 days.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_RoleLastUsed.html
    """

    name: str
    arn: str
    role_id: str
    state: RoleState
    created: datetime
    last_used: datetime | None
    used_in: str = ""
    """The region of its last use."""


@dataclass(frozen=True)
class Listing:
    """All roles of an account, and IAM's clock when it listed them."""

    roles: tuple[ListedRole, ...]
    now: datetime


def list_roles(iam: IAMClient, path: str = "/") -> Listing:
    """All roles of the account whose path begins so; IAM itself leaves out the others."""
    found: list[ListedRole] = []
    now = datetime.now(timezone.utc)
    for page in pages(iam.list_roles, "Marker", PathPrefix=path, MaxItems=PAGE):
        now = server_time(page["ResponseMetadata"]) or now
        found += [
            ListedRole(
                role["RoleName"],
                role["Arn"],
                role["Path"],
                cast("Document", role.get("AssumeRolePolicyDocument", {})),
                role["CreateDate"],
            )
            for role in page["Roles"]
        ]
    return Listing(tuple(found), now)


def find_roles(iam: IAMClient, names: Sequence[str]) -> list[FoundRole]:
    """These roles with tags and use, as many at the same time as IAM bears; those that are gone left out."""
    if not names:
        return []
    count = Count("roles", len(names))

    def find(name: str) -> FoundRole | None:
        role = find_role(iam, name)
        count.one()
        return role

    with ThreadPoolExecutor(PARALLEL) as pool:
        found = list(pool.map(find, names))
    return [role for role in found if role is not None]


def find_role(iam: IAMClient, name: str) -> FoundRole | None:
    role = or_none(lambda: call(iam.get_role, RoleName=name)["Role"])
    if role is None:
        return None
    used = role.get("RoleLastUsed", {})
    return FoundRole(
        name,
        role["Arn"],
        role["RoleId"],
        role_of(role),
        role["CreateDate"],
        used.get("LastUsedDate"),
        used.get("Region", ""),
    )
