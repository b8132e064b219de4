"""Whether the namespace is there that a command limits itself to with `-n`, and which ones are named alike.

A command for one ServiceAccount finds out with the ServiceAccount whether its namespace is there.
"""

from __future__ import annotations

from irsa_cli.core.values.errors import Refused, ServiceError
from irsa_cli.core.values.slips import near
from irsa_cli.usecases.command.connect import Connection


def check_namespace(connection: Connection, name: str) -> None:
    """Raise `Refused` when there is no such namespace: an empty list of its objects would say nothing.

    A caller who may not read namespaces goes on, and so does one who gets no answer: what is read next says
    why.
    """
    try:
        found = connection.kube.namespace(name)
    except ServiceError:
        return
    if found is None:
        similar = similar_namespaces(connection, name)
        raise Refused(
            f"namespace {name} in {connection.cluster.name}",
            details=(f"namespaces with a similar name: {', '.join(similar)}",) if similar else (),
            next_steps=("check --namespace and --cluster",),
        )


def similar_namespaces(connection: Connection, name: str) -> tuple[str, ...]:
    """The namespaces whose names are like this one; () where they can't be listed."""
    try:
        found = connection.kube.namespaces()
    except ServiceError:
        return ()
    return near(name, [str(item["metadata"]["name"]) for item in found])
