"""Many results: their order is that of the files, however they ended."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.results.applied import SHARED_PARTS, AppliedList, Item
from irsa_cli.core.results.result import Ended, Result

NAMES = [f"ns/{number}" for number in range(6)]


@given(st.permutations(NAMES), st.integers(0, 3))
def test_items_are_in_the_order_of_the_file(ended: list[str], before: int) -> None:
    def item(name: str) -> Item:
        return Item("demo", name, Result(Ended.COMMITTED))

    earlier = [item(name) for name in reversed(NAMES[:before])]
    done = AppliedList([*earlier, item(SHARED_PARTS), *map(item, ended)])
    done.order(before, NAMES)
    assert [found.name for found in done.items] == [
        *(found.name for found in earlier),
        SHARED_PARTS,
        *NAMES,
    ]
