"""All associations of a cluster with their roles, and whether their agent runs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from irsa_cli.aws import bindings
from irsa_cli.core.objects import parsing
from irsa_cli.core.objects.injection import AGENT
from irsa_cli.core.objects.kinds import is_agent
from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.usecases.read.associations import Associations, associations
from irsa_cli.usecases.read.readable import read

if TYPE_CHECKING:
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
    """Whether the cluster has the EKS Pod Identity agent: built in, as an add-on, or as pods."""
    built_in = (connection.description or {}).get("computeConfig", {}).get("enabled")
    if built_in or AGENT in bindings.addons(connection.aws.client("eks"), connection.cluster.name):
        return True
    return any(map(is_agent, map(parsing.pod, connection.kube.pods("kube-system"))))
