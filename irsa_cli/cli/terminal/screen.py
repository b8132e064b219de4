"""What an output stream can show: characters, colours, columns, and lines that change while one looks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import click

_STYLES = {"✓": "green", "=": "green", "✗": "red", "x": "red", "+": "green", "~": "yellow", "-": "yellow"}
"""The colour of the sign that a line begins with, in both alphabets."""
_HEADS = {
    "Error:": "red",
    "Warning:": "yellow",
    "Note:": "cyan",
    "Next:": "cyan",
    "Failed:": "red",
    "Verified:": "green",
    "Done": "green",
}
"""The colour of the word that a line begins with."""
_ASCII = str.maketrans({"✓": "=", "✗": "x", "…": "...", "·": "-", "→": "->"})
_LEAST_INDENT = 8
_LONGEST_INDENT = 6


def is_unicode(stream: TextIO) -> bool:
    """Whether a stream can show every character.

    While rich shows a spinner it puts an object before the stream that knows no encoding; the stream itself
    is asked then.
    """
    stream = getattr(stream, "rich_proxied_file", stream)
    return (stream.encoding or "ascii").lower().startswith("utf")


def plain(text: str, stream: TextIO) -> str:
    """A text of irsa's own in characters that the stream has."""
    return text if is_unicode(stream) else text.translate(_ASCII)


def has_colour(stream: TextIO) -> bool:
    """Whether colours are wanted: https://no-color.org, https://force-color.org, else on a terminal only."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_terminal(stream)


def is_terminal(stream: TextIO) -> bool:
    """Whether a stream is a terminal that understands more than plain lines."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def is_live(stream: TextIO) -> bool:
    """Whether a line may be shown that changes. CI systems keep each state of it, so there is none in CI."""
    return is_terminal(stream) and not os.environ.get("CI")


def columns(stream: TextIO) -> int | None:
    """How many columns a line may have; None where lines are for programs, and are not broken."""
    if not stream.isatty():
        return None
    import shutil

    return shutil.get_terminal_size().columns


def fitted(head: str, name: str, tail: str, stream: TextIO, *, width: int) -> str:
    """A row of three parts, the second padded to `width` where the whole fits into a line of a terminal."""
    room = columns(stream)
    if room is not None:
        width = max(len(name), min(width, room - len(head) - len(tail) - 3))
    return f"{head} {name:<{width}}  {tail}"


def hanging(head: str, text: str, stream: TextIO) -> list[str]:
    """A text beside its `head`: on a terminal its words in lines below each other, else in one line.

    No word is broken; where one has no room beside the head, the lines below the first begin further left.
    """
    room = columns(stream)
    if room is None or len(head) + len(text) <= room or len(head) > room // 2:
        return [f"{head}{text}".rstrip()]
    import textwrap

    longest = max(map(len, text.split()))
    indent = max(min(len(head), room - longest), min(len(head), _LEAST_INDENT))
    lines = textwrap.wrap(
        text,
        room,
        initial_indent=" " * len(head),
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [f"{head}{lines[0][len(head) :]}".rstrip(), *lines[1:]]


def painted(line: str) -> str:
    """A line in the colours of what it begins with: a sign, or a word such as `Error:`."""
    text = line.lstrip(" ")
    indent = len(line) - len(text)
    if indent > _LONGEST_INDENT or "\x1b" in line:
        return line
    first, space, rest = text.partition(" ")
    colour = _STYLES.get(first) if space and indent else _STYLES.get(first) if first in "✓✗" else None
    if colour:
        return f"{' ' * indent}{click.style(first, fg=colour)} {rest}"
    colour = _HEADS.get(first)
    if colour:
        return f"{' ' * indent}{click.style(first, fg=colour, bold=True)}{space}{rest}"
    return line


class Unshown(Exception):
    """The output of a run can't be written; `code` is the run's own exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@contextmanager
def showing(code: int, *, only_shows: bool = False) -> Iterator[None]:
    """Show how a run ended; what can't be shown raises `Unshown` with the run's exit code.

    `only_shows`: the output was all that it was for (a dry run), which has failed, then.
    """
    try:
        yield
    except OSError as error:
        raise Unshown(1 if only_shows else code) from error
