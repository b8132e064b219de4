"""Reading who may enter a cluster by EKS: access entries, each with its access policies.

What follows from them is `irsa_cli.core.rbac.principals`' business.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from irsa_cli.aws.errors import call
from irsa_cli.aws.paging import pages
from irsa_cli.core.rbac.principals import AccessEntry
from irsa_cli.core.values.errors import ServiceError

if TYPE_CHECKING:
    from mypy_boto3_eks import EKSClient

PARALLEL = 8


def access_entries(eks: EKSClient, cluster: str) -> tuple[AccessEntry, ...]:
    """All access entries of a cluster, two calls each; one that can't be read hides no other."""
    listed = pages(eks.list_access_entries, "nextToken", "nextToken", clusterName=cluster)
    arns = [arn for page in listed for arn in page["accessEntries"]]
    with ThreadPoolExecutor(PARALLEL) as pool:
        return tuple(pool.map(lambda arn: _entry(eks, cluster, arn), arns))


def _entry(eks: EKSClient, cluster: str, arn: str) -> AccessEntry:
    try:
        found = call(eks.describe_access_entry, clusterName=cluster, principalArn=arn)["accessEntry"]
        read = eks.list_associated_access_policies
        listed = list(pages(read, "nextToken", "nextToken", clusterName=cluster, principalArn=arn))
    except ServiceError as error:
        return AccessEntry(
            arn, hidden=error.details[0] if error.details else f"{error.message}: {error.reason}"
        )
    return AccessEntry.read(
        arn, found, (item for page in listed for item in page["associatedAccessPolicies"])
    )
