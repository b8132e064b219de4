"""Who made a role or a ServiceAccount, by the marks that tools leave on what they make.

Nothing is guessed: without a mark it is unknown. What the marks of irsa mean is in `irsa_cli.core.states`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from irsa_cli.core.states import CLUSTER_TAG, MANAGED_BY_LABEL, TRANSACTION_TAG

IRSA, EKSCTL, TERRAFORM, HELM = "irsa", "eksctl", "Terraform", "Helm"
CLOUDFORMATION, ARGO_CD, FLUX = "CloudFormation", "Argo CD", "Flux"
UNKNOWN = "unknown"

EKSCTL_TAGS = ("alpha.eksctl.io/cluster-name", "eksctl.cluster.k8s.io/v1alpha1/cluster-name")
"""Tags of a stack of eksctl, which CloudFormation puts onto what the stack makes."""
EKSCTL_ACCOUNT_TAG = "alpha.eksctl.io/iamserviceaccount-name"
"""The ServiceAccount that a stack of eksctl is for, as `namespace/name`."""
STACK_TAG = "aws:cloudformation:stack-name"
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-resource-tags.html"""

# Terraform leaves no mark of its own on a role. Many of its users do (`default_tags`), by keys such as these.
_SAYING = {"managedby", "provisionedby", "createdby", "provisioner", "iac"}
# Who writes by the Kubernetes provider of Terraform, with and without server-side apply.
_MANAGERS = {"hashicorp": TERRAFORM, "terraform": TERRAFORM, "helm": HELM, "argocd-controller": ARGO_CD}
_MANAGERS |= {"kustomize-controller": FLUX, "helm-controller": FLUX}
_KEYS = {
    "argocd.argoproj.io/tracking-id": ARGO_CD,
    "argocd.argoproj.io/instance": ARGO_CD,
    "kustomize.toolkit.fluxcd.io/name": FLUX,
    "helm.toolkit.fluxcd.io/name": FLUX,
    "meta.helm.sh/release-name": HELM,
}


def maker_of_role(tags: Mapping[str, str]) -> str:
    """Who made a role, by its tags; `unknown` where they don't tell."""
    if CLUSTER_TAG in tags:
        return IRSA
    if any(tag in tags for tag in (*EKSCTL_TAGS, EKSCTL_ACCOUNT_TAG)):
        return EKSCTL
    if _says_terraform(tags):
        return TERRAFORM
    return CLOUDFORMATION if STACK_TAG in tags else UNKNOWN


def _says_terraform(tags: Mapping[str, str]) -> bool:
    plain = {"".join(filter(str.isalnum, key.lower())): value.lower() for key, value in tags.items()}
    said = any(plain.get(key, "").startswith(("terraform", "opentofu")) for key in _SAYING)
    return said or plain.get("terraform", "false") not in ("false", "no", "0", "")


def maker_of_account(
    labels: Mapping[str, str], annotations: Mapping[str, str], managers: Iterable[str] = ()
) -> str:
    """Who made a ServiceAccount, by its labels, its annotations and who wrote it; else `unknown`.

    `managers` are the names in its managedFields. A tool that is not known here is named as its label
    (`app.kubernetes.io/managed-by`) does.
    """
    if TRANSACTION_TAG in annotations:
        return IRSA
    known = [maker for key, maker in _KEYS.items() if key in annotations or key in labels]
    label = labels.get(MANAGED_BY_LABEL, "")
    if known and label in ("", HELM):
        return known[0]
    if label:
        return label
    return next((_MANAGERS[name.lower()] for name in managers if name.lower() in _MANAGERS), UNKNOWN)
