"""A name that is nearly right."""

from __future__ import annotations

from collections.abc import Collection

_SHORT = 2
"""So few characters begin too many words."""


def near(name: str, known: Collection[str]) -> tuple[str, ...]:
    """The three known words most like this one, whatever its case, then those that begin with it."""
    import difflib  # Few runs have a slip.

    by_lower = {word.lower(): word for word in known if word != name}
    close = difflib.get_close_matches(name.lower(), by_lower, 3, 0.65)
    begun = sorted(word for word in by_lower if len(name) > _SHORT and word.startswith(name.lower()))
    return tuple(by_lower[word] for word in dict.fromkeys((*close, *begun)))[:3]


def did_you_mean(name: str, known: Collection[str]) -> str:
    """A question that names the nearest of the known words, whatever its case; '' when none is near."""
    words = near(name, known)
    return f"did you mean '{words[0]}'?" if words else ""
