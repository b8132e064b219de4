"""IAM's calls: which rules stand before which call of moto's; those for OIDC providers and a whole account.

GetAccountAuthorizationDetails tells of roles with all that is on them, and of managed policies, in pages;
users and groups are not served. Unlike GetRole it leaves out the description and the longest session.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
SimulatePrincipalPolicy tells what the policies and the boundary of a role say to some actions; users, groups,
further policies in the call and resource policies are not served.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from contextlib import nullcontext
from itertools import chain, product
from typing import Any
from urllib.parse import quote, urlsplit

from botocore import xform_name

from irsa_cli.sandbox.aws.callers import powers_of
from irsa_cli.sandbox.aws.iam import roles
from irsa_cli.sandbox.aws.iam.account import Account, members, page, page_of, serve_tags, tags_of
from irsa_cli.sandbox.aws.iam.grammar import check_tags
from irsa_cli.sandbox.aws.iam.roles import brief, brief_policy
from irsa_cli.sandbox.aws.messages import AwsError, AwsRequest, no_such_entity, result_of, validation_error
from irsa_cli.sandbox.enforce import Act, Powers, like, listed, verdict
from irsa_cli.sandbox.model import Answer

_THUMBPRINT = re.compile(r"[0-9A-Fa-f]{40}")
_ARN = re.compile(r"arn:aws[\w-]*:iam::\d{12}:oidc-provider/[\x21-\x7e]+")
_MOST_THUMBPRINTS = 5
_CLIENT_IDS = "ClientIdsPerOpenIdConnectProvider"


def create_provider(account: Account, request: AwsRequest) -> Answer:
    """The URL is https, has no query, and is new. Without thumbprints IAM asks the issuer for one."""
    url = request.params.get("Url", "")
    address = urlsplit(url)
    if address.scheme != "https" or not address.hostname or address.query or address.fragment:
        raise validation_error("Invalid Open ID Connect Provider URL")
    account.check_quota(f"{_CLIENT_IDS}Quota", len(request.parameters.get("ClientIDList", [])), _CLIENT_IDS)
    prints = request.parameters.get("ThumbprintList", [])
    if len(prints) > _MOST_THUMBPRINTS:
        raise AwsError("InvalidInput", "Thumbprint list must contain fewer than 5 entries.")
    for thumbprint in prints:
        if not _THUMBPRINT.fullmatch(thumbprint):
            raise validation_error(f"Value '{thumbprint}' at 'thumbprintList' must be 40 hexadecimal digits")
    check_tags(request.tags(), any_case=False)
    arn = f"arn:{account.partition}:iam::{account.number}:oidc-provider/{address.netloc}{address.path}"
    if arn in account.iam.open_id_providers:
        raise AwsError("EntityAlreadyExists", f"Provider with url {url} already exists.", 409)
    count = len(account.iam.open_id_providers) + 1
    account.check_quota("OpenIdConnectProvidersQuota", count, "OpenIdConnectProvidersPerAccount")
    thumbprints = prints or [hashlib.sha1(address.netloc.encode()).hexdigest()]  # noqa: S324 - as IAM's
    audiences = request.parameters.get("ClientIDList", [])
    provider = account.iam.create_open_id_connect_provider(url, thumbprints, audiences, [])
    serve_tags(account, provider, request)
    return result_of(request, {"OpenIDConnectProviderArn": provider.arn})


def get_provider(account: Account, request: AwsRequest) -> Answer:
    """A provider; its URL is without https://."""
    provider = existing_provider(account, request)
    shown = members(provider, "Url", "ClientIDList", "ThumbprintList", "CreateDate")
    return result_of(request, {**shown, "Tags": tags_of(provider)})


def delete_provider(account: Account, request: AwsRequest) -> None:
    existing_provider(account, request, "OpenId connect Provider {arn} cannot be found.")


def change_client_ids(account: Account, request: AwsRequest) -> Answer:
    """Adds or removes an audience; adding it again, or removing one that isn't there, changes nothing."""
    provider = existing_provider(account, request)
    client_id = request.params["ClientID"]
    kept_ids = [client for client in provider.client_id_list if client != client_id]
    if request.operation.startswith("Remove"):
        provider.client_id_list = kept_ids
    elif client_id not in provider.client_id_list:
        account.check_quota(f"{_CLIENT_IDS}Quota", len(kept_ids) + 1, _CLIENT_IDS)
        provider.client_id_list = [*kept_ids, client_id]
    return result_of(request)


