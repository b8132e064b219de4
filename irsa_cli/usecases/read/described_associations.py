"""All associations of a cluster with their roles, and whether their agent runs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from irsa_cli.aws import bindings
from irsa_cli.core.objects.injection import AGENT
from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.usecases.read.associations import Associations, associations
from irsa_cli.usecases.read.readable import read

if TYPE_CHECKING:
    from irsa_cli.kube.client import Json
    from irsa_cli.usecases.command.connect import Connection


Given = tuple[Associations | Unreadable, bool | Unreadable | None]
"""Associations with their roles, and whether the agent runs; None if there are no associations."""


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
