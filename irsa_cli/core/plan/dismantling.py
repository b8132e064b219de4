"""What stays as it is in a rollback, because something else could not be rolled back, and what is lost; pure.

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
    left = list(left)
    if change.before is None and (change.kind is Kind.ROLE or change.kind is Kind.INLINE_POLICY):
        return _tells_alone(change, left)
    roles = {item.target[0] for item in plan if item.kind is Kind.ROLE and item.after is None}
    mine = change.roles & roles
    return change.kind.traits.waits_for_whole and any(mine & item.roles for item in left)


def _tells_alone(change: Change, left: Iterable[Change]) -> bool:
    """Whether a role, or its policy, has to stay as it alone tells of what else could not be rolled back.

    That is by its inline policies: where they are gone already, the role tells nothing.
    """
    mine = [item for item in left if change.roles & item.roles]
    told = any(item.kind.traits.told_by_role for item in mine)
    has_policy = change.kind is Kind.INLINE_POLICY or any(item.kind is Kind.INLINE_POLICY for item in mine)
    return told and has_policy


def not_again(changes: Iterable[Change]) -> list[str]:
    """What is lost with roles that go, or have gone and come back: no rollback restores a role's unique id.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    """
    names = [item.name for item in changes if item.kind is Kind.ROLE and item.after is None]
    if not names:
        return []
    return [
        f"policies that name role {', '.join(names)} as a principal (of buckets, keys, other roles) keep its"
        " unique id: save them again if the role is created again, also by a rollback"
    ]
