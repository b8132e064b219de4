"""Which ServiceAccounts EKS Pod Identity takes over: what the commands beside doctor read and say of it.

An annotation is not looked at where there is an association. What can't be read is said, and not assumed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from irsa_cli.aws import bindings
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.usecases.read.readable import read

if TYPE_CHECKING:
    from irsa_cli.usecases.command.connect import Connection

Associations = dict[tuple[str, str], Association]


def associations(connection: Connection, namespace: str = "", name: str = "") -> Associations | Unreadable:
    """The associations of a cluster, or of one ServiceAccount, without their roles: one call."""
    cluster = connection.cluster.name

    def work() -> Associations:
        if connection.target.issuer_url is not None:
            return {}  # Pod Identity is EKS' own.
        return bindings.associations(connection.aws.client("eks"), cluster, namespace=namespace, name=name)

    return read(work)


def association(connection: Connection, namespace: str, name: str) -> Association | Unreadable | None:
    """A ServiceAccount's association with its role, None without one; two calls where there is."""
    cluster = connection.cluster.name

    def work() -> Association | None:
        if connection.target.issuer_url is not None:
            return None
        return bindings.association(connection.aws.client("eks"), cluster, namespace, name)

    return read(work)


def taken_over(found: Association) -> str:
    """What an association means for the pods."""
    role = f", role {found.target_role_arn or found.role_arn}" if found.role_arn else ""
    return f"pods get the credentials of EKS Pod Identity ({found.id}{role}), not the annotation's"


def unread(found: Unreadable) -> str:
    """What is said where associations could not be read."""
    return f"whether EKS Pod Identity takes precedence was not checked: {found.why}"


def note_of(found: Association | Unreadable | None, role_arn: str = "") -> list[str]:
    """What a command says that has done its part all the same; nothing where there is nothing to say."""
    if found is None:
        return []
    if isinstance(found, Unreadable):
        return [unread(found)]
    if role_arn and role_arn == (found.target_role_arn or found.role_arn):
        return [f"pods get this role by EKS Pod Identity ({found.id}); the annotation is not used"]
    return [taken_over(found)]
