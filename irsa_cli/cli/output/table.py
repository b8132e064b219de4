"""Tables with aligned columns; whole lines in a pipe, wrapped by rich on a terminal.

No word is cut. If the last column does not fit next to the others, it goes below them; if those do not fit
either, each row becomes a block.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import compress

import click

from irsa_cli.cli.terminal.screen import columns, put
from irsa_cli.core.values.shown import visible

GAP = 3
"""Columns between two cells."""
_NARROWEST = 24
"""The least width of the last column next to the others."""
_INDENT = 4


@dataclass(frozen=True)
class Table:
    """Rows of safe cells under a head, which may be empty or not shown.

    `spare` columns are left out one by one until the table fits; all stay if it never fits.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    spare: Sequence[str] = ()
    headless: bool = False

    @classmethod
    def of(cls, head: Sequence[str], rows: Iterable[Iterable[object]], *, headless: bool = False) -> Table:
        """A table of any values as safe cells."""
        return cls(head, [_safe(row) for row in rows], headless=headless)

    def narrowed(self, room: int | None) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
        """The head and the rows, without the spare columns for which there is no room."""
        if not self.rows:
            return self.head, self.rows
        for number in range(len(self.spare) + 1):
            is_shown = [name not in self.spare[:number] for name in self.head]
            table = [list(compress(row, is_shown)) for row in (self.head, *self.rows)]
            widths = _widths(table)
            if room is None or sum(widths) + GAP * (len(widths) - 1) <= room:
                return table[0], table[1:]
        return self.head, self.rows

    def show(self) -> None:
        """Print it on standard output; nothing without rows."""
        room = columns(sys.stdout)
        head, rows = self.narrowed(room)
        for line in table_lines(() if self.headless else head, rows, room):
            put(line)


def table_lines(head: Sequence[str], rows: Sequence[Sequence[str]], room: int | None) -> list[str]:
    """The lines of a table in `room` columns, unbroken if that is None; `head` may be empty."""
    if not rows:
        return []
    table = [head, *rows] if head else list(rows)
    widths = _widths(table)
    fixed = sum(widths[:-1]) + GAP * (len(widths) - 1)
    if room is None or fixed + widths[-1] <= room:
        return [_line(row, widths) for row in table]
    if fixed + max(_NARROWEST, _longest(row[-1] for row in table)) <= room:
        return _wrapped(table, widths, room - fixed, GAP)
    if fixed - GAP <= room:
        return _last_below(table, widths, room)
    return _blocks(head, rows, room)


def _safe(row: Iterable[object]) -> list[str]:
    return [visible(str(cell)) for cell in row]


def _widths(table: Sequence[Sequence[str]]) -> list[int]:
    """The width of each column."""
    return [max(map(_width, column)) for column in zip(*table, strict=True)]


def _width(cell: str) -> int:
    return len(click.unstyle(cell))


def _longest(cells: Iterable[str]) -> int:
    """The length of the longest word."""
    words = click.unstyle(" ".join(cells)).split()
    return max(map(len, words), default=0)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    padded = (f"{cell}{' ' * (width - _width(cell))}" for cell, width in zip(row, widths, strict=True))
    return (" " * GAP).join(padded).rstrip()


def _last_below(table: Sequence[Sequence[str]], widths: Sequence[int], room: int) -> list[str]:
    """The rows, each with its last cell below the others."""
    lines: list[str] = []
    for row in table:
        lines.append(_line(row[:-1], widths[:-1]))
        last = _wrapped([[row[-1]]], [], room - _INDENT, GAP)
        lines += [f"{' ' * _INDENT}{line}" for line in last]
    return lines


def _blocks(head: Sequence[str], rows: Sequence[Sequence[str]], room: int) -> list[str]:
    """A block for each row, separated by empty lines."""
    names = head or [""] * len(rows[0])
    width = max(map(len, names))
    lines: list[str] = []
    for row in rows:
        lines.append("")
        pairs = list(zip(names, row, strict=True))
        lines += _wrapped(pairs, [width, 0], room - width - 1, 1) if head else row
    return lines[1:]


def _wrapped(table: Sequence[Sequence[str]], widths: Sequence[int], room: int, gap: int) -> list[str]:
    """Wrap the last column at `room` columns; longer words stay whole."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    last = max(room, _longest(row[-1] for row in table))
    drawn = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False, show_header=False)
    for width in widths[:-1]:
        drawn.add_column(width=width, no_wrap=True)
    drawn.add_column(width=last)
    for row in table:
        drawn.add_row(*map(Text.from_ansi, row))
    whole = sum(widths[:-1]) + gap * len(widths) + last
    console = Console(file=io.StringIO(), width=whole, force_terminal=True, color_system="standard")
    console.no_color = False  # Whether colours are shown is decided where the line is printed.
    with console.capture() as captured:
        console.print(drawn)
    return [line.rstrip() for line in captured.get().splitlines()]
