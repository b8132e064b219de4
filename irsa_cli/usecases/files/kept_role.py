"""Which role an entry means that does not say it in full: its ServiceAccount's, if that is irsa's for it.

So a role that was taken over (`irsa adopt`) keeps its name and path, which eksctl's files have no word for.
Reading the ServiceAccount is the business of who calls this.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from irsa_cli.aws import iam as reading
from irsa_cli.core.binding.current import NamedRole
from irsa_cli.core.binding.spec import BindingSpec, CurrentRole, CurrentServiceAccount
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.values import names
from irsa_cli.core.values.arn import role_arn
from irsa_cli.core.values.errors import InvalidInput, ServiceError
from irsa_cli.usecases.command.connect import Connection

Spec = TypeVar("Spec", bound=BindingSpec)


def with_kept_role(connection: Connection, spec: Spec, account: CurrentServiceAccount | None) -> Spec:
    """The spec with name and path of the role that the ServiceAccount has, where it gives no others.

    A role that is named, and that was taken over without a ServiceAccount that names it, keeps its path. No
    call is made where the role is the one that the spec means anyway.
    """
    if spec.attach_role_arn:
        return spec
    present = account.annotations.get(ROLE_ARN_ANNOTATION, "") if account is not None else ""
    kept = _with_present_role(connection, spec, present) if present else spec
    if kept is not spec or not spec.role_name or spec.role_path:
        return kept
    if present.endswith(f":role{names.default_role_path(connection.cluster.name)}{spec.role_name}"):
        return spec
    return _with_path(connection, spec)


def _with_present_role(connection: Connection, spec: Spec, present: str) -> Spec:
    cluster = connection.cluster
    try:
        arn = role_arn(present)
    except InvalidInput:
        return spec
    default = names.default_role_name(cluster.name, cluster.arn, spec.namespace, spec.name)
    name, path = arn.name, arn.resource.removeprefix("role").removesuffix(arn.name)
    meant = (spec.role_name or default, spec.role_path or names.default_role_path(cluster.name))
    compatible = spec.role_name in ("", name) and spec.role_path in ("", path)
    if (name, path) == meant or not compatible:
        return spec
    role = _own(connection, spec, name)
    return replace(spec, role_name=name, role_path=path) if role and role.arn == present else spec


def _with_path(connection: Connection, spec: Spec) -> Spec:
    """The spec with the path of the role that it names, where that is irsa's for the ServiceAccount."""
    role = _own(connection, spec, spec.role_name)
    return spec if role is None else replace(spec, role_path=role.state.path)


def _own(connection: Connection, spec: BindingSpec, name: str) -> NamedRole | None:
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
    return role if role.is_for(cluster, str(spec)) else None
