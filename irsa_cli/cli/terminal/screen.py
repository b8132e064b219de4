"""Output streams: characters, colours, columns, changing lines; lines, marks and ages for people on both."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

import click

from irsa_cli.core.values.shown import visible

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
_LONGEST_INDENT = 6
_NO_BREAK = "\0"
_COMMANDS = (
    r"irsa (?:[a-z]+-[a-z]+|adopt|apply|audit|config|delete|diff|docs|doctor|exec|help|history|init|lint|show"
    r"|migrate|policies|recover|repoint|retire|sandbox|token|verify)\b|aws [a-z0-9-]+ [a-z]+-"
    r"|(?:kubectl|eksctl|terraform) "
)
_UNBROKEN = re.compile(
    rf"(?:(?<=\()|(?<=: )|(?<=  )|^)(?:{_COMMANDS})(?:(?! +# |\)).)*|\b\d[\d.]* (?=(?:ms|s|min|h)\b)"
    r"|(?:roles in )?account \d{12}(?: as \S+)?|cluster \S+(?= [·-] )|\d{4}(?:-\d\d){2} \d\d:\d\d UTC"
    r"|(?<=\S) (?=[·-] )"
)
"""Texts with spaces that are not broken: commands to copy, numbers with a unit, parts of a head."""


def is_unicode(stream: TextIO) -> bool:
    """Whether a stream can show every character; rich's proxy has no encoding, its stream has."""
    stream = getattr(stream, "rich_proxied_file", stream)
    return (stream.encoding or "ascii").lower().startswith("utf")


def plain(text: str, stream: TextIO) -> str:
    """A text of irsa's own in the stream's characters."""
    return text if is_unicode(stream) else text.translate(_ASCII)


def has_colour(stream: TextIO) -> bool:
    """Whether to colour: NO_COLOR, FORCE_COLOR (https://no-color.org), else on a terminal only."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_terminal(stream)


def is_terminal(stream: TextIO) -> bool:
    """Whether a stream is a terminal with more than plain lines."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def is_live(stream: TextIO) -> bool:
    """Whether a line may change; not in CI, which keeps each state of it."""
    return is_terminal(stream) and not os.environ.get("CI")


def columns(stream: TextIO) -> int | None:
    """The columns of a terminal; None in a pipe, where lines are not broken."""
    if not stream.isatty():
        return None
    import shutil

    return shutil.get_terminal_size().columns


def fitted(head: str, name: str, tail: str, stream: TextIO, *, width: int) -> str:
    """A row of three parts, the second padded to `width` if the row fits in a line."""
    room = columns(stream)
    if room is not None:
        width = max(len(name), min(width, room - len(head) - len(tail) - 3))
    return f"{head} {name:<{width}}  {tail}"


def wrapped(line: str, room: int | None) -> list[str]:
    """Wrap a line at `room` columns between words; None leaves it whole.

    Words, ARNs and commands to copy are never broken. Further lines begin under the text next to the label.
    """
    if room is None or _width(line) <= room:
        return [line]
    unbroken = _UNBROKEN.sub(lambda text: text[0].replace(" ", _NO_BREAK), line)
    words = re.findall(r"( *)([^ ]+)", unbroken)
    low, hang = _indents(line, [_width(word) for _, word in words], room)
    lines = [words[0][0] + words[0][1]]
    comment = ""
    for gap, word in words[1:]:
        if _width(lines[-1]) + len(gap) + _width(word) <= room or word.startswith("::"):
            lines[-1] += gap + word
        else:
            indent = hang
            if hang + _width(word) > room:
                indent = min(low, max(0, room - _width(word)))
            lines.append(f"{' ' * indent}{comment}{word}")
        if word == "#":
            comment = "# "
    return [text.replace(_NO_BREAK, " ") for text in lines]


def _indents(line: str, widths: Sequence[int], room: int) -> tuple[int, int]:
    """The indents of further lines: for words that do not fit next to the label, and for others."""
    text = click.unstyle(line)
    low = len(text) - len(text.lstrip(" ")) + 2
    label = re.match(r" *\S+(?: \S+)*? {2,}(?=\S)", text)
    if label is None or label.end() > room // 2:
        return low, low
    hang = label.end()
    fits = all(hang + width <= room for width in widths if low + width <= room)
    return low, hang if fits else low


def _width(text: str) -> int:
    return len(click.unstyle(text))


def painted(line: str) -> str:
    """Colour the sign or word at the beginning of a line, such as `Error:`."""
    text = line.lstrip(" ")
    indent = len(line) - len(text)
    if indent > _LONGEST_INDENT or "\x1b" in line:
        return line
    first, space, after = text.partition(" ")
    colour = _STYLES.get(first)
    if colour and ((space and indent) or first in "✓✗"):
        return f"{' ' * indent}{click.style(first, fg=colour)} {after}"
    colour = _HEADS.get(first)
    if colour:
        return f"{' ' * indent}{click.style(first, fg=colour, bold=True)}{space}{after}"
    return line


class Unshown(Exception):
    """The output can't be written; `code` is the run's own exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@contextmanager
def showing(code: int, *, only_shows: bool = False) -> Iterator[None]:
    """Raise `Unshown` for output that can't be written; `only_shows`: then the run failed."""
    try:
        yield
    except OSError as error:
        raise Unshown(1 if only_shows else code) from error


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
    lines = wrapped(plain(line, stream), columns(stream))
    lines[0] = painted(lines[0])
    return "\n".join(lines)


def mark(name: str) -> str:
    """The sign before a line; plain ASCII where the stream can't show more."""
    marks = _MARKS if is_unicode(sys.stderr) else _PLAIN
    return marks[name]


def age(seconds: float) -> str:
    """A span of time in its largest unit, as kubectl shows ages."""
    whole = max(0, int(seconds))
    size, unit = next(((size, unit) for size, unit in _UNITS if whole >= size), _UNITS[-1])
    return f"{whole // size}{unit}"
