"""What a verification amounts to: nothing is right that was not looked at, and STS has the last word."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.cli.output.results.verify import of_verification
from irsa_cli.cli.output.views.junit import as_junit
from irsa_cli.core.results.steps import Check, Name, StepStatus, VerificationStep
from irsa_cli.core.results.verification import (
    Permission,
    Verification,
    VerificationOutcome,
    VerificationReport,
    agreed,
)
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import ExitCode, IrsaError, Refused

OK, FAILED, OPEN = StepStatus.OK, StepStatus.FAILED, StepStatus.NOT_CHECKED
SIX = (Name.TOKEN, Name.CLAIMS, Name.PROVIDER, Name.TRUST, Name.EXCHANGE, Name.IDENTITY)
CLUSTER = Cluster("prod", "arn:aws:eks:eu-west-1:1:cluster/prod", "eu-west-1", "aws", "1", "https://i")


def step(name: Name, *statuses: StepStatus, needed: bool = True) -> VerificationStep:
    return VerificationStep(
        name, "sent", tuple(Check("x", status, f"{name.value} text", needed) for status in statuses)
    )


def six(**statuses: StepStatus) -> tuple[VerificationStep, ...]:
    return tuple(step(name, statuses.get(name.value, OK)) for name in SIX)


def one(steps: tuple[VerificationStep, ...], *permissions: StepStatus, **more: Any) -> Verification:
    asked = tuple(Permission("call", f"p{n}", status, f"p{n} text") for n, status in enumerate(permissions))
    return Verification("shop", "cart", "arn:aws:iam::1:role/cart", "aud", steps, asked, **more)


@pytest.mark.parametrize(
    ("checks", "needed", "expected"),
    [
        ((OK,), True, OK),
        ((), True, OPEN),
        ((OPEN,), True, OPEN),
        ((OPEN,), False, OPEN),
        ((OK, OPEN), True, OPEN),
        ((OK, OPEN), False, OK),
        ((OK, FAILED), True, FAILED),
        ((OPEN, FAILED), False, FAILED),
    ],
)
def test_a_step(checks: tuple[StepStatus, ...], needed: bool, expected: StepStatus) -> None:
    assert step(Name.TOKEN, *checks, needed=needed).status is expected


@pytest.mark.parametrize(
    ("verification", "expected"),
    [
        (one(six()), VerificationOutcome.VERIFIED),
        (one(six(), OK, OK), VerificationOutcome.VERIFIED),
        # What the caller may not read is proven by the exchange.
        (one(six(provider=OPEN, trust=OPEN, claims=OPEN)), VerificationOutcome.VERIFIED),
        (one(six(token=OPEN, claims=OPEN, exchange=OPEN, identity=OPEN)), VerificationOutcome.UNDETERMINED),
        (one(six(identity=OPEN)), VerificationOutcome.UNDETERMINED),
        (one(six(), OK, OPEN), VerificationOutcome.UNDETERMINED),
        (one(six(), OPEN, FAILED), VerificationOutcome.FAILED),
        (one(six(trust=FAILED, exchange=OPEN)), VerificationOutcome.FAILED),
        (one((*six(), step(Name.CHAIN, OK))), VerificationOutcome.VERIFIED),
        (one((*six(), step(Name.CHAIN, OPEN))), VerificationOutcome.UNDETERMINED),
        (one((*six(), step(Name.CHAIN, FAILED))), VerificationOutcome.FAILED),
        (one(()), VerificationOutcome.UNDETERMINED),
        (one((), error=IrsaError("no network")), VerificationOutcome.UNDETERMINED),
        (one((), error=Refused("no such thing")), VerificationOutcome.FAILED),
    ],
)
def test_outcomes(verification: Verification, expected: VerificationOutcome) -> None:
    assert verification.outcome is expected
    assert bool(verification.problem) is (
        expected is not VerificationOutcome.VERIFIED and bool(verification.steps or verification.error)
    )


@given(
    st.lists(st.sampled_from(list(StepStatus)), min_size=6, max_size=6),
    st.lists(st.sampled_from(list(StepStatus))),
)
def test_verified_means_that_sts_was_asked_and_all_that_was_wished_is_right(
    statuses: list[StepStatus], permissions: list[StepStatus]
) -> None:
    found = one(tuple(step(name, status) for name, status in zip(SIX, statuses, strict=True)), *permissions)
    if found.outcome is VerificationOutcome.VERIFIED:
        assert statuses[4] is OK
        assert statuses[5] is OK
        assert set(permissions) <= {OK}
        assert FAILED not in statuses
    assert (found.outcome is VerificationOutcome.FAILED) == (FAILED in (*statuses, *permissions))


@given(st.lists(st.sampled_from([OK, OPEN]), min_size=6, max_size=6), st.lists(st.sampled_from([OK, OPEN])))
def test_what_stays_open_is_explained_by_what_decides(
    statuses: list[StepStatus], permissions: list[StepStatus]
) -> None:
    found = one(tuple(step(name, status) for name, status in zip(SIX, statuses, strict=True)), *permissions)
    if found.outcome is VerificationOutcome.UNDETERMINED:
        what = found.problem.partition(":")[0]
        by_name = dict(zip((name.value for name in SIX), statuses, strict=True))
        assert what in ("token", "exchange", "identity", *(item.what for item in found.permissions))
        assert by_name.get(what, OPEN) is OPEN
        if what.startswith("p"):
            assert {by_name["exchange"], by_name["identity"]} == {OK}


def test_sts_has_the_last_word_on_a_trust_policy() -> None:
    """What was read may be older than what STS used, or our evaluation be wrong."""
    assert agreed(one(six(trust=FAILED))).outcome is VerificationOutcome.VERIFIED
    steps = {item.name: item for item in agreed(one(six(trust=FAILED))).steps}
    assert steps[Name.TRUST].status is OPEN
    for exchange, trust in product((FAILED, OPEN), StepStatus):
        before = one(six(exchange=exchange, trust=trust))
        assert agreed(before) == before
    assert agreed(one(())) == one(())


@pytest.mark.parametrize(
    ("items", "code"),
    [
        ([], ExitCode.EMPTY),
        ([one(six())], 0),
        ([one(six()), one(six(identity=OPEN))], 1),
        ([one(six(identity=OPEN)), one(six(trust=FAILED)), one(six())], 5),
        ([one((), error=IrsaError("x"))], 1),
        ([one((), error=Refused("x"))], 5),
    ],
)
def test_the_exit_code_is_that_of_the_worst(items: list[Verification], code: int) -> None:
    assert VerificationReport(CLUSTER, tuple(items), many=True).exit_code == code
    if len(items) == 1 and items[0].error is None:
        assert VerificationReport(CLUSTER, tuple(items)).exit_code == code


def test_errors_and_signals_have_their_own_exit_codes() -> None:
    assert VerificationReport(None, error=Refused("x")).exit_code == ExitCode.REFUSED
    assert VerificationReport(None, error=ValueError("x")).exit_code == ExitCode.FAILED
    assert VerificationReport(None, error=IrsaError("x"), signal=15).exit_code == 143


MANY = VerificationReport(
    CLUSTER,
    (
        one(six()),
        one(six(trust=FAILED, exchange=FAILED, provider=OPEN), FAILED),
        one(six(token=OPEN, exchange=OPEN, identity=OPEN), OPEN),
        one((), error=Refused("the annotation can't be right", reason="<&>")),
    ),
    many=True,
)


def test_junit_counts_what_it_lists() -> None:
    root = ElementTree.fromstring(junit(MANY))
    suites = root.findall("testsuite")
    assert [suite.get("name") for suite in suites] == ["shop/cart"] * 4
    for suite in suites:
        cases = suite.findall("testcase")
        assert suite.get("tests") == str(len(cases))
        assert suite.get("failures") == str(len(suite.findall("testcase/failure")))
        assert suite.get("skipped") == str(len(suite.findall("testcase/skipped")))
        assert suite.get("errors") == str(len(suite.findall("testcase/error")))
    assert [suite.get("failures") for suite in suites] == ["0", "3", "0", "1"]
    assert [suite.get("skipped") for suite in suites] == ["0", "1", "0", "0"]
    # What keeps a verdict from being given is not skipped: a suite of that alone would look good.
    assert [suite.get("errors") for suite in suites] == ["0", "0", "4", "0"]
    failures = [failure.get("message") for failure in suites[1].iter("failure")]
    assert failures == ["trust text", "exchange text", "p0 text"]


def junit(report: VerificationReport) -> str:
    return as_junit(of_verification(report))


@pytest.mark.parametrize(
    ("cluster", "asked"),
    [
        (None, ("prod", "shop/cart")),
        (CLUSTER, ("prod", "shop/cart")),
        (CLUSTER, ("prod", "shop")),
        (None, ("prod", "")),
    ],
)
def test_a_run_that_could_not_begin_names_what_was_asked_for(
    cluster: Cluster | None, asked: tuple[str, str]
) -> None:
    report = VerificationReport(cluster, many="/" not in asked[1], error=Refused("no pod"), asked=asked)
    (suite,) = ElementTree.fromstring(junit(report)).findall("testsuite")
    assert suite.get("name") == (asked[1] or "prod")
    assert (suite.get("tests"), suite.get("errors")) == ("1", "1")


@given(
    st.lists(st.sampled_from(list(StepStatus)), min_size=6, max_size=6),
    st.lists(st.sampled_from(list(StepStatus))),
)
def test_junit_is_green_only_for_what_is_verified(
    statuses: list[StepStatus], permissions: list[StepStatus]
) -> None:
    item = one(tuple(step(name, status) for name, status in zip(SIX, statuses, strict=True)), *permissions)
    (suite,) = ElementTree.fromstring(junit(VerificationReport(CLUSTER, (item,)))).findall("testsuite")
    red = int(suite.get("failures", "")) + int(suite.get("errors", ""))
    assert (red == 0) == (item.outcome is VerificationOutcome.VERIFIED)


PROOF = "a token of shop/cart is exchanged for arn:aws:iam::1:role/cart"
LOOK = "irsa doctor cart -n shop -c prod"


def proof_of(item: Verification) -> list[str]:
    """What the forms for pipelines say of it beside its steps: JSON, JUnit."""
    report = VerificationReport(CLUSTER, (item,))
    (document,) = report.envelope().to_json()["items"]
    suite = ElementTree.fromstring(junit(report)).find("testsuite")
    assert suite is not None
    command = (document["notChecked"] or {}).get("command")
    return [
        f"{document['proved']} {command}",
        suite.findtext("system-out", ""),
    ]


def test_every_form_says_what_is_proven_and_what_looks_at_the_rest() -> None:
    for text in proof_of(one(six(), look=LOOK, notes=("and a note",))):
        assert PROOF in text
        assert LOOK in text
    assert all("and a note" in text for text in proof_of(one(six(), notes=("and a note",)))[1:])


@pytest.mark.parametrize("item", [one(six(identity=OPEN), look=LOOK), one(six(trust=FAILED), look=LOOK)])
def test_no_form_calls_proven_what_is_not(item: Verification) -> None:
    assert not any("is exchanged" in text for text in proof_of(item))


@given(st.text(st.characters(exclude_categories=()), max_size=20), st.text(max_size=20))
def test_junit_is_xml_whatever_others_have_written(text: str, name: str) -> None:
    items = (
        replace(one(six()), role_arn=text, error=Refused("can't be right", reason=text)),
        replace(
            one((VerificationStep(Name.TRUST, text, (Check(text, FAILED, text), Check("y", OPEN, text))),)),
            permissions=(Permission("call", name, FAILED, text, text),),
        ),
    )
    for report in (
        VerificationReport(CLUSTER, items, many=True),
        VerificationReport(None, error=IrsaError(text)),
    ):
        found = junit(report)
        assert found.isascii()
        ElementTree.fromstring(found)
