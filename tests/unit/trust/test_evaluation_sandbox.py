"""irsa's evaluation of trust policies against the sandbox's, which is written apart from it.

They must agree on every pair of policy and token, but where irsa says itself that the answer depends on
what can't be known from outside, or on what IAM's documentation leaves open.
"""

from __future__ import annotations

import json
from collections import Counter

import pytest

from irsa_cli.core.trust.evaluation import Explanation, explain
from irsa_cli.sandbox.enforce import Who, admits
from tests.unit.trust.certainty import is_certain
from tests.unit.trust.policies import ACTION, PROVIDER, Case, cases

CASES = 10_000
SEED = 5
Pair = tuple[Case, Explanation, bool]


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    """Each case with both verdicts."""
    return [
        (case, explain(case.document, case.identity), _by_the_sandbox(case)) for case in cases(CASES, SEED)
    ]


def _by_the_sandbox(case: Case) -> bool:
    return admits(json.dumps(case.document), ACTION, Who(federated=PROVIDER), case.context)


def test_both_agree_wherever_the_answer_can_be_known(pairs: list[Pair]) -> None:
    different = [case for case, mine, other in pairs if is_certain(mine) and mine.admitted != other]
    assert different == []


def test_what_can_not_be_known_is_never_admitted(pairs: list[Pair]) -> None:
    assert not [case for case, mine, _ in pairs if not is_certain(mine) and mine.admitted]


def test_the_cases_are_worth_comparing(pairs: list[Pair]) -> None:
    """About half of the tokens are admitted, and few answers are "can't be known"."""
    admitted = Counter(other for _, _, other in pairs)
    assert 0.35 * CASES < admitted[True] < 0.65 * CASES
    assert sum(not is_certain(mine) for _, mine, _ in pairs) < 0.15 * CASES
