"""Places of a template that nobody has filled in.

Those are `${NAME}`, `$NAME`, `{{ name }}`, `<name>`, `REPLACE_ME`. Where such a text is wrong anyway, this
says why. IAM's policy variables (`${aws:PrincipalTag/team}`, `${*}`) are none.
"""

from __future__ import annotations

import re

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
