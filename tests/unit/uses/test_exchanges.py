"""Whether somebody uses IRSA, from exchanges, pods and the time."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.trail import DELAY, TrailEvent
from irsa_cli.core.uses.exchanges import OldWayEnd, Use, check_unused, exchanges_for, use_since
from irsa_cli.core.values.errors import Refused

NOW = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)
ROLE = "arn:aws:iam::111122223333:role/app"


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def pod(minutes: float, owner: str = "ReplicaSet/x") -> Pod:
    return Pod("x", "x-0", created=ago(minutes), owner=owner)


@pytest.mark.parametrize(
    ("pods", "unused_for", "minutes"),
    [
        ((), None, 120),
        ((), 1800, 30),
        ((pod(200), pod(20)), None, 20),
        ((pod(200),), None, 200),
        ((pod(200),), 1800, 30),  # What the user requests, if it asks less.
        ((pod(20),), 1800, 20),
        ((pod(200), pod(1, "Job/x")), None, 200),
        ((pod(1, "Job/x"),), None, 120),
        ((Pod("x", "x-0"),), None, 120),
    ],
)
def test_the_moment_since_which_nobody_should_use_it(
    pods: tuple[Pod, ...], unused_for: float | None, minutes: float
) -> None:
    assert OldWayEnd.of(pods, NOW, unused_for).moment == ago(minutes)


def test_exchanges_of_others_for_the_role() -> None:
    events = [
        TrailEvent(ago(1), ROLE),
        TrailEvent(ago(2), ""),  # Not known for which role.
        TrailEvent(ago(3), f"{ROLE}2"),
        TrailEvent(ago(4), ROLE, error="AccessDenied"),
        TrailEvent(ago(5), ROLE, own=True),
    ]
    assert exchanges_for(ROLE, events) == [ago(1), ago(2)]


@given(st.floats(0, 300), st.lists(st.floats(0, 300), max_size=3))
def test_used_unused_or_not_known_yet(since: float, exchanges: list[float]) -> None:
    found = use_since(ago(since), map(ago, exchanges), NOW)
    last = min(exchanges, default=None)
    assert found.last == (None if last is None else ago(last))
    if last is not None and ago(last) > ago(since):
        assert found.is_used
    elif NOW - ago(since) < DELAY:
        assert found.is_used is None
        assert found.known_from == ago(since) + DELAY
    else:
        assert found.is_used is False


def test_what_is_told() -> None:
    def told(use: Use, end: OldWayEnd) -> Refused:
        with pytest.raises(Refused) as caught:
            check_unused("x/app", use, end, "CloudTrail in eu-west-1", "irsa migrate --finish")
        assert caught.value.next_steps[-1] == (
            "to remove IRSA without this check: irsa migrate --finish --unused-for 0s"
        )
        return caught.value

    used = told(Use(True, ago(5)), OldWayEnd(ago(30)))
    assert used.reason == (
        "CloudTrail in eu-west-1 shows an exchange of its token at 2030-01-01 11:55:00 UTC,"
        " and no pod has used IRSA since 2030-01-01 11:30:00 UTC"
    )
    waiting = told(Use(True, ago(5)), OldWayEnd(ago(120), timedelta(hours=2)))
    assert waiting.next_steps[0].endswith("run this again after 2030-01-01 13:55:00 UTC")
    early = told(Use(None, None, ago(-10)), OldWayEnd(ago(5)))
    assert early.next_steps[0] == "run this again after 2030-01-01 12:10:00 UTC"
    check_unused("x/app", Use(False), OldWayEnd(ago(30)), "", "")
