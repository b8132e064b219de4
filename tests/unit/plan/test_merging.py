"""Plans side by side: each in its own order, nothing twice, ServiceAccounts deleted at the very end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.plan.changes import Plan
from irsa_cli.usecases.files.atomic import side_by_side
from tests.unit.plan import strategies as some

PLANS = st.lists(some.plans(), max_size=4)


def places(plan: Plan) -> dict[str, int]:
    found: dict[str, int] = {}
    for number, stage in enumerate(plan.stages):
        for change in stage:
            found.setdefault(repr(change), number)
    return found


@given(some.plans() | st.just(Plan()), PLANS)
def test_all_of_it_is_there_once_and_in_order(first: Plan, plans: list[Plan]) -> None:
    together = side_by_side(first, plans)
    keys = [repr(change) for change in together]
    assert sorted(keys) == sorted({repr(change) for plan in (first, *plans) for change in plan})
    where = places(together)
    ground = {repr(change) for change in first}
    for plan in plans:
        own = [
            (number, repr(change))
            for number, stage in enumerate(plan.stages)
            for change in stage
            if repr(change) not in ground and not (change.kind.traits.recreated and not change.after)
        ]
        shared = {key for other in plans if other is not plan for key in places(other)}
        for one, key in own:
            for two, other_key in own:
                if one < two and not {key, other_key} & shared:
                    assert where[key] < where[other_key]
                    assert all(where[key] > where[item] for item in ground if where[item] < len(first.stages))


@given(PLANS)
def test_nothing_comes_after_the_deletion_of_what_can_only_be_made_anew(plans: list[Plan]) -> None:
    together = side_by_side(Plan(), plans)
    deletes = [
        any(change.kind.traits.recreated and change.after is None for change in stage)
        for stage in together.stages
    ]
    assert not any(deletes[:-1])
    if any(deletes):
        assert all(change.kind.traits.recreated for change in together.stages[-1])
