"""The tables of this folder's text files. `irsa --help` imports this module."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping, Sequence


def read_table(file: str) -> Mapping[str, Mapping[str, Sequence[str]]]:
    """The tables of a file by name: each line has a key, and its words; lines of one key are one."""
    tables: dict[str, dict[str, list[str]]] = {}
    text = pkgutil.get_data(__package__, file) or b""  # Also out of an archive; `files` takes longer.
    for line in text.decode().splitlines():
        key, colon, words = line.partition(": ")
        if line.startswith("["):
            table = tables.setdefault(line.strip("[]"), {})
        elif colon and tables:
            table.setdefault(key, []).extend(words.split())
    return tables


def meanings(table: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The meanings of each word of a table: its keys."""
    found: dict[str, list[str]] = {}
    for key, words in table.items():
        for word in words:
            found.setdefault(word, []).append(key)
    return found
