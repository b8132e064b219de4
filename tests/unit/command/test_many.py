"""Many at the same time: what may not be, comes one after the other."""

from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.usecases.command.parallel import in_turn


@given(st.lists(st.tuples(st.integers(), st.sampled_from(["", "a", "b"])), unique_by=lambda item: item[0]))
def test_what_is_about_one_role_comes_in_turn(items: list[tuple[int, str]]) -> None:
    stages = in_turn(items, lambda item: item[1])
    assert sorted(item for stage in stages for item in stage) == sorted(items)
    assert all(stages)
    for stage in stages:
        roles = [role for _, role in stage if role]
        assert len(roles) == len(set(roles))
    for name in ("a", "b"):
        assert [item for stage in stages for item in stage if item[1] == name] == [
            item for item in items if item[1] == name
        ]
    most = max((sum(role == name for _, role in items) for name in ("a", "b")), default=0)
    assert len(stages) == max(most, 1 if items else 0)
