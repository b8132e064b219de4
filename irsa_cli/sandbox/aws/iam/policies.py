"""IAM's rules for managed policies and the account's summary, beyond what moto checks."""

from __future__ import annotations

import re
from typing import Any

from irsa_cli.sandbox.aws.answer import AwsError, Repeated, no_such_entity, xml_result
from irsa_cli.sandbox.aws.iam.account import Account, add_tags, page_of, serve_tags, tags_of
from irsa_cli.sandbox.aws.iam.grammar import check_identity_policy, check_tags, without_space
from irsa_cli.sandbox.aws.iam.roles import check_policy_arn
from irsa_cli.sandbox.aws.request import AwsRequest
from irsa_cli.sandbox.model import Answer


def create_policy(account: Account, request: AwsRequest) -> Answer:
    """The document is a policy, within its size; names differ by more than path and case."""
    name = request.params.get("PolicyName", "")
    check_tags(request.tags(), any_case=False)
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
    add_tags(account, policy, request)
    with_tags = {"Tags": tags_of(policy)} if policy.tags else {}
    return xml_result("iam", "CreatePolicy", {"Policy": {**_listed(account, policy), **with_tags}})


def get_policy(account: Account, request: AwsRequest) -> Answer:
    """A managed policy with description and tags."""
    policy = existing_policy(account, request)
    more = {"Description": policy.description or None, "Tags": tags_of(policy)}
    return xml_result("iam", "GetPolicy", {"Policy": {**_listed(account, policy), **more}})


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


def tag_policy(account: Account, request: AwsRequest) -> Answer:
    """Tags, untags, or lists tags."""
    return serve_tags(account, existing_policy(account, request, "was not found."), request)


def policy_version(account: Account, request: AwsRequest) -> None:
    """The version has to be there; the default one can't be deleted."""
    arn, version = request.params["PolicyArn"], request.params["VersionId"]
    policy = account.iam.managed_policies.get(arn)
    if policy is None or all(v.version_id != version for v in policy.versions):
        raise no_such_entity(f"Policy {arn} version {version} does not exist or is not attachable.")
    if request.operation == "DeletePolicyVersion" and policy.default_version_id == version:
        raise AwsError("DeleteConflict", "Cannot delete the default version of a policy.", 409)


def list_policy_versions(account: Account, request: AwsRequest) -> Answer:
    """Versions, the newest first."""
    policy = existing_policy(account, request)
    shown = [
        {
            "VersionId": version.version_id,
            "IsDefaultVersion": version.version_id == policy.default_version_id,
            "CreateDate": version.create_date,
        }
        for version in reversed(policy.versions)
    ]
    return xml_result("iam", "ListPolicyVersions", {"Versions": shown, "IsTruncated": False})


def list_policies(account: Account, request: AwsRequest) -> Answer:
    """Pages stay in order when policies go away between them; tags and descriptions are not listed."""
    params = request.params
    scope, attached = params.get("Scope", "All"), params.get("OnlyAttached") == "true"
    found = {
        policy.arn: policy
        for policy in account.iam.managed_policies.values()
        if policy.path.startswith(params.get("PathPrefix", "/"))
        and scope in ("All", "AWS" if _is_aws_owned(policy) else "Local")
        and (policy.attachment_count or not attached)
    }
    return page_of(request, "Policies", found, lambda policy: _listed(account, policy))


def _listed(account: Account, policy: Any) -> dict[str, Any]:
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": policy.default_version_id,
        "AttachmentCount": policy.attachment_count,
        "PermissionsBoundaryUsageCount": sum(
            role.permissions_boundary_arn == policy.arn for role in account.iam.roles.values()
        ),
        "IsAttachable": True,
        "CreateDate": policy.create_date,
        "UpdateDate": policy.update_date,
    }


def attach_user_policy(account: Account, request: AwsRequest) -> Answer | None:
    """Attaching what is attached changes nothing."""
    existing_policy(account, request)
    user = account.iam.users.get(request.params.get("UserName", ""))
    if user and request.params["PolicyArn"] in user.managed_policies:
        return xml_result("iam", "AttachUserPolicy")
    return None


def get_account_summary(account: Account, request: AwsRequest) -> Answer:  # noqa: ARG001 - as all others
    """Moto's counts with the quotas that are enforced here."""
    summary: dict[str, int] = account.iam.account_summary.summary_map
    enforced = {name: value for name, value in account.quotas.items() if name in summary}
    entries = [{"key": key, "value": value} for key, value in {**summary, **enforced}.items()]
    return xml_result("iam", "GetAccountSummary", {"SummaryMap": {"entry": Repeated(entries)}})


def _check_document(account: Account, request: AwsRequest) -> None:
    document = request.params.get("PolicyDocument", "")
    check_identity_policy(document, managed=True)
    account.check_quota("PolicySizeQuota", without_space(document), "PolicySize")


def _is_aws_owned(policy: Any) -> bool:
    return ":iam::aws:" in policy.arn
