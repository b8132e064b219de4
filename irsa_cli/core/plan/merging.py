"""Several plans as one, for one transaction over many ServiceAccounts (`apply --atomic`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from irsa_cli.core.plan.changes import Change, Plan


def side_by_side(first: Plan, plans: Sequence[Plan]) -> Plan:
    """One plan of all: `first`, then the others at the same time, each in its own order.

    Their last stages come together, as they are what pods see. ServiceAccounts are deleted after everything
    else: one that is made again has another uid, so nothing that can fail comes behind it.
    """
    depth = max((len(plan.stages) for plan in plans), default=0)
    stages: list[list[Change]] = [[] for _ in range(depth)]
    for plan in plans:
        for place, stage in enumerate(plan.stages, depth - len(plan.stages)):
            stages[place] += stage
    deletions = [change for stage in stages for change in stage if _is_for_good(change)]
    kept = [[change for change in stage if not _is_for_good(change)] for stage in stages]
    found = Plan.of(*_once([*map(list, first.stages), *kept, deletions]))
    # A gate stands before the last stage: what it proves is before it, also where nothing comes behind.
    is_behind = any(plan.stages and not plan.stages[-1] for plan in plans) and not any((kept[-1], deletions))
    return Plan((*found.stages, ())) if is_behind else found


def _is_for_good(change: Change) -> bool:
    return change.kind.traits.made_anew and change.after is None


def _once(stages: Iterable[list[Change]]) -> list[list[Change]]:
    """Each change where it stands first: two ServiceAccounts may build on the same."""
    seen: set[str] = set()
    found = []
    for stage in stages:
        kept = []
        for change in stage:
            key = repr(change)
            if key not in seen:
                kept.append(change)
            seen.add(key)
        found.append(kept)
    return found
