"""ServiceAccounts and namespaces that do not exist in a cluster, and similar names.

One answer for all commands: some refuse, and `create-sa --pod-identity` says so, as an association may be
there before its ServiceAccount.
"""

from __future__ import annotations

import shlex
from contextlib import suppress

from irsa_cli.core.values.errors import Refused, ServiceError
from irsa_cli.core.values.names import near
from irsa_cli.usecases.command.caller import reach_of
from irsa_cli.usecases.command.connect import Connection


def absence(connection: Connection, namespace: str, name: str) -> str:
    """The words for a ServiceAccount that does not exist, with similar names; '' for one that exists."""
    if connection.kube.service_account(namespace, name) is not None:
        return ""
    why = missing_account(connection, namespace, name)
    try:
        check_namespace(connection, namespace)
    except Refused as error:
        why = error
    return "; ".join((why.message, *why.details))


def missing_account(connection: Connection, namespace: str, name: str, *, deletes: bool = False) -> Refused:
    """The error for a ServiceAccount that doesn't exist, with what the caller may see of others.

    A command that `deletes` is not proposed for another namespace.
    """
    everywhere: list[tuple[str, str]] = []
    for place in (None, namespace):  # Those that the caller may list.
        with suppress(ServiceError):
            bodies = connection.kube.service_accounts(place)
            everywhere = [(body["metadata"]["namespace"], body["metadata"]["name"]) for body in bodies]
            break
    elsewhere = sorted({place for place, account in everywhere if account == name})
    similar = near(name, [account for place, account in everywhere if place == namespace])
    details = []
    if elsewhere:
        details.append(f"namespaces with a ServiceAccount of that name: {', '.join(elsewhere)}")
    if similar:
        details.append(f"ServiceAccounts of {namespace} with a similar name: {', '.join(similar)}")
    return Refused(
        f"there is no ServiceAccount {namespace}/{name} in {connection.cluster.name}",
        details=tuple(details),
        next_steps=(
            f"run this again with -n {elsewhere[0]}"
            if len(elsewhere) == 1 and not deletes
            else reach_of(connection.target).for_irsa(f"get-sa -n {shlex.quote(namespace)}")
            + "  # lists those with a role",
        ),
        rests_on=None if deletes else (),
    )


def check_namespace(connection: Connection, name: str) -> None:
    """Raise `Refused` if the namespace does not exist.

    Without permission to read namespaces, there is no error: the next read reports it.
    """
    try:
        found = connection.kube.one("namespaces", "", name)
    except ServiceError:
        return
    if found is None:
        similar = similar_namespaces(connection, name)
        raise Refused(
            f"there is no namespace {name} in {connection.cluster.name}",
            details=(f"namespaces with a similar name: {', '.join(similar)}",) if similar else (),
            next_steps=("check --namespace and --cluster",),
            rests_on=(),
        )


def similar_namespaces(connection: Connection, name: str) -> tuple[str, ...]:
    """Namespaces with similar names; () if they can't be listed."""
    try:
        namespaces = connection.kube.namespaces()
    except ServiceError:
        return ()
    return near(name, [str(body["metadata"]["name"]) for body in namespaces])
