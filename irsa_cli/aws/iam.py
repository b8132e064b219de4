"""Reading IAM: roles with their policies, OIDC providers, policies. Writing is in `irsa_cli.changes`."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeVar, cast

from irsa_cli.aws.errors import call, listed, pages
from irsa_cli.aws.recent_writes import server_time
from irsa_cli.aws.shapes import unknown
from irsa_cli.core.objects.role import LISTED, Role
from irsa_cli.core.plan.states import ProviderState, RoleState
from irsa_cli.core.policies.policy import TRUST_LIMIT, Document, size
from irsa_cli.core.values import limits, patience
from irsa_cli.core.values.errors import ServiceError, Unreadable, unless_denied
from irsa_cli.core.values.patience import Count, current

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_iam.type_defs import RoleTypeDef

NOT_THERE = "NoSuchEntity"
EXISTS = "EntityAlreadyExists"
T = TypeVar("T")


def or_none(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except ServiceError as error:
        if error.code != NOT_THERE:
            raise
        return None


def read_role(iam: IAMClient, name: str) -> Role | None:
    """A role without its policies, None if it doesn't exist. Its tags include irsa's."""
    role = or_none(lambda: call(iam.get_role, RoleName=name)["Role"])
    return None if role is None else role_of(role)


def role_of(role: RoleTypeDef) -> Role:
    """A role as GetRole shows it."""
    used = role.get("RoleLastUsed", {})
    return Role(
        role["Arn"],
        replace(_state(role), unknown=unknown("Role", role)),
        role_id=role["RoleId"],
        created=role["CreateDate"],
        last_used=used.get("LastUsedDate"),
        used_in=used.get("Region", ""),
    )


def _state(role: RoleTypeDef) -> RoleState:
    return RoleState(
        path=role["Path"],
        trust=cast("Document", role.get("AssumeRolePolicyDocument", {})),
        description=role.get("Description", ""),
        max_session_duration=role.get("MaxSessionDuration", 3600),
        permissions_boundary=role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
        tags={tag["Key"]: tag["Value"] for tag in role.get("Tags", [])},
    )


def current_role(
    iam: IAMClient, name: str, *, policies: Callable[[Role], bool] = lambda role: True
) -> Role | None:
    """A role, None if it doesn't exist; with its policies if `policies` says so of the role without them."""

    def read() -> Role | None:
        role = read_role(iam, name)
        if role is None or not policies(role):
            return role
        return with_policies(iam, role)

    return until_they_agree(read)


def expected_role(iam: IAMClient, name: str) -> Role | None:
    """A role with its policies, None if it doesn't exist; all is asked for at once, as it is likely there."""

    def read() -> Role | None:
        with ThreadPoolExecutor(3) as pool:
            answer = pool.submit(read_role, iam, name)
            attached = pool.submit(attached_policies, iam, name)
            inline = pool.submit(inline_policies, iam, name)
        role = answer.result()
        if role is None:
            return None
        return replace(role, attached=attached.result(), inline=inline.result())

    return until_they_agree(read)


def until_they_agree(read: Callable[[], Role | None]) -> Role | None:
    """Read a role and its policies until both are there or the role is not: one answer may be old."""
    began = time.monotonic()
    wait = limits.PROPAGATION_SECONDS / 60
    while True:
        try:
            return read()
        except ServiceError as error:
            waited = time.monotonic() - began
            if error.code != NOT_THERE or waited >= limits.PROPAGATION_SECONDS:
                raise
        patience.waiting("IAM to return its latest state", waited, limits.PROPAGATION_SECONDS)
        current().pause(wait)
        wait = min(wait * 2, 2.0)


def with_policies(iam: IAMClient, role: Role) -> Role:
    """A role with its policies: the documents of the inline ones."""
    with ThreadPoolExecutor(2) as pool:
        attached = pool.submit(attached_policies, iam, role.name)
        inline = pool.submit(inline_policies, iam, role.name)
    return replace(role, attached=attached.result(), inline=inline.result())


def with_documents(iam: IAMClient, role: Role) -> Role:
    """A role with what its policies and its boundary say, or why that can't be read."""
    try:
        role = with_policies(iam, role)
    except ServiceError as error:
        return _hidden(role, error)
    return with_managed_documents(iam, role)


def with_managed_documents(iam: IAMClient, role: Role) -> Role:
    """A role that was read with its policies, with what the managed ones and its boundary say."""
    arns = sorted({*role.attached, *filter(None, [role.boundary])})
    try:
        return replace(role, documents={arn: managed_policy(iam, arn) for arn in arns})
    except ServiceError as error:
        return _hidden(role, error)


def _hidden(role: Role, error: ServiceError) -> Role:
    if error.status != 403:
        raise error
    return replace(role, unread=error.reason)


def attached_policies(iam: IAMClient, role: str) -> frozenset[str]:
    policies = listed(iam.list_attached_role_policies, "Marker", "AttachedPolicies", RoleName=role)
    return frozenset(policy["PolicyArn"] for policy in policies)


def inline_policy_names(iam: IAMClient, role: str) -> list[str]:
    return list(listed(iam.list_role_policies, "Marker", "PolicyNames", RoleName=role))


def inline_policy(iam: IAMClient, role: str, name: str) -> Document | None:
    answer = or_none(lambda: call(iam.get_role_policy, RoleName=role, PolicyName=name))
    return None if answer is None else cast("Document", answer["PolicyDocument"])


