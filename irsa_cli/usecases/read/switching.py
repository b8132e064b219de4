"""The roles that pods switch to, before their sessions get the tags of EKS Pod Identity."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from irsa_cli.core.objects.role import Role
from irsa_cli.core.uses.switching import Switching, Trust, targets_of, with_tags
from irsa_cli.core.values.arn import is_target
from irsa_cli.core.values.errors import IrsaError, Refused, Unreadable
from irsa_cli.usecases.read.observe import read_target

if TYPE_CHECKING:
    from irsa_cli.usecases.command.connect import Connection

MOST = 20
"""Trust policies of other roles that are read."""


def switching(connection: Connection, role: Role) -> Switching:
    """The losses of a role's pods by session tags; reads the trust policies of the roles they assume."""
    targets = [target for target in targets_of(role) if is_target(target)]
    with ThreadPoolExecutor(8) as pool:
        read = dict(zip(targets[:MOST], pool.map(lambda arn: _trust(connection, arn), targets), strict=False))
    unread: dict[str, Trust] = dict.fromkeys(targets[MOST:], Unreadable(f"irsa reads {MOST}"))
    return with_tags(role, {**read, **unread})


def _trust(connection: Connection, arn: str) -> Trust:
    try:
        role = read_target(connection, arn)
    except IrsaError as error:
        return Unreadable(str(error))
    return role.trust if isinstance(role, Role) else role


def check_switching(
    connection: Connection, role: Role | Unreadable | None, way_out: tuple[str, ...]
) -> list[str]:
    """Raise `Refused` if pods that switch roles would lose that; returns what is not known."""
    if role is None or isinstance(role, Unreadable):
        return []  # A note about its policies says so.
    switched = switching(connection, role)
    if switched.lost:
        raise Refused(
            f"pods with {role.arn} could not assume other roles any more",
            reason=f"the session tags of EKS Pod Identity are passed on: {switched.lost[0]}",
            details=switched.lost[1:],
            next_steps=(
                "allow sts:TagSession in the role's policies and in the other roles' trust",
                *way_out,
            ),
        )
    return [f"not known if pods can still assume other roles: {text}" for text in switched.doubts[:3]]
