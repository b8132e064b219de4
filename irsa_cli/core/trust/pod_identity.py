"""The statement by which a role trusts EKS Pod Identity for one ServiceAccount of one cluster.

https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html
https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html
`irsa_cli.core.doctor.clues.pod_identity_trust` judges whether a trust policy allows what EKS sends.
"""

from __future__ import annotations

from irsa_cli.core.policies import policy
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.values.cluster import Cluster

SERVICE = "pods.eks.amazonaws.com"
ACTIONS = ("sts:AssumeRole", "sts:TagSession")


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


def is_for(found: object, cluster: Cluster, namespace: str, name: str) -> bool:
    """Whether it is the statement that irsa writes for this ServiceAccount of this cluster."""
    written = (statement(cluster, namespace, name, tagged=tagged) for tagged in (True, False))
    return any(policy.equal({"Statement": [found]}, {"Statement": [item]}) for item in written)
