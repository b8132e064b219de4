"""What may stand in a field of something that is written down: by its form, and by its name in the file.

What is written of each state stands at the state (`irsa_cli.core.plan.states`); reading and writing is in
`irsa_cli.core.plan.written`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Form:
    """What may stand in a field: `fits` decides, `name` is what a person would call it."""

    name: str
    fits: Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_map(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


def _is_map_with_gaps(value: Any) -> bool:
    return isinstance(value, dict) and all(item is None or _is_text(item) for item in value.values())


TEXT = Form("a text", _is_text)
TEXTS = Form("a list of texts", _is_texts)
TEXT_MAP = Form("texts by keys", _is_map)
GAPPED_MAP = Form("texts or null by keys", _is_map_with_gaps)
OBJECT = Form("an object", lambda value: isinstance(value, dict))
NUMBER = Form("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool))
FLAG = Form("true or false", lambda value: isinstance(value, bool))


@dataclass(frozen=True)
class Field:
    """One field of what is written; where it is missing, its state's own default stands, unless `needed`.

    The key stays what it is, also where the attribute gets another name.
    """

    key: str
    attribute: str
    form: Form
    needed: bool = True


def optional(key: str, attribute: str, form: Form) -> Field:
    """A field that may be missing."""
    return Field(key, attribute, form, needed=False)
