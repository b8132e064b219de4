"""Plans as text: every value that is set or removed is shown, an empty one, too."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.cli.plan_text import change_lines
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import ServiceAccountState, SettingsState, State, TagsState

VALUES = st.sampled_from([None, "", "a", "b"])
SHOWN = {None: "not there", "": '""', "a": "a", "b": "b"}


def _tags(values: dict[str, str | None]) -> State:
    return TagsState(values)


def _labels(values: dict[str, str | None]) -> State:
    return ServiceAccountState(annotations={}, labels=values)


def _annotations(values: dict[str, str | None]) -> State:
    return ServiceAccountState(annotations=values)


CASES = {
    "tag": (Kind.ROLE_TAGS, _tags),
    "label": (Kind.SERVICE_ACCOUNT, _labels),
    "annotation": (Kind.SERVICE_ACCOUNT, _annotations),
}


@pytest.mark.parametrize("what", CASES)
@given(st.dictionaries(st.sampled_from("xyz"), st.tuples(VALUES, VALUES), min_size=1))
def test_a_key_with_an_empty_value_is_not_one_that_is_not_there(
    what: str, pairs: dict[str, tuple[str | None, str | None]]
) -> None:
    kind, state = CASES[what]
    before, after = ({key: pair[side] for key, pair in pairs.items()} for side in (0, 1))
    change = Change(kind, ("a", "b"), state(before), state(after))
    lines = [click.unstyle(line).strip() for line in change_lines([change])][1:]
    expected = []
    for key, (old, new) in pairs.items():
        if old != new:
            shown = SHOWN[new] if old is None else f"{SHOWN[old]} -> {SHOWN[new]}"
            expected.append(f"{what} {key}: {shown}")
    assert lines == expected


def test_an_empty_description_is_none() -> None:
    change = Change(Kind.ROLE_SETTINGS, ("a",), SettingsState("old", 3600), SettingsState("", 3600))
    assert [line.strip() for line in change_lines([change])][1:] == ["description: old -> not there"]
