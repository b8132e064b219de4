"""Reading many roles with their policies: one by one, or all of the account page by page (`pages_pay`)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from irsa_cli.aws import iam as reading
from irsa_cli.aws.bindings import unreadable
from irsa_cli.aws.errors import pages
from irsa_cli.aws.iam import PAGE, PARALLEL
from irsa_cli.core.inventory.bindings import ReadRole, as_answered, policy_details, role_details
from irsa_cli.core.objects.role import Role
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.values.errors import ServiceError, Unreadable
from irsa_cli.core.values.patience import Count, replaced

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_iam.type_defs import RoleDetailTypeDef

CALLS_PER_ROLE = 3
CALLS_PER_PAGE = 10
"""A page counts as that many calls: it has the documents of all its roles in it, some megabytes."""
MANY = 5000
"""Roles that an account is taken to have where the caller may not ask: more than most have."""


def pages_pay(sought: int, total: int, page: int = PAGE) -> bool:
    """Whether to read the `total` of the account's roles page by page, to find those that are `sought`.

    Read so, calls grow with the account's roles only as long as that is cheaper than one by one: there are
    never more than three for a role that is wanted.
    """
    pages = -(-total // max(page, 1))
    return pages * CALLS_PER_PAGE <= sought * CALLS_PER_ROLE


def roles_with_policies(iam: IAMClient, names: Collection[str]) -> dict[str, ReadRole]:
    """These roles by name: None for a missing one, or why it can't be read; raises `ServiceError`."""
    roles: dict[str, ReadRole] = {}
    # Not even one page pays for a few.
    if pages_pay(len(names), 1):
        try:
            if _read_pages(iam, names, roles):
                return {name: roles.get(name) for name in names}
        except ServiceError as error:
            if error.status != 403:
                raise
            replaced(error)  # Each is asked for by its name.
    with ThreadPoolExecutor(PARALLEL) as pool:
        missing = [name for name in names if name not in roles]
        count = Count("roles", len(missing))

        def read(name: str) -> ReadRole:
            role = _read_role(iam, name)
            count.one()
            return role

        return roles | dict(zip(missing, pool.map(read, missing), strict=True))


def _read_pages(iam: IAMClient, names: Collection[str], known: dict[str, ReadRole]) -> bool:
    """Read pages as long as that pays; whether that tells all, also which are not there."""
    unread = reading.allowed_quotas(iam).get("Roles", MANY)
    if not pages_pay(len(names), unread):
        return False
    read = iam.get_account_authorization_details
    for page in pages(read, "Marker", Filter=["Role"], MaxItems=PAGE):
        roles: list[RoleDetailTypeDef] = page["RoleDetailList"]
        known |= {role["RoleName"]: _detailed(role) for role in roles if role["RoleName"] in names}
        unread -= len(roles)
        missing = len(names) - len(known)
        # Also after the last page: a few that were not found are looked for once more, by their names.
        if missing and not pages_pay(missing, max(unread, 1), len(roles)):
            return False
        if not missing:
            break
    return True


def read_account(iam: IAMClient, *, policies: bool = True) -> tuple[list[Role], dict[str, Document]]:
    """All roles of the account, and its (and AWS's attached) policies by ARN; raises `ServiceError`."""
    roles: list[Role] = []
    documents: dict[str, Document] = {}
    read = iam.get_account_authorization_details
    kinds = ["Role", *(["LocalManagedPolicy", "AWSManagedPolicy"] if policies else [])]
    for page in pages(read, "Marker", Filter=kinds, MaxItems=PAGE):
        roles += map(_detailed, page.get("RoleDetailList", []))
        details = (policy_details(policy, as_answered) for policy in page.get("Policies", []))
        documents |= filter(None, details)
    return roles, documents


def with_documents(iam: IAMClient, role: Role) -> Role:
    """A role with the documents of its policies and its boundary, where nobody has asked for them yet.

    One that can't be read stays unknown. Of AWS's own policies the ARN is enough.
    """

    def inline(name: str) -> Document | Unreadable:
        return _read(lambda: reading.inline_policy(iam, role.name, name) or {})

    def managed(arn: str) -> Document | Unreadable:
        return _read(lambda: reading.managed_policy(iam, arn))

    arns = {arn for arn in role.attached if ":iam::aws:" not in arn} | set(filter(None, [role.boundary]))
    own = sorted(role.listed_inline)
    others = sorted(arns - role.documents.keys())
    with ThreadPoolExecutor(PARALLEL) as pool:
        documents = {**role.documents, **dict(zip(others, pool.map(managed, others), strict=True))}
        answers = dict(zip(own, pool.map(inline, own), strict=True))
    known = {name: answer for name, answer in answers.items() if not isinstance(answer, Unreadable)}
    unknown = role.listed_inline - known.keys()
    return replace(role, documents=documents, inline={**role.inline, **known}, listed_inline=unknown)


def _read(ask: Callable[[], Document]) -> Document | Unreadable:
    try:
        return ask()
    except ServiceError as error:
        return unreadable(error)


def _detailed(role: RoleDetailTypeDef) -> Role:
    return role_details({"AssumeRolePolicyDocument": {}, **role}, as_answered)


def _read_role(iam: IAMClient, name: str) -> ReadRole:
    with ThreadPoolExecutor(2) as pool:
        attached = pool.submit(reading.attached_policies, iam, name)
        inline = pool.submit(reading.inline_policy_names, iam, name)
        try:
            role = reading.read_role(iam, name)
        except ServiceError as error:
            return unreadable(error)
    if role is None:
        return None
    try:
        return replace(role, attached=attached.result(), listed_inline=frozenset(inline.result()))
    except ServiceError as error:
        return replace(role, unread=unreadable(error).why)
