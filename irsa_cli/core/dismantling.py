"""How a deletion is taken back: nobody gets a role again that could not be put together again; pure.

How changes are taken back is in `irsa_cli.transaction.engine`.
"""

from __future__ import annotations

from collections.abc import Iterable

from irsa_cli.core.plan import Change, Kind
from irsa_cli.core.states import ROLE_ARN_ANNOTATION, ServiceAccountState


def waits(change: Change, plan: Iterable[Change], left: Iterable[Change]) -> bool:
    """Whether a change has to stay as it is, because something that it led up to could not be taken back.

    Before a role is deleted it is marked so, and its ServiceAccount loses its annotation. Both say truly what
    the role is, as long as a part of it has not come back: so the deletion can be finished, either way.
    """
    roles = {item.target[0] for item in plan if item.kind is Kind.ROLE and item.after is None}
    mine = roles_of(change) & roles
    ground = change.kind in (Kind.ROLE_OWNER, Kind.ROLE_COMMIT, Kind.SERVICE_ACCOUNT)
    return ground and any(mine & roles_of(item) for item in left)


def roles_of(change: Change) -> set[str]:
    """The names of the roles that a change is about; of a ServiceAccount, those that it loses and gets."""
    kind, target = change.object
    if kind is Kind.ROLE:
        return {target[0]}
    states = (state for state in (change.before, change.after) if isinstance(state, ServiceAccountState))
    arns = (state.annotations.get(ROLE_ARN_ANNOTATION) for state in states)
    return {arn.rsplit("/", 1)[-1] for arn in arns if arn}
