"""For how long a role is said not to be used: never for longer than it exists, or than IAM remembers."""

from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from irsa_cli.core.objects.role import TRACKED, Role
from irsa_cli.core.plan.states import RoleState

NOW = datetime(2026, 12, 1, 12, tzinfo=timezone.utc)
STATE = RoleState("/", {})
ARN = "arn:aws:iam::111122223333:role/app"


@given(st.timedeltas(timedelta(0), timedelta(days=3000)))
def test_it_is_not_longer_than_its_age(age: timedelta) -> None:
    words = Role(ARN, STATE, created=NOW - age).unused(NOW)
    if age < TRACKED:
        assert words == f"since it was created on {NOW - age:%Y-%m-%d}"
    else:
        assert words == "in 400 days"


def test_of_an_unknown_age_no_time_is_said() -> None:
    assert Role(ARN, STATE).unused(NOW) == Role(ARN, STATE, created=NOW).unused(None) == "as far as IAM knows"