def inline_policies(iam: IAMClient, role: str) -> dict[str, Document]:
    names = inline_policy_names(iam, role)
    if not names:
        return {}
    with ThreadPoolExecutor(8) as pool:
        documents = list(pool.map(lambda name: inline_policy(iam, role, name), names))
    return {name: document for name, document in zip(names, documents, strict=True) if document is not None}


def managed_policy(iam: IAMClient, arn: str) -> Document:
    version = call(iam.get_policy, PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = call(iam.get_policy_version, PolicyArn=arn, VersionId=version)["PolicyVersion"]
    return cast("Document", document["Document"])


def provider(iam: IAMClient, arn: str) -> ProviderState | None:
    """An OIDC provider, None if it doesn't exist. Its tags include irsa's."""
    aged = aged_provider(iam, arn)
    return None if aged is None else aged[0]


def aged_provider(iam: IAMClient, arn: str) -> tuple[ProviderState, float] | None:
    """An OIDC provider with its age in seconds by IAM's own clock, None when it doesn't exist."""
    answer = or_none(lambda: call(iam.get_open_id_connect_provider, OpenIDConnectProviderArn=arn))
    if answer is None:
        return None
    state = ProviderState(
        # IAM answers the URL without its scheme.
        url="https://" + answer["Url"].removeprefix("https://"),
        audiences=list(answer.get("ClientIDList", [])),
        thumbprints=list(answer.get("ThumbprintList", [])),
        tags={tag["Key"]: tag["Value"] for tag in answer.get("Tags", [])},
        unknown=unknown("OpenIDConnectProvider", answer),
    )
    now = server_time(answer["ResponseMetadata"]) or datetime.now(timezone.utc)
    return state, (now - answer["CreateDate"]).total_seconds()


def trust_quota(iam: IAMClient, trust: Document | None = None) -> int:
    """Characters that the account allows a trust policy; IAM's default where the caller may not ask.

    Nor is it asked if one more statement of this policy fits into the default.
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountSummary.html
    """
    if trust is not None and size(trust) <= TRUST_LIMIT / 2:
        return TRUST_LIMIT
    return allowed_quotas(iam).get("AssumeRolePolicySizeQuota", TRUST_LIMIT)


def quotas(iam: IAMClient) -> dict[str, int]:
    return {str(name): value for name, value in call(iam.get_account_summary)["SummaryMap"].items()}


def allowed_quotas(iam: IAMClient) -> dict[str, int]:
    """The same, empty if the caller may not ask: then AWS's defaults are assumed."""
    try:
        return quotas(iam)
    except ServiceError as error:
        if error.status != 403:
            raise
        patience.replaced(error)
        return {}


def policy_version(iam: IAMClient, arn: str) -> str | None:
    """The id and the version in force of a managed policy, '' for none; None if the caller may not ask.

    Together they identify the document: a version never changes, a recreated policy has another
    id. https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-versioning.html
    """
    policy = unless_denied(lambda: or_none(lambda: call(iam.get_policy, PolicyArn=arn)["Policy"]))
    if isinstance(policy, Unreadable):
        return None
    if policy is None:
        return ""
    return f"{policy.get('PolicyId', 'unknown')} {policy.get('DefaultVersionId', 'unknown')}"


def policies_by_name(iam: IAMClient, scope: Any) -> dict[str, str]:
    """The ARNs of all managed policies of AWS (scope `AWS`) or of the account (`Local`)."""
    policies = listed(iam.list_policies, "Marker", "Policies", Scope=scope, MaxItems=1000)
    return {policy["PolicyName"]: policy["Arn"] for policy in policies}


def similar_policies(iam: IAMClient, arn: str) -> list[str]:
    """ARNs of policies whose names resemble that of a policy that doesn't exist, at most three."""
    name = arn.rsplit("/", 1)[-1]
    scope: Any = "AWS" if ":iam::aws:" in arn else "Local"
    try:
        by_name = policies_by_name(iam, scope)
    except ServiceError:
        return []
    return [by_name[similar] for similar in difflib.get_close_matches(name, by_name, n=3)]


PAGE = 1000
"""Roles asked for at once, the most that IAM gives; it may give fewer."""


@dataclass(frozen=True)
class Listing:
    """All roles of an account, and IAM's clock when it listed them."""

    roles: tuple[Role, ...]
    now: datetime


def list_roles(iam: IAMClient, path: str = "/") -> Listing:
    """All roles of the account whose path begins so; IAM itself leaves out the others.

    Of each, the list leaves out its tags, its boundary and its use.
    """
    roles: list[Role] = []
    now = datetime.now(timezone.utc)
    for page in pages(iam.list_roles, "Marker", PathPrefix=path, MaxItems=PAGE):
        now = server_time(page["ResponseMetadata"]) or now
        roles += [
            Role(
                role["Arn"],
                _state(role),
                role_id=role["RoleId"],
                created=role["CreateDate"],
                left_out=LISTED,
            )
            for role in page["Roles"]
        ]
    return Listing(tuple(roles), now)


PARALLEL = 8


def read_roles(iam: IAMClient, names: Sequence[str]) -> list[Role]:
    """These roles without their policies, as many at once as IAM bears; those that are gone are left out."""
    if not names:
        return []
    count = Count("roles", len(names))

    def read(name: str) -> Role | None:
        role = read_role(iam, name)
        count.one()
        return role

    with ThreadPoolExecutor(PARALLEL) as pool:
        roles = list(pool.map(read, names))
    return [role for role in roles if role is not None]
