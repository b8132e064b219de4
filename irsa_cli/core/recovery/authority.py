"""The actions that a journal may take in the user's name, and those that need more than its word; pure.

Whether a journal bears the user's seal is found in `irsa_cli.transaction.private`; whose marks are on the
live objects is read in `irsa_cli.usecases.recovery.authority`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from irsa_cli.core.marks.locks import Lock, locks_of, shared_locks
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import OwnerState
from irsa_cli.core.plan.traits import Proof
from irsa_cli.core.values.cluster import Cluster


def owners_before(plan: Iterable[Change]) -> dict[str, str]:
    """By the names of the roles that a plan puts the run's mark onto: whose mark they bore before."""
    return {
        change.target[0]: change.before.transaction
        for change in plan
        if change.kind is Kind.ROLE_OWNER
        and change.after == OwnerState("")
        and isinstance(change.before, OwnerState)
    }


def parts_of_roles(changes: Iterable[Change]) -> dict[str, list[Change]]:
    """The changes of what is on a role, or in it, by its name: those that its own mark does not guard."""
    parts: dict[str, list[Change]] = {}
    for change in changes:
        whole, target = change.object
        is_mark = change.kind.traits.proof is Proof.IS_MARK
        if whole is Kind.ROLE and not change.kind.is_whole and not is_mark:
            parts.setdefault(target[0], []).append(change)
    return parts


def beyond_marks(plan: Collection[Change], begun: Iterable[Change]) -> list[Change]:
    """Those of a run's changes that can't be rolled back on the strength of marks alone.

    An object created by a run has its mark, and its deletion removes only what that run added. To give
    something back (a policy, a role, a trust policy, an annotation) is the journal's word, and nothing else.
    """
    created_roles = {
        change.target[0] for change in plan if change.kind is Kind.ROLE and change.before is None
    }

    def is_proven(change: Change) -> bool:
        proof = change.kind.traits.proof
        created = change.before is None
        if proof is Proof.PUT_ON:
            return created and change.target[0] in created_roles
        return proof is Proof.IS_MARK or (proof is Proof.MARK and created)

    return [change for change in begun if not is_proven(change)]


def recovery_locks(changes: Iterable[Change], cluster: Cluster) -> frozenset[Lock]:
    """All locks for objects that a rollback or a continuation of these changes may touch."""
    every = tuple(changes)
    back = [change.inverse for change in every]
    return locks_of(every, cluster) | shared_locks(back, cluster)
