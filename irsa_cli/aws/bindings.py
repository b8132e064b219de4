"""The AWS side of a binding: its role with all documents, Pod Identity, quotas, providers. Reading only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar, cast

from irsa_cli.aws.errors import call, pages
from irsa_cli.aws.iam import attached_policies, inline_policies, managed_policy, or_none
from irsa_cli.aws.recent_writes import expect_role
from irsa_cli.core.objects.aws import Association, Role
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.values.errors import ServiceError, Unreadable

if TYPE_CHECKING:
    from mypy_boto3_eks import EKSClient
    from mypy_boto3_iam import IAMClient

T = TypeVar("T")
PARALLEL = 8


def provider_arns(iam: IAMClient) -> tuple[str, ...]:
    found = call(iam.list_open_id_connect_providers)["OpenIDConnectProviderList"]
    return tuple(item["Arn"] for item in found)


def role(iam: IAMClient, name: str) -> Role | None:
    """A role with its policies, None when it doesn't exist.

    The documents of AWS's own policies are read where a boundary has to be compared with them; else they are
    empty, as are those that may not be read.
    """
    found = or_none(lambda: call(iam.get_role, RoleName=name)["Role"])
    if found is None:
        return None
    boundary = found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "")

    unread: list[str] = []

    def document(arn: str) -> Document:
        if boundary:
            return managed_policy(iam, arn)
        found = {} if ":iam::aws:" in arn else _read(lambda: managed_policy(iam, arn))
        if isinstance(found, Unreadable):
            unread.append(found.why)
        return {} if isinstance(found, Unreadable) else found

    def policies() -> dict[str, Document]:
        with ThreadPoolExecutor(2) as pool:
            inline = pool.submit(inline_policies, iam, name)
            documents = {arn: document(arn) for arn in sorted(attached_policies(iam, name))}
        return {**documents, **inline.result()}

    return Role(
        arn=found["Arn"],
        trust=cast("Document", found.get("AssumeRolePolicyDocument", {})),
        max_session_duration=found.get("MaxSessionDuration", 3600),
        created=found.get("CreateDate"),
        tags={tag["Key"]: tag["Value"] for tag in found.get("Tags", [])},
        policies=_read(policies),
        boundary=boundary,
        boundary_policy=_read(lambda: managed_policy(iam, boundary)) if boundary else None,
        unread=", ".join(unread),
    )


def _read(work: Callable[[], T]) -> T | Unreadable:
    """Parts of a role that are not needed to judge who may assume it."""
    try:
        return work()
    except ServiceError as error:
        return unreadable(error)


def unreadable(error: ServiceError) -> Unreadable:
    """Why something can't be read, for a row of a list."""
    return Unreadable(error.details[0] if error.details else f"{error.message}: {error.reason}")


def associations(
    eks: EKSClient, cluster: str, *, namespace: str = "", name: str = ""
) -> dict[tuple[str, str], Association]:
    """EKS Pod Identity associations by namespace and ServiceAccount; the role is not in the list."""
    asked = {"namespace": namespace, "serviceAccount": name}
    only = {key: text for key, text in asked.items() if text}
    return {
        (item["namespace"], item["serviceAccount"]): Association(item["associationId"])
        for page in pages(eks.list_pod_identity_associations, "nextToken", clusterName=cluster, **only)
        for item in page.get("associations", [])
    }


def addons(eks: EKSClient, cluster: str) -> tuple[str, ...]:
    listed = pages(eks.list_addons, "nextToken", clusterName=cluster)
    return tuple(name for page in listed for name in page.get("addons", []))


def described(
    eks: EKSClient, cluster: str, listed: Mapping[tuple[str, str], Association]
) -> dict[tuple[str, str], Association]:
    """The listed associations with their roles; of one that can't be described only its id is known."""

    def one(found: Association) -> Association:
        try:
            answer = call(eks.describe_pod_identity_association, clusterName=cluster, associationId=found.id)
        except ServiceError:
            return found
        return Association.read({**answer["association"], "associationId": found.id})

    with ThreadPoolExecutor(PARALLEL) as pool:
        return dict(zip(listed, pool.map(one, listed.values()), strict=True))


def association(
    eks: EKSClient, cluster: str, namespace: str, name: str, *, whole: bool = False
) -> Association | None:
    """The EKS Pod Identity association of a ServiceAccount, None without one.

    If it can't be described, only its id is known; with `whole` that raises `ServiceError`.
    """
    found = associations(eks, cluster, namespace=namespace, name=name).get((namespace, name))
    if found is None:
        return None
    try:
        answer = call(eks.describe_pod_identity_association, clusterName=cluster, associationId=found.id)
    except ServiceError as error:
        if not whole:
            return found
        if error.code == "ResourceNotFoundException":
            return None
        raise
    read = Association.read({**answer["association"], "associationId": found.id})
    expect_role(read.role_arn, read.transaction)
    return read
