"""The words of other tools, and a command line as a list of words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from irsa_cli.cli.help.helping import read_table

Line = list[str]
"""The words of a command line, without the program's name."""
Correction = Line | None
"""A better line; None, or the same line, if there is none."""


def _meanings(table: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The meanings of each word of a table: its keys."""
    meanings: dict[str, list[str]] = {}
    for key, words in table.items():
        for word in words:
            meanings.setdefault(word, []).append(key)
    return meanings


def _first_meanings(table: str) -> dict[str, str]:
    return {word: meanings[0] for word, meanings in WORDS[table].items()}


WORDS = {name: _meanings(table) for name, table in read_table("words.txt").items()}
"""The words of other tools and their meanings in irsa, by kind."""
VERBS = _first_meanings("verbs")
COMMANDS = _first_meanings("commands")
KINDS = _first_meanings("kinds")
SERVICES = _first_meanings("services")
FILE_OPTIONS = ("-f", "--filename", "--config-file")
FILE_COMMANDS = ("apply", "diff", "delete")
_DASH = re.compile("^[\u2010-\u2015\u2212]-?")
_QUOTED = (re.compile("[\u201c-\u201e]([^\u201c-\u201e]*)[\u201c-\u201e]"), re.compile("\u2018(.*?)\u2019"))


def as_typed(words: Sequence[str]) -> Line:
    """The words with the dashes and quotes of a keyboard, not those of chats and word processors."""
    if not words:
        return []
    dashed: Line = []
    for word in words:
        is_short = len(word.partition("=")[0]) == 2
        dashed.append(_DASH.sub("-" if is_short else "--", word))
    text = "\0".join(dashed)
    for quoted in _QUOTED:
        text = quoted.sub(lambda quotation: quotation[1].replace("\0", " "), text)
    return text.split("\0")


def without(words: Sequence[str], *flags: str) -> Line:
    """The line without these options and their values."""
    return [
        word
        for before, word in pairwise(["", *words])
        if before not in flags and word.partition("=")[0] not in flags
    ]


def for_files(words: Line) -> Line:
    """The line, with `apply` or `delete` if it has files."""
    has_files = any(word.partition("=")[0] in FILE_OPTIONS for word in words)
    if not has_files or words[0] in FILE_COMMANDS:
        return words
    return ["delete" if words[0] == "delete-sa" else "apply", *words[1:]]
