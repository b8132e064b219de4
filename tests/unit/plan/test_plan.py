"""Changes and plans as values: written and read without loss, and taken back by their inverse."""

from __future__ import annotations

import json
from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.core.plan import written
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import State
from tests.support.thoroughness import examples
from tests.unit.plan import strategies as some

World = Mapping[tuple[Kind, tuple[str, ...]], State | None]


def apply(world: World, plan: Plan) -> World:
    """The world after a plan, each change finding what it expects."""
    after = dict(world)
    for change in plan:
        assert after[change.kind, change.target] == change.before
        after[change.kind, change.target] = change.after
    return after


@settings(max_examples=examples(60))
@given(some.changes())
def test_a_change_is_written_and_read_without_loss(change: Change) -> None:
    data = json.loads(json.dumps(written.write(change)))
    assert written.read(data) == change
    assert written.write(written.read(data)) == written.write(change)
    for state in (change.before, change.after):
        assert state is None or isinstance(state, change.kind.traits.state)


@settings(max_examples=examples(60))
@given(some.changes())
def test_the_inverse_goes_back(change: Change) -> None:
    back = change.inverse
    assert (back.kind, back.target, back.before, back.after) == (
        *(change.kind, change.target),
        *(change.after, change.before),
    )
    assert back.inverse == change != back
    actions = {(True, False): ("create", "delete"), (False, True): ("delete", "create")}
    ways = actions.get((change.before is None, change.after is None), ("update", "update"))
    assert (change.action, back.action) == ways


@settings(max_examples=examples(30))
@given(some.plans(tuple(Kind)))
def test_the_inverse_of_a_plan_restores_the_world(plan: Plan) -> None:
    world = {(change.kind, change.target): change.before for change in plan}
    assert apply(apply(world, plan), plan.inverse) == world
    assert plan.inverse.inverse == plan
    assert len(plan.inverse) == len(plan) == len(list(plan))
    assert plan.inverse.stages[0] == tuple(change.inverse for change in plan.stages[-1])


@given(st.lists(st.lists(some.changes(some.LIGHT), max_size=2), max_size=4))
def test_empty_stages_are_left_out(stages: list[list[Change]]) -> None:
    plan = Plan.of(*stages)
    assert all(plan.stages)
    assert list(plan) == [change for stage in stages for change in stage]


def test_every_kind_has_its_state() -> None:
    assert set(Kind) == set(some.STATES)
