"""Which labels and annotations of a ServiceAccount a file has set, so that they can be taken off again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping

from irsa_cli.core.values.errors import Refused

KEYS_ANNOTATION = "irsa/keys"
"""Annotation of a ServiceAccount: the labels and annotations that were applied, so that one that is no longer
desired is known to be irsa's to remove. JSON: `{"annotations": [...], "labels": [...]}`."""


_LISTS = ("annotations", "labels")


def applied_keys(annotations: Mapping[str, str]) -> dict[str, list[str]]:
    """The keys that an earlier `apply` has set; none where the note of them is not there or not readable."""
    found = _read(annotations.get(KEYS_ANNOTATION)) or {}
    return {name: _ordinary(found.get(name, [])) for name in _LISTS}


def check_note(annotations: Mapping[str, str], namespace: str, name: str) -> None:
    """Raise `Refused` for a note that is there, and does not say in this version's way which keys were set.

    To write over it would forget them, and they would stay for ever.
    """
    if _read(annotations.get(KEYS_ANNOTATION)) is not None:
        return
    account = f"serviceaccount {shlex.quote(name)} -n {shlex.quote(namespace)}"
    raise Refused(
        f"the annotation {KEYS_ANNOTATION} of ServiceAccount {namespace}/{name} can't be understood",
        reason="another version of irsa, or somebody else, wrote it: which labels and annotations a file had"
        " set is not known",
        next_steps=(
            "run this with the irsa that wrote it",
            f"or, to keep what is there from now on: kubectl annotate {account} {KEYS_ANNOTATION}-",
        ),
    )


def _read(text: str | None) -> dict[str, list[str]] | None:
    """What a note says, {} where there is none; None for a text that is no such note."""
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


def _ordinary(keys: list[str]) -> list[str]:
    """Keys that a user could have asked for: whoever edits the note must not have others removed by it."""
    return [key for key in keys if not key.startswith(("irsa/", "eks.amazonaws.com/"))]
