"""The Condition block of a policy: which tests hold, fail, or are unknown (None), by each operator of IAM.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from irsa_cli.core.policies.policy import texts_of
from irsa_cli.core.policies.web_identity import TIMES, UNKNOWN, Context, PresentKey, Values, values_of

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


@dataclass(frozen=True)
class Tested:
    """A test of a Condition block and its outcome; `key` is '' if the operator has no keys.

    `got` is None if the request has no such key, or if its value is unknown.
    """

    operator: str
    key: str
    wanted: tuple[str, ...]
    got: Values
    truth: Truth

    @property
    def for_lack(self) -> str:
        """Why it holds without the key in the request; '' if this is not the reason."""
        operator = operator_of(self.operator)
        if not self.truth or self.got is not None or operator is None:
            return ""
        if operator.compare is None and not operator.quantifier:
            return ""
        if operator.if_exists:
            return "IfExists"
        return "ForAllValues" if operator.quantifier == "all" else "a negated test"


@dataclass(frozen=True)
class Operator:
    """The parts of an operator's name; `quantifier` is '', 'any' or 'all', `compare` None for Null.

    `kind` is the name without negation, order and suffix (String, Numeric, Date, ...).
    """

    compare: Compare | None
    negated: bool = False
    quantifier: str = ""
    if_exists: bool = False
    kind: str = ""

    @property
    def wild(self) -> bool:
        """Whether a `*` means any value."""
        return self.kind == "StringLike"


_QUANTIFIERS = {"ForAnyValue:": "any", "ForAllValues:": "all"}


@lru_cache(maxsize=512)
def operator_of(name: str) -> Operator | None:
    """The operator of that name, None when there is none; IAM refuses names in another case."""
    quantifier = next((head for head in _QUANTIFIERS if name.startswith(head)), "")
    text = name.removeprefix(quantifier)
    if text == "Null":
        # With a quantifier it does not look at the key: see `_holds`.
        return Operator(None, quantifier=_QUANTIFIERS.get(quantifier, ""))
    base = text.removesuffix("IfExists")
    if base not in COMPARISONS:
        return None
    compare, negated = COMPARISONS[base]
    return Operator(compare, negated, _QUANTIFIERS.get(quantifier, ""), base != text, base.replace("Not", ""))


def first_failing(block: Any, context: Context, *, variables: bool) -> Tested | None:
    """The first failed test, or else the first unknown one; None if all hold.

    `variables`: replace `${...}` in values, as in policies of version 2012-10-17.
    """
    open_ones = (tested for tested in tests(block, context, variables=variables) if not tested.truth)
    return min(open_ones, key=lambda tested: tested.truth is None, default=None)


def tests(block: Any, context: Context, *, variables: bool) -> Iterator[Tested]:
    """All tests of a Condition block, with what comes of each."""
    if not isinstance(block, dict):
        yield Tested("", "", (), None, None)
        return
    for name, keys in block.items():
        if not isinstance(keys, dict):
            yield Tested(name, "", (), None, None)
            continue
        operator = operator_of(name)
        for key, value in keys.items():
            wanted = texts_of(value)
            got = values_of(context, key)
            truth = None
            # How a time is written as text is not documented.
            if operator is not None and (
                operator.kind.startswith(("Date", "Numeric")) or not operator.kind or key.lower() not in TIMES
            ):
                truth = _holds(operator, got, wanted, context if variables else None)
            yield Tested(name, key, wanted, got, truth)


def _holds(operator: Operator, got: Values, wanted: tuple[str, ...], variables: Context | None) -> Truth:
    if operator.compare is None and operator.quantifier:
        # IAM Access Analyzer's policy checks (NULL_WITH_QUALIFIER): always true, or false.
        return operator.quantifier == "all"
    if got is None:
        return _holds_without_key(operator, wanted)
    if got is UNKNOWN:
        there = _holds(operator, PresentKey(), wanted, variables)
        return there if there is _holds_without_key(operator, wanted) else None
    compare = operator.compare
    if compare is None:
        return _is_null(wanted, absent=False)
    if isinstance(got, PresentKey):
        # The tests that hold for any value of the key.
        if got.one_of:
            each = {_holds(operator, (value,), wanted, variables) for value in got.one_of}
            return each.pop() if len(each) == 1 else None
        if not wanted or (operator.wild and any(item and not item.strip("*") for item in wanted)):
            return bool(wanted) != operator.negated
        return None

    def fits(value: str) -> Truth:
        hit = any_of(compare(value, item, variables) for item in wanted)
        return hit if not operator.negated or hit is None else not hit

    if not operator.quantifier:
        # A key with several values needs a quantifier; what happens without one is not documented.
        return fits(got[0]) if len(got) == 1 else None
    # An empty string counts as no value.
    verdicts = [fits(value) for value in got if value]
    return any_of(verdicts) if operator.quantifier == "any" else _all_of(verdicts)


def _holds_without_key(operator: Operator, wanted: tuple[str, ...]) -> Truth:
    if operator.compare is None:
        return _is_null(wanted, absent=True)
    if operator.quantifier == "any":
        # ForAnyValue says no, IfExists says yes; which of them wins is not documented.
        return None if operator.if_exists else False
    return operator.negated or operator.if_exists or operator.quantifier == "all"


def _is_null(wanted: tuple[str, ...], *, absent: bool) -> bool:
    return any(item.lower() == str(absent).lower() for item in wanted)


def any_of(truths: Iterable[Truth]) -> Truth:
    """Whether one of them holds; None when that depends on what can't be known."""
    known: Truth = False
    for truth in truths:
        if truth:
            return True
        if truth is None:
            known = None
    return known


def _all_of(truths: Iterable[Truth]) -> Truth:
    found = any_of(None if truth is None else not truth for truth in truths)
    return None if found is None else not found
