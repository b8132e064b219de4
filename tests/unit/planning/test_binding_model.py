"""The plan against a world in memory: what it makes true, what it leaves alone, every way to be cut off."""

from __future__ import annotations

import copy

from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.marks.lifecycle import with_marks
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import MANAGED_BY_LABEL, ROLE_ARN_ANNOTATION, ServiceAccountState
from irsa_cli.core.planning.create import plan
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.values.errors import Refused
from tests.support.thoroughness import examples
from tests.unit.planning.desired_states import Case, cases
from tests.unit.world import World, after, observe, unmarked


def planned(case: Case) -> Plan | None:
    """The plan, or None where it is refused."""
    try:
        return plan(case.desired, observe(case.world, case.desired))
    except Refused:
        return None


def possible(case: Case) -> Plan:
    """The plan of a case that has one."""
    todo = planned(case)
    assume(todo)
    assert todo is not None
    return todo


def is_true(desired: DesiredState, world: World) -> bool:
    """Whether the wish is met, said without the plan."""
    role = world.roles[desired.role_name]
    account = world.accounts.get((desired.namespace, desired.name))
    if desired.role is not None:
        same = role.state.trust == desired.role.trust and role.attached == set(desired.policies)
        if not same or role.inline != dict(desired.inline):
            return False
    provider = world.providers[desired.identity.provider_arn]
    usable = desired.audience in provider.audiences and trust_policy.admits(
        role.state.trust, desired.identity
    )
    if desired.role_only:
        return usable
    return (
        usable
        and account is not None
        and all(account.annotations.get(key) == value for key, value in desired.annotations.items())
        and all(account.labels.get(key) == value for key, value in desired.labels.items())
    )


@settings(max_examples=examples(250))
@given(cases() | cases(clear=True))
def test_a_plan_is_refused_or_makes_the_wish_true_once(case: Case) -> None:
    before = copy.deepcopy(case.world)
    todo = planned(case)
    assert case.world == before, "planning is pure"
    event("refused" if todo is None else f"{len(todo)} changes")
    if todo is None:
        return
    world = after(case.world, todo)
    assert is_true(case.desired, world)
    assert len(plan(case.desired, observe(world, case.desired))) == 0
    assert after(world, todo.inverse) == before


@settings(max_examples=examples(120))
@given(cases(clear=True))
def test_nothing_else_is_touched(case: Case) -> None:
    todo = possible(case)
    check_order(case, todo)
    desired, before, world = case.desired, case.world, after(case.world, todo)
    key = (desired.namespace, desired.name)
    for name, role in before.roles.items():
        now = world.roles[name]
        assert role.attached <= now.attached
        assert role.inline.items() <= now.inline.items()
        assert now == role or name == desired.role_name
        assert unmarked(now.state) == unmarked(role.state) or desired.update_trust
    for arn, provider in before.providers.items():
        same = unmarked(world.providers[arn]) == unmarked(provider)
        assert same or (arn == desired.identity.provider_arn and desired.associate)
        assert world.providers[arn].audiences[: len(provider.audiences)] == provider.audiences
    assert world.namespaces - before.namespaces <= {desired.namespace}
    for name_, account in before.accounts.items():
        theirs = world.accounts[name_]
        mine = name_ == key and not desired.role_only
        ours = {*with_marks(desired.annotations), *desired.labels} if mine else set[str]()
        for one, other in ((account.annotations, theirs.annotations), (account.labels, theirs.labels)):
            assert {k for k in {*one, *other} if one.get(k) != other.get(k)} <= ours
            assert desired.override or one.items() <= other.items()
    if key in before.accounts and MANAGED_BY_LABEL not in desired.labels:
        label, was = (found.accounts[key].labels.get(MANAGED_BY_LABEL) for found in (before, world))
        assert label == was


@settings(max_examples=examples(200))
@given(cases(clear=True), st.data())
def test_a_run_that_was_cut_off_anywhere_is_gone_on_with(case: Case, data: st.DataObject) -> None:
    todo = possible(case)
    stage = data.draw(st.integers(0, len(todo.stages) - 1))
    part = data.draw(st.lists(st.sampled_from(todo.stages[stage] or [None]), unique_by=repr))
    done = [*(change for earlier in todo.stages[:stage] for change in earlier), *filter(None, part)]
    world = after(case.world, done)
    rest = plan(case.desired, observe(world, case.desired))
    end = after(world, rest)
    assert is_true(case.desired, end)
    assert end == after(case.world, todo)


def check_order(case: Case, todo: Plan) -> None:
    """The annotation comes last, and a stage holds what is independent."""

    def sets_the_role(change: Change) -> bool:
        state = change.after
        return isinstance(state, ServiceAccountState) and bool(state.annotations.get(ROLE_ARN_ANNOTATION))

    for change in (change for stage in todo.stages[:-1] for change in stage):
        assert not sets_the_role(change)
    if case.desired.gated:
        # The token is proven before the last stage, so that everything it needs is in earlier ones.
        last = (Kind.SERVICE_ACCOUNT, Kind.ROLE_COMMIT)
        assert all(change.kind in last for change in todo.stages[-1])
        assert len(todo.stages[-1]) <= 1

    for stage in todo.stages:
        keys = [(change.kind, change.target) for change in stage]
        assert len(set(keys)) == len(keys)
    backwards = Plan(tuple(tuple(reversed(stage)) for stage in todo.stages))
    assert after(case.world, backwards) == after(case.world, todo)
