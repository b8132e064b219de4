"""Compare a value of a request with a value of a policy, for each condition operator of IAM.

None is unknown. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime, timezone
from decimal import Decimal
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from irsa_cli.core.policies.web_identity import TIMES, Context, values_of

Truth = bool | None
Compare = Callable[[str, str, Context | None], Truth]
"""Compares a request's value with a policy's; the context is None in policies without variables."""

Piece = tuple[str, bool]
"""A part of a policy's value, and whether it is taken literally (wildcards in it mean themselves)."""


class _NoValue(Exception):
    """A variable has no value: nothing equals it or is like it."""


class _NotKnown(Exception):
    """A variable's value can't be known."""


def _pieces(text: str, context: Context | None) -> tuple[Piece, ...]:
    if context is None or "${" not in text:
        return ((text, False),)
    found: list[Piece] = []
    end = 0
    while (start := text.find("${", end)) >= 0 and (close := text.find("}", start)) >= 0:
        found += [(text[end:start], False), (_value(text[start + 2 : close], context), True)]
        end = close + 1
    return (*found, (text[end:], False))


def _value(name: str, context: Context) -> str:
    if name in ("*", "?", "$"):
        return name
    key, default = with_default(name)
    values = values_of(context, key)
    if values is None:
        if default is None:
            raise _NoValue
        return default
    if isinstance(values, tuple) and len(values) == 1 and key.lower() not in TIMES:
        return values[0]
    raise _NotKnown  # Keys with several values can't be variables; how a time is written isn't said.


def with_default(name: str) -> tuple[str, str | None]:
    """A variable's key, and its default: `aws:username, 'none'`."""
    key, comma, rest = name.partition(",")
    text = rest.strip()
    if comma and len(text) > 1 and text[0] == text[-1] == "'":
        return key.strip(), text[1:-1]
    return name, None


@lru_cache(maxsize=1024)
def _pattern(pieces: tuple[Piece, ...]) -> re.Pattern[str]:
    """A pattern as a regular expression that matches in linear time.

    What a star matches is as short as possible and stays so, by a lookahead: it is not tried again.
    """
    found = [""]
    for text, literal in pieces:
        parts = [text] if literal else text.split("*")
        head, *rest = (re.escape(part).replace(r"\?", "." if not literal else r"\?") for part in parts)
        found[-1] += head
        found += rest
    first, *others = found
    inner = "".join(
        f"(?=(?P<s{place}>.*?{item}))(?P=s{place})" for place, item in enumerate(filter(None, others[:-1]))
    )
    return re.compile(f"{first}{inner}{''.join(f'.*{item}' for item in others[-1:])}", re.DOTALL)


def _matches(value: str, pieces: tuple[Piece, ...]) -> bool:
    return _pattern(pieces).fullmatch(value) is not None


def like(value: str, wanted: str) -> bool:
    """Whether a value matches a pattern of `*` (any characters, none too) and `?` (any one)."""
    if "*" not in wanted and "?" not in wanted:
        return value == wanted
    return _matches(value, ((wanted, False),))


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


def _arn_like(value: str, pieces: tuple[Piece, ...]) -> Truth:
    """Component by component: the wildcards of the first five don't reach over a colon."""
    if not value.startswith("arn:") or value.count(":") < 5:
        return None
    components = _components(pieces)
    if len(components) != 6:
        return False
    parts = zip(components, value.split(":", 5), strict=True)
    return all(_matches(text, tuple(wanted)) for wanted, text in parts)


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


_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)"
    r"(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?)?)?",
    re.ASCII,
)
_SECONDS = re.compile(r"-?\d{1,15}(?:\.\d{1,9})?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)", re.ASCII)
_BOOLEANS = {"true": True, "false": False}
_PREFIX = re.compile(r"[0-9A-Fa-f:.]+(?:/\d{1,3})?", re.ASCII)


def instant(text: str) -> float:
    """Seconds since the epoch, from an ISO 8601 date or a number (four digits: a year); raises ValueError."""
    match = _DATE.fullmatch(text)
    if match is None:
        if not _SECONDS.fullmatch(text):
            raise ValueError(text)
        return float(text)
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    zone = match[7] or "Z"
    there = datetime(year, month or 1, day or 1, hour, minute, second, tzinfo=timezone.utc).timestamp()
    if zone == "Z":
        return there
    offset = int(zone[1:3]) * 3600 + int(zone[4:]) * 60
    return there - math.copysign(offset, int(f"{zone[0]}1"))


def _number(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return Decimal(text)


def _network(text: str) -> IPv4Network | IPv6Network:
    if not _PREFIX.fullmatch(text):
        raise ValueError(text)
    return ip_network(text, strict=False)


def _within(inner: IPv4Network | IPv6Network, outer: IPv4Network | IPv6Network) -> bool:
    return inner.version == outer.version and inner.network_address in outer


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
    "StringLike": (_with_variables(_matches), False),
    "StringNotLike": (_with_variables(_matches), True),
    "ArnEquals": (_with_variables(_arn_like), False),
    "ArnLike": (_with_variables(_arn_like), False),
    "ArnNotEquals": (_with_variables(_arn_like), True),
    "ArnNotLike": (_with_variables(_arn_like), True),
    "Bool": (_plain(lambda text: _BOOLEANS[text.lower()], _ORDER["Equals"]), False),
    "BinaryEquals": (lambda *_: None, False),  # No key of a web identity is binary.
    "IpAddress": (_plain(_network, _within), False),
    "NotIpAddress": (_plain(_network, _within), True),
    **{f"Numeric{name}": (_plain(_number, test), False) for name, test in _ORDER.items()},
    **{f"Date{name}": (_plain(instant, test), False) for name, test in _ORDER.items()},
    "NumericNotEquals": (_plain(_number, _ORDER["Equals"]), True),
    "DateNotEquals": (_plain(instant, _ORDER["Equals"]), True),
}
"""By the operator's name: the comparison, and whether the operator is its negation."""
