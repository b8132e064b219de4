"""IAM's rules for managed policies and the account's summary, beyond what moto checks.

A function here either refuses (AwsError), answers by itself, or returns None: moto executes the call then.
"""

from __future__ import annotations

from typing import Any

from irsa_cli.sandbox.aws.answer import AwsError, Repeated, limit_exceeded, xml_result
from irsa_cli.sandbox.aws.iam.account import Account
from irsa_cli.sandbox.aws.iam.grammar import check_identity_policy, without_space
from irsa_cli.sandbox.aws.iam.paging import page
from irsa_cli.sandbox.aws.iam.roles import check_policy_arn, check_tag_quota
from irsa_cli.sandbox.aws.iam.shapes import check_tags
from irsa_cli.sandbox.aws.request import AwsRequest
from irsa_cli.sandbox.model import Answer


def create_policy(account: Account, request: AwsRequest) -> None:
    """The document is a policy, within its size; names differ by more than path and case."""
    name = request.params.get("PolicyName", "")
    check_tags(request.tags())
    _check_document(account, request)
    own = [p for p in account.iam.managed_policies.values() if not _is_aws_owned(p)]
    if any(p.name.lower() == name.lower() for p in own):
        message = f"A policy called {name} already exists. Duplicate names are not allowed."
        raise AwsError("EntityAlreadyExists", message, 409)
    if len(own) >= account.quotas["PoliciesQuota"]:
        raise limit_exceeded(f"Cannot exceed quota for PoliciesPerAccount: {account.quotas['PoliciesQuota']}")


def create_policy_version(account: Account, request: AwsRequest) -> None:
    """The document is a policy, within its size."""
    existing_policy(account, request)
    _check_document(account, request)


def existing_policy(account: Account, request: AwsRequest) -> None:
    """The policy has to be there."""
    arn = request.params.get("PolicyArn", "")
    check_policy_arn(arn)
    account.policy(arn)


def delete_policy(account: Account, request: AwsRequest) -> None:
    """A policy in use, also as a boundary, or with several versions can't be deleted."""
    existing_policy(account, request)
    policy = account.policy(request.params["PolicyArn"])
    if _is_aws_owned(policy):
        raise AwsError("AccessDenied", "Policies that AWS manages can't be deleted.", 403)
    bounded = any(r.permissions_boundary_arn == policy.arn for r in account.iam.roles.values())
    if policy.attachment_count or bounded:
        raise AwsError("DeleteConflict", "Cannot delete a policy attached to entities.", 409)
    if len(policy.versions) > 1:
        message = "This policy has more than one version. Delete the other versions first."
        raise AwsError("DeleteConflict", message, 409)


def tag_policy(account: Account, request: AwsRequest) -> None:
    """Tags are checked together with those that are there."""
    existing_policy(account, request)
    check_tags(request.tags())
    there = set(account.policy(request.params["PolicyArn"]).tags)
    check_tag_quota(account, len(there | {key.lower() for key, _ in request.tags()}))


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
    arns, more = page(request, sorted(found))
    return xml_result("iam", "ListPolicies", {"Policies": [_listed(found[arn]) for arn in arns], **more})


def _listed(policy: Any) -> dict[str, Any]:
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": policy.default_version_id,
        "AttachmentCount": policy.attachment_count,
        "PermissionsBoundaryUsageCount": 0,
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
    check_identity_policy(document)
    quota = account.quotas["PolicySizeQuota"]
    if without_space(document) > quota:
        raise limit_exceeded(f"Cannot exceed quota for PolicySize: {quota}")


def _is_aws_owned(policy: Any) -> bool:
    return ":iam::aws:" in policy.arn
