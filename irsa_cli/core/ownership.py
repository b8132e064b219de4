"""Whose role it is: by its tags, for one ServiceAccount of one cluster; and why it is not changed here.

Pure. What is changed is in `irsa_cli.core.updating` and `irsa_cli.core.adopting`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from irsa_cli.core.arn import role_arn
from irsa_cli.core.errors import Refused
from irsa_cli.core.states import (
    CLUSTER_TAG,
    COMMIT_TAG,
    NOBODY,
    PENDING,
    SERVICE_ACCOUNT_TAG,
    TRANSACTION_TAG,
    RoleState,
)
from irsa_cli.core.update import Bound


class Belongs(Enum):
    """Whose a role is, seen from one ServiceAccount."""

    OURS = "irsa's, for this ServiceAccount"
    NOBODY = "not irsa's"
    OTHERS = "irsa's, for something else"


def belonging(role: RoleState, bound: Bound) -> Belongs:
    """Whose the role is that the ServiceAccount names."""
    wanted = tags_of(bound)
    there = {key: role.tags.get(key) for key in wanted}
    if there == wanted:
        return Belongs.OURS
    free = all(there[key] in (None, value) for key, value in wanted.items())
    return Belongs.NOBODY if free else Belongs.OTHERS


def tags_of(bound: Bound) -> dict[str, str]:
    """The tags that make a role irsa's for this ServiceAccount."""
    return {CLUSTER_TAG: bound.cluster.arn, SERVICE_ACCOUNT_TAG: f"{bound.namespace}/{bound.name}"}


def check_account(bound: Bound) -> None:
    """Raise `Refused` for a role of another AWS account."""
    account = role_arn(bound.role_arn).account
    if account != bound.cluster.account:
        raise Refused(
            f"role {bound.role_arn} lives in account {account}",
            reason=f"the cluster, and this caller, are in account {bound.cluster.account}",
            next_steps=("change the role in its own account",),
        )


def check_there(bound: Bound) -> RoleState:
    """The role's state; raises `Refused` when there is no role of that ARN."""
    create = f"{_irsa('create-sa', bound)} --override-existing-serviceaccounts  # makes one"
    if bound.role is None:
        raise Refused(
            f"role {bound.role_arn} does not exist",
            reason=f"ServiceAccount {bound.namespace}/{bound.name} names it all the same",
            next_steps=(create,),
        )
    state = bound.role.state
    # IAM finds roles by name alone; STS wants the whole ARN, path included.
    if f"role{state.path}{bound.role_name}" != role_arn(bound.role_arn).resource:
        raise Refused(
            f"role {bound.role_arn} does not exist",
            reason=f"the role {bound.role_name} has the path {state.path}",
            next_steps=(create,),
        )
    return state


def check_ours(bound: Bound, sharers: Sequence[str]) -> None:
    """Raise `Refused` unless the role is irsa's, for this ServiceAccount alone; `sharers` name it, too."""
    check_account(bound)
    state = check_there(bound)
    who = belonging(state, bound)
    if who is Belongs.NOBODY:
        raise Refused(
            f"role {bound.role_arn} is not irsa's",
            reason=f"it has no tags {CLUSTER_TAG} and {SERVICE_ACCOUNT_TAG}",
            next_steps=(f"{_irsa('adopt', bound)}  # takes it over as it is",),
        )
    if who is Belongs.OTHERS:
        raise theirs(bound, state)
    if state.tags.get(COMMIT_TAG) == PENDING:
        maker = state.tags.get(TRANSACTION_TAG, NOBODY)
        raise Refused(
            f"role {bound.role_arn} is half made",
            reason=f"its run {maker} has not said that it ended",
            next_steps=("wait for that run, or finish it: run the same irsa create-sa command again",),
        )
    check_unshared(bound, sharers)


def check_unshared(bound: Bound, sharers: Sequence[str]) -> None:
    """Raise `Refused` when other ServiceAccounts name the role, too."""
    if sharers:
        raise Refused(
            f"role {bound.role_arn} is used by other ServiceAccounts, too: {', '.join(sharers)}",
            reason="a change for one would change all of them",
            next_steps=(
                "give each a role of its own: irsa create-sa ... --override-existing-serviceaccounts",
                "or change the role where it is managed",
            ),
        )


def theirs(bound: Bound, state: RoleState) -> Refused:
    """The error for a role that irsa manages for another ServiceAccount or cluster."""
    wanted = tags_of(bound)
    return Refused(
        f"role {bound.role_arn} is irsa's, for another ServiceAccount",
        details=[
            f"tag {key}: is {state.tags.get(key, 'not there')}, wanted {value}"
            for key, value in wanted.items()
            if state.tags.get(key) != value
        ],
        next_steps=(
            "change it by the ServiceAccount that it was made for",
            f"or give this one a role of its own: {_irsa('create-sa', bound)}"
            " --override-existing-serviceaccounts",
        ),
    )


def _irsa(command: str, bound: Bound) -> str:
    where = f"-c {bound.cluster.name} -r {bound.cluster.region}"
    return f"irsa {command} {bound.name} -n {bound.namespace} {where}"
