"""`irsa get-sa` and `irsa init`: the bindings of a cluster, listed or as a configuration file.

Reading them is in `irsa_cli.usecases.read.bindings`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from irsa_cli.aws import iam
from irsa_cli.core.inventory.bindings import Bindings
from irsa_cli.core.inventory.bindings_file import text_of
from irsa_cli.core.objects.role import Role
from irsa_cli.core.values.arn import Arn
from irsa_cli.core.values.errors import Refused, read
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


def file_of(request: Request, log: WireLog) -> tuple[Bindings, str]:
    """The bindings and their file; raises as `get_bindings` does."""
    connection = connect(request.target, kube=True, log=log)
    found = bindings_of(connection, request)
    roles = [item.role for item in found.items if isinstance(item.role, Role) and item.role.inline_names]
    with ThreadPoolExecutor(8) as pool:
        reads = {}
        for role in roles:
            session = connection.session_of(Arn.parse(role.arn).account)
            if session is not None:
                reads[role.arn] = pool.submit(
                    read, partial(iam.inline_policies, session.client("iam"), role.name)
                )
    return found, text_of(found, {arn: future.result() for arn, future in reads.items()})
