"""Whether EKS Pod Identity works in a cluster: its agent, nodes and Fargate profiles; for all commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from irsa_cli.aws import bindings
from irsa_cli.aws.errors import call, pages
from irsa_cli.core.binding.pod_identity_support import AGENT_ADDRESSES, PodIdentitySupport, is_agent
from irsa_cli.core.objects import kinds
from irsa_cli.core.objects.kinds import AGENT, Pod
from irsa_cli.core.policies.operators import like
from irsa_cli.core.values.errors import IrsaError, Unreadable, read
from irsa_cli.core.values.patience import replaced
from irsa_cli.kube.client import Json
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.read.absence import absence
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


def runs_agent(connection: Connection, agents: Callable[[], Sequence[object]] | None = None) -> bool:
    """Whether the agent is built into the nodes (Auto Mode), an add-on, or runs in kube-system.

    Who installs it otherwise has a DaemonSet, or pods of another kind; `agents` reads those, for a caller
    that needs them as well. Raises `IrsaError` if nothing shows it and not all can be read.
    """
    built_in = (connection.description or {}).get("computeConfig", {}).get("enabled")
    if built_in or AGENT in bindings.addons(connection.aws.client("eks"), connection.cluster.name):
        return True

    def is_daemon_set() -> bool:
        return any(map(_is_of_agent, connection.kube.workloads("kube-system", "daemonsets")))

    def has_pods() -> bool:
        return bool(agents_of(connection) if agents is None else agents())

    denied: list[IrsaError] = []
    for shows_agent in (is_daemon_set, has_pods):
        try:
            if shows_agent():
                for error in denied:
                    replaced(error)
                return True
        except IrsaError as error:
            denied.append(error)
    if denied:
        raise denied[0]
    return False


def agents_of(connection: Connection) -> tuple[Pod, ...]:
    """The pods of the agent."""
    bodies = map(kinds.pod, connection.kube.pods("kube-system"))
    return tuple(pod for pod in bodies if is_agent("", pod.labels, (body.image for body in pod.containers)))


def _is_of_agent(daemon_set: Json) -> bool:
    metadata = daemon_set["metadata"]
    template = daemon_set["spec"].get("template", {})
    images = (item.get("image", "") for item in template.get("spec", {}).get("containers", []))
    return is_agent(metadata["name"], metadata.get("labels") or {}, images)


def support_of(connection: Connection, namespace: str, name: str = "") -> PodIdentitySupport:
    """The facts of a cluster that decide about EKS Pod Identity for a namespace.

    `name` is a ServiceAccount that should exist; '' for one that is known to, or that the run creates.
    """
    eks = connection.aws.client("eks")
    cluster = connection.cluster.name
    kube = connection.kube
    family = (connection.description or {}).get("kubernetesNetworkConfig", {}).get("ipFamily", "")
    with ThreadPoolExecutor(7) as pool:
        agent = pool.submit(read, lambda: runs_agent(connection))
        absent = pool.submit(read, lambda: absence(connection, namespace, name) if name else "")
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
        absent.result(),
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
    eks = connection.aws.client("eks")
    cluster = connection.cluster.name
    listed = pages(eks.list_fargate_profiles, "nextToken", clusterName=cluster)
    found: list[tuple[str, Mapping[str, str]]] = []
    for name in (str(name) for page in listed for name in page.get("fargateProfileNames", [])):
        described: Any = call(eks.describe_fargate_profile, clusterName=cluster, fargateProfileName=name)
        selectors = described["fargateProfile"].get("selectors", [])
        here = [item for item in selectors if like(namespace, item.get("namespace", ""))]
        found += [(name, item.get("labels") or {}) for item in here]
    return found
