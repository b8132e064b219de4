"""What is said when a lock can't be had: held by another run, or not to be had by this caller at all."""

from __future__ import annotations

import shlex

from irsa_cli.core.marks.locks.lease import LeaseState
from irsa_cli.core.marks.locks.names import Lock
from irsa_cli.core.values.errors import IrsaError, LockLost, Refused, ServiceError

WITHOUT = (
    "run this again with --no-lock: then two runs for the same ServiceAccount at the same time are kept apart"
    " by their marks only, which leaves short moments open"
)
VERBS = ("get", "list", "create", "update", "delete")


def held(lock: Lock, state: LeaseState, cluster: str, waited: float) -> Refused:
    """Another run holds it, and did not let go in time. Nothing was written."""
    after = f" (waited for {waited:.0f} s)" if waited >= 1 else ""
    return Refused(
        f"another run is at work on {lock.words}{after}",
        reason=state.told,
        next_steps=(
            "run the same command again when that one has ended, or let it wait longer: --lock-timeout 10m",
            f"irsa unlock {shlex.quote(state.holder)} -c {cluster}  # when you know that it is dead",
        ),
    )


def not_permitted(error: ServiceError, namespace: str) -> IrsaError:
    """The error of a call of `irsa unlock`: a missing permission is named, and where to find it."""
    if error.status != 403 or error.permitted:
        return error
    verb = error.operation.partition(" ")[0]
    return Refused(
        f"this caller may not {verb} Leases (coordination.k8s.io) in namespace {namespace}",
        reason=error.reason,
        next_steps=(
            "grant list and delete on leases there: docs/how-to/permissions.md has the Role",
            "or name the namespace where the locks are: --lock-namespace NAMESPACE",
        ),
    )


def denied(error: ServiceError, namespace: str) -> IrsaError:
    """The error of a call about a Lease: a missing permission, or a missing place, ends the run early."""
    if error.status not in (403, 404, 405):
        return error
    verb = error.operation.partition(" ")[0]
    if error.permitted:
        return Refused(
            f"no lock: a quota or an admission policy of namespace {namespace} refuses to {verb} Leases",
            reason=error.reason,
            next_steps=(
                "ask who sets quotas and admission policies there to allow Leases (coordination.k8s.io)",
                "or name a namespace that allows them, the same for all runs: --lock-namespace NAMESPACE",
            ),
        )
    who = "this caller may not" if error.status == 403 else "the cluster does not let anybody"
    return Refused(
        f"no lock can be taken: {who} {verb} Leases (coordination.k8s.io) in namespace {namespace}",
        reason=error.reason,
        next_steps=(
            f"grant {', '.join(VERBS)} on leases there: docs/how-to/permissions.md has the Role",
            "or name a namespace where that is granted, the same for all runs: --lock-namespace NAMESPACE",
            f"or {WITHOUT}",
        ),
    )


def lost(lock: Lock, why: str, *, taken_over: bool) -> LockLost:
    """The lock is another's by now, or nobody knows."""
    return LockLost(f"the lock of {lock.words} is lost", reason=why, taken_over=taken_over)
