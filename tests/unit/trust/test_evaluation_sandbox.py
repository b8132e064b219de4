"""irsa's evaluation of trust policies against the sandbox's, which is written apart from it.

They must agree on every pair of policy and token, but where irsa says itself that the answer depends on
what can't be known from outside, or on what IAM's documentation leaves open.
"""

from __future__ import annotations

import json
from collections import Counter

import pytest

from irsa_cli.core.policies import operators
from irsa_cli.core.trust import evaluation
from irsa_cli.core.trust.evaluation import Explanation, explain
from irsa_cli.sandbox.enforce import Who, admits
from tests.unit.trust.certainty import is_certain
from tests.unit.trust.policies import ACTION, PROVIDER, Case, cases

CASES = 10_000
SEED = 5


@pytest.fixture(scope="module")
def pairs() -> list[tuple[Case, Explanation, bool]]:
    """Each case with both verdicts."""
    return [
        (case, explain(case.document, case.identity), _by_the_sandbox(case)) for case in cases(CASES, SEED)
    ]


def _by_the_sandbox(case: Case) -> bool:
    return admits(json.dumps(case.document), ACTION, Who(federated=PROVIDER), case.context)


def test_both_agree_wherever_the_answer_can_be_known(pairs: list[tuple[Case, Explanation, bool]]) -> None:
    different = [case for case, mine, other in pairs if is_certain(mine) and mine.admitted != other]
    assert different == []


def test_what_can_not_be_known_is_never_admitted(pairs: list[tuple[Case, Explanation, bool]]) -> None:
    assert not [case for case, mine, _ in pairs if not is_certain(mine) and mine.admitted]


def test_the_cases_are_worth_comparing(pairs: list[tuple[Case, Explanation, bool]]) -> None:
    """About half of the tokens are admitted, and few answers are "can't be known"."""
    admitted = Counter(other for _, _, other in pairs)
    assert 0.35 * CASES < admitted[True] < 0.65 * CASES
    assert sum(not is_certain(mine) for _, mine, _ in pairs) < 0.15 * CASES


MUTANTS: dict[str, tuple[object, str, object]] = {
    "a Deny is overlooked": (Explanation, "admitted", property(lambda it: bool(it.allowed_by))),
    "ForAllValues is ForAnyValue": (operators, "_all_of", operators.any_of),
    "a missing key never matches": (operators, "_holds_without_key", lambda operator, wanted: False),
    "a missing key always matches": (operators, "_holds_without_key", lambda operator, wanted: True),
    "what is unknown counts as missing": (
        operators,
        "values_of",
        lambda context, key: context.get(key.lower()),
    ),
    "keys distinguish case": (operators, "values_of", lambda context, key: context.get(key)),
    "variables in old policies": (evaluation, "VARIABLES_SINCE", "2008-10-17"),
    "actions distinguish case": (evaluation, "covers", lambda patterns, action: action in patterns),
    "any principal will do": (evaluation, "_is_named", lambda principal, provider: True),
    "defaults of variables are ignored": (operators, "with_default", lambda name: (name, None)),
    "a value is compared with the first only": (
        operators,
        "any_of",
        lambda truths: next(iter(truths), False),
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_evaluation_is_noticed(
    name: str, pairs: list[tuple[Case, Explanation, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(*MUTANTS[name])
    found = [(explain(case.document, case.identity), other) for case, _, other in pairs[:2000]]
    wrong = [mine for mine, other in found if (is_certain(mine) and mine.admitted != other)]
    assert wrong


@pytest.mark.parametrize(
    "name", ["StringEquals", "StringLike", "StringNotLike", "StringNotEqualsIgnoreCase", "Bool"]
)
def test_a_wrong_operator_is_noticed(
    name: str, pairs: list[tuple[Case, Explanation, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    compare, negated = operators.COMPARISONS[name]
    monkeypatch.setitem(operators.COMPARISONS, name, (compare, not negated))
    operators.operator_of.cache_clear()
    found = [(explain(case.document, case.identity), other) for case, _, other in pairs[:2000]]
    operators.operator_of.cache_clear()
    assert any(is_certain(mine) and mine.admitted != other for mine, other in found)
