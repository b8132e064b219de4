"""Each cause: a working binding broken in that way, and nothing else is named."""

from __future__ import annotations

import pytest

from irsa_cli.core.causes import CAUSES
from irsa_cli.core.causes.finding import Verdict
from irsa_cli.core.diagnosis import judge
from tests.unit.diagnosis_cases import BESIDE, CASES, PROVIDERS, full_trust, released
from tests.unit.observed import (
    CHINESE_ROLE,
    Change,
    both,
    china,
    env,
    of_cluster,
    trusting,
    working,
)

NEVER_A_PROBLEM = {
    "provider-thumbprint",
    "role-new",
    "role-without-permissions",
    "organization-policy",
    "pod-region",
    "sts-global-endpoint",
    "pod-host-network",
    "pod-mesh",
    "sts-never-asked",
}
"""Causes that can be hinted at from outside, and not proven."""


def problems(change: Change) -> list[str]:
    return [item.cause.id for item in judge(change(working())) if item.verdict is Verdict.PROBLEM]


def test_nothing_is_wrong_with_a_working_binding() -> None:
    found = judge(working())
    assert [item.cause.id for item in found if item.verdict is Verdict.PROBLEM] == []


@pytest.mark.parametrize(("cause", "change"), CASES, ids=[f"{n}-{name}" for n, (name, _) in enumerate(CASES)])
def test_exactly_that_cause_is_named(cause: str, change: Change) -> None:
    assert problems(change) == [cause]


def test_every_cause_is_tried() -> None:
    beside = {cause for causes, _ in BESIDE for cause in causes}
    assert {cause for cause, _ in CASES} | beside | NEVER_A_PROBLEM == set(CAUSES)


@pytest.mark.parametrize(("causes", "change"), BESIDE, ids=[str(causes) for causes, _ in BESIDE])
def test_a_cause_that_keeps_another_from_being_cured(causes: tuple[str, ...], change: Change) -> None:
    assert problems(change) == list(causes)


def test_quotas_count_only_when_they_are_full() -> None:
    assert problems(of_cluster(provider=None, providers=PROVIDERS[1:])) == ["provider-missing"]
    raised = both(trusting(full_trust()), of_cluster(quotas={"AssumeRolePolicySizeQuota": 4096}))
    assert problems(raised) == ["trust-subject"]


def test_china_with_a_region_works() -> None:
    assert problems(china(env(CHINESE_ROLE))) == []


@pytest.mark.parametrize(
    ("trusted", "name"), [("app-7f8d9c5b6", "other-5c4b1d2e3"), ("app-first", "app-other")]
)
def test_other_names_are_no_earlier_release(trusted: str, name: str) -> None:
    assert problems(released(trusted, name)) == ["trust-subject"]
