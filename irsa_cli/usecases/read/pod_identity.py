"""Whether EKS Pod Identity works in a cluster: its agent, nodes and Fargate profiles."""

from __future__ import annotations

from collections.abc import Mapping
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
from irsa_cli.usecases.read.templates import templates_of


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
    with ThreadPoolExecutor(6) as pool:
        agent = pool.submit(read, lambda: runs_agent(connection))
        platforms = pool.submit(read, lambda: _platforms(connection))
        profiles = pool.submit(read, lambda: _profiles(connection, namespace))
        number = pool.submit(read, lambda: len(bindings.associations(eks, cluster)))
        pods = pool.submit(read, lambda: tuple(map(kinds.pod, kube.pods(namespace))))
        templates = pool.submit(templates_of, connection, namespace)
    found = profiles.result()
    return PodIdentitySupport(
        agent.result(),
        platforms.result(),
        found if isinstance(found, Unreadable) else next((it for it, labels in found if not labels), ""),
        number.result(),
        pods.result(),
        AGENT_ADDRESSES.get(family, AGENT_ADDRESSES["ipv4"]),
        templates.result(),
        () if isinstance(found, Unreadable) else tuple(it for it in found if it[1]),
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


def _profiles(connection: Connection, namespace: str) -> list[tuple[str, Mapping[str, str]]]:
    """The Fargate profiles that take pods of a namespace: all of them, or those with labels."""
    eks, cluster = connection.aws.client("eks"), connection.cluster.name
    listed = pages(eks.list_fargate_profiles, "nextToken", clusterName=cluster)
    found: list[tuple[str, Mapping[str, str]]] = []
    for name in (str(name) for page in listed for name in page.get("fargateProfileNames", [])):
        described: Any = call(eks.describe_fargate_profile, clusterName=cluster, fargateProfileName=name)
        selectors = described["fargateProfile"].get("selectors", [])
        here = [item for item in selectors if like(namespace, item.get("namespace", ""))]
        found += [(name, item.get("labels") or {}) for item in here]
    return found
