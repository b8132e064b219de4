"""Use in CloudTrail: what it can't show is never called unused."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from irsa_cli.aws import trail
from irsa_cli.aws.trail import use_in_trail
from tests.support import makers

PROVIDER = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.us-west-2.amazonaws.com/id/0123456789ABCDEF"
NOW = datetime.now(timezone.utc)


class Session:
    """A session of a region; `asked` are the questions."""

    partition = "aws"

    def __init__(self, region: str = "eu-west-1") -> None:
        self.region = region

    def moved_to(self, region: str) -> Session:
        return Session(region)


def trust(subject: str = "apps/app") -> dict[str, Any]:
    return dict(makers.irsa(PROVIDER, subject, ""))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []

    def never(aws: Any, subject: str, provider: str, since: datetime) -> None:
        found.append(f"{aws.region} {subject}")

    monkeypatch.setattr(trail, "exchanged_since", never)
    return found


def test_the_region_of_the_issuer_and_the_global_endpoint_are_asked(asked: list[str]) -> None:
    session: Any = Session()
    assert use_in_trail(session, trust(), PROVIDER, datetime.now(timezone.utc) - timedelta(days=90)) == ""
    subject = "system:serviceaccount:apps:app"
    assert asked == [f"us-west-2 {subject}", f"us-east-1 {subject}"]


@pytest.mark.parametrize(
    ("subject", "days", "words"),
    [("apps/*", 30, "a pattern of subjects"), ("apps/app", 91, "CloudTrail keeps 90 days")],
)
def test_what_it_cannot_show_is_no_proof(asked: list[str], subject: str, days: int, words: str) -> None:
    session: Any = Session()
    assert words in use_in_trail(session, trust(subject), PROVIDER, NOW - timedelta(days=days))
    assert asked == []
