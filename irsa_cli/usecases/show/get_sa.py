"""`irsa get-sa`: the bindings of a cluster as a list.

Reading them is in `irsa_cli.usecases.read.bindings`.
"""

from __future__ import annotations

from dataclasses import dataclass

from irsa_cli.core.inventory.bindings import Bindings
from irsa_cli.core.values.errors import Refused
from irsa_cli.usecases.command.caller import naming_caller
from irsa_cli.usecases.command.connect import Connection, Target, WireLog, connect
from irsa_cli.usecases.read.absence import check_namespace
from irsa_cli.usecases.read.bindings import BindingsScope, read_bindings
from irsa_cli.usecases.read.identity import NamedServiceAccount


@dataclass(frozen=True)
class Request:
    """The request; `readers` are roles that read the IAM of other accounts.

    `ignore_not_found`: a missing ServiceAccount is an empty list.
    """

    target: Target
    scope: BindingsScope
    readers: tuple[str, ...] = ()
    ignore_not_found: bool = False


def get_bindings(request: Request, log: WireLog) -> Bindings:
    """The bindings; raises `Refused` for a named ServiceAccount without one, and `IrsaError`."""
    return bindings_of(connect(request.target, kube=True, log=log), request)


def bindings_of(connection: Connection, request: Request) -> Bindings:
    """The same for a cluster that is connected."""
    with naming_caller(connection.caller):
        found = read_bindings(connection, request.scope, request.readers)
        if not found.items and not request.ignore_not_found:
            _check(connection, request.scope)
    return found


def _check(connection: Connection, scope: BindingsScope) -> None:
    """Raise `Refused` for a name or a namespace that is not there, with the ones that are near."""
    if not scope.name:
        if scope.namespace:
            check_namespace(connection, scope.namespace)
        return
    if scope.namespace:
        NamedServiceAccount(connection, scope.namespace, scope.name).settings_with_role()
    raise Refused(f"no ServiceAccount {scope.name} names a role in {connection.cluster.name}")
