"""IAM's rules for roles and managed policies, and the account's summary, beyond what moto checks.

The paths of roles that AWS creates, service-linked or of IAM Identity Center, tell them from others: nobody
else can create a role there.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any
from urllib.parse import quote

from irsa_cli.sandbox.aws.iam import grammar
from irsa_cli.sandbox.aws.iam.account import Account, members, page_of, serve_tags, tags_of
from irsa_cli.sandbox.aws.messages import (
    AwsError,
    AwsRequest,
    limit_exceeded,
    no_such_entity,
    result_of,
    service_model,
    validation_error,
)
from irsa_cli.sandbox.model import Answer

_SERVICE_LINKED = "/aws-service-role/"
_PROTECTED = (_SERVICE_LINKED, "/aws-reserved/")
"""The beginnings of the paths of roles that only AWS can change."""
POLICY_ARN = re.compile(r"arn:aws[\w-]*:iam::(?:aws|\d{12}):policy/[\x21-\x7e]+")


def create_role(account: Account, request: AwsRequest) -> Answer:
    """Creates a role; names differ by more than case. The answer does not have all of it."""
    name = request.params.get("RoleName", "")
    if request.params.get("Path", "/").startswith(_PROTECTED):
        raise validation_error("The path is reserved for roles that AWS creates.")
    grammar.check_tags(request.tags())
    _check_trust(account, request.params.get("AssumeRolePolicyDocument", ""))
    if any(role.name.lower() == name.lower() for role in account.iam.roles.values()):
        raise AwsError("EntityAlreadyExists", f"Role with name {name} already exists.", 409)
    _check_boundary(account, request)
    account.check_quota("RolesQuota", len(account.iam.roles) + 1, "RolesPerAccount")
    answer = account.forward(request)
    if answer.status >= 400:
        return answer
    role = account.role(request)
    return result_of(request, {"Role": {**brief(role), **_details(role)}})


def check_modifiable(account: Account, request: AwsRequest) -> None:
    """Refuse to change what belongs to AWS, in the calls that botocore's model says refuse that.

    rebuy-de/aws-nuke issues 331 and 441; of service-linked roles the description can be changed:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/edit-service-linked-role.html
    """
    role = account.role_or_none(request)
    if role is None or not role.path.startswith(_PROTECTED) or not _is_refused(request.operation):
        return
    describes = request.operation.startswith("UpdateRole") and "MaxSessionDuration" not in request.params
    if describes and role.path.startswith(_SERVICE_LINKED):
        return
    why = f"the protected role '{role.name}' - this role is only modifiable by AWS"
    raise AwsError("UnmodifiableEntity", f"Cannot perform the operation on {why}")


@cache
def _is_refused(operation: str) -> bool:
    model = service_model("iam")
    errors = model.operation_model(operation).error_shapes if operation in model.operation_names else []
    return any(error.name == "UnmodifiableEntityException" for error in errors)


def create_service_linked_role(account: Account, request: AwsRequest) -> Answer:
    """Creates the role of a service, of which there is one without a suffix."""
    answer = account.forward(request)
    taken = re.search(rb"Role with name (\S+) already exists", answer.body)
    if answer.error_code == "EntityAlreadyExists" and taken:
        why = "has been taken in this account, please try a different suffix."
        raise AwsError("InvalidInput", f"Service role name {taken[1].decode()} {why}")
    return answer


def delete_service_linked_role(account: Account, request: AwsRequest) -> None:
    """Nothing but such a role is deleted, whatever is attached to it."""
    role = account.role(request)
    if not role.path.startswith(_SERVICE_LINKED):
        raise no_such_entity(f"The role {role.name} is not a service-linked role.")


def get_role(account: Account, request: AwsRequest) -> Answer:
    """A role with all that is on it but its policies."""
    role = account.role(request)
    shown = {**_listed_role(role), **_details(role), "RoleLastUsed": role.role_last_used}
    return result_of(request, {"Role": shown})


def delete_role(account: Account, request: AwsRequest) -> Answer:
    """Deletes a role; a principal that named it keeps its unique id, which no other role will have."""
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
    return result_of(request, {"Role": shown})


def update_assume_role_policy(account: Account, request: AwsRequest) -> Answer:
    """Replaces the trust policy; moto refuses some that IAM accepts."""
    role = account.role(request)
    _check_trust(account, request.params.get("PolicyDocument", ""))
    role.assume_role_policy_document = request.params["PolicyDocument"]
    return result_of(request)


def update_role(account: Account, request: AwsRequest) -> Answer:
    """Changes what the call names and nothing else; moto would clear the rest."""
    role = account.role(request)
    if "Description" in request.params:
        role.description = request.params["Description"]
    if "MaxSessionDuration" in request.params:
        role.max_session_duration = int(request.params["MaxSessionDuration"])
    return result_of(request)


def put_role_permissions_boundary(account: Account, request: AwsRequest) -> None:
    account.role(request)
    _check_boundary(account, request)


def attach_role_policy(account: Account, request: AwsRequest) -> Answer | None:
    """Attaching what is attached changes nothing."""
    arn = request.params.get("PolicyArn", "")
    check_policy_arn(arn)
    role = account.role(request)
    if f":policy{_SERVICE_LINKED}" in arn:
        raise AwsError("PolicyNotAttachable", "Cannot attach a Service Role Policy to a Customer Role.")
    account.policy(arn)
    if arn in role.managed_policies:
        return result_of(request)
    account.check_quota("AttachedPoliciesPerRoleQuota", len(role.managed_policies) + 1, "PoliciesPerRole")
    return None


def put_role_policy(account: Account, request: AwsRequest) -> Answer:
    """Sets an inline policy; all of a role's together are bounded."""
    role = account.role(request)
    name = request.params.get("PolicyName", "")
    document = request.params.get("PolicyDocument", "")
    grammar.check_identity_policy(document)
    further = [text for key, text in role.policies.items() if key != name]
    quota = account.quotas["RolePolicySizeQuota"]
    if sum(map(grammar.without_space, [*further, document])) > quota:
        raise limit_exceeded(f"Maximum policy size of {quota} bytes exceeded for role {role.name}")
    role.put_policy(name, document)
    return result_of(request)


