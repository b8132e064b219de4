"""The AWS side of a binding: its role with all documents, Pod Identity, quotas, providers. Reading only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from irsa_cli.aws.errors import call, pages
from irsa_cli.aws.iam import attached_policies, inline_policies, managed_policy, read_role
from irsa_cli.aws.recent_writes import expect_role
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.role import Role
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.values.errors import ServiceError, Unreadable

if TYPE_CHECKING:
    from mypy_boto3_eks import EKSClient
    from mypy_boto3_iam import IAMClient

T = TypeVar("T")
PARALLEL = 8


def provider_arns(iam: IAMClient) -> tuple[str, ...]:
    providers = call(iam.list_open_id_connect_providers)["OpenIDConnectProviderList"]
    return tuple(entry["Arn"] for entry in providers)


def whole_role(iam: IAMClient, name: str) -> Role | None:
    """A role with its policies, None when it doesn't exist.

    The documents of AWS's own policies are read where a boundary has to be compared with them; else they are
    empty.
    """
    role = read_role(iam, name)
    if role is None:
        return None

    def document(arn: str) -> Document | Unreadable:
        if role.boundary:
            return managed_policy(iam, arn)
        return {} if ":iam::aws:" in arn else _read(lambda: managed_policy(iam, arn))

    def with_policies() -> Role:
        with ThreadPoolExecutor(2) as pool:
            inline = pool.submit(inline_policies, iam, name)
            attached = attached_policies(iam, name)
            documents = {arn: document(arn) for arn in sorted(attached)}
        return replace(role, attached=attached, inline=inline.result(), documents=documents)

    answer = _read(with_policies)
    whole = replace(role, unread=answer.why) if isinstance(answer, Unreadable) else answer
    if not role.boundary:
        return whole
    limit = _read(lambda: managed_policy(iam, role.boundary))
    return replace(whole, documents={**whole.documents, role.boundary: limit})


def _read(ask: Callable[[], T]) -> T | Unreadable:
    """Parts of a role that are not needed to judge who may assume it."""
    try:
        return ask()
    except ServiceError as error:
        return unreadable(error)


def unreadable(error: ServiceError) -> Unreadable:
    """Why something can't be read, for a row of a list."""
    return Unreadable(error.details[0] if error.details else f"{error.message}: {error.reason}")


def associations(
    eks: EKSClient, cluster: str, *, namespace: str = "", name: str = ""
) -> dict[tuple[str, str], Association]:
    """EKS Pod Identity associations by namespace and ServiceAccount; the role is not in the list."""
    limits = {"namespace": namespace, "serviceAccount": name}
    only = {key: text for key, text in limits.items() if text}
    by_name: dict[tuple[str, str], Association] = {}
    for page in pages(eks.list_pod_identity_associations, "nextToken", clusterName=cluster, **only):
        for entry in page.get("associations", []):
            by_name[entry["namespace"], entry["serviceAccount"]] = Association(entry["associationId"])
    return by_name


def addons(eks: EKSClient, cluster: str) -> tuple[str, ...]:
    names: list[str] = []
    for page in pages(eks.list_addons, "nextToken", clusterName=cluster):
        names += page.get("addons", [])
    return tuple(names)


def described(
    eks: EKSClient, cluster: str, listed: Mapping[tuple[str, str], Association]
) -> dict[tuple[str, str], Association]:
    """The listed associations with their roles; of one that can't be described only its id is known."""

    def describe(brief: Association) -> Association:
        try:
            answer = call(eks.describe_pod_identity_association, clusterName=cluster, associationId=brief.id)
        except ServiceError:
            return brief
        return Association.read({**answer["association"], "associationId": brief.id})

    with ThreadPoolExecutor(PARALLEL) as pool:
        return dict(zip(listed, pool.map(describe, listed.values()), strict=True))


def association(
    eks: EKSClient, cluster: str, namespace: str, name: str, *, whole: bool = False
) -> Association | None:
    """The EKS Pod Identity association of a ServiceAccount, None without one.

    If it can't be described, only its id is known; with `whole` that raises `ServiceError`.
    """
    listed = associations(eks, cluster, namespace=namespace, name=name).get((namespace, name))
    if listed is None:
        return None
    try:
        answer = call(eks.describe_pod_identity_association, clusterName=cluster, associationId=listed.id)
    except ServiceError as error:
        if not whole:
            return listed
        if error.code == "ResourceNotFoundException":
            return None
        raise
    read = Association.read({**answer["association"], "associationId": listed.id})
    expect_role(read.role_arn, read.transaction)
    return read
