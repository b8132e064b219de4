"""What a call is in the language of policies: its action, the ARN of its resource, and its condition keys.

https://docs.aws.amazon.com/service-authorization/latest/reference/ lists them by service. Calls without
resource types there are about `*`. A role or policy that a call names and that isn't there has no path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from irsa_cli.sandbox.enforce import Act

if TYPE_CHECKING:
    from irsa_cli.sandbox.aws.account import Account
    from irsa_cli.sandbox.aws.callers import Caller
    from irsa_cli.sandbox.aws.request import AwsRequest

_S3_ACTIONS = {
    "ListBuckets": "ListAllMyBuckets",
    "ListObjectsV2": "ListBucket",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
}


# What is asked besides the call's own action where an object is made with tags:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags_roles.html
_WITH_TAGS = {"CreateRole": "iam:TagRole", "CreateOpenIDConnectProvider": "iam:TagOpenIDConnectProvider"}


def acts_of(request: AwsRequest, caller: Caller, account: Account) -> list[Act]:
    """All that a signed call, but those to STS, does; each of it must be allowed."""
    act = _act_of(request, caller, account)
    tagging = _WITH_TAGS.get(request.operation) if request.service == "iam" and request.tags() else None
    return [act, Act(tagging, act.resource, act.context)] if tagging else [act]


def _act_of(request: AwsRequest, caller: Caller, account: Account) -> Act:
    makers = {"iam": _iam_act, "eks": _eks_act, "s3": _s3_act}
    maker = makers.get(request.service)
    # CloudTrail's and EC2's calls that are served are about no resource.
    act = maker(request, account) if maker else Act(f"{request.service}:{request.operation}", "*")
    common = {
        "aws:principalarn": [caller.role_arn or caller.arn],
        "aws:principalaccount": [caller.account],
        "aws:requestedregion": [request.region],
        "aws:username": [caller.name],
    }
    return Act(act.action, act.resource, {**common, **act.context})


def _iam_act(request: AwsRequest, account: Account) -> Act:
    resource, tags = _iam_resource(request, account)
    context: dict[str, list[str]] = {f"aws:resourcetag/{k.lower()}": [v] for k, v in tags.items()}
    context |= {f"iam:resourcetag/{k.lower()}": [v] for k, v in tags.items()}
    context |= {f"aws:requesttag/{k.lower()}": [v] for k, v in request.tags()}
    keys = [key for key, _ in request.tags()] + request.members("TagKeys")
    if keys:
        context["aws:tagkeys"] = keys
    if "PolicyArn" in request.params:
        context["iam:policyarn"] = [request.params["PolicyArn"]]
    boundary = request.params.get("PermissionsBoundary") or _boundary_of(request, account)
    if boundary:
        context["iam:permissionsboundary"] = [boundary]
    return Act(f"iam:{request.operation}", resource, context)


def _iam_resource(request: AwsRequest, account: Account) -> tuple[str, dict[str, str]]:
    """The resource of an IAM call, and the tags that it has already."""
    params = request.params
    base = f"arn:{account.partition}:iam::{account.number}"
    if "RoleName" in params:
        return _named(account.iam.roles.values(), f"{base}:role", params["RoleName"], params.get("Path"))
    if "UserName" in params:
        return _named(account.iam.users.values(), f"{base}:user", params["UserName"], params.get("Path"))
    if request.operation == "CreatePolicy":
        return f"{base}:policy{params.get('Path', '/')}{params.get('PolicyName', '')}", {}
    if "PolicyArn" in params:
        policy = account.iam.managed_policies.get(params["PolicyArn"])
        return params["PolicyArn"], _pairs(policy.get_tags()) if policy else {}
    if "PolicySourceArn" in params:
        return params["PolicySourceArn"], {}
    if "OpenIDConnectProviderArn" in params:
        provider = account.iam.open_id_providers.get(params["OpenIDConnectProviderArn"])
        return params["OpenIDConnectProviderArn"], _pairs(provider.get_tags()) if provider else {}
    if request.operation == "CreateOpenIDConnectProvider":
        url = urlsplit(params.get("Url", ""))
        return f"{base}:oidc-provider/{url.netloc}{url.path}", {}
    return "*", {}


def _named(holders: Any, base: str, name: str, path: str | None) -> tuple[str, dict[str, str]]:
    found = next((holder for holder in holders if holder.name == name), None)
    if found is None or path is not None:
        return f"{base}{path or '/'}{name}", {}
    return found.arn, _pairs(found.tags or [])


def _boundary_of(request: AwsRequest, account: Account) -> str | None:
    """A role's own boundary is a condition key of all calls about it, but for its creation."""
    if "RoleName" not in request.params or request.operation == "CreateRole":
        return None
    name = request.params["RoleName"]
    return next((r.permissions_boundary_arn for r in account.iam.roles.values() if r.name == name), None)


def _pairs(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def _eks_act(request: AwsRequest, account: Account) -> Act:
    _, name, _, number = [*request.path.strip("/").split("/"), "", "", ""][:4]
    place = f"{account.partition}:eks:{request.region}:{account.number}"
    if not name:
        return Act(f"eks:{request.operation}", "*")
    kind = "podidentityassociation" if number else "cluster"
    where = f"arn:{place}:{kind}/{name}" + (f"/{number}" if number else "")
    return Act(f"eks:{request.operation}", where)


def _s3_act(request: AwsRequest, account: Account) -> Act:
    action = _S3_ACTIONS.get(request.operation, request.operation)
    where = request.path.strip("/")
    return Act(f"s3:{action}", f"arn:{account.partition}:s3:::{where}" if where else "*")
