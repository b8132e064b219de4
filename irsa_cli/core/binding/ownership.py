"""The owner of a role that is there, by its tags, and why it is not changed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from irsa_cli.core.binding.update_request import Pairing
from irsa_cli.core.marks import lifecycle
from irsa_cli.core.plan.states import CLUSTER_TAG, SERVICE_ACCOUNT_TAG, RoleState
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.values.arn import role_arn
from irsa_cli.core.values.errors import Refused


class Belongs(Enum):
    """Whose a role is, seen from one ServiceAccount."""

    OURS = "irsa's, for this ServiceAccount"
    NOBODY = "not irsa's"
    OTHERS = "irsa's, for something else"


def belonging(role: RoleState, pair: Pairing) -> Belongs:
    """Whose the role is that the ServiceAccount names."""
    wanted = pair.marks
    there = {key: role.tags.get(key) for key in wanted}
    if there == wanted:
        return Belongs.OURS
    free = all(there[key] in (None, value) for key, value in wanted.items())
    return Belongs.NOBODY if free else Belongs.OTHERS


def check_account(pair: Pairing) -> None:
    """Raise `Refused` for a role of another AWS account."""
    account = role_arn(pair.role_arn).account
    if account != pair.cluster.home:
        raise Refused(
            f"role {pair.role_arn} is in account {account}",
            reason=f"irsa looks for roles in account {pair.cluster.home}",
            next_steps=(pair.cluster.in_account(account),),
        )


def check_there(pair: Pairing) -> RoleState:
    """The role's state; raises `Refused` when there is no role of that ARN."""
    user = "the association of" if pair.named_role else "ServiceAccount"
    way = "--pod-identity" if pair.named_role else "--override-existing-serviceaccounts"
    create = f"{pair.command('create-sa')} {way} --attach-policy-arn ARN"
    if pair.role is None:
        raise Refused(
            f"role {pair.role_arn} does not exist",
            reason=f"{user} {pair.full_name} refers to it",
            next_steps=(create,),
        )
    state = pair.role.state
    # IAM finds roles by name alone; STS wants the whole ARN, path included.
    if f"role{state.path}{pair.role_name}" != role_arn(pair.role_arn).resource:
        raise Refused(
            f"role {pair.role_arn} does not exist",
            reason=f"the role {pair.role_name} has the path {state.path}",
            next_steps=(create,),
        )
    return state


def check_ours(pair: Pairing, sharers: Sequence[str]) -> None:
    """Raise `Refused` unless irsa manages the role for this ServiceAccount alone; `sharers` also use it."""
    check_account(pair)
    state = check_there(pair)
    who = belonging(state, pair)
    if who is Belongs.NOBODY:
        raise Refused(
            f"role {pair.role_arn} is not managed by irsa",
            reason=f"it does not have the tags {CLUSTER_TAG} and {SERVICE_ACCOUNT_TAG}",
            next_steps=(
                f"{pair.command('adopt')}  # adopts it unchanged"
                if trust_policy.admits(state.trust, pair.identity(pair.audience))
                else f"{pair.command('doctor')}  # shows why it can't assume the role",
            ),
        )
    if who is Belongs.OTHERS:
        raise theirs(pair, state)
    check_over(pair, state)
    check_unshared(pair, sharers)


def check_over(pair: Pairing, state: RoleState) -> None:
    """Raise `Refused` for a role of irsa's that a run has not ended making, or has begun to delete."""
    lifecycle.of(state.tags, named=pair.is_annotated).check(pair.role_arn, pair.cluster.options)


def check_unshared(pair: Pairing, sharers: Sequence[str]) -> None:
    """Raise `Refused` if other ServiceAccounts also use the role."""
    if sharers:
        raise Refused(
            f"role {pair.role_arn} is also used by other ServiceAccounts: {', '.join(sharers)}",
            reason="a change for one would affect all of them",
            next_steps=(
                "create a separate role for each: irsa create-sa ... --override-existing-serviceaccounts",
                "or change the role with the tool that manages it",
            ),
        )


def theirs(pair: Pairing, state: RoleState) -> Refused:
    """The error for a role that irsa manages for another ServiceAccount or cluster."""
    wanted = pair.marks
    return Refused(
        f"role {pair.role_arn} is managed by irsa, for another ServiceAccount",
        details=[
            f"tag {key}: {state.tags.get(key, 'missing')}, expected {value}"
            for key, value in wanted.items()
            if state.tags.get(key) != value
        ],
        next_steps=(
            "change it through the ServiceAccount that it was created for",
            f"or create a separate role for this one: {pair.command('create-sa')}"
            " --override-existing-serviceaccounts --attach-policy-arn ARN",
        ),
    )