def existing_provider(
    account: Account, request: AwsRequest, missing: str = "OpenIDConnect Provider not found for arn {arn}"
) -> Any:
    """The provider, which has to be there; `missing` is what IAM says else."""
    arn = request.params["OpenIDConnectProviderArn"]
    if not _ARN.fullmatch(arn):
        raise AwsError("InvalidInput", f"Invalid ARN: {arn}")
    if arn not in account.iam.open_id_providers:
        raise no_such_entity(missing.format(arn=arn))
    return account.iam.open_id_providers[arn]


_OF_PROFILES = ("Path", "InstanceProfileName", "InstanceProfileId", "Arn", "CreateDate")
_OPERATION = "GetAccountAuthorizationDetails"


def get_account_authorization_details(account: Account, request: AwsRequest) -> Answer:
    """A page of roles and policies. Pages stay in order when some go away between them; moto has none."""
    filters = set(request.parameters.get("Filter", []))
    if not filters or filters - {"Role", "LocalManagedPolicy", "AWSManagedPolicy"}:
        raise AwsError("NotImplemented", f"The sandbox serves {_OPERATION} without users and groups.", 501)
    used: set[str] = set()
    for role in account.iam.roles.values():
        used |= {*role.managed_policies, role.permissions_boundary_arn}
    roles = {f"role {role.name}": role for role in account.iam.roles.values() if "Role" in filters}
    policies: dict[str, Any] = {}
    for policy in account.iam.managed_policies.values():
        is_aws = ":iam::aws:" in policy.arn
        kind = "AWSManagedPolicy" if is_aws else "LocalManagedPolicy"
        # Of AWS's own, those that somebody has attached.
        if kind in filters and (not is_aws or policy.arn in used):
            policies[f"policy {policy.arn}"] = policy
    keys, more = page(request, sorted((*roles, *policies)))
    details = {
        "RoleDetailList": [_detailed(roles[key]) for key in keys if key in roles],
        "Policies": [_detailed_policy(policies[key]) for key in keys if key in policies],
    }
    empty: dict[str, list[Any]] = {"UserDetailList": [], "GroupDetailList": []}
    return result_of(request, {**empty, **details, **more})


def _detailed_policy(policy: Any) -> dict[str, Any]:
    versions = [
        {
            "Document": quote(version.document, safe=""),
            "VersionId": version.version_id,
            "IsDefaultVersion": version.version_id == policy.default_version_id,
        }
        for version in policy.versions
    ]
    return {**brief_policy(policy), "PolicyVersionList": versions}


def _profile(profile: Any) -> dict[str, Any]:
    own = members(profile, *_OF_PROFILES, kind="InstanceProfile")
    return {**own, "Roles": [brief(role) for role in profile.roles]}


def _detailed(role: Any) -> dict[str, Any]:
    return {
        **brief(role),
        "InstanceProfileList": [_profile(profile) for profile in role.instance_profile_list],
        "RolePolicyList": [
            {"PolicyName": name, "PolicyDocument": quote(document, safe="")}
            for name, document in sorted(role.policies.items())
        ],
        "AttachedManagedPolicies": role.attached_managed_policies,
        "PermissionsBoundary": role.permissions_boundary,
        "Tags": role.tags or [],
        "RoleLastUsed": role.role_last_used,
    }


def simulate_principal_policy(account: Account, request: AwsRequest) -> Answer:
    arn = request.params.get("PolicySourceArn", "")
    role = next((role for role in account.iam.roles.values() if role.arn == arn), None)
    if role is None:
        raise no_such_entity(f"The policy source {arn} cannot be found.")
    entries = request.parameters.get("ContextEntries", [])
    context = {entry["ContextKeyName"].lower(): entry.get("ContextKeyValues", []) for entry in entries}
    powers = powers_of(account.iam, role)
    resources = request.parameters.get("ResourceArns", [])
    pairs = product(request.parameters.get("ActionNames", []), resources or ["*"])
    acts = [Act(action, resource, context) for action, resource in pairs]
    results = [_result(powers, act, specific=bool(resources)) for act in acts]
    return result_of(request, {"EvaluationResults": results, "IsTruncated": False})


