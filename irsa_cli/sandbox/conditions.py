"""The Condition block of a policy statement, as IAM evaluates it. Shared by trust and identity policies.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
Operators that are not evaluated here (dates, IP addresses, binary) never match. Policy variables, such as
`${aws:username}`, are not replaced.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

Context = Mapping[str, Sequence[str]]
"""The values of condition keys in this request; names in lower case, absent where the request has none."""

_Test = Callable[[str, str], bool]


@lru_cache(maxsize=1024)
def _pattern(pattern: str, *, ignore_case: bool) -> re.Pattern[str]:
    text = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)
    return re.compile(text, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def like(pattern: str, value: str, *, ignore_case: bool = False) -> bool:
    """Whether `value` matches a pattern of `*` (any characters) and `?` (any one)."""
    return _pattern(pattern, ignore_case=ignore_case).fullmatch(value) is not None


def _arn_like(pattern: str, value: str) -> bool:
    wanted, parts = pattern.split(":", 5), value.split(":", 5)
    return len(wanted) == len(parts) and all(map(like, wanted, parts))


def _equal(wanted: str, value: str) -> bool:
    return wanted == value


def _equal_ignoring_case(wanted: str, value: str) -> bool:
    return wanted.lower() == value.lower()


def _compare(name: str) -> _Test:
    tests: dict[str, Callable[[float, float], bool]] = {
        "Equals": lambda wanted, value: value == wanted,
        "LessThan": lambda wanted, value: value < wanted,
        "LessThanEquals": lambda wanted, value: value <= wanted,
        "GreaterThan": lambda wanted, value: value > wanted,
        "GreaterThanEquals": lambda wanted, value: value >= wanted,
    }

    def test(wanted: str, value: str) -> bool:
        try:
            return tests[name](float(wanted), float(value))
        except ValueError:
            return False

    return test


_POSITIVE: dict[str, _Test] = {
    "StringEquals": _equal,
    "StringEqualsIgnoreCase": _equal_ignoring_case,
    "StringLike": like,
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "Bool": _equal_ignoring_case,
    **{f"Numeric{name}": _compare(name) for name in ("Equals", "LessThan", "LessThanEquals")},
    **{f"Numeric{name}": _compare(name) for name in ("GreaterThan", "GreaterThanEquals")},
}
_NEGATIVE: dict[str, _Test] = {
    "StringNotEquals": _equal,
    "StringNotEqualsIgnoreCase": _equal_ignoring_case,
    "StringNotLike": like,
    "ArnNotEquals": _arn_like,
    "ArnNotLike": _arn_like,
    "NumericNotEquals": _compare("Equals"),
}
_NOT_EVALUATED = {
    *(f"Date{name}" for name in ("Equals", "NotEquals", "LessThan", "LessThanEquals")),
    *(f"Date{name}" for name in ("GreaterThan", "GreaterThanEquals")),
    "BinaryEquals",
    "IpAddress",
    "NotIpAddress",
}
_QUANTIFIED = re.compile(r"(?:(ForAnyValue|ForAllValues):)?(\w+?)(IfExists)?")


def is_operator(name: str) -> bool:
    """Whether IAM knows a condition operator of this name."""
    match = _QUANTIFIED.fullmatch(name)
    known = {*_POSITIVE, *_NEGATIVE, *_NOT_EVALUATED}
    return name == "Null" or (match is not None and match[2] in known)


def holds(block: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """Whether every operator of a Condition block, for every key, is satisfied."""
    return all(
        _holds_for(operator, key, [_text(v) for v in listed(wanted)], context)
        for operator, keys in block.items()
        for key, wanted in keys.items()
    )


def _holds_for(operator: str, key: str, wanted: list[str], context: Context) -> bool:
    values = context.get(key.lower())
    if operator == "Null":
        return str(values is None).lower() in [item.lower() for item in wanted]
    match = _QUANTIFIED.fullmatch(operator)
    if not match:
        return False
    quantifier, name, if_exists = match.groups()
    if name not in _POSITIVE and name not in _NEGATIVE:
        return False
    if values is None and if_exists:
        return True
    return _quantified(quantifier, name, wanted, values)


def _quantified(quantifier: str | None, name: str, wanted: list[str], values: Sequence[str] | None) -> bool:
    negative = name in _NEGATIVE
    test = _NEGATIVE[name] if negative else _POSITIVE[name]
    verdicts = [any(test(item, value) for item in wanted) != negative for value in values or ()]
    if quantifier == "ForAnyValue":
        return any(verdicts)
    if quantifier == "ForAllValues":
        return all(verdicts)
    # Without a quantifier, a negated operator is satisfied by a key that is not there.
    return all(verdicts) if negative else any(verdicts)


def listed(value: Any) -> list[Any]:
    """A value that may stand without a list, as one."""
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
