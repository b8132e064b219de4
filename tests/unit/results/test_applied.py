"""Many results: their order is that of the files, however they ended; and what the exit code says of all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.planning.adopt import Adoptions
from irsa_cli.core.results.applied import AppliedList, Item
from irsa_cli.core.results.result import SHARED_PARTS, Ended, Result
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import IrsaError, Refused

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


REFUSED = Refused("it exists and differs")
FAILED = IrsaError("a call failed")
ENDS = {
    "committed": Result(Ended.COMMITTED),
    "unchanged": Result(Ended.UNCHANGED),
    "refused": Result(Ended.REFUSED, error=REFUSED),
    "rolled back": Result(Ended.ROLLED_BACK, error=FAILED),
    "not needed": Result(Ended.ROLLED_BACK),
    "left": Result(Ended.INCOMPLETE, error=FAILED),
    "planned": Result(Ended.PLANNED),
}


@pytest.mark.parametrize(
    ("ends", "code", "outcome"),
    [
        (("refused", "refused"), 4, "refused"),
        (("refused", "unchanged"), 4, "refused"),
        (("refused", "planned"), 4, "refused"),
        (("refused", "not needed"), 4, "rolled-back"),
        (("refused", "committed"), 1, "unfinished"),
        (("refused", "rolled back"), 1, "rolled-back"),
        (("committed", "rolled back"), 1, "rolled-back"),
        (("refused", "committed", "left"), 3, "incomplete"),
        (("committed", "unchanged"), 0, "committed"),
    ],
)
def test_nothing_was_attempted_is_said_of_all_or_of_none(
    ends: tuple[str, ...], code: int, outcome: str
) -> None:
    results = [ENDS[name] for name in ends]
    cluster = Cluster("demo", "arn:c", "eu-west-1", "aws", "111122223333", "https://oidc.example/id/A")
    for many in (
        AppliedList([Item("demo", f"ns/{number}", result) for number, result in enumerate(results)]),
        Adoptions(cluster, list(results)),
    ):
        told = many.envelope().to_json()["metadata"]
        assert (many.exit_code, told["exitCode"], told["outcome"]) == (code, code, outcome)
