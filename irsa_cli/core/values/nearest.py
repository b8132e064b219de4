"""The known words that somebody may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection


def near(name: str, known: Collection[str], most: int = 3) -> tuple[str, ...]:
    """The known words that are most like this one, whatever its case, the nearest first."""
    by_lower = {word.lower(): word for word in known if word != name}
    return tuple(by_lower[word] for word in difflib.get_close_matches(name.lower(), by_lower, most, 0.7))


def did_you_mean(name: str, known: Collection[str]) -> str:
    """A question that names the nearest of the known words, whatever its case; '' when none is near."""
    by_lower = {word.lower(): word for word in known}
    near = difflib.get_close_matches(name.lower(), by_lower, 1, 0.7)
    return f"did you mean '{by_lower[near[0]]}'?" if near else ""
