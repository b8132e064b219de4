"""irsa's notes of the tags, labels and annotations that a file has set: it removes only these.

Tags of a role are noted by a tag, labels and annotations of a ServiceAccount by an annotation. All others are
somebody else's (its maker, its stack, its cost centre) and stay.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shlex
from collections.abc import Iterable, Mapping

from irsa_cli.core.plan.states import TAGS_TAG, TRANSACTION_TAG, TRUST_TAG
from irsa_cli.core.values.errors import Refused
from irsa_cli.core.values.names import TAGS_LIMIT

_WIDTH = 4
"""Characters of a key's digest: 64 of them fit into a tag's value, more than a role has tags."""
_OWN = "irsa/"


def with_tag_note(desired: Mapping[str, str], there: Mapping[str, str]) -> dict[str, str]:
    """The desired tags with the note of those that irsa sets; without it if there is no room for it.

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


def kept_tags(there: Mapping[str, str], desired: Iterable[str]) -> dict[str, str]:
    """The current tags that are not desired and that irsa must not remove."""
    names = {key.lower() for key in desired}
    noted = _noted(there)
    return {
        key: value
        for key, value in there.items()
        if key.lower() not in names
        and key != TAGS_TAG
        and not key.startswith(TRUST_TAG)
        and _digest(key) not in noted
    }


def _noted(there: Mapping[str, str]) -> set[str]:
    text = there.get(TAGS_TAG, "")
    return {text[start : start + _WIDTH] for start in range(0, len(text), _WIDTH)}


def _digest(key: str) -> str:
    """IAM compares the keys of tags without regard to case."""
    found = hashlib.sha256(key.lower().encode()).digest()
    return base64.b64encode(found)[:_WIDTH].decode()


KEYS_ANNOTATION = "irsa/keys"
"""Annotation of a ServiceAccount: the labels and annotations that were applied, so that one that is no longer
desired is known to be irsa's to remove. JSON: `{"annotations": [...], "labels": [...]}`."""
_LISTS = ("annotations", "labels")


def applied_keys(annotations: Mapping[str, str]) -> dict[str, list[str]]:
    """The keys that an earlier `apply` has set; none where the note of them is not there or not readable."""
    found = _read(annotations.get(KEYS_ANNOTATION)) or {}
    # Only keys that a user could have asked for: whoever edits the note must not have others removed by it.
    own = ("irsa/", "eks.amazonaws.com/")
    return {name: [key for key in found.get(name, []) if not key.startswith(own)] for name in _LISTS}


def check_note(annotations: Mapping[str, str], namespace: str, name: str) -> None:
    """Raise `Refused` for a note of another form: overwritten, its keys would stay for ever."""
    if _read(annotations.get(KEYS_ANNOTATION)) is not None:
        return
    account = f"serviceaccount {shlex.quote(name)} -n {shlex.quote(namespace)}"
    raise Refused(
        f"the annotation {KEYS_ANNOTATION} of ServiceAccount {namespace}/{name} is not valid",
        reason="another version of irsa or another tool wrote it, so irsa can't tell which labels and"
        " annotations come from a file",
        next_steps=(
            "run this with the irsa version that wrote it",
            f"or keep the current labels and annotations: kubectl annotate {account} {KEYS_ANNOTATION}-",
        ),
    )


def _read(text: str | None) -> dict[str, list[str]] | None:
    """The content of a note, {} for none; None for a text that is no such note."""
    if text is None:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not set(found) <= set(_LISTS):
        return None
    whole = all(isinstance(keys, list) and all(isinstance(k, str) for k in keys) for keys in found.values())
    return found if whole else None
