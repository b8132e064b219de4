"""Slips in a text: a name that is nearly right, and places of a template that nobody has filled in.

Those are `${NAME}`, `$NAME`, `{{ name }}`, `<name>`, `REPLACE_ME`. Where such a text is wrong anyway, this
says why. IAM's policy variables (`${aws:PrincipalTag/team}`, `${*}`) are none.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection

_SHORT = 2
"""So few characters begin too many words."""


def near(name: str, known: Collection[str]) -> tuple[str, ...]:
    """The three known words most like this one, whatever its case, then those that begin with it."""
    by_lower = {word.lower(): word for word in known if word != name}
    close = difflib.get_close_matches(name.lower(), by_lower, 3, 0.65)
    begun = sorted(word for word in by_lower if len(name) > _SHORT and word.startswith(name.lower()))
    return tuple(by_lower[word] for word in dict.fromkeys((*close, *begun)))[:3]


def did_you_mean(name: str, known: Collection[str]) -> str:
    """A question that names the nearest of the known words, whatever its case; '' when none is near."""
    words = near(name, known)
    return f"did you mean '{words[0]}'?" if words else ""


_SHELL = r"\$\{[A-Za-z_][A-Za-z0-9_.]*(?::?[-=?+][^}]*)?\}|\$[A-Z_][A-Z0-9_]*|\$\([^)]*\)"
_RENDERED = r"\{\{[^{}]*\}\}|\{%[^%]*%\}|\$\{[A-Za-z_]+::[A-Za-z_]+\}"
_WORDS = r"<[A-Za-z][A-Za-z0-9_. -]*>|\b(?:REPLACE|CHANGE)[_-]?ME\b|__[A-Z][A-Z0-9_]*__"
_ANY = re.compile(f"{_RENDERED}|{_SHELL}|{_WORDS}", re.DOTALL)
# Texts that no policy contains on purpose.
_IN_POLICIES = re.compile(
    r"\{\{[^{}]*\}\}|\$\{[A-Za-z_][A-Za-z0-9_.-]*\}|\$\{AWS::[A-Za-z]+\}|"
    r"<[A-Za-z][A-Za-z0-9_. -]*>|\b(?:REPLACE|CHANGE)[_-]?ME\b",
    re.DOTALL,
)
_LOOKED_AT = 2_000
"""Characters of a text that are searched: what is longer is no template's work, and maybe an attack."""
UNFILLED = "is a placeholder without a value"


def placeholder(text: str) -> str:
    """The first placeholder in a text; '' when there is none."""
    found = _ANY.search(text[:_LOOKED_AT])
    return found[0] if found else ""


def placeholder_in_policy(text: str) -> str:
    """The first placeholder in a policy, where IAM's own variables may stand; '' when there is none."""
    found = _IN_POLICIES.search(text[:_LOOKED_AT])
    return found[0] if found else ""
