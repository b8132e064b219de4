"""Print lines, marks and ages for people, on both output streams."""

from __future__ import annotations

import sys
from typing import TextIO

import click

from irsa_cli.cli.terminal.screen import columns, has_colour, is_unicode, painted, plain, wrapped
from irsa_cli.core.values.shown import visible

_MARKS = {"create": "+", "update": "~", "delete": "-", "ok": "✓", "failed": "✗", "waiting": "…"}
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_PLAIN = {**_MARKS, "ok": "=", "failed": "x", "waiting": "..."}


def say(line: str, *, err: bool = False) -> None:
    """Print a text as one line: control characters in it are shown as their code points."""
    put(visible(line), err=err)


def put(line: str, *, err: bool = False) -> None:
    """Print a line whose parts are already safe to show, wrapped and coloured as the stream allows."""
    stream = sys.stderr if err else sys.stdout
    click.echo(ready(line, stream), err=err, color=has_colour(stream))


def ready(line: str, stream: TextIO) -> str:
    """A line as a stream shows it: in its characters, its colours and its columns."""
    first, *others = wrapped(plain(line, stream), columns(stream))
    return "\n".join((painted(first), *others))


def mark(what: str) -> str:
    """The sign before a line; plain ASCII where the stream can't show more."""
    return (_MARKS if is_unicode(sys.stderr) else _PLAIN)[what]


def age(seconds: float) -> str:
    """A span of time in its largest unit, as kubectl shows ages."""
    whole = max(0, int(seconds))
    size, unit = next(((size, unit) for size, unit in _UNITS if whole >= size), _UNITS[-1])
    return f"{whole // size}{unit}"
