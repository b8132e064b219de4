"""Which labels and annotations of a ServiceAccount a file has set, so that they can be taken off again."""

from __future__ import annotations

import json
from collections.abc import Mapping

KEYS_ANNOTATION = "irsa/keys"
"""Annotation of a ServiceAccount: the labels and annotations that were applied, so that one that is no longer
wished is known to be irsa's to remove. JSON: `{"annotations": [...], "labels": [...]}`."""


def applied_keys(annotations: Mapping[str, str]) -> dict[str, list[str]]:
    """The keys that an earlier `apply` has set; none where the note of them is not there or not readable."""
    try:
        found = json.loads(annotations.get(KEYS_ANNOTATION, "{}"))
        return {name: _ordinary(found.get(name, [])) for name in ("annotations", "labels")}
    except (ValueError, AttributeError, TypeError):
        return {"annotations": [], "labels": []}


def _ordinary(keys: list[str]) -> list[str]:
    """The keys that a user could have wished: whoever edits the note must not have others removed by it."""
    return [key for key in keys if not key.startswith(("irsa/", "eks.amazonaws.com/"))]
