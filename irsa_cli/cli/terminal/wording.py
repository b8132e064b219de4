"""How lines, changes and marks are written for people, on both output streams."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from irsa_cli.cli.terminal.screen import has_colour, is_unicode, painted, plain
from irsa_cli.core.values.shown import visible

if TYPE_CHECKING:
    pass

_MARKS = {"create": "+", "update": "~", "delete": "-", "ok": "✓", "failed": "✗", "waiting": "…"}
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_PLAIN = {**_MARKS, "ok": "=", "failed": "x", "waiting": "..."}


def say(line: str, *, err: bool = False) -> None:
    """Print a line, and nothing but one line."""
    put(visible(line), err=err)


def put(line: str, *, err: bool = False) -> None:
    """Print a line whose parts are made safe already, in the colours of what it begins with.

    Colours go where the stream shows none, and signs become others where it shows ASCII only.
    """
    stream = sys.stderr if err else sys.stdout
    click.echo(painted(plain(line, stream)), err=err, color=has_colour(stream))


def mark(what: str) -> str:
    """The sign before a line; plain ASCII where the stream can't show more."""
    return (_MARKS if is_unicode(sys.stderr) else _PLAIN)[what]


def age(seconds: float) -> str:
    """A span of time in its largest unit, as kubectl shows ages."""
    whole = max(0, int(seconds))
    size, unit = next(((size, unit) for size, unit in _UNITS if whole >= size), _UNITS[-1])
    return f"{whole // size}{unit}"
