"""IAM: which rules stand before which call of moto's, and what is put right in its answers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

from irsa_cli.sandbox.aws.iam import details, policies, providers, roles, simulate
from irsa_cli.sandbox.aws.iam.account import Account
from irsa_cli.sandbox.aws.request import AwsRequest
from irsa_cli.sandbox.model import Answer

_Rule = Callable[[Account, AwsRequest], Answer | None]

_RULES: dict[str, _Rule] = {
    "AddClientIDToOpenIDConnectProvider": providers.add_client_id,
    "AttachRolePolicy": roles.attach_role_policy,
    "AttachUserPolicy": policies.attach_user_policy,
    "CreateOpenIDConnectProvider": providers.create_provider,
    "CreatePolicy": policies.create_policy,
    "CreatePolicyVersion": policies.create_policy_version,
    "CreateRole": roles.create_role,
    "DeleteOpenIDConnectProvider": providers.delete_provider,
    "DeletePolicy": policies.delete_policy,
    "DeletePolicyVersion": policies.policy_version,
    "DeleteRole": roles.delete_role,
    "DeleteRolePermissionsBoundary": roles.existing_role,
    "DeleteRolePolicy": roles.existing_role_policy,
    "DetachRolePolicy": roles.detach_role_policy,
    "GetAccountAuthorizationDetails": details.get_account_authorization_details,
    "GetAccountSummary": policies.get_account_summary,
    "GetOpenIDConnectProvider": providers.get_provider,
    "GetPolicy": policies.get_policy,
    "GetPolicyVersion": policies.policy_version,
    "GetRole": roles.get_role,
    "GetRolePolicy": roles.existing_role_policy,
    "ListAttachedRolePolicies": roles.list_attached_role_policies,
    "ListOpenIDConnectProviderTags": providers.tag_provider,
    "ListPolicies": policies.list_policies,
    "ListPolicyTags": policies.tag_policy,
    "ListPolicyVersions": policies.list_policy_versions,
    "ListRolePolicies": roles.list_role_policies,
    "ListRoleTags": roles.list_role_tags,
    "ListRoles": roles.list_roles,
    "PutRolePermissionsBoundary": roles.put_role_permissions_boundary,
    "PutRolePolicy": roles.put_role_policy,
    "RemoveClientIDFromOpenIDConnectProvider": providers.remove_client_id,
    "SetDefaultPolicyVersion": policies.policy_version,
    "SimulatePrincipalPolicy": simulate.simulate_principal_policy,
    "TagOpenIDConnectProvider": providers.tag_provider,
    "TagPolicy": policies.tag_policy,
    "TagRole": roles.tag_role,
    "UntagOpenIDConnectProvider": providers.tag_provider,
    "UntagPolicy": policies.tag_policy,
    "UntagRole": roles.untag_role,
    "UpdateAssumeRolePolicy": roles.update_assume_role_policy,
    "UpdateOpenIDConnectProviderThumbprint": providers.update_thumbprint,
    "UpdateRole": roles.update_role,
    "UpdateRoleDescription": roles.update_role_description,
}
_STALE_READS = ("Get", "List")
_STALE_WRITES = ("Attach", "PutRole", "TagRole", "UpdateAssumeRolePolicy", "UpdateRole")
"""Beginnings of the operations that don't see what is new; see `lag`. Writes see the insides of objects as
they are, or they would write over what is hidden."""


def execute(account: Account, request: AwsRequest) -> Answer:
    """IAM's answer to an allowed call whose parameters are in shape."""
    place = (account.number, account.partition)
    reads = request.operation.startswith(_STALE_READS)
    stale = reads or request.operation.startswith(_STALE_WRITES)
    view = account.lag.stale_view(*place, within=reads) if stale else nullcontext()
    if request.operation == "DeleteRole" and account.lag.replicas:
        with account.lag.stale_view(*place):
            roles.check_nothing_on(account, request)
    with account.lag.watch(*place), view:
        rule = _RULES.get(request.operation)
        answer = rule(account, request) if rule else None
        if answer is None:
            answer = account.cloud.forward(request, *place)
    return answer
