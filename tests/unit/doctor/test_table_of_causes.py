"""The table of causes is loaded strictly: one row and one check for each, with these fields and no other."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from importlib.resources import files
from typing import Any

import pytest

from irsa_cli.core.doctor.causes import causes_of
from irsa_cli.core.doctor.finding import CHECKS, Cause, Check, Group, check_of, ok
from tests.support.documents import Json, doc

Row = Json
NEEDED = [field.name for field in fields(Cause) if field.default is MISSING and field.name != "check"]
ROW = doc(
    """{"id": "one", "group": "pods", "weight": 1, "title": "A title.", "symptom": "A symptom",
    "looks_at": "the pods", "remedy": "Restart the pods.", "source": "https://example.com"}"""
)
CHECK: dict[str, Check] = {"one": lambda facts: ok("nothing")}


def read() -> list[Row]:
    """The rows of the data file; fails if a row has a field twice."""

    def unique(pairs: list[tuple[str, Any]]) -> Row:
        assert len(dict(pairs)) == len(pairs), pairs
        return dict(pairs)

    table = files("irsa_cli.core.doctor") / "data" / "causes.json"
    rows: list[Row] = json.loads(table.read_text(), object_pairs_hook=unique)
    return rows


def test_a_row_has_texts_a_weight_and_a_group() -> None:
    for row in read():
        for name in set(NEEDED) - {"weight"}:
            assert isinstance(row[name], str), (row["id"], name)
            assert row[name].strip() == row[name] != "", (row["id"], name)
        assert type(row["weight"]) is int, row["id"]
        assert 0 <= row["weight"] <= 100, row["id"]
        assert row.get("of_cluster", True) is True, row["id"]


def test_the_example_is_a_cause() -> None:
    assert causes_of([ROW], CHECK)["one"].group is Group.PODS
    assert sorted(NEEDED) == sorted(ROW)


def test_a_row_without_a_field_or_with_an_unknown_one_does_not_load() -> None:
    for name in NEEDED:
        with pytest.raises((KeyError, TypeError, ValueError), match=name if name != "id" else "one"):
            causes_of([{key: value for key, value in ROW.items() if key != name}], CHECK)
    for name in ("titel", "severity", "check"):
        with pytest.raises(TypeError, match=name):
            causes_of([{**ROW, name: "x"}], CHECK)
    with pytest.raises(ValueError, match="nodes"):
        causes_of([{**ROW, "group": "nodes"}], CHECK)


def test_each_row_has_one_check_and_each_check_one_row() -> None:
    one = CHECK["one"]
    for rows, checks, odd in (
        ([ROW, {**ROW, "id": "no-check"}], CHECK, "no-check"),
        ([ROW], {"one": one, "no-row": one}, "no-row"),
        ([ROW, ROW], CHECK, "one"),
    ):
        with pytest.raises(ValueError, match=f"not one row and one check.*'{odd}'"):
            causes_of(rows, checks)


def test_two_checks_of_one_cause_are_a_mistake() -> None:
    taken = next(iter(CHECKS))
    with pytest.raises(ValueError, match=taken):
        check_of(taken)(CHECK["one"])
