"""Clusters that EKS does not know any more, and those that it knows.

One that is gone is recognized by what irsa marked for it in IAM.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from irsa_cli.aws.bindings import provider_arns
from irsa_cli.aws.cluster import AT_ONCE, GoneCluster, NoCluster, cluster_names
from irsa_cli.aws.errors import call
from irsa_cli.aws.iam import list_roles, provider, read_roles
from irsa_cli.aws.session import AwsSession
from irsa_cli.core.plan.states import CLUSTER_TAG, ProviderState
from irsa_cli.core.planning.retire import issuer_key
from irsa_cli.core.values.arn import host_path, issuer_of
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import Unreadable, read, unless_denied
from irsa_cli.core.values.names import default_role_path

if TYPE_CHECKING:
    from mypy_boto3_eks import EKSClient
    from mypy_boto3_iam import IAMClient


def recognize(iam: IAMClient, cluster: Cluster, error: NoCluster) -> tuple[Cluster, GoneCluster]:
    """The cluster with its issuer as far as marks tell; raises `error` if nothing bears its mark."""
    arns = unless_denied(lambda: provider_arns(iam))
    known = None if isinstance(arns, Unreadable) else frozenset(arns)
    marked: dict[str, ProviderState] = {}
    for arn in () if isinstance(arns, Unreadable) else arns:
        state = provider(iam, arn)
        if state is not None and state.tags.get(CLUSTER_TAG) == cluster.arn:
            marked[arn] = state
    if not marked and not _has_role(iam, cluster):
        looked = f"no role or OIDC provider has irsa's tags for {cluster.arn}"
        raise error.but(details=(*error.details, looked))
    urls = [state.url for state in marked.values()]
    issuer = urls[0] if len(urls) == 1 else ""
    return replace(cluster, issuer=issuer), GoneCluster(cluster.arn, marked, known)


def _has_role(iam: IAMClient, cluster: Cluster) -> bool:
    """Whether a role bears the cluster's mark; those under its path are looked at first."""
    roles = list_roles(iam).roles
    own = [role.name for role in roles if role.path == default_role_path(cluster.name)]
    trusting = [role.name for role in roles if ":oidc-provider/" in json.dumps(role.trust)]
    for names in (own, sorted({*trusting} - {*own})):
        if any(role.tags.get(CLUSTER_TAG) == cluster.arn for role in read_roles(iam, names)):
            return True
    return False


def without_cluster(aws: AwsSession, providers: Iterable[str]) -> frozenset[str]:
    """Those of EKS's providers whose issuer no cluster of the account has; none if that can't be read."""
    keys = {provider: issuer_key(issuer_of(provider)) for provider in providers}
    gone: set[str] = set()
    for region in {region for region, _ in keys.values()} - {""}:
        living_issuers = read(partial(issuers, aws.moved_to(region).client("eks")))
        if not isinstance(living_issuers, Unreadable):
            living = {issuer_key(host_path(issuer)) for issuer in living_issuers.values()}
            gone |= {arn for arn, key in keys.items() if key[0] == region and key not in living}
    return frozenset(gone)


def enabled_regions(aws: AwsSession) -> tuple[str, ...]:
    """The regions that the account has enabled; in others it can't have clusters."""
    return tuple(region["RegionName"] for region in call(aws.client("ec2").describe_regions)["Regions"])


def issuers(eks: EKSClient) -> dict[str, str]:
    """The issuers of all clusters of the client's region by their ARNs; '' for one that has none yet."""

    def issuer_of_cluster(name: str) -> tuple[str, str]:
        cluster = call(eks.describe_cluster, name=name)["cluster"]
        return cluster["arn"], cluster.get("identity", {}).get("oidc", {}).get("issuer", "")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(pool.map(issuer_of_cluster, cluster_names(eks)))
