"""Annotations of ServiceAccounts that other systems read, as data: none of them is a misspelt one of IRSA's.

Who reads a key, and where that is documented. irsa's own marks belong to them: they tell, and bind nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

_GKE = "https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity"
_AZURE = (
    "https://azure.github.io/azure-workload-identity/docs/topics/service-account-labels-and-annotations.html"
)
_WEBHOOK = "https://github.com/aws/amazon-eks-pod-identity-webhook#readme"

READERS: Mapping[str, tuple[str, str]] = {
    "eks.amazonaws.com/ecr-role-arn": (
        "kubelet's ECR credential provider, for pulling images",
        "https://github.com/kubernetes/cloud-provider-aws/tree/master/cmd/ecr-credential-provider",
    ),
    "eks.amazonaws.com/audience": ("the pod identity webhook", _WEBHOOK),
    "eks.amazonaws.com/sts-regional-endpoints": ("the pod identity webhook", _WEBHOOK),
    "eks.amazonaws.com/token-expiration": ("the pod identity webhook", _WEBHOOK),
    "iam.amazonaws.com/": ("kube2iam or kiam", "https://github.com/jtblin/kube2iam#readme"),
    "iam.gke.io/": ("GKE Workload Identity", _GKE),
    "azure.workload.identity/": ("Azure Workload Identity", _AZURE),
    "kubernetes.azure.com/": (
        "kubelet's ACR credential provider",
        "https://cloud-provider-azure.sigs.k8s.io/topics/credential-provider/",
    ),
    "pod-identity.alibabacloud.com/": (
        "Alibaba Cloud's RRSA",
        "https://www.alibabacloud.com/help/en/ack/serverless-kubernetes/user-guide/use-rrsa-to-authorize-pods-to-access-different-cloud-services",
    ),
    "vault.hashicorp.com/": (
        "Vault's agent injector",
        "https://developer.hashicorp.com/vault/docs/platform/k8s/injector/annotations",
    ),
    "irsa/": ("irsa", "docs/reference/names-and-tags.md"),
}
"""By key, or by all keys of a domain (with the slash): who reads it, and the source."""


def reader_of(key: str) -> str:
    """Who else reads an annotation, '' where nobody is known to."""
    domain = key.partition("/")[0] + "/"
    return (READERS.get(key) or READERS.get(domain) or ("", ""))[0]
