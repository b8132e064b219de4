"""Reading IAM: roles with their policies, OIDC providers, policies. Writing is in `irsa_cli.changes`."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeVar, cast

from irsa_cli.aws.errors import call, pages
from irsa_cli.aws.recent_writes import server_time
from irsa_cli.aws.shapes import unknown
from irsa_cli.core.binding.current import CurrentRole
from irsa_cli.core.plan.states import ProviderState, RoleState
from irsa_cli.core.policies.policy import TRUST_LIMIT, Document, size
from irsa_cli.core.trust.rules.power import power
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


def role_state(iam: IAMClient, name: str) -> tuple[RoleState, str] | None:
    """A role and its RoleId, None if it doesn't exist. Its tags include irsa's."""
    role = or_none(lambda: call(iam.get_role, RoleName=name)["Role"])
    return None if role is None else (role_of(role), role["RoleId"])


def bare_role(iam: IAMClient, name: str) -> RoleState | None:
    """The same without its RoleId."""
    found = role_state(iam, name)
    return None if found is None else found[0]


def role_of(role: RoleTypeDef) -> RoleState:
    """A role as GetRole shows it; ListRoles leaves out its tags and its boundary."""
    return RoleState(
        path=role["Path"],
        trust=cast("Document", role.get("AssumeRolePolicyDocument", {})),
        description=role.get("Description", ""),
        max_session_duration=role.get("MaxSessionDuration", 3600),
        permissions_boundary=role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
        tags={tag["Key"]: tag["Value"] for tag in role.get("Tags", [])},
        unknown=unknown("Role", role),
    )


def current_role(
    iam: IAMClient, name: str, *, policies: Callable[[CurrentRole], bool] = lambda role: True
) -> CurrentRole | None:
    """A role, None if it doesn't exist; with what is attached to it if `policies` wants it."""

    def read() -> CurrentRole | None:
        found = role_state(iam, name)
        if found is None:
            return None
        bare = CurrentRole(found[0], role_id=found[1])
        return replace(with_policies(iam, name, found[0]), role_id=found[1]) if policies(bare) else bare

    return until_they_agree(read)


def until_they_agree(read: Callable[[], CurrentRole | None]) -> CurrentRole | None:
    """Read a role and its policies until both are there or the role is not: one answer may be old."""
    began, wait = time.monotonic(), limits.PROPAGATION_SECONDS / 60
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


def with_policies(iam: IAMClient, name: str, state: RoleState) -> CurrentRole:
    """A role that was read, with what is attached to it."""
    with ThreadPoolExecutor(2) as pool:
        attached = pool.submit(attached_policies, iam, name)
        inline = pool.submit(inline_policies, iam, name)
    return CurrentRole(state, attached.result(), inline.result())


def with_power(iam: IAMClient, name: str, role: CurrentRole) -> CurrentRole:
    """A role that was read, with its policies and what of them is much; what is hidden is not harmless."""
    try:
        found = with_policies(iam, name, role.state)
    except ServiceError as error:
        return _unread(role, error)
    return judged(iam, replace(found, role_id=role.role_id))


def judged(iam: IAMClient, role: CurrentRole) -> CurrentRole:
    """A role that was read with its policies, and what of them is much."""
    limit = role.state.permissions_boundary
    try:
        documents = {arn: managed_policy(iam, arn) for arn in sorted(role.attached)}
        allowed = managed_policy(iam, limit) if limit else None
    except ServiceError as error:
        return _unread(role, error)
    much = power(role.attached, {**documents, **role.inline}, limit, allowed)
    return replace(role, power=f"it may do much: {much}" if much else "")


def _unread(role: CurrentRole, error: ServiceError) -> CurrentRole:
    if error.status != 403:
        raise error
    return replace(role, power=f"its permissions can't be read: {error.reason}")


def attached_policies(iam: IAMClient, role: str) -> frozenset[str]:
    found = pages(iam.list_attached_role_policies, "Marker", RoleName=role)
    return frozenset(item["PolicyArn"] for page in found for item in page["AttachedPolicies"])


def inline_policy_names(iam: IAMClient, role: str) -> list[str]:
    found = pages(iam.list_role_policies, "Marker", RoleName=role)
    return [name for page in found for name in page["PolicyNames"]]


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
    found = call(iam.get_policy_version, PolicyArn=arn, VersionId=version)["PolicyVersion"]
    return cast("Document", found["Document"])


