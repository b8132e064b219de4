"""ServiceAccounts and their roles in the files of other tools, each as texts by the names of files.

The same accounts always become the same texts: they are sorted, and nothing tells when or by whom a file was
written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from irsa_cli.core.export.accounts import ExportedAccount, in_order
from irsa_cli.core.export.charts import DEFAULT_KEY
from irsa_cli.core.export.variables import dotenv, role_variables
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.values.cluster import Cluster

Files = Mapping[str, str]
"""Texts by the names of their files."""


@dataclass(frozen=True)
class Export:
    """ServiceAccounts of a cluster; `values_key` is where a chart has the settings of its ServiceAccount.

    `alone`: one ServiceAccount was asked for, so nothing has to tell it from others.
    """

    cluster: str
    region: str
    accounts: Sequence[ExportedAccount]
    values_key: str = DEFAULT_KEY
    alone: bool = False


def manifests(export: Export) -> Files:
    """A ServiceAccount in each file, for `kubectl apply` and for tools that apply a repository."""
    return manifest_files(account.manifest for account in in_order(export.accounts))


def manifest_files(manifests: Iterable[Document]) -> Files:
    """A file for each manifest: no namespace has a dot, so no two share a name."""
    files = {}
    for manifest in manifests:
        metadata = manifest["metadata"]
        files[_file_name(metadata["namespace"], metadata["name"])] = _yaml(manifest)
    return files


def helm_values(export: Export) -> Files:
    """The values of a chart, a file for each ServiceAccount, as a chart has one of them."""
    files = {}
    for account in in_order(export.accounts):
        values: dict[str, Any] = {"annotations": dict(account.annotations)}
        for key in reversed(export.values_key.split(".")):
            values = {key: values}
        files[_file_name(*account.names)] = _yaml(values)
    return files


def kustomize(export: Export) -> Files:
    """A component with a patch for each ServiceAccount, which an overlay lists in `components`.

    The target of a patch has a namespace only if two have the same name: a base often has none yet.
    https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/patches/
    """
    lines = ["apiVersion: kustomize.config.k8s.io/v1alpha1", "kind: Component", "patches:"]
    names = Counter(account.name for account in export.accounts)
    for account in in_order(export.accounts):
        metadata = {"name": account.name, "annotations": dict(account.annotations)}
        patch = _yaml({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
        lines += [
            "  - target:",
            "      version: v1",
            "      kind: ServiceAccount",
            f"      name: {account.name}",
        ]
        if names[account.name] > 1:
            lines.append(f"      namespace: {account.namespace}")
        lines += ["    patch: |-", *(f"      {line}" for line in patch.splitlines())]
    return {"kustomization.yaml": "\n".join([*lines, ""])}


def argo_cd(export: Export) -> Files:
    """The part of an Application that leaves the annotations to irsa.

    https://argo-cd.readthedocs.io/en/stable/user-guide/diffing/
    """
    ignored = [
        {
            "group": "",
            "kind": "ServiceAccount",
            "namespace": account.namespace,
            "name": account.name,
            "jsonPointers": [f"/metadata/annotations/{_pointer(key)}" for key in account.annotations],
        }
        for account in in_order(export.accounts)
    ]
    policy = {"syncOptions": ["RespectIgnoreDifferences=true"]}
    return {"application.yaml": _yaml({"spec": {"ignoreDifferences": ignored, "syncPolicy": policy}})}


def environment(export: Export) -> Files:
    """A variable for each role, for shells and dotenv files; `ROLE_ARN` for one that was asked for."""
    arns = {account.full_name: account.role_arn for account in in_order(export.accounts)}
    return {"roles.env": dotenv(role_variables(arns, alone=export.alone))}


def eksctl(export: Export) -> Files:
    """A ClusterConfig whose ServiceAccounts use the roles that are there: eksctl creates none for them.

    https://eksctl.io/usage/schema/#iam-serviceAccounts-attachRoleARN
    """
    entries = []
    for account in in_order(export.accounts):
        metadata: dict[str, Any] = {"name": account.name, "namespace": account.namespace}
        settings = {key: text for key, text in account.annotations.items() if key != ROLE_ARN_ANNOTATION}
        if settings:
            metadata["annotations"] = settings
        entries.append({"metadata": metadata, "attachRoleARN": account.role_arn})
    config = {
        "apiVersion": "eksctl.io/v1alpha5",
        "kind": "ClusterConfig",
        "metadata": {"name": export.cluster, "region": export.region},
        "iam": {"withOIDC": True, "serviceAccounts": entries},
    }
    return {"cluster.yaml": _yaml(config)}


FORMATS: Mapping[str, Callable[[Export], Files]] = {
    "manifests": manifests,
    "kustomize": kustomize,
    "helm": helm_values,
    "argocd": argo_cd,
    "env": environment,
    "eksctl": eksctl,
}


@dataclass(frozen=True)
class Format:
    """A format with its settings, which are those of `Export`."""

    name: str
    values_key: str = DEFAULT_KEY
    alone: bool = False

    def files(self, cluster: Cluster, accounts: Sequence[ExportedAccount]) -> Files:
        """The files of the accounts."""
        export = Export(cluster.name, cluster.region, accounts, self.values_key, self.alone)
        return FORMATS[self.name](export)


def joined(files: Files) -> str:
    """The files as one text; those of YAML as its documents."""
    return "---\n".join(files.values())


def _file_name(namespace: str, name: str) -> str:
    return f"{namespace}.{name}.yaml"


def _pointer(key: str) -> str:
    """A key in a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def _yaml(value: object) -> str:
    return yaml.safe_dump(value, sort_keys=False, width=10_000, allow_unicode=True)
