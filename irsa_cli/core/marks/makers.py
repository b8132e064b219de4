"""Other tools: the maker of a role or ServiceAccount by its marks (never guessed), its effects, its keys.

`makers.json` has the marks of each tool, in the order in which they count.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files

from irsa_cli.core.plan.states import CLUSTER_TAG, MANAGED_BY_LABEL, ROLE_ARN_ANNOTATION, TRANSACTION_TAG

IRSA = "irsa"
EKSCTL = "eksctl"
TERRAFORM = "Terraform"
HELM = "Helm"
CLOUDFORMATION = "CloudFormation"
CROSSPLANE = "Crossplane"
PULUMI = "Pulumi"
CDK = "CDK"
KOPS = "kOps"
CLUSTER_API = "Cluster API"
KUBECTL_APPLY = "kubectl apply"
UNKNOWN = "unknown"

HELM_RELEASE = "meta.helm.sh/release-name"
"""Annotation of the objects of a release, also of one that another tool installs."""

EKSCTL_TAGS = ("alpha.eksctl.io/cluster-name", "eksctl.cluster.k8s.io/v1alpha1/cluster-name")
"""Tags of a stack of eksctl, which CloudFormation puts onto what the stack makes."""
EKSCTL_ACCOUNT_TAG = "alpha.eksctl.io/iamserviceaccount-name"
"""The ServiceAccount that a stack of eksctl is for, as `namespace/name`."""
STACK_TAG = "aws:cloudformation:stack-name"
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-resource-tags.html"""

TABLE = json.loads((files(__package__) / "makers.json").read_text(encoding="utf-8"))
# Terraform leaves no mark of its own on a role. Many of its users do (`default_tags`), by keys such as these.
_SAYING = {"managedby", "provisionedby", "createdby", "provisioner", "iac", "appkubernetesiomanagedby"}
SAID: dict[str, str] = {word: tool for tool, words in TABLE["words"].items() for word in words}
_WORDS_OF_THEIR_OWN = ("ack", "cdk", "rosa")
"""Names that are also the beginning of other words: only the whole value counts."""
_ROLE_TAGS: dict[str, str] = {tag: row["tool"] for row in TABLE["roleTags"] for tag in row["tags"]}
"""Tags (or the beginnings of such, with a last character that is no letter) that a tool puts on its roles."""
_KEYS: dict[str, str] = {key: row["tool"] for row in TABLE["objectKeys"] for key in row["keys"]}
"""Labels and annotations; one that ends in `/` stands for all with that prefix."""
_MANAGERS: dict[str, str] = {name: tool for tool, names in TABLE["managers"].items() for name in names}
"""Writers in managedFields: Terraform's provider with and without server-side apply, controllers, add-ons
(https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-field-management.html)."""

_SOURCES = (
    ("argocd.argoproj.io/tracking-id", "", "Application"),
    ("argocd.argoproj.io/instance", "", "Application"),
    ("kustomize.toolkit.fluxcd.io/name", "kustomize.toolkit.fluxcd.io/namespace", "Kustomization"),
    ("helm.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/namespace", "HelmRelease"),
    (HELM_RELEASE, "meta.helm.sh/release-namespace", "release"),
)
"""Labels and annotations with the name of a tool's object, its namespace, and its kind.
https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/
https://fluxcd.io/flux/components/kustomize/kustomizations/
https://helm.sh/docs/topics/advanced/"""


def writes_again(maker: str) -> str:
    """The operation of a tool that overwrites its objects, in words; '' for an unknown tool."""
    text: str = TABLE["writesAgain"].get(maker, "")
    return text


def tool_of_writer(name: str) -> str:
    """The tool whose field manager has this name; '' for an unknown one, and for a person's `kubectl`."""
    return _MANAGERS.get(name.lower(), "")


def export_format(tool: str, annotations: Mapping[str, str]) -> str:
    """The format of `irsa export` for the source of a tool; variables for tools that read no manifests."""
    format_name: str = TABLE["formats"].get(tool, "env")
    return "helm" if HELM_RELEASE in annotations else format_name


def source_of(labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
    """The object of a tool that has the manifest, by marks that the tool leaves; '' if they do not tell."""
    texts = {**labels, **annotations}
    for key, namespace_key, kind in _SOURCES:
        if key in texts:
            # Argo CD: `APPLICATION:GROUP/KIND:NAMESPACE/NAME`.
            name = texts[key].partition(":")[0]
            namespace = texts.get(namespace_key, "")
            return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
    return ""


def source_line(form: str, role_arn: str) -> str:
    """The annotation in the source of a ServiceAccount: YAML on one line, to be pasted.

    `form` is a format of `irsa export`. Charts have `serviceAccount.annotations` by convention.
    https://helm.sh/docs/chart_best_practices/rbac
    """
    where, key = ("values", "serviceAccount") if form == "helm" else ("manifest", "metadata")
    return f'add to its {where}: {key}: {{annotations: {{{ROLE_ARN_ANNOTATION}: "{role_arn}"}}}}'


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


def manager_of_account(
    labels: Mapping[str, str], annotations: Mapping[str, str], managers: Iterable[str] = ()
) -> str:
    """The tool that manages a ServiceAccount which irsa may have created; '' if none but irsa is known."""
    others = {key: value for key, value in annotations.items() if key != TRANSACTION_TAG}
    mine = (MANAGED_BY_LABEL, IRSA)
    maker = maker_of_account(dict(item for item in labels.items() if item != mine), others, managers)
    return "" if maker == UNKNOWN else maker


def annotation_warnings(
    name: str, maker: str, role_arn: str, annotations: Mapping[str, str]
) -> Iterator[str]:
    """The later effects of its maker on a ServiceAccount's annotation, and the source to change to keep it.

    Tools that merge with what they applied before, or by server-side apply, keep an annotation that their
    source never had; others write the object again from their source.
    https://kubernetes.io/docs/tasks/manage-kubernetes-objects/declarative-config/#merge-patch-calculation
    https://helm.sh/docs/faq/changes_since_helm2/#improved-upgrade-strategy-3-way-strategic-merge-patches
    """
    when = writes_again(maker)
    if not when or maker == EKSCTL:
        return
    effect = "may remove the annotation"
    if maker in TABLE["keeps"]:
        effect = "removes the annotation only if it replaces the object"
    line = source_line(export_format(maker, annotations), role_arn)
    yield f"ServiceAccount {name} is managed by {maker}: {when} {effect}; {line}"
