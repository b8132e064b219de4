"""The known word that somebody may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection


def did_you_mean(name: str, known: Collection[str]) -> str:
    """A question that names the nearest of the known words, whatever its case; '' when none is near."""
    by_lower = {word.lower(): word for word in known}
    near = difflib.get_close_matches(name.lower(), by_lower, 1, 0.7)
    return f"did you mean '{by_lower[near[0]]}'?" if near else ""
