"""GetAccountAuthorizationDetails: all roles with all that is on them, in pages. Only `Filter=Role` is served.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
Unlike GetRole it leaves out the description and the longest session.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from irsa_cli.sandbox.aws.answer import AwsError, xml_result
from irsa_cli.sandbox.aws.iam.account import Account
from irsa_cli.sandbox.aws.iam.paging import page
from irsa_cli.sandbox.aws.request import AwsRequest
from irsa_cli.sandbox.model import Answer

_OPERATION = "GetAccountAuthorizationDetails"


def get_account_authorization_details(account: Account, request: AwsRequest) -> Answer:
    """A page of roles. Pages stay in order when roles go away between them; moto has none."""
    if set(request.members("Filter")) != {"Role"}:
        raise AwsError("NotImplemented", f"The sandbox serves {_OPERATION} with Filter=Role only.", 501)
    roles = {role.name: role for role in account.iam.roles.values()}
    names, more = page(request, sorted(roles))
    found = {"RoleDetailList": [_detailed(roles[name]) for name in names]}
    empty: dict[str, list[Any]] = {"UserDetailList": [], "GroupDetailList": [], "Policies": []}
    return xml_result("iam", _OPERATION, {**empty, **found, **more})


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
        "Roles": [],
    }
