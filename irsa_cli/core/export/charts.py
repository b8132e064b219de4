"""Well-known charts: where the values of each have the settings of the ServiceAccount that needs a role.

Each key was compared with the chart's values.yaml, at the commit that is named with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.names import did_you_mean

DEFAULT_KEY = "serviceAccount"
_KEY = re.compile(r"[A-Za-z][\w-]*(\.[A-Za-z][\w-]*)*", re.ASCII)


@dataclass(frozen=True)
class Chart:
    """A chart: the key of its ServiceAccount's settings, and the file in which it was looked up."""

    key: str
    repository: str
    path: str
    commit: str


CHARTS: Mapping[str, Chart] = {
    "aws-ebs-csi-driver": Chart(
        "controller.serviceAccount",
        "kubernetes-sigs/aws-ebs-csi-driver",
        "charts/aws-ebs-csi-driver/values.yaml",
        "429e202e589798e55c0f8ddcc81b2850b7f000d0",
    ),
    "aws-efs-csi-driver": Chart(
        "controller.serviceAccount",
        "kubernetes-sigs/aws-efs-csi-driver",
        "charts/aws-efs-csi-driver/values.yaml",
        "a4fc67600be60d0f8350dc9459e55ff04e9aa944",
    ),
    "aws-load-balancer-controller": Chart(
        "serviceAccount",
        "kubernetes-sigs/aws-load-balancer-controller",
        "helm/aws-load-balancer-controller/values.yaml",
        "225f44568848eb25f13e304a5f1cc68c0cd9415d",
    ),
    "cert-manager": Chart(
        "serviceAccount",
        "cert-manager/cert-manager",
        "deploy/charts/cert-manager/values.yaml",
        "2d0d7f7f74241a9cbf79f0e2a7bb247238ee09fd",
    ),
    "cluster-autoscaler": Chart(
        "rbac.serviceAccount",
        "kubernetes/autoscaler",
        "charts/cluster-autoscaler/values.yaml",
        "028eaaf342d18ce95fafe72b46af4c688f82df70",
    ),
    "external-dns": Chart(
        "serviceAccount",
        "kubernetes-sigs/external-dns",
        "charts/external-dns/values.yaml",
        "2bf1bf8af2b70f23579f9147c1f7e9394f7f83d5",
    ),
    "external-secrets": Chart(
        "serviceAccount",
        "external-secrets/external-secrets",
        "deploy/charts/external-secrets/values.yaml",
        "cc5bfbc2234ace9cb0caff4ea89c435cf517b27b",
    ),
    "fluent-bit": Chart(
        "serviceAccount",
        "fluent/helm-charts",
        "charts/fluent-bit/values.yaml",
        "5b81bf7a5a5d9f7c3513810efdef47cdb4e28239",
    ),
    "karpenter": Chart(
        "serviceAccount",
        "aws/karpenter-provider-aws",
        "charts/karpenter/values.yaml",
        "1d927085dd81a9df9301e613f371dac5b4d16bfe",
    ),
    "loki": Chart(
        "serviceAccount",
        "grafana-community/helm-charts",
        "charts/loki/values.yaml",
        "3386a1156177c6bcd7fdb1ad4c6b1dda094296e0",
    ),
    "velero": Chart(
        "serviceAccount.server",
        "vmware-tanzu/helm-charts",
        "charts/velero/values.yaml",
        "73466ca986bbfe34dbd5c30bbf7d62d545d634a2",
    ),
}
"""By the name of the chart. Of two ServiceAccounts of a driver, it is that of the controller."""


def key_of(chart: str) -> str:
    """The key of a chart's ServiceAccount; raises `InvalidInput` for an unknown chart."""
    if chart not in CHARTS:
        hint = did_you_mean(chart, CHARTS) or f"known are {', '.join(CHARTS)}"
        raise InvalidInput(f"unknown chart '{chart}'", reason=f"{hint}; for others: --values-key")
    return CHARTS[chart].key


def values_key(text: str) -> str:
    """The same key, checked: names with dots between them; raises `InvalidInput`."""
    if not _KEY.fullmatch(text):
        raise InvalidInput(f"'{text}' is not a key of values", reason="expected names with dots between them")
    return text
