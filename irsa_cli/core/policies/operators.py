"""The Condition block of a policy: which tests hold, fail, or are unknown (None), by each operator of IAM.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from operator import eq, ge, gt, le, lt
from typing import Any

from irsa_cli.core.policies.policy import texts_of
from irsa_cli.core.policies.web_identity import TIMES, UNKNOWN, Context, PresentKey, Values, values_of

Truth = bool | None
Compare = Callable[[str, str, Context | None], Truth]
"""Compares a request's value with a policy's; the context is None in policies without variables."""

_VARIABLE = re.compile(r"\$\{([^}]*)\}")

Piece = tuple[str, bool]
"""A part of a policy's value, and whether it is taken literally (wildcards in it mean themselves)."""


class _NoValue(Exception):
    """A variable has no value: nothing equals it or is like it."""


class _NotKnown(Exception):
    """A variable's value can't be known."""


def _pieces(text: str, context: Context | None) -> tuple[Piece, ...]:
    if context is None or "${" not in text:
        return ((text, False),)
    pieces: list[Piece] = []
    end = 0
    for variable in _VARIABLE.finditer(text):
        pieces.append((text[end : variable.start()], False))
        pieces.append((_value(variable[1], context), True))
        end = variable.end()
    return (*pieces, (text[end:], False))


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
    key, comma, default = name.partition(",")
    text = default.strip()
    if comma and len(text) > 1 and text[0] == text[-1] == "'":
        return key.strip(), text[1:-1]
    return name, None


@lru_cache(maxsize=1024)
def _pattern(pieces: tuple[Piece, ...]) -> re.Pattern[str]:
    """A pattern as a regular expression that matches in linear time.

    What a star matches is as short as possible and stays so, by a lookahead: it is not tried again.
    """
    # The texts between the stars.
    between = [""]
    for text, is_literal in pieces:
        if is_literal:
            between[-1] += re.escape(text)
            continue
        head, *others = (re.escape(section).replace(r"\?", ".") for section in text.split("*"))
        between[-1] += head
        between += others
    first, *others = between
    if not others:
        return re.compile(first, re.DOTALL)
    *inner, last = others
    expression = first
    for place, section in enumerate(filter(None, inner)):
        expression += f"(?=(?P<s{place}>.*?{section}))(?P=s{place})"
    return re.compile(f"{expression}.*{last}", re.DOTALL)


def _matches(value: str, pieces: tuple[Piece, ...]) -> bool:
    return _pattern(pieces).fullmatch(value) is not None


def like(value: str, pattern: str) -> bool:
    """Whether a value matches a pattern of `*` (any characters, none too) and `?` (any one)."""
    if "*" not in pattern and "?" not in pattern:
        return value == pattern
    return _matches(value, ((pattern, False),))


def _with_variables(test: Callable[[str, tuple[Piece, ...]], Truth]) -> Compare:
    def compare(value: str, pattern: str, context: Context | None) -> Truth:
        try:
            return test(value, _pieces(pattern, context))
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
    pairs = zip(value.split(":", 5), components, strict=True)
    return all(_matches(text, tuple(component)) for text, component in pairs)


def _components(pieces: tuple[Piece, ...]) -> list[list[Piece]]:
    """The six components of an ARN pattern; colons of the last one are its own."""
    components: list[list[Piece]] = [[]]
    for text, is_literal in pieces:
        head, *others = text.split(":", 6 - len(components))
        components[-1].append((head, is_literal))
        components += [[(component, is_literal)] for component in others]
    return components


def _plain(parse: Callable[[str], Any], test: Callable[[Any, Any], bool]) -> Compare:
    """A comparison of what both strings stand for; policy variables can't stand here."""

    def compare(value: str, policy_value: str, _: Context | None) -> Truth:
        try:
            return test(parse(value), parse(policy_value))
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
    year, month, day, hour, minute, second = (int(digits or 0) for digits in match.groups()[:6])
    zone = match[7] or "Z"
    in_utc = datetime(year, month or 1, day or 1, hour, minute, second, tzinfo=timezone.utc).timestamp()
    if zone == "Z":
        return in_utc
    offset = int(zone[1:3]) * 3600 + int(zone[4:]) * 60
    return in_utc + offset if zone.startswith("-") else in_utc - offset


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
    "Equals": eq,
    "LessThan": lt,
    "LessThanEquals": le,
    "GreaterThan": gt,
    "GreaterThanEquals": ge,
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
        parsed = operator_of(self.operator)
        if not self.truth or self.got is not None or parsed is None:
            return ""
        if parsed.compare is None and not parsed.quantifier:
            return ""
        if parsed.if_exists:
            return "IfExists"
        return "ForAllValues" if parsed.quantifier == "all" else "a negated test"


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

    def reads(self, key: str) -> bool:
        """Whether it compares what a key has; how a time is written as text is not documented."""
        if key.lower() not in TIMES:
            return True
        return not self.kind or self.kind.startswith(("Date", "Numeric"))


