"""How one value of a request is compared with one value of a policy, for each of IAM's condition operators.

A comparison says True, False, or None for what is not documented or can't be compared. Policy variables
(`${...}`) are replaced here, where they may stand. Several values and missing keys are the business of
`irsa_cli.core.conditions`.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timezone
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from irsa_cli.core.web_identity import Context, values_of

Truth = bool | None
Compare = Callable[[str, str, Context | None], Truth]
"""Compares a request's value with a policy's; the context is None in policies without variables."""

Piece = tuple[str, bool]
"""A part of a policy's value, and whether it is taken literally (wildcards in it mean themselves)."""

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_DEFAULT = re.compile(r"(.+?)\s*,\s*'(.*)'", re.DOTALL)


class _NoValue(Exception):
    """A variable has no value: nothing equals it or is like it."""


class _NotKnown(Exception):
    """A variable's value can't be known."""


def _pieces(text: str, context: Context | None) -> tuple[Piece, ...]:
    if context is None or "${" not in text:
        return ((text, False),)
    found: list[Piece] = []
    end = 0
    for match in _VARIABLE.finditer(text):
        found += [(text[end : match.start()], False), (_value(match[1], context), True)]
        end = match.end()
    return (*found, (text[end:], False))


def _value(name: str, context: Context) -> str:
    if name in ("*", "?", "$"):
        return name
    default = _DEFAULT.fullmatch(name)
    values = values_of(context, default[1] if default else name)
    if values is None:
        if default is None:
            raise _NoValue
        return default[2]
    if not isinstance(values, tuple) or len(values) != 1:
        raise _NotKnown  # Keys with several values can't be variables.
    return values[0]


_WILD = {"*": ".*", "?": "."}


@lru_cache(maxsize=4096)
def pattern(pieces: tuple[Piece, ...]) -> re.Pattern[str]:
    """The regular expression of a pattern with the wildcards `*` and `?`."""
    parts = [
        re.escape(text) if literal else "".join(_WILD.get(char) or re.escape(char) for char in text)
        for text, literal in pieces
    ]
    return re.compile("".join(parts), re.DOTALL)


def like(value: str, wanted: str) -> bool:
    """Whether a value matches a pattern of `*` (any characters, none too) and `?` (any one)."""
    return pattern(((wanted, False),)).fullmatch(value) is not None


def _with_variables(test: Callable[[str, tuple[Piece, ...]], Truth]) -> Compare:
    def compare(value: str, wanted: str, context: Context | None) -> Truth:
        try:
            return test(value, _pieces(wanted, context))
        except _NoValue:
            return False
        except _NotKnown:
            return None

    return compare


def _equals(value: str, pieces: tuple[Piece, ...]) -> Truth:
    return value == "".join(text for text, _ in pieces)


def _equals_ignoring_case(value: str, pieces: tuple[Piece, ...]) -> Truth:
    return value.lower() == "".join(text for text, _ in pieces).lower()


def _like(value: str, pieces: tuple[Piece, ...]) -> Truth:
    return pattern(pieces).fullmatch(value) is not None


def _arn_like(value: str, pieces: tuple[Piece, ...]) -> Truth:
    """Component by component: the wildcards of the first five don't reach over a colon."""
    if not value.startswith("arn:") or value.count(":") < 5:
        return None
    components = _components(pieces)
    if len(components) != 6:
        return False
    parts = zip(components, value.split(":", 5), strict=True)
    return all(pattern(tuple(wanted)).fullmatch(text) for wanted, text in parts)


def _components(pieces: tuple[Piece, ...]) -> list[list[Piece]]:
    """The six components of an ARN pattern; colons of the last one are its own."""
    found: list[list[Piece]] = [[]]
    for text, literal in pieces:
        head, *rest = text.split(":", 6 - len(found))
        found[-1].append((head, literal))
        found += [[(part, literal)] for part in rest]
    return found


def _plain(parse: Callable[[str], Any], test: Callable[[Any, Any], bool]) -> Compare:
    """A comparison of what both strings stand for; policy variables can't stand here."""

    def compare(value: str, wanted: str, _: Context | None) -> Truth:
        try:
            return test(parse(value), parse(wanted))
        except (ValueError, KeyError, OverflowError):
            return None

    return compare


def _date(text: str) -> datetime:
    """A date as ISO 8601 or in seconds since the epoch."""
    if re.fullmatch(r"\d{9,}(\.\d+)?", text, re.ASCII):
        return datetime.fromtimestamp(float(text), timezone.utc)
    found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


def _network(text: str) -> IPv4Network | IPv6Network:
    return ip_network(text, strict=False)


def _within(inner: IPv4Network | IPv6Network, outer: IPv4Network | IPv6Network) -> bool:
    return inner.version == outer.version and inner.network_address in outer


def _bytes_equal(*_: object) -> Truth:
    return None  # No key of a web identity is binary.


_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": lambda value, wanted: bool(value == wanted),
    "LessThan": lambda value, wanted: bool(value < wanted),
    "LessThanEquals": lambda value, wanted: bool(value <= wanted),
    "GreaterThan": lambda value, wanted: bool(value > wanted),
    "GreaterThanEquals": lambda value, wanted: bool(value >= wanted),
}

COMPARISONS: dict[str, tuple[Compare, bool]] = {
    "StringEquals": (_with_variables(_equals), False),
    "StringNotEquals": (_with_variables(_equals), True),
    "StringEqualsIgnoreCase": (_with_variables(_equals_ignoring_case), False),
    "StringNotEqualsIgnoreCase": (_with_variables(_equals_ignoring_case), True),
    "StringLike": (_with_variables(_like), False),
    "StringNotLike": (_with_variables(_like), True),
    "ArnEquals": (_with_variables(_arn_like), False),
    "ArnLike": (_with_variables(_arn_like), False),
    "ArnNotEquals": (_with_variables(_arn_like), True),
    "ArnNotLike": (_with_variables(_arn_like), True),
    "Bool": (_plain(_boolean, _ORDER["Equals"]), False),
    "BinaryEquals": (_bytes_equal, False),
    "IpAddress": (_plain(_network, _within), False),
    "NotIpAddress": (_plain(_network, _within), True),
    **{f"Numeric{name}": (_plain(float, test), False) for name, test in _ORDER.items()},
    **{f"Date{name}": (_plain(_date, test), False) for name, test in _ORDER.items()},
    "NumericNotEquals": (_plain(float, _ORDER["Equals"]), True),
    "DateNotEquals": (_plain(_date, _ORDER["Equals"]), True),
}
"""By the operator's name: the comparison, and whether the operator is its negation."""
