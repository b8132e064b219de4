"""Read what a cluster has for EKS Pod Identity: its agent, the platforms of its nodes, Fargate profiles."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from irsa_cli.aws.errors import call
from irsa_cli.aws.paging import pages
from irsa_cli.core.binding.pod_identity_support import PodIdentitySupport
from irsa_cli.core.policies.operators import like
from irsa_cli.kube.client import Json
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.read.associations import runs_agent
from irsa_cli.usecases.read.readable import read


def support_of(connection: Connection, namespace: str) -> PodIdentitySupport:
    """The facts of a cluster that decide about EKS Pod Identity for a namespace."""
    with ThreadPoolExecutor(3) as pool:
        agent = pool.submit(read, lambda: runs_agent(connection))
        platforms = pool.submit(read, lambda: frozenset(map(_platform, connection.kube.nodes())))
        profile = pool.submit(read, lambda: _profile(connection, namespace))
    return PodIdentitySupport(agent.result(), platforms.result(), profile.result())


def _platform(node: Json) -> str:
    labels = node["metadata"].get("labels") or {}
    if labels.get("eks.amazonaws.com/compute-type") == "fargate":
        return "fargate"
    return str(labels.get("kubernetes.io/os", "linux"))


def _profile(connection: Connection, namespace: str) -> str:
    """The Fargate profile that takes all pods of a namespace; one with labels may take some of them."""
    eks, cluster = connection.aws.client("eks"), connection.cluster.name
    listed = pages(eks.list_fargate_profiles, "nextToken", clusterName=cluster)
    for name in (name for page in listed for name in page.get("fargateProfileNames", [])):
        described: Any = call(eks.describe_fargate_profile, clusterName=cluster, fargateProfileName=name)
        for selector in described["fargateProfile"].get("selectors", []):
            if not selector.get("labels") and like(namespace, selector.get("namespace", "")):
                return str(name)
    return ""
