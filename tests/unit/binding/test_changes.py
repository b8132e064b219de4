"""From any role to any other: the plan leads there, its inverse leads back, and nothing else is touched."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.binding.current import RoleChanges
from irsa_cli.core.binding.role_changes import RUN_TAGS, removal, role_changes
from irsa_cli.core.objects import role as objects
from irsa_cli.core.plan.changes import Plan
from irsa_cli.core.policies import policy
from irsa_cli.core.values.errors import Refused
from tests.unit.plan import strategies as some
from tests.unit.world import Role, World, after, role_arn

ARNS = st.frozensets(st.sampled_from([f"arn:aws:iam::aws:policy/{name}" for name in "ABCDE"]))


@st.composite
def roles(draw: st.DrawFn, path: str = "/irsa/demo/") -> objects.Role:
    state = replace(draw(some.STATES_OF_ROLES), path=path)
    tags = {**state.tags, **draw(st.dictionaries(st.sampled_from(RUN_TAGS), st.just("t1")))}
    inline = draw(st.dictionaries(st.sampled_from("pqr"), some.documents, max_size=3))
    return objects.Role(role_arn("r", path), replace(state, tags=tags), draw(ARNS), inline)


def world_of(role: objects.Role) -> World:
    return World(roles={"r": Role(role.state, set(role.attached), dict(role.inline))})


def same(world: World, role: objects.Role) -> bool:
    """Whether the world's role is as wished, but for the form of documents and the tags of runs."""
    there = world.roles["r"]
    tags = [
        {key: value for key, value in state.tags.items() if key not in RUN_TAGS}
        for state in (there.state, role.state)
    ]
    return (
        tags[0] == tags[1]
        and there.attached == set(role.attached)
        and there.inline.keys() == role.inline.keys()
        and all(policy.equal(there.inline[name], role.inline[name]) for name in role.inline)
        and policy.equal(there.state.trust, role.state.trust)
        and replace(there.state, trust={}, tags={}) == replace(role.state, trust={}, tags={})
    )


@given(roles(), roles())
def test_the_plan_leads_there_and_its_inverse_back(before: objects.Role, wished: objects.Role) -> None:
    world = world_of(before)
    found = role_changes(before, wished)
    plan = Plan.of(list(found.gains), list(found.losses))
    there = after(world, plan)
    assert same(there, wished)
    assert after(there, plan.inverse) == world
    kept = {key: value for key, value in before.state.tags.items() if key in RUN_TAGS}
    assert kept.items() <= there.roles["r"].state.tags.items()


@given(roles())
def test_from_a_role_to_itself_there_is_nothing_to_do(role: objects.Role) -> None:
    assert role_changes(role, role) == RoleChanges()


@given(roles(), roles())
def test_what_is_lost_goes_last(before: objects.Role, after: objects.Role) -> None:
    found = role_changes(before, after)
    assert all(change.after is None for change in found.losses)
    assert not any(len(change.target) == 2 and change.after is None for change in found.gains)


@given(roles())
def test_a_removal_takes_off_all_policies(role: objects.Role) -> None:
    world = after(world_of(role), Plan.of(removal(role)))
    assert (world.roles["r"].attached, world.roles["r"].inline) == (set(), {})


@given(roles(), roles("/other/"))
def test_a_role_is_not_moved(before: objects.Role, after: objects.Role) -> None:
    with pytest.raises(Refused):
        role_changes(before, after)
