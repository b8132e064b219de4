"""IAM's rules for roles, their trust, boundaries, attachments, inline policies, beyond what moto checks."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from irsa_cli.sandbox.aws.answer import AwsError, limit_exceeded, no_such_entity, xml_result
from irsa_cli.sandbox.aws.iam.account import Account, page_of
from irsa_cli.sandbox.aws.iam.grammar import (
    check_identity_policy,
    check_tags,
    check_trust_policy,
    without_space,
)
from irsa_cli.sandbox.aws.request import AwsRequest
from irsa_cli.sandbox.model import Answer

POLICY_ARN = re.compile(r"arn:aws[\w-]*:iam::(?:aws|\d{12}):policy/[\x21-\x7e]+")


def create_role(account: Account, request: AwsRequest) -> Answer:
    """Makes a role; names differ by more than case. Not all that it has is in the answer."""
    name = request.params.get("RoleName", "")
    check_tags(request.tags())
    _check_trust(account, request.params.get("AssumeRolePolicyDocument", ""))
    if any(role.name.lower() == name.lower() for role in account.iam.roles.values()):
        raise AwsError("EntityAlreadyExists", f"Role with name {name} already exists.", 409)
    _check_boundary(account, request)
    account.check_quota("RolesQuota", len(account.iam.roles) + 1, "RolesPerAccount")
    answer = account.forward(request)
    if answer.status >= 400:
        return answer
    role = account.role(request)
    tags = {"Tags": role.tags} if role.tags else {}
    return xml_result("iam", "CreateRole", {"Role": {**brief(role), **_boundary(role), **tags}})


def get_role(account: Account, request: AwsRequest) -> Answer:
    """A role with all that is on it but its policies."""
    role = account.role(request)
    used = {"LastUsedDate": role.last_used, "Region": role.last_used_region}
    shown = {**_listed_role(role), **_boundary(role), "RoleLastUsed": used}
    return xml_result("iam", "GetRole", {"Role": {**shown, **({"Tags": role.tags} if role.tags else {})}})


def delete_role(account: Account, request: AwsRequest) -> Answer:
    """Deletes a role; where it is a principal, its unique id is left, which no other role will have."""
    role = account.role(request)
    answer = account.forward(request)
    if answer.status < 400:
        account.cloud.forget_principal(role.arn, role.id)
    return answer


def update_role_description(account: Account, request: AwsRequest) -> Answer:
    """Changes the description, and answers with the role."""
    role = account.role(request)
    role.description = request.params["Description"]
    shown = {**brief(role), "Description": role.description}
    return xml_result("iam", "UpdateRoleDescription", {"Role": shown})


def update_assume_role_policy(account: Account, request: AwsRequest) -> Answer:
    """Replaces the trust policy; moto refuses some that IAM accepts."""
    role = account.role(request)
    _check_trust(account, request.params.get("PolicyDocument", ""))
    role.assume_role_policy_document = request.params["PolicyDocument"]
    return xml_result("iam", "UpdateAssumeRolePolicy")


def update_role(account: Account, request: AwsRequest) -> Answer:
    """Changes what the call names and nothing else; moto would clear the rest."""
    role = account.role(request)
    if "Description" in request.params:
        role.description = request.params["Description"]
    if "MaxSessionDuration" in request.params:
        role.max_session_duration = int(request.params["MaxSessionDuration"])
    return xml_result("iam", "UpdateRole", {})


def put_role_permissions_boundary(account: Account, request: AwsRequest) -> None:
    """The boundary has to be there."""
    account.role(request)
    _check_boundary(account, request)


def attach_role_policy(account: Account, request: AwsRequest) -> Answer | None:
    """Attaching what is attached changes nothing."""
    arn = request.params.get("PolicyArn", "")
    check_policy_arn(arn)
    role = account.role(request)
    account.policy(arn)
    if arn in role.managed_policies:
        return xml_result("iam", "AttachRolePolicy")
    account.check_quota("AttachedPoliciesPerRoleQuota", len(role.managed_policies) + 1, "PoliciesPerRole")
    return None


def detach_role_policy(account: Account, request: AwsRequest) -> None:
    """A policy that isn't attached can't be detached."""
    arn = request.params.get("PolicyArn", "")
    check_policy_arn(arn)
    if arn not in account.role(request).managed_policies:
        raise no_such_entity(f"Policy {arn} was not found.")


def put_role_policy(account: Account, request: AwsRequest) -> Answer:
    """Sets an inline policy; all of a role's together are bounded."""
    role = account.role(request)
    name, document = request.params.get("PolicyName", ""), request.params.get("PolicyDocument", "")
    check_identity_policy(document)
    others = [text for key, text in role.policies.items() if key != name]
    quota = account.quotas["RolePolicySizeQuota"]
    if sum(map(without_space, [*others, document])) > quota:
        raise limit_exceeded(f"Maximum policy size of {quota} bytes exceeded for role {role.name}")
    role.put_policy(name, document)
    return xml_result("iam", "PutRolePolicy")


