"""What an output stream can show: characters, colours, columns, and lines that change while one looks."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
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
_LONGEST_INDENT = 6
_NO_BREAK = "\0"
_UNBROKEN = re.compile(
    r"(?:(?<=\()|(?<=: )|(?<=  )|^)(?:irsa [a-z-]+ (?=\S)|aws [a-z0-9-]+ [a-z]+-|kubectl |eksctl |terraform )"
    r"(?:(?! +# |\)).)*|\b\d[\d.]* (?=(?:ms|s|min|h)\b)"
)
"""What is not broken at its spaces: a command to copy, and a number with its unit."""


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


def wrapped(line: str, room: int | None) -> list[str]:
    """A line of text as lines of at most `room` columns, broken between words; None leaves it whole.

    Words, ARNs and commands to copy are never broken: one that is wider than the terminal has a line of its
    own. The lines below the first begin under the text beside its label, if there is one.
    """
    if room is None or _width(line) <= room:
        return [line]
    kept = _UNBROKEN.sub(lambda found: found[0].replace(" ", _NO_BREAK), line)
    words = re.findall(r"( *)([^ ]+)", kept)
    low, hang = _indents(line, [_width(word) for _, word in words], room)
    lines, comment = [words[0][0] + words[0][1]], False
    for gap, word in words[1:]:
        if _width(lines[-1]) + len(gap) + _width(word) <= room or word.startswith("::"):
            lines[-1] += gap + word
        else:
            indent = hang if hang + _width(word) <= room else min(low, max(0, room - _width(word)))
            lines.append(f"{' ' * indent}{'# ' if comment else ''}{word}")
        comment = comment or word == "#"
    return [text.replace(_NO_BREAK, " ") for text in lines]


def _indents(line: str, widths: Sequence[int], room: int) -> tuple[int, int]:
    """How far lines below the first are indented: for words without room beside the label, and for others."""
    text = click.unstyle(line)
    low = len(text) - len(text.lstrip(" ")) + 2
    label = re.match(r" *\S+(?: \S+)*? {2,}(?=\S)", text)
    hang = label.end() if label and label.end() <= room // 2 else low
    fits = all(hang + width <= room for width in widths if low + width <= room)
    return low, hang if fits else low


def _width(text: str) -> int:
    return len(click.unstyle(text))


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
