"""Who made a role or a ServiceAccount, by the marks that tools leave on what they make.

Nothing is guessed: without a mark it is unknown. What the marks of irsa mean is in
`irsa_cli.core.plan.states`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from irsa_cli.core.plan.states import CLUSTER_TAG, MANAGED_BY_LABEL, TRANSACTION_TAG

IRSA, EKSCTL, TERRAFORM, HELM = "irsa", "eksctl", "Terraform", "Helm"
CLOUDFORMATION, ARGO_CD, FLUX = "CloudFormation", "Argo CD", "Flux"
CROSSPLANE, ACK, PULUMI, CDK = "Crossplane", "ACK", "Pulumi", "CDK"
ROSA, CCOCTL, EKS_ADD_ON = "rosa", "ccoctl", "an EKS add-on"
KAPP, FLEET, KRO, CDK8S = "kapp", "Fleet", "kro", "cdk8s"
KOPS, CLUSTER_API = "kOps", "Cluster API"
UNKNOWN = "unknown"

EKSCTL_TAGS = ("alpha.eksctl.io/cluster-name", "eksctl.cluster.k8s.io/v1alpha1/cluster-name")
"""Tags of a stack of eksctl, which CloudFormation puts onto what the stack makes."""
EKSCTL_ACCOUNT_TAG = "alpha.eksctl.io/iamserviceaccount-name"
"""The ServiceAccount that a stack of eksctl is for, as `namespace/name`."""
STACK_TAG = "aws:cloudformation:stack-name"
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-resource-tags.html"""

# Terraform leaves no mark of its own on a role. Many of its users do (`default_tags`), by keys such as these.
_SAYING = {"managedby", "provisionedby", "createdby", "provisioner", "iac", "appkubernetesiomanagedby"}
SAID = {
    "terraform": TERRAFORM,
    "terragrunt": TERRAFORM,
    "opentofu": TERRAFORM,
    "pulumi": PULUMI,
    "crossplane": CROSSPLANE,
    "cdk": CDK,
    "awscdk": CDK,
    "cloudformation": CLOUDFORMATION,
    "awscloudformation": CLOUDFORMATION,
    "eksctl": EKSCTL,
    "rosa": ROSA,
    "ack": ACK,
}
_WORDS_OF_THEIR_OWN = ("ack", "cdk", "rosa")
"""Names that are the beginning of other words, too: only the whole value counts."""

_ROLE_TAGS = {
    # https://docs.crossplane.io: GetExternalTags of crossplane-runtime.
    "crossplane-kind": CROSSPLANE,
    "crossplane-name": CROSSPLANE,
    "crossplane-providerconfig": CROSSPLANE,
    # https://aws-controllers-k8s.github.io/community/docs/user-docs/ack-tags/
    "services.k8s.aws/": ACK,
    # https://github.com/openshift/cloud-credential-operator/blob/master/docs/ccoctl.md
    "openshift.io/cloud-credential-operator/": CCOCTL,
    # https://github.com/openshift/rosa: tags of account and operator roles.
    "red-hat-managed": ROSA,
    "rosa_": ROSA,
    # CloudTagsForServiceAccount and CloudTags of https://github.com/kubernetes/kops
    "service-account.kops.k8s.io/": KOPS,
    "kops.k8s.io/": KOPS,
    "KubernetesCluster": KOPS,
    # https://github.com/kubernetes-sigs/cluster-api-provider-aws: api/v1beta2/tags.go
    "sigs.k8s.io/cluster-api-provider-aws/": CLUSTER_API,
    "aws-cdk:": CDK,
    "pulumi:": PULUMI,
}
"""Tags (or the beginnings of such, with a last character that is no letter) that a tool puts on its roles."""
# Who writes by the Kubernetes provider of Terraform, with and without server-side apply.
_MANAGERS = {"hashicorp": TERRAFORM, "terraform": TERRAFORM, "helm": HELM, "argocd-controller": ARGO_CD}
_MANAGERS |= {"kustomize-controller": FLUX, "helm-controller": FLUX, "kapp-server-side": KAPP}
# https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-field-management.html
_MANAGERS |= {"eks": EKS_ADD_ON, "fleetagent": FLEET, "eksctl": EKSCTL}
_KEYS = {
    "argocd.argoproj.io/tracking-id": ARGO_CD,
    "argocd.argoproj.io/instance": ARGO_CD,
    "kustomize.toolkit.fluxcd.io/name": FLUX,
    "helm.toolkit.fluxcd.io/name": FLUX,
    "services.k8s.aws/": ACK,
    "crossplane.io/": CROSSPLANE,
    "kro.run/": KRO,
    "pulumi.com/": PULUMI,
    # The label by which CDK prunes what a manifest no longer has.
    "aws.cdk.eks/": CDK,
    "cdk8s.io/": CDK8S,
    "kapp.k14s.io/": KAPP,
    "objectset.rio.cattle.io/": FLEET,
    "meta.helm.sh/release-name": HELM,
}
"""Labels and annotations; one that ends in `/` stands for all with that prefix."""

