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
from irsa_cli.core.plan.states import CLUSTER_TAG
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
    states = {} if isinstance(arns, Unreadable) else {arn: provider(iam, arn) for arn in arns}
    marked = {
        arn: state
        for arn, state in states.items()
        if state is not None and state.tags.get(CLUSTER_TAG) == cluster.arn
    }
    if not marked:
        # Or a role bears the cluster's mark; those under its path are looked at first.
        roles = list_roles(iam).roles
        own = [role.name for role in roles if role.path == default_role_path(cluster.name)]
        others = [role.name for role in roles if ":oidc-provider/" in json.dumps(role.trust)]
        if not any(
            role.tags.get(CLUSTER_TAG) == cluster.arn
            for names in (own, sorted({*others} - {*own}))
            for role in read_roles(iam, names)
        ):
            looked = f"no role or OIDC provider has irsa's tags for {cluster.arn}"
            raise error.but(details=(*error.details, looked))
    issuer = next(iter(marked.values())).url if len(marked) == 1 else ""
    known = None if isinstance(arns, Unreadable) else frozenset(arns)
    return replace(cluster, issuer=issuer), GoneCluster(cluster.arn, marked, known)


def without_cluster(aws: AwsSession, providers: Iterable[str]) -> frozenset[str]:
    """Those of EKS's providers whose issuer no cluster of the account has; none if that can't be read."""
    named = {provider: issuer_key(issuer_of(provider)) for provider in providers}
    gone: set[str] = set()
    for region in {region for region, _ in named.values()} - {""}:
        found = read(partial(issuers, aws.moved_to(region).client("eks")))
        if not isinstance(found, Unreadable):
            living = {issuer_key(host_path(issuer)) for issuer in found.values()}
            gone |= {arn for arn, key in named.items() if key[0] == region and key not in living}
    return frozenset(gone)


def enabled_regions(aws: AwsSession) -> tuple[str, ...]:
    """The regions that the account has enabled; in others it can't have clusters."""
    return tuple(item["RegionName"] for item in call(aws.client("ec2").describe_regions)["Regions"])


def issuers(eks: EKSClient) -> dict[str, str]:
    """The issuers of all clusters of the client's region by their ARNs; '' for one that has none yet."""

    def one(name: str) -> tuple[str, str]:
        found = call(eks.describe_cluster, name=name)["cluster"]
        return found["arn"], found.get("identity", {}).get("oidc", {}).get("issuer", "")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(pool.map(one, cluster_names(eks)))
