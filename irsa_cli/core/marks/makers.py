"""Other tools: the maker of a role or ServiceAccount by its marks (never guessed), its effects, its keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from irsa_cli.core.plan.states import CLUSTER_TAG, MANAGED_BY_LABEL, ROLE_ARN_ANNOTATION, TRANSACTION_TAG

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
"""Names that are also the beginning of other words: only the whole value counts."""

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
# Writers that use Terraform's Kubernetes provider, with and without server-side apply.
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
    """The operation of a tool that overwrites its objects, in words; '' for an unknown tool."""
    return _WRITE_AGAIN.get(maker, "")


def maker_of_role(tags: Mapping[str, str]) -> str:
    """The maker of a role by its tags; `unknown` without evidence."""
    if CLUSTER_TAG in tags:
        return IRSA
    if any(tag in tags for tag in (*EKSCTL_TAGS, EKSCTL_ACCOUNT_TAG)):
        return EKSCTL
    marked = _by_key(_ROLE_TAGS, {key: value for key, value in tags.items() if value.lower() != "false"})
    said = marked or _said(tags)
    return said or (CLOUDFORMATION if STACK_TAG in tags else UNKNOWN)


def _by_key(known: Mapping[str, str], keys: Iterable[str]) -> str:
    """The first tool, in the order of `known`, with one of its keys in `keys`; '' for none."""
    there = list(keys)
    for mark, maker in known.items():
        is_prefix = mark.endswith(("/", ":", "_"))
        if any(key.startswith(mark) if is_prefix else key == mark for key in there):
            return maker
    return ""


def _plain(text: str) -> str:
    return "".join(filter(str.isalnum, text.lower()))


def _said(tags: Mapping[str, str]) -> str:
    """The maker that a tag names in words; '' for none."""
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
    """The maker of a ServiceAccount by its labels, annotations and writers; else `unknown`.

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


_UNDOES = "reverts irsa's changes, including these tags"
_ROLES: Mapping[str, str] = {
    EKSCTL: "the role still belongs to its CloudFormation stack: deleting the stack (eksctl delete"
    " iamserviceaccount or eksctl delete cluster) also deletes the role",
    CLOUDFORMATION: "the role still belongs to its CloudFormation stack: updating or deleting"
    " the stack also changes or deletes the role",
    CDK: "the role still belongs to CDK's CloudFormation stack: deploying or destroying the"
    " stack also changes or deletes the role",
    TERRAFORM: f"Terraform still manages the role: its next apply {_UNDOES} (remove it from the state:"
    " terraform state rm ADDRESS)",
    PULUMI: f"Pulumi still manages the role: its next up {_UNDOES} (remove it from the state: pulumi"
    " state delete URN)",
    # https://docs.crossplane.io/latest/managed-resources/managed-resources/
    CROSSPLANE: "Crossplane's controller still manages the role: its next reconciliation"
    f" {_UNDOES} (release it first: managementPolicies Observe, or deletionPolicy Orphan, then"
    " delete its object in Kubernetes)",
    # https://aws-controllers-k8s.github.io/community/docs/user-docs/deletion-policy/
    ACK: "ACK's controller still manages the role: its next reconciliation"
    f" {_UNDOES} (release it first: annotation services.k8s.aws/deletion-policy retain, then delete its"
    " object in Kubernetes)",
    KOPS: f"kOps still manages the role: kops update cluster {_UNDOES}, and kops delete cluster deletes it",
    ROSA: "rosa still manages the role: rosa upgrade and rosa delete change or delete it",
    CCOCTL: "ccoctl still manages the role: ccoctl aws delete also deletes it",
}


def role_warnings(maker: str) -> Iterator[str]:
    """The later effects of its maker on a role that irsa has taken over; nothing for an unknown maker."""
    when = writes_again(maker)
    if maker in _ROLES:
        yield _ROLES[maker]
    elif when:
        yield f"{maker} still manages the role: {when} {_UNDOES}"


def account_warnings(name: str, maker: str) -> Iterator[str]:
    """The later effects of its maker on a ServiceAccount, given as `namespace/name`."""
    when = writes_again(maker)
    if when:
        yield (f"ServiceAccount {name} is managed by {maker}: {when} may overwrite irsa's changes")


def annotation_warnings(name: str, maker: str, role_arn: str) -> Iterator[str]:
    """The later effects of its maker on a ServiceAccount's annotation, and the source to change to keep it.

    The last part is YAML on one line, to be pasted. Charts have `serviceAccount.annotations` in their values
    by convention (https://helm.sh/docs/chart_best_practices/rbac); other tools write manifests.
    """
    when = writes_again(maker)
    if not when or maker == EKSCTL:
        return
    where, key = ("values", "serviceAccount") if maker == HELM else ("manifest", "metadata")
    yaml = f'{key}: {{annotations: {{{ROLE_ARN_ANNOTATION}: "{role_arn}"}}}}'
    yield (
        f"ServiceAccount {name} is managed by {maker}: {when} may remove the annotation;"
        f" add to its {where}: {yaml}"
    )


_GKE = "https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity"
_AZURE = (
    "https://azure.github.io/azure-workload-identity/docs/topics/service-account-labels-and-annotations.html"
)
_WEBHOOK = "https://github.com/aws/amazon-eks-pod-identity-webhook#readme"

# Annotations of ServiceAccounts that other systems read: none of them is a misspelt one of IRSA's. irsa's own
# marks belong to them: they tell, and bind nothing.
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
    "irsa/": ("irsa", "irsa docs reference/names-and-tags"),
}
"""By key, or by all keys of a domain (with the slash): who reads it, and the source."""


def reader_of(key: str) -> str:
    """The other reader of an annotation, '' if none is known."""
    domain = key.partition("/")[0] + "/"
    return (READERS.get(key) or READERS.get(domain) or ("", ""))[0]
