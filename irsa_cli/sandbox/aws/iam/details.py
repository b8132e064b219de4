"""GetAccountAuthorizationDetails: all roles with all that is on them, and managed policies, in pages.

Users and groups are not served.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
Unlike GetRole it leaves out the description and the longest session.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from irsa_cli.sandbox.aws.answer import AwsError, xml_result
from irsa_cli.sandbox.aws.iam.account import Account
from irsa_cli.sandbox.aws.iam.paging import page
from irsa_cli.sandbox.aws.iam.roles import brief
from irsa_cli.sandbox.aws.request import AwsRequest
from irsa_cli.sandbox.model import Answer

_OPERATION = "GetAccountAuthorizationDetails"


def get_account_authorization_details(account: Account, request: AwsRequest) -> Answer:
    """A page of roles and policies. Pages stay in order when some go away between them; moto has none."""
    filters = set(request.members("Filter"))
    if not filters or filters - {"Role", "LocalManagedPolicy", "AWSManagedPolicy"}:
        raise AwsError("NotImplemented", f"The sandbox serves {_OPERATION} without users and groups.", 501)
    every = account.iam.roles.values()
    used = {arn for role in every for arn in (*role.managed_policies, role.permissions_boundary_arn) if arn}
    roles = {f"role {role.name}": role for role in account.iam.roles.values() if "Role" in filters}
    policies = {
        f"policy {policy.arn}": policy
        for policy in account.iam.managed_policies.values()
        if _is_asked(policy, filters, used)
    }
    keys, more = page(request, sorted((*roles, *policies)))
    found = {
        "RoleDetailList": [_detailed(roles[key]) for key in keys if key in roles],
        "Policies": [_policy(policies[key]) for key in keys if key in policies],
    }
    empty: dict[str, list[Any]] = {"UserDetailList": [], "GroupDetailList": []}
    return xml_result("iam", _OPERATION, {**empty, **found, **more})


def _is_asked(policy: Any, filters: set[str], used: set[str]) -> bool:
    """Whether a policy is of a kind that is asked for; of AWS's own, those that somebody has attached."""
    if ":iam::aws:" in policy.arn:
        return policy.arn in used and "AWSManagedPolicy" in filters
    return "LocalManagedPolicy" in filters


def _policy(policy: Any) -> dict[str, Any]:
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": policy.default_version_id,
        "AttachmentCount": policy.attachment_count,
        "PolicyVersionList": [
            {
                "Document": quote(version.document, safe=""),
                "VersionId": version.version_id,
                "IsDefaultVersion": version.version_id == policy.default_version_id,
            }
            for version in policy.versions
        ],
    }


def _detailed(role: Any) -> dict[str, Any]:
    boundary = role.permissions_boundary_arn
    return {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": role.create_date,
        "AssumeRolePolicyDocument": quote(role.assume_role_policy_document, safe=""),
        "InstanceProfileList": [_profile(profile) for profile in role.instance_profile_list],
        "RolePolicyList": [
            {"PolicyName": name, "PolicyDocument": quote(document, safe="")}
            for name, document in sorted(role.policies.items())
        ],
        "AttachedManagedPolicies": [
            {"PolicyName": policy.name, "PolicyArn": policy.arn} for policy in role.managed_policies.values()
        ],
        "PermissionsBoundary": {
            "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
            "PermissionsBoundaryArn": boundary,
        }
        if boundary
        else None,
        "Tags": [{"Key": tag["Key"], "Value": tag["Value"]} for tag in role.tags or []],
        "RoleLastUsed": {"LastUsedDate": role.last_used, "Region": role.last_used_region},
    }


def _profile(profile: Any) -> dict[str, Any]:
    return {
        "Path": profile.path,
        "InstanceProfileName": profile.name,
        "InstanceProfileId": profile.id,
        "Arn": profile.arn,
        "CreateDate": profile.create_date,
        "Roles": [brief(role) for role in profile.roles],
    }
