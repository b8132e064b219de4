"""Check the namespace of `-n`, and find similar names."""

from __future__ import annotations

from irsa_cli.core.values.errors import Refused, ServiceError
from irsa_cli.core.values.slips import near
from irsa_cli.usecases.command.connect import Connection


def check_namespace(connection: Connection, name: str) -> None:
    """Raise `Refused` if the namespace does not exist.

    Without permission to read namespaces, there is no error: the next read reports it.
    """
    try:
        found = connection.kube.namespace(name)
    except ServiceError:
        return
    if found is None:
        similar = similar_namespaces(connection, name)
        raise Refused(
            f"there is no namespace {name} in {connection.cluster.name}",
            details=(f"namespaces with a similar name: {', '.join(similar)}",) if similar else (),
            next_steps=("check --namespace and --cluster",),
        )


def similar_namespaces(connection: Connection, name: str) -> tuple[str, ...]:
    """Namespaces with similar names; () if they can't be listed."""
    try:
        found = connection.kube.namespaces()
    except ServiceError:
        return ()
    return near(name, [str(item["metadata"]["name"]) for item in found])
