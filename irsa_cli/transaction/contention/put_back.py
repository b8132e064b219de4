"""Making again what a rollback took back in the moment before it saw that somebody else counts on it.

Who that is, is asked in `irsa_cli.transaction.contention.in_use`.
"""

from __future__ import annotations

from collections.abc import Callable

from irsa_cli.core.plan.changes import Change
from irsa_cli.core.values.patience import within
from irsa_cli.transaction.contention.in_use import InUse
from irsa_cli.transaction.protocol import Handler, Run
from irsa_cli.transaction.steps import Stages, Tracked, in_parallel


def put_back(
    stages: Stages,
    run: Run,
    in_use: InUse,
    handler: Callable[[Change], Handler],
    note_begin: Callable[[Tracked], None],
) -> list[tuple[Tracked, Exception]]:
    """Make again, stage by stage, what was rolled back and is in use.

    Returns each of these steps with what is to be told of it: for whom it stays, or why it could not be made
    again. What a server compares by itself nobody had counted on.
    """
    told: list[tuple[Tracked, Exception]] = []

    def make(step: Tracked) -> None:
        error = in_use.error(step)
        note_begin(step)
        try:
            with within(run):
                handler(step.change).apply(step.change, run)
        except Exception as failure:
            error = failure
        told.append((step, error))

    for stage in stages:
        undone = [step for step in stage if step.record.undone and _is_needed(step, in_use)]
        for step in undone:
            step.record.undone = False
        in_parallel(make, undone)
    return told


def _is_needed(step: Tracked, in_use: InUse) -> bool:
    compared = step.change.kind.traits.service.compares
    return in_use.keeps(step) and not compared and step.change.after is not None
