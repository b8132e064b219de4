"""The tables of this folder's text files. `irsa --help` imports this module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path


def read_table(file: str) -> Mapping[str, Mapping[str, Sequence[str]]]:
    """The tables of a file by name: each line has a key, and its words; lines of one key are one."""
    tables: dict[str, dict[str, list[str]]] = {}
    for line in Path(__file__).with_name(file).read_text(encoding="utf-8").splitlines():
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
