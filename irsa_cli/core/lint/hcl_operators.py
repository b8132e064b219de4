"""Operators of HCL, as far as their operands are known: a choice is decided, or it is none.

https://developer.hashicorp.com/terraform/language/expressions/operators
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from irsa_cli.core.lint.found import is_gap, is_known

_COMPARING: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_TRUTHS = {"true": True, "false": False}


def truth(value: Any) -> bool | None:
    """A condition's value; None if it is unknown. Terraform also takes the words."""
    if isinstance(value, bool):
        return value
    return _TRUTHS.get(value) if isinstance(value, str) else None


def negated(value: Any) -> bool | None:
    known = truth(value)
    return None if known is None else not known


def binary(sign: str, left: Any, right: Any) -> bool | None:
    """The truth of a comparison, or of `&&` and `||`; None if it is unknown. Others are not evaluated."""
    if sign in ("&&", "||"):
        return _joined(truth(left), truth(right), deciding=sign == "||")
    is_about_null = "" in (left, right) and not is_gap(left) and not is_gap(right)
    if not is_about_null and not (is_known(left) and is_known(right)):
        return None
    if sign in ("==", "!="):
        is_same: bool = left == right
        return is_same == (sign == "==")
    if sign in _COMPARING and isinstance(left, int | float) and isinstance(right, int | float):
        return _COMPARING[sign](left, right)
    return None


def _joined(left: bool | None, right: bool | None, *, deciding: bool) -> bool | None:
    """One side can decide alone, whatever the other is."""
    if deciding in (left, right):
        return deciding
    return None if None in (left, right) else not deciding
