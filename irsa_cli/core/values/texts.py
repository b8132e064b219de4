"""Free texts, documents and numbers of files: checked for what nothing that reads them depends on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from irsa_cli.core.values import names
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.shown import visible

LONGEST = 10_000
"""Characters of a free text."""
DEEPEST = 50
"""Levels of a document; a policy has fewer than ten."""
_WHITE_SPACE = str.maketrans("", "", "\t\n\r\xa0")
"""The white space of a document that is not printable; IAM takes it."""


def free(text: str) -> str:
    """Check a text for people, such as a place in a file or a note."""
    if len(text) > LONGEST or not text.isprintable():
        raise InvalidInput(
            f"'{visible(text[:100])}' is not a valid text",
            reason=f"expected printable characters, at most {LONGEST}",
        )
    return text


def document(value: Any, *, depth: int = 1) -> Any:
    """Check a policy document or a part of one: printable texts, and not too many levels."""
    if depth > DEEPEST:
        raise InvalidInput("the document is not valid", reason=f"it has more than {DEEPEST} levels")
    if isinstance(value, Mapping):
        for key, part in value.items():
            free(key)
            document(part, depth=depth + 1)
    elif isinstance(value, list | tuple):
        for part in value:
            document(part, depth=depth + 1)
    elif isinstance(value, str):
        free(value.translate(_WHITE_SPACE))
    return value


def inline_policies(policies: Mapping[str, Any]) -> Mapping[str, Any]:
    """Check the documents of inline policies, by name; one without a document is removed."""
    for name, policy in policies.items():
        names.inline_policy(name)
        document(policy)
    return policies


def parameters(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Check the parameters of a well-known policy, by name."""
    for name, given in values.items():
        names.well_known(name)
        document(given)
    return values


def number(least: int, most: int) -> Callable[[float], float]:
    """A function that checks a number and returns it unchanged; raises `InvalidInput`."""

    def check(value: float) -> float:
        if not (math.isfinite(value) and least <= value <= most):
            raise InvalidInput(f"{value} is not a valid number", reason=f"expected {least} to {most}")
        return value

    return check
