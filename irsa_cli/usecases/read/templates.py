"""The workloads of a namespace, and the pods that they would create."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from irsa_cli.core.objects.kinds import KINDS
from irsa_cli.core.objects.workloads import workload
from irsa_cli.core.uses.new_pods import Templates
from irsa_cli.core.values.errors import Unreadable, read

if TYPE_CHECKING:
    from irsa_cli.usecases.command.connect import Connection


def templates_of(connection: Connection, namespace: str) -> Templates:
    """The workloads of a namespace, in one round trip; kinds that can't be read are named."""
    kube = connection.kube

    def of_kind(resource: str) -> list[dict[str, Any]] | Unreadable:
        return read(lambda: kube.workloads(namespace, resource))

    with ThreadPoolExecutor(len(KINDS)) as pool:
        listed = dict(zip(KINDS, pool.map(of_kind, KINDS), strict=True))
    hidden = {resource: bodies.why for resource, bodies in listed.items() if isinstance(bodies, Unreadable)}
    readable = {resource: bodies for resource, bodies in listed.items() if not isinstance(bodies, Unreadable)}
    return Templates(
        tuple(workload(KINDS[resource], body) for resource, bodies in readable.items() for body in bodies),
        _unread(hidden),
    )


def _unread(hidden: dict[str, str]) -> tuple[str, ...]:
    """One line for all kinds: usually the same permission is missing."""
    if not hidden:
        return ()
    return (f"the pod templates of {', '.join(hidden)} ({next(iter(hidden.values()))})",)
