"""A cause that is a run's: one that is at work on the binding, or was interrupted while it held the lock.

What a lock says is in `irsa_cli.core.marks.locks`; whether what a run has begun is complete is judged by the
role's marks, in `role.py`.
"""

from __future__ import annotations

from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.finding import Group, Judgement, cause, hint, ok
from irsa_cli.core.objects.unreadable import have


@cause(
    "run-at-work",
    Group.SERVICE_ACCOUNT,
    25,
    title="A run of irsa holds the lock of the binding, or was interrupted while it held it.",
    symptom="What pods get is about to change, or is what an interrupted run has left.",
    looks_at="the Lease of the ServiceAccount in the namespace of the locks",
    remedy="Look again when the run has ended. What an interrupted one has left, irsa recover rolls back; the"
    " same command, run again, finishes it.",
    source="https://kubernetes.io/docs/concepts/architecture/leases/",
)
def _at_work(facts: Facts) -> Judgement:
    seen = have(facts.named.lock)
    if seen is None or not seen.state.holder:
        return ok("no run holds the lock of the binding")
    said = {"holder": seen.holder, "command": seen.doing, "since": seen.since, "lock": seen.until}
    if seen.ended is None:
        return hint("a run has locked it, and whether that run is at work is not known", **said)
    if not seen.ended:
        return hint("a run is at work on it: what is shown here may be different in a moment", **said)
    finish = facts.reach.for_irsa("recover")
    return hint(
        "an interrupted run: its lock has ended and was not released", **said, what_it_has_left=finish
    )
