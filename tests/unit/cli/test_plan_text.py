"""Plans as text: every value that is set or removed is shown, an empty one, too."""

from __future__ import annotations

from collections.abc import Callable

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.cli.output.plan_text import change_lines, totals
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import (
    CommitState,
    DocumentState,
    OwnerState,
    RoleState,
    ServiceAccountState,
    SettingsState,
    State,
    TagsState,
)

VALUES = st.sampled_from([None, "", "a", "b"])
SHOWN = {None: "not there", "": '""', "a": "a", "b": "b"}


CASES: dict[str, tuple[Kind, Callable[[dict[str, str | None]], State]]] = {
    "tag": (Kind.ROLE_TAGS, TagsState),
    "label": (Kind.SERVICE_ACCOUNT, lambda values: ServiceAccountState(annotations={}, labels=values)),
    "annotation": (Kind.SERVICE_ACCOUNT, lambda values: ServiceAccountState(annotations=values)),
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
    assert lines == [
        f"{what} {key}: " + (SHOWN[new] if old is None else f"{SHOWN[old]} -> {SHOWN[new]}")
        for key, (old, new) in pairs.items()
        if old != new
    ]


def test_an_empty_description_is_none() -> None:
    change = Change(Kind.ROLE_SETTINGS, ("a",), SettingsState("old", 3600), SettingsState("", 3600))
    assert [line.strip() for line in change_lines([change])][1:] == ["description: old -> not there"]


ONE, OTHER = {"Statement": [{"Effect": "Allow"}]}, {"Statement": [{"Effect": "Deny"}]}
NEW_ROLE = Change(Kind.ROLE, ("r",), None, RoleState("/", ONE, tags={"irsa/cluster": "c", "team": "a"}))
MARKS = (
    Change(Kind.ROLE_OWNER, ("r",), OwnerState("a"), OwnerState("b")),
    Change(Kind.ROLE_COMMIT, ("r",), CommitState("pending"), CommitState("done")),
    Change(Kind.ROLE_TAGS, ("r",), TagsState({"irsa/spec-hash": "1"}), TagsState({"irsa/spec-hash": "2"})),
)
EDIT = Change(Kind.INLINE_POLICY, ("r", "p"), DocumentState(ONE), DocumentState(OTHER))
TAGS = Change(
    Kind.ROLE_TAGS,
    ("r",),
    TagsState({"team": "a", "irsa/spec-hash": "1"}),
    TagsState({"team": "b", "irsa/spec-hash": "2"}),
)
GONE = Change(Kind.ROLE, ("old",), RoleState("/", ONE), None)


def _lines(*changes: Change, whole: bool = False) -> list[str]:
    return [click.unstyle(line).rstrip() for line in change_lines(changes, whole=whole)]


def test_what_comes_and_goes_is_a_line() -> None:
    assert _lines(NEW_ROLE, GONE) == ["  + Role             /r", "  - Role             /old"]


def test_what_changes_is_told_with_its_document_and_without_marks() -> None:
    first, *rest = _lines(EDIT, TAGS)
    assert first == "  ~ InlinePolicy     p (inline)"
    assert {line.strip() for line in rest} >= {
        '-      "Effect": "Allow"',
        '+      "Effect": "Deny"',
        "tag team: a -> b",
    }
    assert not any("irsa/" in line for line in rest if "tag" in line)


def test_marks_are_counted_and_shown_on_demand() -> None:
    changes = [NEW_ROLE, *MARKS, EDIT, TAGS, GONE]
    assert not any("Owner" in line or "Commit" in line for line in _lines(*changes))
    assert totals(changes) == (
        "Plan: 1 to create, 2 to update, 1 to delete, and 3 marks of irsa (-v shows them)."
    )
    assert totals([NEW_ROLE]) == "Plan: 1 to create, 0 to update, 0 to delete."
    whole = _lines(*changes, whole=True)
    assert sum(line.startswith("  ") and line[2] in "+~-" for line in whole) == len(changes)
    assert {"      tag irsa/cluster: c", "      tag irsa/spec-hash: 1 -> 2", "      trust:"} <= set(whole)
    assert totals(changes, whole=True) == "Plan: 1 to create, 5 to update, 1 to delete."
