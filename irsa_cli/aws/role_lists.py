"""Many roles with their policies, from two lists of the account instead of three calls for each role.

ListRoles shows no tags and no boundary, GetAccountAuthorizationDetails no description and no longest session:
together they show what GetRole shows. They are evidence for what they show, and never for what they do not.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html
https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from irsa_cli.aws import iam as reading
from irsa_cli.aws.details import MANY, pages_pay
from irsa_cli.aws.errors import listed, pages
from irsa_cli.aws.iam import PAGE, role_of
from irsa_cli.aws.recent_writes import recent_writes
from irsa_cli.core.objects.role import Role

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_iam.type_defs import RoleTypeDef

_OF_DETAILS = ("InstanceProfileList", "RolePolicyList", "AttachedManagedPolicies")
"""Parts of a role that only GetAccountAuthorizationDetails shows."""


def listed_roles(iam: IAMClient, names: Collection[str]) -> dict[str, Role]:
    """Those of the roles that the lists show, by name; raises `ServiceError`.

    A role is left out, and has to be read by its name, if it is not in both lists, if these differ, or if one
    shows an older state than this process has written. All are if so many calls are not worth it.
    """
    if not pages_pay(len(names), 1):
        return {}
    total = reading.allowed_quotas(iam).get("Roles", MANY)
    if not pages_pay(len(names), total):
        return {}
    with ThreadPoolExecutor(1) as pool:
        listing = pool.submit(_by_name, iam)
        details = list(_details(iam, names))
    brief = listing.result()
    whole = (_whole(iam, brief.get(detail["RoleName"], {}), detail, metadata) for detail, metadata in details)
    return dict(role for role in whole if role is not None)


def _by_name(iam: IAMClient) -> dict[str, Mapping[str, Any]]:
    return {role["RoleName"]: role for role in listed(iam.list_roles, "Marker", "Roles", MaxItems=PAGE)}


def _details(iam: IAMClient, names: Collection[str]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """The wanted roles, each with the metadata of its page, which has IAM's clock."""
    read = iam.get_account_authorization_details
    for page in pages(read, "Marker", Filter=["Role"], MaxItems=PAGE):
        for role in page["RoleDetailList"]:
            if role["RoleName"] in names:
                yield cast("Mapping[str, Any]", role), page["ResponseMetadata"]


def _whole(
    iam: IAMClient, brief: Mapping[str, Any], detail: Mapping[str, Any], metadata: Mapping[str, Any]
) -> tuple[str, Role] | None:
    """A role of both lists; None if it has to be read by its name."""
    same = ("RoleId", "Path", "AssumeRolePolicyDocument")
    if any(brief.get(key) != detail.get(key) for key in same):
        return None
    name = detail["RoleName"]
    role = {**brief, **{key: value for key, value in detail.items() if key not in _OF_DETAILS}}
    attached = detail.get("AttachedManagedPolicies", [])
    inline = {policy["PolicyName"]: policy["PolicyDocument"] for policy in detail.get("RolePolicyList", [])}
    # IAM showed these parts, as it does when each role is asked for.
    answers: Mapping[str, Mapping[str, Any]] = {
        "GetRole": {"Role": role, "ResponseMetadata": metadata},
        "ListAttachedRolePolicies": {"AttachedPolicies": attached},
        "ListRolePolicies": {"PolicyNames": [*inline]},
    }
    recent = recent_writes(iam)
    late = [recent.is_late(operation, {"RoleName": name}, answer) for operation, answer in answers.items()]
    if any(late):
        return None
    arns = frozenset(policy["PolicyArn"] for policy in attached)
    return name, replace(role_of(cast("RoleTypeDef", role)), attached=arns, inline=inline)