def provider(iam: IAMClient, arn: str) -> ProviderState | None:
    """An OIDC provider, None if it doesn't exist. Its tags include irsa's."""
    found = aged_provider(iam, arn)
    return None if found is None else found[0]


def aged_provider(iam: IAMClient, arn: str) -> tuple[ProviderState, float] | None:
    """An OIDC provider with its age in seconds by IAM's own clock, None when it doesn't exist."""
    found = or_none(lambda: call(iam.get_open_id_connect_provider, OpenIDConnectProviderArn=arn))
    if found is None:
        return None
    state = ProviderState(
        # IAM answers the URL without its scheme.
        url="https://" + found["Url"].removeprefix("https://"),
        audiences=list(found.get("ClientIDList", [])),
        thumbprints=list(found.get("ThumbprintList", [])),
        tags={tag["Key"]: tag["Value"] for tag in found.get("Tags", [])},
        unknown=unknown("OpenIDConnectProvider", found),
    )
    now = server_time(found["ResponseMetadata"]) or datetime.now(timezone.utc)
    return state, (now - found["CreateDate"]).total_seconds()


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
    found = unless_denied(lambda: quotas(iam))
    return {} if isinstance(found, Unreadable) else found


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
    found = pages(iam.list_policies, "Marker", Scope=scope, MaxItems=1000)
    return {item["PolicyName"]: item["Arn"] for page in found for item in page["Policies"]}


def similar_policies(iam: IAMClient, arn: str) -> list[str]:
    """ARNs of policies whose names resemble that of a policy that doesn't exist, at most three."""
    wanted = arn.rsplit("/", 1)[-1]
    scope: Any = "AWS" if ":iam::aws:" in arn else "Local"
    try:
        by_name = policies_by_name(iam, scope)
    except ServiceError:
        return []
    return [by_name[name] for name in difflib.get_close_matches(wanted, by_name, n=3)]


PAGE = 1000
"""Roles asked for at once, the most that IAM gives; it may give fewer."""


@dataclass(frozen=True)
class ListedRole:
    """A role as ListRoles shows it: without tags, boundary and use."""

    name: str
    arn: str
    path: str
    trust: Document
    created: datetime


@dataclass(frozen=True)
class Listing:
    """All roles of an account, and IAM's clock when it listed them."""

    roles: tuple[ListedRole, ...]
    now: datetime


def list_roles(iam: IAMClient, path: str = "/") -> Listing:
    """All roles of the account whose path begins so; IAM itself leaves out the others."""
    found: list[ListedRole] = []
    now = datetime.now(timezone.utc)
    for page in pages(iam.list_roles, "Marker", PathPrefix=path, MaxItems=PAGE):
        now = server_time(page["ResponseMetadata"]) or now
        found += [
            ListedRole(
                role["RoleName"],
                role["Arn"],
                role["Path"],
                cast("Document", role.get("AssumeRolePolicyDocument", {})),
                role["CreateDate"],
            )
            for role in page["Roles"]
        ]
    return Listing(tuple(found), now)


PARALLEL = 8


@dataclass(frozen=True)
class FoundRole:
    """A role as GetRole shows it. `last_used` is None when IAM knows of no use in the last 400 days.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_RoleLastUsed.html
    """

    name: str
    arn: str
    role_id: str
    state: RoleState
    created: datetime
    last_used: datetime | None
    used_in: str = ""
    """The region of its last use."""


def find_roles(iam: IAMClient, names: Sequence[str]) -> list[FoundRole]:
    """These roles with tags and use, as many at the same time as IAM bears; those that are gone left out."""
    if not names:
        return []
    count = Count("roles", len(names))

    def find(name: str) -> FoundRole | None:
        role = find_role(iam, name)
        count.one()
        return role

    with ThreadPoolExecutor(PARALLEL) as pool:
        found = list(pool.map(find, names))
    return [role for role in found if role is not None]


def find_role(iam: IAMClient, name: str) -> FoundRole | None:
    role = or_none(lambda: call(iam.get_role, RoleName=name)["Role"])
    if role is None:
        return None
    used = role.get("RoleLastUsed", {})
    return FoundRole(
        name,
        role["Arn"],
        role["RoleId"],
        role_of(role),
        role["CreateDate"],
        used.get("LastUsedDate"),
        used.get("Region", ""),
    )
