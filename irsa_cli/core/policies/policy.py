"""IAM policy documents as values: parsing with exact errors, sizes, comparison."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any

from irsa_cli.core.values.errors import InvalidInput

Document = dict[str, Any]

INLINE_LIMIT = 10_240
"""Characters without white space of all inline policies per role in total."""
TRUST_LIMIT = 2_048
"""Characters without white space of a trust policy (default of the quota ACLSizePerRole)."""
MANAGED_LIMIT = 20
"""Managed policies a role can have at most (10 unless the quota was raised)."""


class _DuplicateKey(ValueError):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        keys = [key for key, _ in pairs]
        raise _DuplicateKey(next(key for key in keys if keys.count(key) > 1))
    return result


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return False
    return True


def parse(text: str, source: str) -> Document:
    """Read a JSON document; raises `InvalidInput` naming `source`, line and column."""
    try:
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except _DuplicateKey as error:
        raise InvalidInput(
            f"{source} has the key '{error}' twice", reason="IAM refuses duplicate keys"
        ) from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InvalidInput(f"{source} is not JSON", reason=f"{where}: {error.msg}") from None
    except ValueError as error:  # NaN, or a number beyond Python's bounds.
        raise InvalidInput(f"{source} is not a policy", reason=str(error)) from None
    except RecursionError:
        raise InvalidInput(f"{source} is not a policy", reason="it is nested too deeply") from None
    if not isinstance(document, dict):
        raise InvalidInput(f"{source} is not a policy", reason="a policy is a JSON object")
    return document


def as_list(value: Any) -> list[Any]:
    """The list that IAM means: it lets one element stand without its brackets."""
    return list(value) if isinstance(value, list) else [value]


def texts_of(value: Any) -> tuple[str, ...]:
    """The values of a condition as IAM keeps them: booleans and numbers become strings."""
    return tuple(str(item).lower() if isinstance(item, bool) else str(item) for item in as_list(value))


def dump(document: Mapping[str, Any]) -> str:
    """The document in the form it is sent in: no white space, the order of keys kept."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def size(document: Mapping[str, Any]) -> int:
    """Characters as IAM counts them for its quotas: without white space."""
    return sum(not character.isspace() for character in dump(document))


def normalized(value: Any, *, _key: str = "") -> Any:
    """The document without differences that IAM ignores: order, and lists of one."""
    if isinstance(value, dict):
        return {key: normalized(item, _key=key) for key, item in sorted(value.items())}
    if isinstance(value, list):
        items = sorted(
            (normalized(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True)
        )
        return items[0] if len(items) == 1 else items
    # IAM turns booleans and numbers in conditions into strings.
    return str(value).lower() if isinstance(value, bool) else str(value)


def equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two documents mean the same, by form (not by logic)."""
    return bool(normalized(dict(one)) == normalized(dict(other)))


def difference(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> list[str]:
    """Two documents as a textual difference with three lines of context, without the names of files."""
    one, other = (json.dumps(item, indent=2).splitlines() if item else [] for item in (old, new))
    return list(difflib.unified_diff(one, other, lineterm=""))[2:]
