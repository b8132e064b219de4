"""Whether the namespace is there that a command limits itself to with `-n`.

A command for one ServiceAccount does not need this: it finds that out with the ServiceAccount.
"""

from __future__ import annotations

from irsa_cli.core.values.errors import Refused, ServiceError
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
        raise Refused(
            f"there is no namespace {name} in {connection.cluster.name}",
            next_steps=("check --namespace and --cluster",),
        )
