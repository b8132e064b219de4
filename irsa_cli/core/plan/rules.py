"""One rule for each text that somebody may give, whatever brings it: a flag, a file, a saved plan, a note.

A field has its rule in its type (`irsa_cli.core.values.checked`). A value read back from a place that others
can write to is no better than a command line: it goes through the same rule, and a value that its flag would
refuse is not used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Any, get_args, get_type_hints

from irsa_cli.core.plan import states
from irsa_cli.core.values import arn, names, texts
from irsa_cli.core.values.errors import InvalidInput, Refused

Rule = Callable[[Any], Any]
_ANY_NUMBER = texts.number(0, 10**9)
"""The rule of numbers that need none of their own."""


def check(owner: Any) -> None:
    """Check all texts and numbers of a value made of dataclasses; raises `InvalidInput`.

    A default needs no check, nor an empty text in place of None. A text without a rule is refused.
    """
    kind = type(owner)
    for field in fields(owner):
        value = getattr(owner, field.name)
        if value == field.default or (value == "" and field.default is None):
            continue
        if isinstance(value, Mapping):
            _check_pairs(kind, field.name, value)
        elif isinstance(value, tuple):
            for part in value:
                _check_value(kind, field.name, part)
        else:
            _check_value(kind, field.name, value)


def _check_pairs(owner: type, name: str, pairs: Mapping[Any, Any]) -> None:
    if pairs:
        rule_of(owner, name)({key: "" if value is None else value for key, value in pairs.items()})


def _check_value(owner: type, name: str, value: Any) -> None:
    if is_dataclass(value):
        check(value)
    elif isinstance(value, str):
        rule_of(owner, name)(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        rules_of(owner).get(name, _ANY_NUMBER)(value)


@cache
def rules_of(owner: type) -> Mapping[str, Rule]:
    """The rules of the fields of a class, by name: those in their types."""
    types = get_type_hints(owner, include_extras=True)
    rules = {name: _rule_in(kind) for name, kind in types.items()}
    return {name: rule for name, rule in rules.items() if rule is not None}


def _rule_in(kind: Any) -> Rule | None:
    """The rule in a type, or in a part of it: `tuple[Namespace, ...]`, `Namespace | None`."""
    notes: tuple[Any, ...] = getattr(kind, "__metadata__", ())
    if notes:
        rule: Rule = notes[0]
        return rule
    for part in get_args(kind):
        inner = _rule_in(part)
        if inner is not None:
            return inner
    return None


def rule_of(owner: type, name: str) -> Rule:
    """The rule for the texts of a field; raises `InvalidInput` if it has none."""
    rule = rules_of(owner).get(name)
    if rule is None:
        whole = f"{owner.__module__.rpartition('.')[2]}.{owner.__name__}.{name}"
        raise InvalidInput(f"{whole} is not valid", reason="irsa has no rule for this text")
    return rule


@dataclass(frozen=True)
class Note:
    """An annotation with a setting: the flag that sets it, and the rule of its text."""

    flag: str
    rule: Rule


NOTES: Mapping[str, Note] = {
    states.ROLE_ARN_ANNOTATION: Note("attach-role-arn", arn.check_role),
    states.AUDIENCE_ANNOTATION: Note("audience", names.audience),
    states.STS_REGIONAL_ANNOTATION: Note("sts-regional-endpoints", names.regional_endpoints),
    states.TOKEN_EXPIRATION_ANNOTATION: Note("token-expiration", names.token_seconds),
    states.TARGET_ANNOTATION: Note("target-role", arn.check_target),
    states.EXTERNAL_ID_ANNOTATION: Note("external-id", names.external_id),
    states.CONFIG_MAP_ANNOTATION: Note("aws-config-map", names.config_map),
}
"""By key."""


class UnreadableNote(Refused):
    """The noted value is not one that irsa writes."""


def noted(there: Mapping[str, str], key: str) -> str:
    """The value of a key, '' for none; raises `UnreadableNote`."""
    text = there.get(key, "")
    try:
        if text:
            NOTES[key].rule(text)
    except InvalidInput as error:
        raise UnreadableNote(
            f"the annotation {key} can't be read",
            reason=f"{error}: --{NOTES[key].flag} would refuse it, so irsa did not write it",
        ) from error
    return text


def noted_or_none(there: Mapping[str, str], key: str) -> str:
    """The same; '' also for an unreadable value, if irsa can own nothing under such a name."""
    try:
        return noted(there, key)
    except UnreadableNote:
        return ""
