"""A cluster that EKS does not know any more, recognized by what irsa marked for it in IAM."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from irsa_cli.aws.bindings import provider_arns
from irsa_cli.aws.cluster import GoneCluster, NoCluster
from irsa_cli.aws.iam import find_roles, list_roles, provider
from irsa_cli.core.plan.states import CLUSTER_TAG
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import ServiceError
from irsa_cli.core.values.names import default_role_path

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient


def recognize(iam: IAMClient, cluster: Cluster, error: NoCluster) -> tuple[Cluster, GoneCluster]:
    """The cluster with its issuer as far as marks tell; raises `error` if nothing bears its mark."""
    try:
        arns: tuple[str, ...] | None = provider_arns(iam)
    except ServiceError as failure:
        if failure.status != 403:
            raise
        arns = None
    states = {arn: provider(iam, arn) for arn in arns or ()}
    marked = {
        arn: state
        for arn, state in states.items()
        if state is not None and state.tags.get(CLUSTER_TAG) == cluster.arn
    }
    if not marked and not _has_role(iam, cluster):
        looked = f"no role or OIDC provider has irsa's tags for {cluster.arn}"
        raise error.but(details=(*error.details, looked))
    issuer = next(iter(marked.values())).url if len(marked) == 1 else ""
    known = None if arns is None else frozenset(arns)
    return replace(cluster, issuer=issuer), GoneCluster(cluster.arn, marked, known)


def _has_role(iam: IAMClient, cluster: Cluster) -> bool:
    """Whether a role bears the cluster's mark; those under its path are looked at first."""
    roles = list_roles(iam).roles
    own = [role.name for role in roles if role.path == default_role_path(cluster.name)]
    others = [role.name for role in roles if ":oidc-provider/" in json.dumps(role.trust)]
    return any(
        role.state.tags.get(CLUSTER_TAG) == cluster.arn
        for names in (own, sorted({*others} - {*own}))
        for role in find_roles(iam, names)
    )
