"""Exchanges at STS that are irsa's own, told from those of applications."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.objects.trail import is_own, session_name

SDK = "Boto3/1.35.0 md/Botocore#1.35.0 ua/2.0 os/linux#6.8 lang/python#3.11.7 cfg/retry-mode#standard"


@given(st.text(max_size=80), st.integers(1_600_000_000, 4_000_000_000))
def test_every_session_that_irsa_names_is_its_own(user: str, moment: int) -> None:
    assert is_own(session_name(user, moment), "")


@pytest.mark.parametrize(
    ("session", "agent", "own"),
    [
        ("irsa-verify", "", True),
        ("pod", f"{SDK} irsa/0.1.0", True),
        ("pod", "irsa/0.1.0", True),
        ("pod", f"[{SDK} irsa/0.1.0]", True),
        ("pod", SDK, False),
        ("pod", f"{SDK} my-irsa/1.0", False),
        ("pod", f"{SDK} irsa/x", False),
        ("botocore-session-1700000000", SDK, False),
        ("aws-sdk-java-1700000000000", "", False),
        ("irsa", "", False),
        ("irsa-verify-2", "", False),
        ("irsa-web-7", "", False),
        ("my-irsa-1700000000", "", False),
        ("", "", False),
    ],
)
def test_own_calls_and_others(session: str, agent: str, own: bool) -> None:
    assert is_own(session, agent) is own
