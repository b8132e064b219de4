"""Texts that stand for what is not known before it is deployed, so that what is known can be judged.

A gap is a word that nobody writes, and that may be a part of a name; what people are shown is its expression.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_GAP = re.compile(r"unknown-(\d+)-k7q2")
_LONGEST = 80


class Gaps:
    """The gaps of one document."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []

    def gap(self, expression: str) -> str:
        """The text that stands for the value of an expression: the same one for the same expression."""
        if expression not in self._numbers:
            self._numbers[expression] = len(self._names)
            self._names.append(expression)
        return f"unknown-{self._numbers[expression]}-k7q2"

    def name(self, text: str) -> str:
        """The expression of the first gap in a text, '' for none."""
        found = _GAP.search(text)
        return self._names[int(found[1])] if found and int(found[1]) < len(self._names) else ""

    def shown(self, text: str) -> str:
        """A text with the expressions in place of the gaps."""
        return _GAP.sub(self._expression, text) if self._names else text

    def _expression(self, found: re.Match[str]) -> str:
        number = int(found[1])
        if number >= len(self._names):
            return found[0]
        name = self._names[number]
        return f"${{{name if len(name) <= _LONGEST else name[:_LONGEST] + '...'}}}"


def has_gap(value: Any) -> bool:
    """Whether a text has a gap; what is no text has none."""
    return isinstance(value, str) and _GAP.search(value) is not None


def is_gap(value: Any) -> bool:
    """Whether a text is one gap, and nothing else."""
    return isinstance(value, str) and _GAP.fullmatch(value) is not None


def texts_of(value: Any) -> Iterator[str]:
    """All texts in a value, keys included."""
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            todo += [*item, *item.values()]
        elif isinstance(item, list):
            todo += item
