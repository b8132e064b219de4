"""The differences of a plan from the saved one that it is to be."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from irsa_cli.core.plan.changes import Change, Plan
from irsa_cli.core.plan.expected import PASSED_OVER, PlannedWork, Seen
from irsa_cli.core.plan.written import write


def as_planned(planned: Iterable[PlannedWork], now: PlannedWork) -> list[str]:
    """The least differences from any planned work on the same object."""
    if not len(now.plan):
        return []
    works = list(planned)
    same = [differences(item, now) for item in works if item.key == now.key]
    elsewhere = sorted({item.cluster for item in works} - {now.cluster})
    if not same and elsewhere and all(item.cluster != now.cluster for item in works):
        return [f"the cluster is {now.cluster}, but the plan is for {', '.join(elsewhere)}"]
    return min(same, key=len, default=[f"not planned: {_text_of(change)}" for change in now.plan])


def differences(planned: PlannedWork, now: PlannedWork) -> list[str]:
    """The differences from what was planned, a line each; [] for none, or if all of it is already done."""
    if not len(now.plan):
        return []
    # Of an object as desired, only that fact is kept: the new plan shows what has changed.
    moved = _moved(planned.seen, now.seen) if len(planned.plan) else ()
    return [*moved, *_changed(planned.plan, now.plan)]


def _moved(before: Seen, after: Seen) -> Iterator[str]:
    gone, new = before.keys() - after.keys(), after.keys() - before.keys()
    for name in sorted({*before, *after}):
        if any(name.startswith(f"{whole} ") for whole in gone | new):
            continue  # A part of an object that is reported as a whole.
        if name in gone:
            yield f"{name}: is gone"
        elif name in new:
            yield f"{name}: now exists"
        elif before[name] != after[name]:
            yield f"{name}: was changed"


def _changed(before: Plan, after: Plan) -> Iterator[str]:
    old, new = _by_target(before), _by_target(after)
    for key, change in old.items():
        if key not in new:
            yield f"planned, but no longer needed: {_text_of(change)}"
        elif _plain(change) != _plain(new[key]):
            yield f"planned otherwise: {_text_of(change)}"
    for key, change in new.items():
        if key not in old:
            yield f"not planned: {_text_of(change)}"
    order = [[_key(change) for change in stage] for stage in (*before.stages, *after.stages)]
    half = len(before.stages)
    if old.keys() == new.keys() and [*map(sorted, order[:half])] != [*map(sorted, order[half:])]:
        yield "planned in another order"


def _text_of(change: Change) -> str:
    return f"{change.action} {change.kind.value} {change.name}"


def _key(change: Change) -> tuple[str, tuple[str, ...]]:
    return (change.kind.value, change.target)


def _by_target(plan: Plan) -> dict[tuple[str, tuple[str, ...]], Change]:
    return {_key(change): change for change in plan}


def _plain(change: Change) -> str:
    """The change without what differs from one reading to the next."""
    found = write(change)
    for side in ("before", "after"):
        if found[side]:
            found[side] = {key: item for key, item in found[side].items() if key not in PASSED_OVER}
    return json.dumps(found, sort_keys=True)
