"""The statement by which a role trusts EKS Pod Identity for one ServiceAccount of one cluster.

https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html
https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html
https://docs.aws.amazon.com/eks/latest/userguide/pod-id-assign-target-role.html
"""

from __future__ import annotations

import hashlib
from typing import Any

from irsa_cli.core.policies.operators import Truth
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.policies.statements import principals
from irsa_cli.core.policies.web_identity import Context, PresentKey
from irsa_cli.core.trust.assuming import ASSUME, TAG, Said, said
from irsa_cli.core.trust.trust_policy import MARK
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.names import Namespaced

SERVICE = "pods.eks.amazonaws.com"
"""The principal of trust policies, and the audience of tokens."""
ACTIONS = (ASSUME, TAG)


def statement(cluster: Cluster, namespace: str, name: str, *, tagged: bool = True) -> Document:
    """The statement: EKS alone, for this ServiceAccount of this cluster.

    Without session tags (`tagged` is False) EKS sends no names, so only the cluster is compared.
    """
    tags = {
        "eks-cluster-arn": cluster.arn,
        "kubernetes-namespace": namespace,
        "kubernetes-service-account": name,
    }
    names = {f"aws:RequestTag/{key}": value for key, value in tags.items()} if tagged else {}
    return {
        "Effect": "Allow",
        "Principal": {"Service": SERVICE},
        "Action": list(ACTIONS),
        "Condition": {
            "StringEquals": {"aws:SourceAccount": cluster.account, **names},
            "ArnEquals": {"aws:SourceArn": cluster.arn},
        },
    }


def marked_statement(cluster: Cluster, namespace: str, name: str, *, tagged: bool = True) -> Document:
    """The same for a role of somebody else: with the Sid by which irsa recognizes its own statement."""
    names = "\0".join((cluster.arn, namespace, name)).encode()
    mark = f"{MARK}{hashlib.sha256(names).hexdigest()[:16]}"
    return {"Sid": mark, **statement(cluster, namespace, name, tagged=tagged)}


def said_to_service(
    document: Document, cluster: Cluster, subject: Namespaced, *, tagged: bool = True
) -> tuple[Said, ...]:
    """How a trust policy answers EKS Pod Identity for a ServiceAccount; `tagged`: with session tags."""
    context = context_of_service(cluster, subject, tagged=tagged)
    return tuple(said(document, is_service, context, action) for action in actions(tagged=tagged))


def context_of_service(cluster: Cluster, subject: Namespaced, *, tagged: bool = True) -> Context:
    """The condition keys of EKS Pod Identity's request for a ServiceAccount."""
    return {
        "aws:sourceaccount": (cluster.account,),
        "aws:sourcearn": (cluster.arn,),
        "aws:sourceorgid": PresentKey(),
        "aws:sourceorgpaths": PresentKey(),
        "aws:principalisawsservice": ("true",),
        "aws:principalservicename": (SERVICE,),
        "aws:principalservicenameslist": PresentKey(),
        "aws:securetransport": ("true",),
        "aws:requestedregion": (cluster.region,),
        **(session_tags(cluster, subject, "aws:requesttag/") if tagged else {}),
    }


def session_tags(cluster: Cluster, subject: Namespaced, prefix: str) -> Context:
    """The session tags that EKS adds, as condition keys."""
    tags: dict[str, tuple[str, ...] | PresentKey] = {
        "eks-cluster-arn": (cluster.arn,),
        "eks-cluster-name": (cluster.name,),
        "kubernetes-namespace": (subject.namespace,),
        "kubernetes-service-account": (subject.name,),
        "kubernetes-pod-name": PresentKey(),
        "kubernetes-pod-uid": PresentKey(),
    }
    return {**{f"{prefix}{key}": value for key, value in tags.items()}, "aws:tagkeys": tuple(tags)}


def actions(*, tagged: bool) -> tuple[str, ...]:
    """The actions that must be allowed."""
    return ACTIONS if tagged else (ASSUME,)


def is_service(principal: Any) -> Truth:
    """Whether a Principal element names EKS Pod Identity."""
    # "*" stands for accounts and users, not for AWS' services.
    return SERVICE in principals({"Principal": principal}, "Service")
