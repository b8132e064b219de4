"""Which role an entry means that does not say it in full: its ServiceAccount's, if that is irsa's for it.

So a role that was taken over (`irsa adopt`) keeps its name and path, which eksctl's files have no word for.
Reading the ServiceAccount is the business of who calls this.
"""

from __future__ import annotations

from dataclasses import replace

from irsa_cli.aws import iam as reading
from irsa_cli.core import names
from irsa_cli.core.arn import role_arn
from irsa_cli.core.binding import ObservedRole, ObservedServiceAccount
from irsa_cli.core.bound import NamedRole
from irsa_cli.core.errors import InvalidInput, ServiceError
from irsa_cli.core.states import ROLE_ARN_ANNOTATION
from irsa_cli.usecases.connect import Connection
from irsa_cli.usecases.create_sa import Request


def with_kept_role(
    connection: Connection, request: Request, account: ObservedServiceAccount | None
) -> Request:
    """The request with name and path of the role that the ServiceAccount has, where it gives no others.

    No call is made where the role is the one that the request means anyway.
    """
    present = account.annotations.get(ROLE_ARN_ANNOTATION, "") if account is not None else ""
    if not present or request.attach_role_arn:
        return request
    cluster = connection.cluster
    try:
        arn = role_arn(present)
    except InvalidInput:
        return request
    default = names.default_role_name(cluster.name, cluster.arn, request.namespace, request.name)
    name, path = arn.name, arn.resource.removeprefix("role").removesuffix(arn.name)
    meant = (request.role_name or default, request.role_path or names.default_role_path(cluster.name))
    compatible = request.role_name in ("", name) and request.role_path in ("", path)
    if (name, path) == meant or not compatible or not _is_own(connection, request, present, name):
        return request
    return replace(request, role_name=name, role_path=path)


def _is_own(connection: Connection, request: Request, present: str, name: str) -> bool:
    """Whether there is a role of that ARN, and it is irsa's for the ServiceAccount."""
    cluster = connection.cluster
    try:
        found = reading.role_state(connection.iam, name)
    except ServiceError as error:
        if error.status != 403:
            raise
        return False  # Who may read irsa's roles only learns so that it is none of them.
    if found is None:
        return False
    role = NamedRole.of(cluster, name, ObservedRole(found[0]))
    return role.arn == present and role.is_for(cluster, f"{request.namespace}/{request.name}")