def existing_role_policy(account: Account, request: AwsRequest) -> None:
    role = account.role(request)
    name = request.params.get("PolicyName", "")
    if name not in role.policies:
        raise no_such_entity(f"The role policy with name {name} cannot be found.")


def list_roles(account: Account, request: AwsRequest) -> Answer:
    """Pages stay in order when roles go away between them; moto's don't."""
    prefix = request.params.get("PathPrefix", "/")
    roles = {r.name: r for r in account.iam.roles.values() if r.path.startswith(prefix)}
    return page_of(request, "Roles", roles, _listed_role)


def list_attached_role_policies(account: Account, request: AwsRequest) -> Answer:
    prefix = request.params.get("PathPrefix", "/")
    attached = {
        policy.arn: {"PolicyName": policy.name, "PolicyArn": policy.arn}
        for policy in account.role(request).managed_policies.values()
        if policy.path.startswith(prefix)
    }
    return page_of(request, "AttachedPolicies", attached)


def check_nothing_on(account: Account, request: AwsRequest) -> None:
    """Raises DeleteConflict where a role of that name has policies, in the state that is seen."""
    role = account.role_or_none(request)
    if role is not None and (role.managed_policies or role.policies):
        raise AwsError("DeleteConflict", "Cannot delete entity, must detach all policies first.", 409)


def check_policy_arn(arn: str, code: str = "ValidationError") -> None:
    if not POLICY_ARN.fullmatch(arn):
        raise AwsError(code, f"ARN {arn} is not valid.")


def _check_trust(account: Account, document: str) -> None:
    with account.lag.stale_view(account.number, account.partition):
        # A role that is new is not yet known as a principal.
        grammar.check_trust_policy(document, account.partition, account.cloud.principal)
    account.check_quota("AssumeRolePolicySizeQuota", grammar.without_space(document), "ACLSizePerRole")


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


def _details(role: Any) -> dict[str, Any]:
    arn = role.permissions_boundary_arn
    # The documentation says PermissionsBoundaryPolicy; what IAM says was recorded on 2026-02-11.
    boundary = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn} if arn else None
    return {"PermissionsBoundary": boundary, "Tags": role.tags or None}


def brief(role: Any) -> dict[str, Any]:
    """CreateRole's description of a role."""
    shown = members(role, "Path", "RoleName", "RoleId", "Arn", "CreateDate", kind="Role")
    return {**shown, "AssumeRolePolicyDocument": quote(role.assume_role_policy_document, safe="")}


def create_policy(account: Account, request: AwsRequest) -> Answer:
    """The document is a policy, within its size; names differ by more than path and case."""
    name = request.params.get("PolicyName", "")
    grammar.check_tags(request.tags(), any_case=False)
    _check_document(account, request)
    own = [p for p in account.iam.managed_policies.values() if not _is_aws_owned(p)]
    if any(p.name.lower() == name.lower() for p in own):
        message = f"A policy called {name} already exists. Duplicate names are not allowed."
        raise AwsError("EntityAlreadyExists", message, 409)
    account.check_quota("PoliciesQuota", len(own) + 1, "PoliciesPerAccount")
    params = request.params
    policy = account.iam.create_policy(
        params.get("Description", ""), params.get("Path", "/"), params["PolicyDocument"], name, []
    )
    policy.id = f"ANPA{policy.id[:17]}"
    serve_tags(account, policy, request)
    return result_of(request, {"Policy": {**_listed(account, policy), "Tags": tags_of(policy) or None}})


