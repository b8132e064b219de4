"""The words of other tools, and what they are in irsa (`words.txt`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path


def _read() -> Mapping[str, Mapping[str, Sequence[str]]]:
    """The tables of `words.txt` by name: what each word can be in irsa."""
    tables: dict[str, dict[str, list[str]]] = {}
    for line in Path(__file__).with_name("words.txt").read_text(encoding="utf-8").splitlines():
        meaning, colon, words = line.partition(": ")
        if line.startswith("["):
            table = tables.setdefault(line.strip("[]"), {})
        for word in words.split() if colon and tables else ():
            table.setdefault(word, []).append(meaning)
    return tables


WORDS = _read()
VERBS, COMMANDS, KINDS, SERVICES = (
    {word: meanings[0] for word, meanings in WORDS[name].items()}
    for name in ("verbs", "commands", "kinds", "services")
)
MEANINGS = {meaning for meanings in WORDS["options"].values() for meaning in meanings}
