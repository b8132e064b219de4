"""How a deletion is rolled back: nobody gets a role again that could not be put together again; pure.

How changes are rolled back is in `irsa_cli.transaction`.
"""

from __future__ import annotations

from collections.abc import Iterable

from irsa_cli.core.plan.changes import Change, Kind


def waits(change: Change, plan: Iterable[Change], left: Iterable[Change]) -> bool:
    """Whether a change has to stay as it is, because something that it led up to could not be rolled back.

    Before a role is deleted it is marked so, and its ServiceAccount loses its annotation. Both say truly what
    the role is, as long as a part of it has not come back: so the deletion can be finished, either way.
    """
    roles = {item.target[0] for item in plan if item.kind is Kind.ROLE and item.after is None}
    mine = change.roles & roles
    return change.kind.traits.waits_for_whole and any(mine & item.roles for item in left)
