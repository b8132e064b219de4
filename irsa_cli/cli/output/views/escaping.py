"""Escape texts of others, so that none forges Markdown, HTML, a mention, a link, a fence or a command."""

from __future__ import annotations

import re
from collections.abc import Iterable

from irsa_cli.core.values.shown import visible

_NOTHING = "&#8203;"
"""A zero-width space: it prevents a link."""
_SIGNS = re.compile(r"[&<>\\`*_{}\[\]|#~^$\"!]")
_LINKED = re.compile(
    r"(?<=@)|(?<=:)(?=//)|(?<=www)(?=\.)|(?<=GH)(?=-\d)|(?<=&#35;)(?=\d)|(?<=&#33;)(?=\d)", re.I
)
"""Positions where sites find mentions, URLs, issues and merge requests."""
_RUN = re.compile("`+")


def plain(text: str) -> str:
    """Escape a text for Markdown and HTML with entities.

    https://spec.commonmark.org/0.31.2/#entity-and-numeric-character-references
    """
    shown = _SIGNS.sub(lambda sign: f"&#{ord(sign[0])};", visible(text))
    return _LINKED.sub(_NOTHING, shown)


def code(text: str) -> str:
    """A name or another short text to copy, outside of HTML."""
    shown = visible(text)
    if not shown.strip() or shown != shown.strip() or "`" in shown or "|" in shown:
        return plain(text)
    return f"`{shown}`"


def fence(lines: Iterable[str], language: str = "text") -> str:
    """Lines to copy, in a fence longer than any in them."""
    shown = _single_lines(line or "\n" for line in lines)
    runs = _RUN.findall("\n".join(shown))
    longest = max(map(len, runs), default=0)
    ticks = "`" * max(3, longest + 1)
    return "\n".join((f"{ticks}{language}", *shown, ticks))


def shortened(text: str, most: int) -> str:
    """Shorten a text, and say by how many characters."""
    if len(text) <= most:
        return text
    room = most - 32
    return f"{text[:room]}… ({len(text) - room} characters more)"


def command(name: str, message: Iterable[str], **properties: str | int | None) -> str:
    """A workflow command of GitHub Actions in one line, with its non-empty properties.

    https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts
    """
    data_of = {key: _data(visible(str(value))) for key, value in properties.items() if value}
    listed = ",".join(
        f"{key}={text.replace(':', '%3A').replace(',', '%2C')}" for key, text in data_of.items()
    )
    data = _data("\n".join(_single_lines(message)))
    return f"::{name} {listed}::{data}" if listed else f"::{name}::{data}"


def _single_lines(lines: Iterable[str]) -> list[str]:
    """The lines within these, each without characters that are not printable."""
    single: list[str] = []
    for line in lines:
        single += map(visible, line.splitlines())
    return single


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
