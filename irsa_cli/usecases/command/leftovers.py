"""What a run leaves when it fails: each piece with the command that finishes it, and whether to look again.

What interrupted runs have left is in `irsa_cli.usecases.recovery`.
"""

from __future__ import annotations

import shlex

from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.results.result import Left
from irsa_cli.core.values.errors import Claimed, Conflict, MadeAgain, ServiceError, Unseen
from irsa_cli.transaction.events import Leftover

SAME_AGAIN = "run the same irsa command again: it goes on from what is there, or says what differs"

_TAKEN_AWAY = ("NoSuchEntity", "NotFound")


def came_between(error: Exception | None) -> bool:
    """Whether a run failed because of what another one did at the same time: to look again may help."""
    if isinstance(error, ServiceError):
        return error.code in _TAKEN_AWAY and not error.is_of_policy
    return isinstance(error, Conflict | Unseen)


def left(leftover: Leftover, transaction: str, way: str = "", *, lock_lost: bool = False) -> Left:
    """A leftover with the command that rolls it back, or that shows it when it may be somebody else's.

    `way`: the options by which the run's recovery reaches the cluster; see
    `irsa_cli.core.recovery.authority`. `lock_lost`: another run may have gone on from it, and ended well, so
    to roll it back is not proposed.
    """
    recover = f"irsa recover {transaction}{way}"
    why = str(leftover.error)
    if isinstance(leftover.error, Claimed):
        repair = f"{recover}  # when the other run has ended: nothing is taken from it"
        if leftover.change.kind is Kind.ROLE:  # A person may have annotated it: then only forward ends it.
            repair += f"; or {SAME_AGAIN}"
        return Left(f"{leftover.change.kind.value} {leftover.change.name}", why, repair, in_use=True)
    if isinstance(leftover.error, MadeAgain):
        namespace, name = leftover.change.target
        repair = f"kubectl -n {namespace} get pods  # those of {name}: delete them, to start them again"
        return Left(f"{leftover.change.kind.value} {leftover.change.name}", why, repair)
    if lock_lost:
        return Left(f"{leftover.change.kind.value} {leftover.change.name}", why, SAME_AGAIN)
    # What was taken away is in the journal, and nowhere else.
    look = isinstance(leftover.error, Conflict) and leftover.change.after is not None
    repair = look_command(leftover.change) if look else recover
    return Left(f"{leftover.change.kind.value} {leftover.change.name}", why, repair)


def look_command(change: Change) -> str:
    """The command of AWS or Kubernetes that shows a person what a change is about.

    None that deletes: what could not be rolled back, because somebody else has changed it, may be theirs.
    """
    target = [shlex.quote(part) for part in change.target]
    role = shlex.quote(change.target[0].rsplit("/", 1)[-1])
    command = change.kind.traits.shown_by.format(first=target[0], last=target[-1], target=role)
    return f"{command}  # then decide: somebody else has changed it"
