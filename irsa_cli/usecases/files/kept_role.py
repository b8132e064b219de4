"""Which role an entry means that does not say it in full: its ServiceAccount's, if that is irsa's for it.

So a role that was taken over (`irsa adopt`) keeps its name and path, which eksctl's files have no word for.
Reading the ServiceAccount is the business of who calls this.
"""

from __future__ import annotations

from dataclasses import replace

from irsa_cli.aws import iam as reading
from irsa_cli.core.binding.current import NamedRole
from irsa_cli.core.binding.spec import CurrentRole, CurrentServiceAccount
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.values import names
from irsa_cli.core.values.arn import role_arn
from irsa_cli.core.values.errors import InvalidInput, ServiceError
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.write.create_sa import Request


def with_kept_role(
    connection: Connection, request: Request, account: CurrentServiceAccount | None
) -> Request:
    """The request with name and path of the role that the ServiceAccount has, where it gives no others.

    A role that is named, and that was taken over without a ServiceAccount that names it, keeps its path. No
    call is made where the role is the one that the request means anyway.
    """
    if request.attach_role_arn:
        return request
    present = account.annotations.get(ROLE_ARN_ANNOTATION, "") if account is not None else ""
    kept = _with_present_role(connection, request, present) if present else request
    if kept is not request or not request.role_name or request.role_path:
        return kept
    if present.endswith(f":role{names.default_role_path(connection.cluster.name)}{request.role_name}"):
        return request
    return _with_path(connection, request)


def _with_present_role(connection: Connection, request: Request, present: str) -> Request:
    cluster = connection.cluster
    try:
        arn = role_arn(present)
    except InvalidInput:
        return request
    default = names.default_role_name(cluster.name, cluster.arn, request.namespace, request.name)
    name, path = arn.name, arn.resource.removeprefix("role").removesuffix(arn.name)
    meant = (request.role_name or default, request.role_path or names.default_role_path(cluster.name))
    compatible = request.role_name in ("", name) and request.role_path in ("", path)
    if (name, path) == meant or not compatible:
        return request
    role = _own(connection, request, name)
    return replace(request, role_name=name, role_path=path) if role and role.arn == present else request


def _with_path(connection: Connection, request: Request) -> Request:
    """The request with the path of the role that it names, where that is irsa's for the ServiceAccount."""
    role = _own(connection, request, request.role_name)
    return request if role is None else replace(request, role_path=role.state.path)


def _own(connection: Connection, request: Request, name: str) -> NamedRole | None:
    """The role of that name, if it is irsa's for the ServiceAccount."""
    cluster = connection.cluster
    try:
        found = reading.role_state(connection.iam, name)
    except ServiceError as error:
        if error.status != 403:
            raise
        return None  # Who may read irsa's roles only learns so that it is none of them.
    if found is None:
        return None
    role = NamedRole.of(cluster, name, CurrentRole(found[0]))
    return role if role.is_for(cluster, f"{request.namespace}/{request.name}") else None
