"""Reading what an account has of clusters: OIDC providers, EKS Pod Identity, and access entries."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from irsa_cli.aws import bindings
from irsa_cli.aws.bindings import provider_arns, unreadable
from irsa_cli.aws.errors import call, listed
from irsa_cli.aws.iam import provider
from irsa_cli.core.audit.estate import AuditedAssociation
from irsa_cli.core.rbac.principals import AccessEntry
from irsa_cli.core.values.errors import ServiceError

if TYPE_CHECKING:
    from mypy_boto3_eks import EKSClient
    from mypy_boto3_iam import IAMClient

PARALLEL = 8


def providers(iam: IAMClient) -> dict[str, tuple[str, ...] | None]:
    """The audiences of all OIDC providers by ARN; None for one that is there and can't be read."""

    def audiences(arn: str) -> tuple[str, ...] | None:
        try:
            state = provider(iam, arn)
        except ServiceError:
            return None
        return None if state is None else tuple(state.audiences)

    arns = provider_arns(iam)
    with ThreadPoolExecutor(PARALLEL) as pool:
        return dict(zip(arns, pool.map(audiences, arns), strict=True))


def associations(eks: EKSClient, cluster: str) -> tuple[AuditedAssociation, ...]:
    """All associations of a cluster with their roles: the list has none, so that each is asked for."""
    described = bindings.described(eks, cluster, bindings.associations(eks, cluster))
    return tuple(
        AuditedAssociation(*names, association.id, association.role_arn, association.target_role_arn)
        for names, association in described.items()
    )


def access_entries(eks: EKSClient, cluster: str) -> tuple[AccessEntry, ...]:
    """All access entries of a cluster, two calls each; one that can't be read hides no other."""

    def entry(arn: str) -> AccessEntry:
        try:
            answer = call(eks.describe_access_entry, clusterName=cluster, principalArn=arn)
            policies = listed(
                eks.list_associated_access_policies,
                "nextToken",
                "associatedAccessPolicies",
                clusterName=cluster,
                principalArn=arn,
            )
            return AccessEntry.read(arn, answer["accessEntry"], list(policies))
        except ServiceError as error:
            return AccessEntry(arn, hidden=unreadable(error).why)

    arns = list(listed(eks.list_access_entries, "nextToken", "accessEntries", clusterName=cluster))
    with ThreadPoolExecutor(PARALLEL) as pool:
        return tuple(pool.map(entry, arns))