def get_policy(account: Account, request: AwsRequest) -> Answer:
    policy = existing_policy(account, request)
    more = {"Description": policy.description or None, "Tags": tags_of(policy)}
    return result_of(request, {"Policy": {**_listed(account, policy), **more}})


def create_policy_version(account: Account, request: AwsRequest) -> Answer:
    """The document is a policy, within its size; it is not in the answer."""
    existing_policy(account, request)
    _check_document(account, request)
    answer = account.forward(request)
    answer.body = re.sub(rb"<Document>[^<]*</Document>", b"", answer.body)
    return answer


def existing_policy(account: Account, request: AwsRequest, missing: str = "") -> Any:
    """The policy, which has to be there; `missing` is what IAM says else."""
    arn = request.params.get("PolicyArn", "")
    check_policy_arn(arn)
    if missing and arn not in account.iam.managed_policies:
        raise no_such_entity(f"Policy {arn} {missing}")
    return account.policy(arn)


def delete_policy(account: Account, request: AwsRequest) -> None:
    """A policy in use, also as a boundary, or with several versions can't be deleted."""
    policy = existing_policy(account, request)
    if _is_aws_owned(policy):
        raise AwsError("AccessDenied", "Policies that AWS manages can't be deleted.", 403)
    bounded = any(r.permissions_boundary_arn == policy.arn for r in account.iam.roles.values())
    if policy.attachment_count or bounded:
        raise AwsError("DeleteConflict", "Cannot delete a policy attached to entities.", 409)
    if len(policy.versions) > 1:
        message = "This policy has more than one version. Delete the other versions first."
        raise AwsError("DeleteConflict", message, 409)


def policy_version(account: Account, request: AwsRequest) -> None:
    """The version has to be there; the default one can't be deleted."""
    arn = request.params["PolicyArn"]
    version = request.params["VersionId"]
    policy = account.iam.managed_policies.get(arn)
    if policy is None or all(v.version_id != version for v in policy.versions):
        raise no_such_entity(f"Policy {arn} version {version} does not exist or is not attachable.")
    if request.operation == "DeletePolicyVersion" and policy.default_version_id == version:
        raise AwsError("DeleteConflict", "Cannot delete the default version of a policy.", 409)


def list_policy_versions(account: Account, request: AwsRequest) -> Answer:
    policy = existing_policy(account, request)
    shown = [
        {
            **members(version, "VersionId", "CreateDate"),
            "IsDefaultVersion": version.version_id == policy.default_version_id,
        }
        for version in reversed(policy.versions)
    ]
    return result_of(request, {"Versions": shown, "IsTruncated": False})


def list_policies(account: Account, request: AwsRequest) -> Answer:
    """Pages stay in order when policies go away between them; tags and descriptions are not listed."""
    params = request.params
    scope = params.get("Scope", "All")
    attached = params.get("OnlyAttached") == "true"
    policies = {
        policy.arn: policy
        for policy in account.iam.managed_policies.values()
        if policy.path.startswith(params.get("PathPrefix", "/"))
        and scope in ("All", "AWS" if _is_aws_owned(policy) else "Local")
        and (policy.attachment_count or not attached)
    }
    return page_of(request, "Policies", policies, lambda policy: _listed(account, policy))


def brief_policy(policy: Any) -> dict[str, Any]:
    names = ("PolicyName", "PolicyId", "Arn", "Path", "DefaultVersionId", "AttachmentCount")
    return members(policy, *names, kind="Policy")


def _listed(account: Account, policy: Any) -> dict[str, Any]:
    return {
        **brief_policy(policy),
        "PermissionsBoundaryUsageCount": sum(
            role.permissions_boundary_arn == policy.arn for role in account.iam.roles.values()
        ),
        "IsAttachable": True,
        **members(policy, "CreateDate", "UpdateDate"),
    }


def get_account_summary(account: Account, request: AwsRequest) -> Answer:
    """Moto's counts with the quotas that are enforced here."""
    summary: dict[str, int] = account.iam.account_summary.summary_map
    enforced = {name: value for name, value in account.quotas.items() if name in summary}
    return result_of(request, {"SummaryMap": {**summary, **enforced}})


def _check_document(account: Account, request: AwsRequest) -> None:
    document = request.params.get("PolicyDocument", "")
    grammar.check_identity_policy(document, managed=True)
    account.check_quota("PolicySizeQuota", grammar.without_space(document), "PolicySize")


def _is_aws_owned(policy: Any) -> bool:
    return ":iam::aws:" in policy.arn
