"""The texts of causes are loaded strictly: one row and one check for each, with these texts and no other."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest

from irsa_cli.core.doctor.causes import causes_of
from irsa_cli.core.doctor.finding import CHECKS, CauseCheck, Group, check_of, ok
from tests.support.documents import Json, doc

Row = Json
TEXTS = ["title", "symptom", "looks_at", "remedy", "source"]
ROW = doc(
    """{"title": "A title.", "symptom": "A symptom",
    "looks_at": "the pods", "remedy": "Restart the pods.", "source": "https://example.com"}"""
)
CHECK = {"one": CauseCheck(lambda facts: ok("nothing"), Group.PODS, 1)}


def read() -> dict[str, Row]:
    """The rows of the data file; fails if it has a cause, or a row a text, twice."""

    def unique(pairs: list[tuple[str, Any]]) -> Row:
        assert len(dict(pairs)) == len(pairs), pairs
        return dict(pairs)

    table = files("irsa_cli.core.doctor") / "data" / "causes.json"
    rows: dict[str, Row] = json.loads(table.read_text(), object_pairs_hook=unique)
    return rows


def test_a_row_has_texts_and_nothing_else() -> None:
    for name, row in read().items():
        assert list(row) == TEXTS, name
        for text in row.values():
            assert isinstance(text, str), name
            assert text.strip() == text != "", name


def test_a_check_has_a_weight() -> None:
    for name, check in CHECKS.items():
        assert 0 <= check.weight <= 100, name


def test_the_example_is_a_cause() -> None:
    cause = causes_of({"one": ROW}, CHECK)["one"]
    assert (cause.group, cause.weight, cause.title) == (Group.PODS, 1, "A title.")
    assert sorted(TEXTS) == sorted(ROW)


def test_a_row_without_a_text_or_with_an_unknown_one_does_not_load() -> None:
    for name in TEXTS:
        with pytest.raises(TypeError, match=name):
            causes_of({"one": {key: value for key, value in ROW.items() if key != name}}, CHECK)
    for name in ("titel", "severity", "check"):
        with pytest.raises(TypeError, match=name):
            causes_of({"one": {**ROW, name: "x"}}, CHECK)


def test_each_row_has_one_check_and_each_check_one_row() -> None:
    one = CHECK["one"]
    for rows, checks, odd in (
        ({"one": ROW, "no-check": ROW}, CHECK, "no-check"),
        ({"one": ROW}, {"one": one, "no-row": one}, "no-row"),
    ):
        with pytest.raises(ValueError, match=f"not one row and one check.*'{odd}'"):
            causes_of(rows, checks)


def test_two_checks_of_one_cause_are_a_mistake() -> None:
    taken = next(iter(CHECKS))
    with pytest.raises(ValueError, match=taken):
        check_of(taken, Group.PODS, 1)(CHECK["one"].check)
