"""30,000 trust policies, judged three times: no contradiction but those that AWS's documentation decides."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from irsa_cli.core.policies.policy import as_list
from irsa_cli.core.trust.evaluation import Explanation, explain
from irsa_cli.sandbox.enforce import Who, admits
from tests.oracle.oracle import ALLOWED, verdicts
from tests.unit.trust.certainty import is_certain
from tests.unit.trust.policies import ACTION, PROVIDER, Case, cases

CASES = 30_000
SEED = 11
ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/app"


@dataclass(frozen=True)
class Judged:
    """A case with all verdicts on it."""

    case: Case
    irsa: Explanation
    sandbox: bool
    other: bool

    @property
    def text(self) -> str:
        return json.dumps(self.case.document)


def _statements(document: Any) -> list[Any]:
    return as_list(document["Statement"])


def _variables(document: Any, operator: str = "") -> bool:
    blocks = [item.get("Condition") or {} for item in _statements(document)]
    return any(
        operator in name and "${" in json.dumps(keys) for block in blocks for name, keys in block.items()
    )


def _of_old_version(case: Case) -> bool:
    return _variables(case.document) and case.document.get("Version") != "2012-10-17"


def _of_no_value(case: Case) -> bool:
    return _variables(case.document, "Not")


def _names_its_account(case: Case) -> bool:
    return any(
        "AWS" in (item.get("NotPrincipal") or (item["Effect"] == "Deny" and item["Principal"]) or "")
        for item in _statements(case.document)
    )


def _of_all_addresses(case: Case) -> bool:
    return '"0.0.0.0/0"' in json.dumps(case.document)


REFERENCE = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_"
KNOWN: dict[str, tuple[str, Callable[[Case], bool]]] = {
    "it replaces variables in policies of older versions, too": ("elements_version.html", _of_old_version),
    "a variable without a value: a negated operator matches": ("variables.html", _of_no_value),
    "a provider is no principal of its account": ("elements_principal.html", _names_its_account),
    "a network of all addresses holds none for it": (
        "elements_condition_operators.html#Conditions_IPAddress",
        _of_all_addresses,
    ),
}
"""What it does otherwise than AWS's documentation says (the page that decides), and what may show it."""


def _request(case: Case) -> dict[str, Any]:
    # A claim with one value is a string to it, but for the one that is a list in every token.
    context = {
        key: values if len(values) > 1 or key.endswith(":amr") else values[0]
        for key, values in case.context.items()
    }
    resource = {"resource": ROLE, "accountId": ACCOUNT}
    return {
        "principal": PROVIDER,
        "action": ACTION,
        "resource": resource,
        "context": context,
        "trust": case.document,
    }


@pytest.fixture(scope="module")
def judged() -> list[Judged]:
    found = cases(CASES, SEED)
    others = verdicts([_request(case) for case in found])
    return [
        Judged(
            case,
            explain(case.document, case.identity),
            admits(json.dumps(case.document), ACTION, Who(federated=PROVIDER), case.context),
            other == ALLOWED,
        )
        for case, other in zip(found, others, strict=True)
    ]


def _unexplained(judged: list[Judged]) -> list[Judged]:
    return [item for item in judged if not any(explains(item.case) for _, explains in KNOWN.values())]


def test_irsa_contradicts_it_nowhere_without_a_page_of_aws_that_decides(judged: list[Judged]) -> None:
    wrong = [
        item for item in _unexplained(judged) if is_certain(item.irsa) and item.irsa.admitted != item.other
    ]
    assert [item.text for item in wrong] == []


def test_the_sandbox_admits_nothing_that_it_denies(judged: list[Judged]) -> None:
    """What works in the sandbox is to work on AWS: where the two differ, it is the stricter one."""
    wrong = [item for item in _unexplained(judged) if item.sandbox and not item.other]
    assert [item.text for item in wrong] == []


def test_the_comparison_is_worth_something(judged: list[Judged]) -> None:
    """Most cases are compared, both ways, and each difference that is known does show."""
    compared = _unexplained(judged)
    assert len(compared) > 0.6 * CASES
    assert 0.3 < Counter(item.other for item in compared)[True] / len(compared) < 0.7
    assert sum(is_certain(item.irsa) for item in compared) > 0.85 * len(compared)
    for name, (_, explains) in KNOWN.items():
        shown = [item for item in judged if explains(item.case)]
        assert any(item.sandbox != item.other for item in shown), name