_QUANTIFIERS = {"ForAnyValue:": "any", "ForAllValues:": "all"}


@lru_cache(maxsize=512)
def operator_of(name: str) -> Operator | None:
    """The operator of that name, None when there is none; IAM refuses names in another case."""
    quantifier = next((head for head in _QUANTIFIERS if name.startswith(head)), "")
    text = name.removeprefix(quantifier)
    if text == "Null":
        # With a quantifier it does not look at the key: see `_Test`.
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
    unknown: Tested | None = None
    for tested in tests(block, context, variables=variables):
        if tested.truth is False:
            return tested
        if tested.truth is None and unknown is None:
            unknown = tested
    return unknown


def tests(block: Any, context: Context, *, variables: bool) -> Iterator[Tested]:
    """All tests of a Condition block, with what comes of each."""
    if not isinstance(block, dict):
        yield Tested("", "", (), None, None)
        return
    for name, keys in block.items():
        if not isinstance(keys, dict):
            yield Tested(name, "", (), None, None)
            continue
        parsed = operator_of(name)
        for key, value in keys.items():
            policy_values = texts_of(value)
            got = values_of(context, key)
            truth = None
            if parsed is not None and parsed.reads(key):
                truth = _Test(parsed, policy_values, context if variables else None).of(got)
            yield Tested(name, key, policy_values, got, truth)


@dataclass(frozen=True)
class _Test:
    """A test of a policy; `variables` are the keys that can be variables in its values, None for none."""

    operator: Operator
    values: tuple[str, ...]
    variables: Context | None

    def of(self, got: Values) -> Truth:
        """Whether it holds for a key's values in the request."""
        operator = self.operator
        if operator.compare is None and operator.quantifier:
            # IAM Access Analyzer's policy checks (NULL_WITH_QUALIFIER): always true, or false.
            return operator.quantifier == "all"
        if got is None:
            return self._without_key()
        if got is UNKNOWN:
            with_key = self.of(PresentKey())
            return with_key if with_key is self._without_key() else None
        if operator.compare is None:
            return self._is_null(absent=False)
        if isinstance(got, PresentKey):
            return self._of_any_value(got)
        return self._of_values(got)

    def _without_key(self) -> Truth:
        operator = self.operator
        if operator.compare is None:
            return self._is_null(absent=True)
        if operator.quantifier == "any":
            # ForAnyValue says no, IfExists says yes; which of them wins is not documented.
            return None if operator.if_exists else False
        return operator.negated or operator.if_exists or operator.quantifier == "all"

    def _is_null(self, *, absent: bool) -> bool:
        return str(absent).lower() in map(str.lower, self.values)

    def _of_any_value(self, key: PresentKey) -> Truth:
        """Whether it holds whatever the value of the key is."""
        if key.one_of:
            truths = {self.of((value,)) for value in key.one_of}
            return truths.pop() if len(truths) == 1 else None
        if not self.values:
            return self.operator.negated
        if self.operator.wild and any(value and not value.strip("*") for value in self.values):
            return not self.operator.negated
        return None

    def _of_values(self, got: tuple[str, ...]) -> Truth:
        if not self.operator.quantifier:
            # A key with several values needs a quantifier; what happens without one is not documented.
            return self._fits(got[0]) if len(got) == 1 else None
        # An empty string counts as no value.
        truths = [self._fits(value) for value in got if value]
        return any_of(truths) if self.operator.quantifier == "any" else _all_of(truths)

    def _fits(self, got: str) -> Truth:
        compare = self.operator.compare
        assert compare is not None, "an operator that compares"
        truth = any_of(compare(got, value, self.variables) for value in self.values)
        return _not(truth) if self.operator.negated else truth


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
    return _not(any_of(map(_not, truths)))


def _not(truth: Truth) -> Truth:
    return None if truth is None else not truth
