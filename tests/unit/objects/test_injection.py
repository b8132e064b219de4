"""What the pod identity webhook makes of annotations, case by case, and the environment it gives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.objects.environment import injected
from irsa_cli.core.objects.kinds import DEFAULT_SECONDS, MINIMUM_SECONDS, Injection
from irsa_cli.core.plan.states import ROLE_MARK

PREFIX = "eks.amazonaws.com"
ROLE = "arn:aws:iam::111122223333:role/irsa/demo/reader"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3600", 3600),
        ("+3600", 3600),
        ("599", MINIMUM_SECONDS),
        ("-1", MINIMUM_SECONDS),
        ("0", MINIMUM_SECONDS),
        ("172800", 172800),
        ("", DEFAULT_SECONDS),
        ("1h", DEFAULT_SECONDS),
        ("3600 ", DEFAULT_SECONDS),
        ("3_600", DEFAULT_SECONDS),
        ("3600.0", DEFAULT_SECONDS),
        ("٣٦٠٠", DEFAULT_SECONDS),
        ("9223372036854775808", DEFAULT_SECONDS),
    ],
)
def test_the_lifetime_is_read_as_the_webhook_reads_it(text: str, seconds: int) -> None:
    assert Injection.read({f"{PREFIX}/token-expiration": text}).token_seconds == seconds


@pytest.mark.parametrize(
    ("text", "regional"),
    [
        ("true", True),
        ("1", True),
        ("false", False),
        ("F", False),
        ("0", False),
        ("no", True),
        ("fAlse", True),
    ],
)
def test_regional_endpoints_are_what_eks_uses_unless_told_otherwise(text: str, regional: bool) -> None:
    found = Injection.read({f"{PREFIX}/sts-regional-endpoints": text})
    variable = injected(found, "eu-west-1", "/token").get("AWS_STS_REGIONAL_ENDPOINTS")
    assert variable == ("regional" if regional else None)


def test_nothing_is_asked_for_without_annotations() -> None:
    found = Injection.read({"somebody.else/role-arn": ROLE})
    assert found == Injection("", "sts.amazonaws.com", 86400, True)


def test_the_annotation_is_irsas_if_its_mark_has_the_same_role() -> None:
    for mark, by_irsa in (({}, False), ({ROLE_MARK: f"{ROLE}2"}, False), ({ROLE_MARK: ROLE}, True)):
        assert Injection.read({f"{PREFIX}/role-arn": ROLE, **mark}).by_irsa is by_irsa


@given(st.text(min_size=1), st.text(), st.sampled_from(["eu-west-1", "cn-north-1"]))
def test_role_audience_and_region_are_passed_on_as_they_are(role: str, audience: str, region: str) -> None:
    found = Injection.read({f"{PREFIX}/role-arn": role, f"{PREFIX}/audience": audience})
    assert found.audience == audience
    assert injected(found, region, "/t") == {
        "AWS_ROLE_ARN": role,
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/t",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_STS_REGIONAL_ENDPOINTS": "regional",
    }
