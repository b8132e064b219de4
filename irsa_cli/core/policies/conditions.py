"""The Condition block of a policy: which tests hold, fail, or are unknown.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from irsa_cli.core.policies.operators import COMPARISONS, Compare, Truth
from irsa_cli.core.policies.policy import texts_of
from irsa_cli.core.policies.web_identity import TIMES, UNKNOWN, Context, PresentKey, Values, values_of


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
        return _holds_for_any(operator, got, wanted, variables)

    def fits(value: str) -> Truth:
        hit = any_of(compare(value, item, variables) for item in wanted)
        return hit if not operator.negated or hit is None else not hit

    if not operator.quantifier:
        # A key with several values needs a quantifier; what happens without one is not documented.
        return fits(got[0]) if len(got) == 1 else None
    # An empty string counts as no value.
    verdicts = [fits(value) for value in got if value]
    return any_of(verdicts) if operator.quantifier == "any" else _all_of(verdicts)


def _holds_for_any(
    operator: Operator, got: PresentKey, wanted: tuple[str, ...], variables: Context | None
) -> Truth:
    """The tests that hold for any value of the key."""
    if got.one_of:
        each = {_holds(operator, (value,), wanted, variables) for value in got.one_of}
        return each.pop() if len(each) == 1 else None
    if not wanted or (operator.wild and any(item and not item.strip("*") for item in wanted)):
        return bool(wanted) != operator.negated
    return None


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
