"""Which tags of a role a file has set: a tag of irsa's notes them, so that only these go with the file.

All other tags are somebody else's (who made the role, its stack, its cost centre) and stay. Pure.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping

from irsa_cli.core.plan.states import TAGS_TAG, TRANSACTION_TAG, TRUST_TAG
from irsa_cli.core.values.names import TAGS_LIMIT

_WIDTH = 4
"""Characters of a key's digest: 64 of them fit into a tag's value, more than a role has tags."""
_OWN = "irsa/"


def with_note(desired: Mapping[str, str], there: Mapping[str, str]) -> dict[str, str]:
    """The desired tags with the note of those that irsa sets; without it where there is no room for it.

    What somebody else has set to the same value is not irsa's; on a role that irsa has made, it is.
    """
    present = {key.lower(): value for key, value in there.items()}
    noted = _noted(there)
    keys = [
        key
        for key, value in desired.items()
        if not key.startswith(_OWN)
        and (TRANSACTION_TAG in there or present.get(key.lower()) != value or _digest(key) in noted)
    ]
    # A run adds two of its own: the transaction's, and the one that says that all is done.
    if not keys or len(desired) + 3 > TAGS_LIMIT:
        return dict(desired)
    return {**desired, TAGS_TAG: "".join(sorted(map(_digest, keys)))}


def foreign(there: Mapping[str, str], desired: Iterable[str]) -> dict[str, str]:
    """The tags that are there, not desired, and not irsa's to take away."""
    names = {key.lower() for key in desired}
    noted = _noted(there)
    return {
        key: value
        for key, value in there.items()
        if key.lower() not in names and not _is_own(key) and _digest(key) not in noted
    }


def _is_own(key: str) -> bool:
    return key == TAGS_TAG or key.startswith(TRUST_TAG)


def _noted(there: Mapping[str, str]) -> set[str]:
    text = there.get(TAGS_TAG, "")
    return {text[start : start + _WIDTH] for start in range(0, len(text), _WIDTH)}


def _digest(key: str) -> str:
    """IAM compares the keys of tags without regard to case."""
    found = hashlib.sha256(key.lower().encode()).digest()
    return base64.b64encode(found)[:_WIDTH].decode()