def existing_role_policy(account: Account, request: AwsRequest) -> None:
    """The inline policy has to be there."""
    role, name = account.role(request), request.params.get("PolicyName", "")
    if name not in role.policies:
        raise no_such_entity(f"The role policy with name {name} cannot be found.")


def tag_role(account: Account, request: AwsRequest) -> Answer:
    """Adds or replaces tags; keys are told apart without regard to case."""
    role, new = account.role(request), request.tags()
    check_tags(new)
    names = {key.lower() for key, _ in new}
    kept = [tag for tag in role.tags if tag["Key"].lower() not in names]
    account.check_quota("TagsQuota", len(kept) + len(new), "TagsPerResource")
    role.tags = kept + [{"Key": key, "Value": value} for key, value in new]
    return xml_result("iam", "TagRole")


def untag_role(account: Account, request: AwsRequest) -> Answer:
    """Removes tags; keys that are not there are ignored."""
    role = account.role(request)
    names = {key.lower() for key in request.members("TagKeys")}
    role.tags = [tag for tag in role.tags if tag["Key"].lower() not in names]
    return xml_result("iam", "UntagRole")


def list_roles(account: Account, request: AwsRequest) -> Answer:
    """Pages stay in order when roles go away between them; moto's don't."""
    prefix = request.params.get("PathPrefix", "/")
    roles = {r.name: r for r in account.iam.roles.values() if r.path.startswith(prefix)}
    return page_of(request, "Roles", roles, _listed_role)


def list_role_tags(account: Account, request: AwsRequest) -> Answer:
    """Tags, in pages."""
    return page_of(request, "Tags", {tag["Key"]: tag for tag in account.role(request).tags})


def list_role_policies(account: Account, request: AwsRequest) -> Answer:
    """Names of inline policies, in pages."""
    return page_of(request, "PolicyNames", {name: name for name in account.role(request).policies})


def list_attached_role_policies(account: Account, request: AwsRequest) -> Answer:
    """Attached managed policies, in pages."""
    prefix = request.params.get("PathPrefix", "/")
    attached = {
        policy.arn: {"PolicyName": policy.name, "PolicyArn": policy.arn}
        for policy in account.role(request).managed_policies.values()
        if policy.path.startswith(prefix)
    }
    return page_of(request, "AttachedPolicies", attached)


def existing_role(account: Account, request: AwsRequest) -> None:
    """The role has to be there."""
    account.role(request)


def check_nothing_on(account: Account, request: AwsRequest) -> None:
    """Raises DeleteConflict where a role of that name has policies, in the state that is seen."""
    found = account.role_or_none(request)
    if found is not None and (found.managed_policies or found.policies):
        raise AwsError("DeleteConflict", "Cannot delete entity, must detach all policies first.", 409)


def check_policy_arn(arn: str, code: str = "ValidationError") -> None:
    """Raises AwsError for what isn't the ARN of a policy."""
    if not POLICY_ARN.fullmatch(arn):
        raise AwsError(code, f"ARN {arn} is not valid.")


def _check_trust(account: Account, document: str) -> None:
    with account.lag.stale_view(account.number, account.partition):
        # A role that is new is not yet known as a principal.
        check_trust_policy(document, account.partition, account.cloud.principal)
    account.check_quota("AssumeRolePolicySizeQuota", without_space(document), "ACLSizePerRole")


def _check_boundary(account: Account, request: AwsRequest) -> None:
    arn = request.params.get("PermissionsBoundary")
    if arn is None:
        return
    check_policy_arn(arn, "InvalidInput")
    if arn not in account.iam.managed_policies:
        raise no_such_entity(f"Scope ARN: {arn} does not exist or is not attachable.")


def _listed_role(role: Any) -> dict[str, Any]:
    longest = int(role.max_session_duration or 3600)
    return {**brief(role), "Description": role.description or None, "MaxSessionDuration": longest}


def _boundary(role: Any) -> dict[str, Any]:
    if not role.permissions_boundary_arn:
        return {}
    # The documentation says PermissionsBoundaryPolicy; what IAM says was recorded on 2026-02-11.
    boundary = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": role.permissions_boundary_arn}
    return {"PermissionsBoundary": boundary}


def brief(role: Any) -> dict[str, Any]:
    """What CreateRole answers of a role."""
    return {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": role.create_date,
        "AssumeRolePolicyDocument": quote(role.assume_role_policy_document, safe=""),
    }
