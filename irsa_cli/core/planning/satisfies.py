"""Whether a desired state that was reached leaves anything to roll back of an earlier run's change; pure.

What is done with that is in `irsa_cli.transaction.recover`.
"""

from __future__ import annotations

from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import DocumentState
from irsa_cli.core.trust import trust_policy


def satisfies(desired: DesiredState, change: Change) -> bool:
    """Whether what a change is about is as desired, now that the desired state is reached.

    A role that it describes is so as a whole, with its policies. Of another one it is only about the
    statement that admits its ServiceAccount.
    """
    if change.kind is Kind.TRUST_STATEMENT and desired.role is None:
        return change.target[0] == desired.role_name and _admits(desired, change)
    if change.kind is Kind.AUDIENCE:
        return change.target == (desired.identity.provider_arn, desired.audience)
    objects: set[tuple[Kind, tuple[str, ...]]] = {(Kind.PROVIDER, (desired.identity.provider_arn,))}
    if desired.role is not None:
        objects.add((Kind.ROLE, (desired.role_name,)))
    if not desired.role_only:
        objects |= {
            (Kind.NAMESPACE, (desired.namespace,)),
            (Kind.SERVICE_ACCOUNT, (desired.namespace, desired.name)),
            (Kind.CONFIG_MAP, (desired.namespace, desired.aws_config_map)),
        }
    if desired.chain is not None:
        objects.add((Kind.TARGET_TRUST, desired.chain.key))
    return change.object in objects


def _admits(desired: DesiredState, change: Change) -> bool:
    statements = [
        state.document for state in (change.before, change.after) if isinstance(state, DocumentState)
    ]
    return any(trust_policy.admits({"Statement": [statement]}, desired.identity) for statement in statements)
