"""How a trust policy answers EKS Pod Identity, which assumes a role for a ServiceAccount's pods.

https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html
https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html
https://docs.aws.amazon.com/eks/latest/userguide/pod-id-assign-target-role.html
"""

from __future__ import annotations

from typing import Any

from irsa_cli.core.objects.aws import Association
from irsa_cli.core.policies.operators import Truth
from irsa_cli.core.policies.policy import Document, as_list
from irsa_cli.core.policies.web_identity import Context, PresentKey
from irsa_cli.core.trust.assuming import ASSUME, TAG, Said, names_role, said
from irsa_cli.core.trust.pod_identity import SERVICE
from irsa_cli.core.values.arn import Arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.names import Namespaced


def _tags(cluster: Cluster, subject: Namespaced, association: Association, prefix: str) -> Context:
    if association.without_tags:
        return {}
    tags: dict[str, tuple[str, ...] | PresentKey] = {
        "eks-cluster-arn": (cluster.arn,),
        "eks-cluster-name": (cluster.name,),
        "kubernetes-namespace": (subject.namespace,),
        "kubernetes-service-account": (subject.name,),
        "kubernetes-pod-name": PresentKey(),
        "kubernetes-pod-uid": PresentKey(),
    }
    return {**{f"{prefix}{key}": value for key, value in tags.items()}, "aws:tagkeys": tuple(tags)}


def said_to_service(
    document: Document, cluster: Cluster, subject: Namespaced, association: Association
) -> tuple[Said, ...]:
    """How the trust policy of the association's role answers EKS Pod Identity."""
    context: Context = {
        "aws:sourceaccount": (cluster.account,),
        "aws:sourcearn": (cluster.arn,),
        "aws:sourceorgid": PresentKey(),
        "aws:sourceorgpaths": PresentKey(),
        "aws:principalisawsservice": ("true",),
        "aws:principalservicename": (SERVICE,),
        "aws:principalservicenameslist": PresentKey(),
        "aws:securetransport": ("true",),
        "aws:requestedregion": (cluster.region,),
        **_tags(cluster, subject, association, "aws:requesttag/"),
    }
    return tuple(said(document, is_service, context, action) for action in actions(association))


def said_to_role(
    document: Document, cluster: Cluster, subject: Namespaced, association: Association
) -> tuple[Said, ...]:
    """How the trust policy of the target role answers the association's role."""
    arn = Arn.parse(association.role_arn)
    context: Context = {
        "aws:principalarn": (association.role_arn,),
        "aws:principalaccount": (arn.account,),
        "aws:principaltype": ("AssumedRole",),
        "aws:principalorgid": PresentKey(),
        "aws:principalorgpaths": PresentKey(),
        "aws:securetransport": ("true",),
        "aws:requestedregion": (cluster.region,),
        **_tags(cluster, subject, association, "aws:requesttag/"),
        **_tags(cluster, subject, association, "aws:principaltag/"),
        **({"sts:externalid": (association.external_id,)} if association.external_id else {}),
    }
    names = names_role(arn, association.role_arn)
    return tuple(said(document, names, context, action) for action in actions(association))


def actions(association: Association) -> tuple[str, ...]:
    """The actions that must be allowed."""
    return (ASSUME,) if association.without_tags else (ASSUME, TAG)


def is_service(principal: Any) -> Truth:
    """Whether a Principal element names EKS Pod Identity."""
    if not isinstance(principal, dict):
        return False  # "*" stands for accounts and users, not for AWS' services.
    return SERVICE in as_list(principal.get("Service", []))
