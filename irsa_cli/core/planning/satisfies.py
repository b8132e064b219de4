"""Whether a wish that has come true leaves anything to take back of an earlier run's change; pure.

What is done with that is in `irsa_cli.transaction.recover`.
"""

from __future__ import annotations

from irsa_cli.core.binding.spec import Wish
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import DocumentState
from irsa_cli.core.trust import trust_policy


def covers(wish: Wish, change: Change) -> bool:
    """Whether what a change is about is as wished, now that the wish is true.

    A role that the wish describes is wholly so, with its policies. Of another one the wish is only about the
    statement that admits its ServiceAccount.
    """
    if change.kind is Kind.TRUST_STATEMENT and wish.role is None:
        return change.target[0] == wish.role_name and _admits(wish, change)
    if change.kind is Kind.AUDIENCE:
        return change.target == (wish.identity.provider_arn, wish.audience)
    objects: set[tuple[Kind, tuple[str, ...]]] = {(Kind.PROVIDER, (wish.identity.provider_arn,))}
    if wish.role is not None:
        objects.add((Kind.ROLE, (wish.role_name,)))
    if not wish.role_only:
        objects |= {(Kind.NAMESPACE, (wish.namespace,)), (Kind.SERVICE_ACCOUNT, (wish.namespace, wish.name))}
    return change.object in objects


def _admits(wish: Wish, change: Change) -> bool:
    statements = [
        state.document for state in (change.before, change.after) if isinstance(state, DocumentState)
    ]
    return any(trust_policy.admits({"Statement": [statement]}, wish.identity) for statement in statements)
