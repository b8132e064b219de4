"""Tables: aligned, wrapped on a terminal only, and no word of a cell is ever cut."""

from __future__ import annotations

import click
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.cli.output.table import GAP, table_lines
from tests.support.thoroughness import examples

WORDS = st.text(st.sampled_from("abc:/-"), min_size=1, max_size=40)
CELLS = st.lists(WORDS, min_size=1, max_size=6).map(" ".join)
TABLES = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=4)
)


@given(TABLES, st.none() | st.integers(10, 200))
@settings(max_examples=examples(100))
def test_every_word_is_there_whole_and_nothing_else(table: list[list[str]], room: int | None) -> None:
    lines = table_lines([], table, room)
    words = sorted(word for row in table for cell in row for word in cell.split())
    assert sorted(word for line in map(click.unstyle, lines) for word in line.split()) == words
    assert all(line == line.rstrip() for line in lines)
    if room is None:
        assert len(lines) == len(table)


@given(TABLES)
@settings(max_examples=examples(50))
def test_columns_begin_at_the_same_place(table: list[list[str]]) -> None:
    lines = table_lines([], table, None)
    starts = [
        sum(max(map(len, column)) + GAP for column in list(zip(*table, strict=True))[:n]) for n in range(9)
    ]
    for row, line in zip(table, lines, strict=True):
        for cell, start in zip(row, starts, strict=False):
            assert line[start : start + len(cell)] == cell


def test_the_last_column_is_wrapped_where_there_is_a_terminal() -> None:
    arn = "arn:aws:iam::111122223333:role/irsa/demo/a-name"
    rows = [["a", click.style("ok", fg="green")], ["b", f"not admitted by {arn} as it is"]]
    assert [click.unstyle(line) for line in table_lines(["N", "STATUS"], rows, 52)] == [
        "N   STATUS",
        "a   ok",
        "b   not admitted by",
        f"    {arn}",
        "    as it is",
    ]
    assert "\x1b[32mok" in "".join(table_lines(["N", "STATUS"], rows, 52))
