"""Whether EKS Pod Identity works in a cluster: its agent, nodes and Fargate profiles."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from irsa_cli.aws import bindings
from irsa_cli.aws.errors import call, pages
from irsa_cli.core.binding.pod_identity_support import AGENT_ADDRESSES, PodIdentitySupport
from irsa_cli.core.objects import kinds
from irsa_cli.core.objects.kinds import AGENT
from irsa_cli.core.policies.operators import like
from irsa_cli.core.values.errors import Unreadable, read
from irsa_cli.kube.client import Json
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.read.associations import Given, associations


def described(connection: Connection, namespace: str = "", name: str = "") -> Given:
    """The associations of a cluster, a namespace or a ServiceAccount, with their roles: one call each."""
    listed = associations(connection, namespace, name)
    if isinstance(listed, Unreadable) or not listed:
        return listed, None
    with ThreadPoolExecutor(1) as pool:
        agent = pool.submit(read, lambda: runs_agent(connection))
        found = bindings.described(connection.aws.client("eks"), connection.cluster.name, listed)
        return found, agent.result()


def runs_agent(connection: Connection) -> bool:
    """Whether the agent is built into the nodes (Auto Mode), an add-on, or a DaemonSet of kube-system."""
    built_in = (connection.description or {}).get("computeConfig", {}).get("enabled")
    if built_in or AGENT in bindings.addons(connection.aws.client("eks"), connection.cluster.name):
        return True
    return any(map(_is_agent, connection.kube.workloads("kube-system", "daemonsets")))


def _is_agent(daemon_set: Json) -> bool:
    template = daemon_set["spec"].get("template", {})
    images = [item.get("image", "") for item in template.get("spec", {}).get("containers", [])]
    return daemon_set["metadata"]["name"] == AGENT or any(f"/{AGENT}:" in f"/{image}" for image in images)


def support_of(connection: Connection, namespace: str) -> PodIdentitySupport:
    """The facts of a cluster that decide about EKS Pod Identity for a namespace."""
    eks, cluster, kube = connection.aws.client("eks"), connection.cluster.name, connection.kube
    family = (connection.description or {}).get("kubernetesNetworkConfig", {}).get("ipFamily", "")
    with ThreadPoolExecutor(5) as pool:
        agent = pool.submit(read, lambda: runs_agent(connection))
        platforms = pool.submit(read, lambda: _platforms(connection))
        profile = pool.submit(read, lambda: _profile(connection, namespace))
        number = pool.submit(read, lambda: len(bindings.associations(eks, cluster)))
        pods = pool.submit(read, lambda: tuple(map(kinds.pod, kube.pods(namespace))))
    return PodIdentitySupport(
        agent.result(),
        platforms.result(),
        profile.result(),
        number.result(),
        pods.result(),
        AGENT_ADDRESSES.get(family, AGENT_ADDRESSES["ipv4"]),
    )


def _platforms(connection: Connection) -> frozenset[str]:
    if (connection.description or {}).get("outpostConfig"):
        return frozenset({"outposts"})
    return frozenset(map(_platform, connection.kube.all("nodes")))


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
