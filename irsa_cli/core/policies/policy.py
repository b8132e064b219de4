"""IAM policy documents as values: parsing with exact errors, sizes, comparison; wishes for known policies."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from irsa_cli.core.values import checked
from irsa_cli.core.values.errors import InvalidInput

Document = dict[str, Any]

INLINE_LIMIT = 10_240
"""Characters without white space of all inline policies per role in total."""
TRUST_LIMIT = 2_048
"""Characters without white space of a trust policy (default of the quota ACLSizePerRole)."""
MANAGED_LIMIT = 20
"""Managed policies a role can have at most (10 unless the quota was raised)."""


def as_list(value: Any) -> list[Any]:
    """The list that IAM means: it lets one element stand without its brackets."""
    return list(value) if isinstance(value, list) else [value]


def texts_of(value: Any) -> tuple[str, ...]:
    """The values of a condition as IAM keeps them: booleans and numbers become strings."""
    return tuple(map(_text_of, as_list(value)))


def _text_of(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def dump(document: Mapping[str, Any]) -> str:
    """The document in the form it is sent in: no white space, the order of keys kept."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def size(document: Mapping[str, Any]) -> int:
    """Characters as IAM counts them for its quotas: without white space."""
    return sum(not character.isspace() for character in dump(document))


def check_limits(managed: Collection[str], inline: Mapping[str, Document]) -> None:
    """Raise `InvalidInput` when IAM has no room for a role's policies."""
    if len(managed) > MANAGED_LIMIT:
        raise InvalidInput(
            f"{len(managed)} managed policies are too many", reason=f"IAM takes {MANAGED_LIMIT} per role"
        )
    characters = sum(map(size, inline.values()))
    if characters > INLINE_LIMIT:
        raise InvalidInput(
            f"the inline policies have {characters} characters ({', '.join(inline)})",
            reason=f"IAM takes {INLINE_LIMIT} per role in total",
        )


def normalized(value: Any) -> Any:
    """The document without differences that IAM ignores: order, and lists of one."""
    if isinstance(value, dict):
        return {key: normalized(element) for key, element in sorted(value.items())}
    if isinstance(value, list):
        elements = sorted(map(normalized, value), key=_sorted_json)
        return elements[0] if len(elements) == 1 else elements
    return _text_of(value)


def _sorted_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def equal(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether two documents mean the same, by form (not by logic)."""
    return bool(normalized(dict(first)) == normalized(dict(second)))


def difference(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> list[str]:
    """Two documents as a textual difference with three lines of context, without the names of files."""
    import difflib

    return list(difflib.unified_diff(_lines(old), _lines(new), lineterm=""))[2:]


def _lines(document: Mapping[str, Any] | None) -> list[str]:
    return json.dumps(document, indent=2).splitlines() if document else []


Values = Mapping[str, tuple[str, ...]]
"""The values of parameters by their names."""


@dataclass(frozen=True)
class WellKnown:
    """A policy of the catalogue and the parameters that somebody wants it with."""

    name: checked.WellKnownName
    parameters: checked.Parameters = field(default_factory=dict)