def _result(powers: Powers, act: Act, *, specific: bool) -> dict[str, Any]:
    """The decision; for a named resource it is repeated, with the keys without values.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_ResourceSpecificResult.html
    """
    layers = [powers.identity]
    if powers.boundary is not None:
        layers.append([powers.boundary])
    verdicts = {verdict(layer, act) for layer in layers}
    decision = "allowed"
    if "deny" in verdicts:
        decision = "explicitDeny"
    elif "silent" in verdicts:
        decision = "implicitDeny"
    keys: set[str] = set()
    for document in chain.from_iterable(layers):
        for statement in listed(document.get("Statement", [])):
            actions = listed(statement.get("Action", []))
            if any(like(name, act.action, ignore_case=True) for name in actions):
                keys.update(*statement.get("Condition", {}).values())
    missing = sorted(key for key in keys if key.lower() not in act.context)
    of_resource = {
        "EvalResourceName": act.resource,
        "EvalResourceDecision": decision,
        "MissingContextValues": missing,
    }
    return {
        "EvalActionName": act.action,
        "EvalResourceName": act.resource,
        "EvalDecision": decision,
        "MatchedStatements": [],
        "MissingContextValues": [] if specific else missing,
        "ResourceSpecificResults": [of_resource] if specific else [],
    }


_Rule = Callable[[Account, AwsRequest], Answer | None]


def _serving_tags(find: Callable[[Account, AwsRequest], Any]) -> _Rule:
    return lambda account, request: serve_tags(account, find(account, request), request)


_TAGGED: dict[str, Callable[[Account, AwsRequest], Any]] = {
    "OpenIDConnectProvider": existing_provider,
    "Role": Account.role,
    "Policy": lambda account, request: roles.existing_policy(account, request, "was not found."),
}
_RULES: dict[str, _Rule] = {
    "AddClientIDToOpenIDConnectProvider": change_client_ids,
    "CreateOpenIDConnectProvider": create_provider,
    "DeleteOpenIDConnectProvider": delete_provider,
    "DeletePolicyVersion": roles.policy_version,
    "DeleteRolePolicy": roles.existing_role_policy,
    "GetAccountAuthorizationDetails": get_account_authorization_details,
    "GetOpenIDConnectProvider": get_provider,
    "GetPolicyVersion": roles.policy_version,
    "GetRolePolicy": roles.existing_role_policy,
    "ListRolePolicies": lambda account, request: page_of(
        request, "PolicyNames", {name: name for name in account.role(request).policies}
    ),
    "RemoveClientIDFromOpenIDConnectProvider": change_client_ids,
    "SetDefaultPolicyVersion": roles.policy_version,
    "SimulatePrincipalPolicy": simulate_principal_policy,
    **{f"List{kind}Tags": _serving_tags(find) for kind, find in _TAGGED.items()},
    **{f"Tag{kind}": _serving_tags(find) for kind, find in _TAGGED.items()},
    **{f"Untag{kind}": _serving_tags(find) for kind, find in _TAGGED.items()},
}
"""The rules of operations; others are functions of `roles` that are called as the operation is."""
_STALE_READS = ("Get", "List")
_STALE_WRITES = ("Attach", "PutRole", "TagRole", "UpdateAssumeRolePolicy", "UpdateRole")
"""Beginnings of the operations that don't see what is new; see `lag`. Writes see the insides of objects as
they are, or they would write over what is hidden."""


def execute(account: Account, request: AwsRequest) -> Answer:
    place = (account.number, account.partition)
    reads = request.operation.startswith(_STALE_READS)
    stale = reads or request.operation.startswith(_STALE_WRITES)
    view = account.lag.stale_view(*place, within=reads) if stale else nullcontext()
    if request.operation == "DeleteRole" and account.lag.replicas:
        with account.lag.stale_view(*place):
            roles.check_nothing_on(account, request)
    with account.lag.watch(*place), view:
        roles.check_modifiable(account, request)
        rule = _RULES.get(request.operation) or getattr(roles, xform_name(request.operation), None)
        answer = rule(account, request) if rule else None
        if answer is None:
            answer = account.forward(request)
    return answer