_WRITE_AGAIN = {
    ARGO_CD: "its next sync",
    FLUX: "its next reconciliation",
    FLEET: "its next reconciliation",
    KRO: "its next reconciliation",
    CROSSPLANE: "its next reconciliation",
    ACK: "its next reconciliation",
    EKS_ADD_ON: "the next update of the add-on",
    HELM: "the next upgrade of its release",
    KAPP: "its next deployment",
    TERRAFORM: "its next apply",
    PULUMI: "its next up",
    CDK: "its next deployment",
    CDK8S: "the next apply of its manifests",
    KOPS: "the next kops update cluster",
    CLUSTER_API: "its next reconciliation",
    EKSCTL: "eksctl create iamserviceaccount with --override-existing-serviceaccounts",
}


def writes_again(maker: str) -> str:
    """What of a tool's writes again what it has made, in words; '' for a tool that isn't known here."""
    return _WRITE_AGAIN.get(maker, "")


def maker_of_role(tags: Mapping[str, str]) -> str:
    """Who made a role, by its tags; `unknown` where they don't tell."""
    if CLUSTER_TAG in tags:
        return IRSA
    if any(tag in tags for tag in (*EKSCTL_TAGS, EKSCTL_ACCOUNT_TAG)):
        return EKSCTL
    marked = _by_key(_ROLE_TAGS, {key: value for key, value in tags.items() if value.lower() != "false"})
    said = marked or _said(tags)
    return said or (CLOUDFORMATION if STACK_TAG in tags else UNKNOWN)


def _by_key(known: Mapping[str, str], keys: Iterable[str]) -> str:
    """The first tool, in the order of `known`, one of whose keys is there; '' where none is."""
    there = list(keys)
    for mark, maker in known.items():
        is_prefix = mark.endswith(("/", ":", "_"))
        if any(key.startswith(mark) if is_prefix else key == mark for key in there):
            return maker
    return ""


def _plain(text: str) -> str:
    return "".join(filter(str.isalnum, text.lower()))


def _said(tags: Mapping[str, str]) -> str:
    """Who made it as a tag says in words; '' where none does."""
    plain = {_plain(key): value.lower() for key, value in tags.items()}
    for key in sorted(_SAYING & plain.keys()):
        value = _plain(plain[key])
        for word, maker in SAID.items():
            if value == word or (word not in _WORDS_OF_THEIR_OWN and value.startswith(word)):
                return maker
    return TERRAFORM if plain.get("terraform", "false") not in ("false", "no", "0", "") else ""


def maker_of_account(
    labels: Mapping[str, str], annotations: Mapping[str, str], managers: Iterable[str] = ()
) -> str:
    """Who made a ServiceAccount, by its labels, its annotations and who wrote it; else `unknown`.

    `managers` are the names in its managedFields. A tool that is not known here is named as its label
    (`app.kubernetes.io/managed-by`) does.
    """
    if TRANSACTION_TAG in annotations:
        return IRSA
    known = _by_key(_KEYS, (*annotations, *labels))
    label = labels.get(MANAGED_BY_LABEL, "")
    if known and label in ("", HELM):
        return known
    if label:
        return label
    return next((_MANAGERS[name.lower()] for name in managers if name.lower() in _MANAGERS), UNKNOWN)
