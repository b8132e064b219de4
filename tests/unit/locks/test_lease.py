"""What a Lease says: who holds it, until when by the server's clock, and in which words that is told."""

from datetime import datetime, timedelta, timezone

import pytest

from irsa_cli.core.marks.locks import Holder, LeaseState, Lock, LockScope, Timing, Writer, renewed
from irsa_cli.core.results.locks import SeenLock

LOCK = Lock(LockScope.BINDING, "backend/app")
NOW = datetime(2026, 6, 1, 12, 0, 0, tzinfo=timezone.utc)
TIMING = Timing()


def writer(run: str = "r1", user: str = "alice", host: str = "laptop") -> Writer:
    return Writer(Holder(run, user, host), TIMING, "demo-0", "irsa create-sa")


def lease(written: datetime | None = NOW, **spec: object) -> dict[str, object]:
    body = writer().body(LOCK, NOW)
    managed = [{"time": written.strftime("%Y-%m-%dT%H:%M:%SZ")}] if written else []
    metadata = {**body["metadata"], "uid": "u", "resourceVersion": "7", "managedFields": managed}
    return {**body, "metadata": metadata, "spec": {**body["spec"], **spec}}


def test_the_longer_times_follow_from_the_duration() -> None:
    assert (TIMING.renew, TIMING.stop, TIMING.back, TIMING.margin) == (10, 20, 35, 5)
    assert all(0 < t.renew < t.stop < t.back < t.lease < t.lease + t.margin for t in (Timing(2), Timing(600)))


@pytest.mark.parametrize(
    ("seconds", "over"), [(0, False), (45, False), (50, False), (51, True), (-100, False), (None, False)]
)
def test_it_is_over_by_the_servers_clock_only(seconds: float | None, over: bool) -> None:
    now = None if seconds is None else NOW + timedelta(seconds=seconds)
    assert LeaseState.read(lease()).is_over(now, TIMING.margin) is over


@pytest.mark.parametrize(
    ("written", "now"), [(None, NOW + timedelta(days=1)), (NOW + timedelta(days=30000), NOW)]
)
def test_what_is_not_known_or_was_written_in_the_future_is_not_over(
    written: datetime | None, now: datetime
) -> None:
    state = LeaseState.read(lease(written))
    assert not state.is_over(now, TIMING.margin)
    assert SeenLock(state, NOW).ended is None


def test_what_nobody_holds_is_over() -> None:
    assert LeaseState.read(lease(holderIdentity="")).is_over(None, TIMING.margin)


def test_who_takes_it_over_keeps_its_identity_and_counts() -> None:
    before = lease(leaseTransitions=3)
    mine = writer("r2").body(LOCK, NOW, before)
    assert (mine["metadata"]["uid"], mine["metadata"]["resourceVersion"]) == ("u", "7")
    assert mine["spec"]["leaseTransitions"] == 4
    assert mine["spec"]["holderIdentity"] == "r2_alice@laptop"
    again = renewed(before, NOW + timedelta(seconds=10))
    assert again["spec"]["renewTime"] == "2026-06-01T12:00:10.000000Z"
    assert again["spec"]["acquireTime"] == "2026-06-01T12:00:00.000000Z"


def test_the_holders_words_do_nothing() -> None:
    assert Holder("r1", "DOMAIN\\al ice;", "höst\n").identity == "r1_DOMAIN-al-ice@h-st"
    hostile = lease(holderIdentity="x\x1b[2J::error::")
    told = LeaseState.read(hostile).holding
    assert "\x1b" not in told
    assert "until 2026-06-01 12:00:45 UTC" in told


@pytest.mark.parametrize("duration", [2**31 - 1, 3601, 0, -5, None, "900", 1e99, {}, []])
def test_a_duration_that_no_run_has_keeps_nobody_out(duration: object) -> None:
    state = LeaseState.read(lease(leaseDurationSeconds=duration))
    seen = SeenLock(state, NOW + timedelta(seconds=51))
    assert (seen.ended, seen.timing) == (True, TIMING)
    assert not SeenLock(state, NOW + timedelta(seconds=50)).ended


@pytest.mark.parametrize("duration", [2, 60, 3600])
def test_a_duration_that_a_run_may_have_is_as_it_says(duration: int) -> None:
    state = LeaseState.read(lease(leaseDurationSeconds=duration))
    assert not state.is_over(NOW + timedelta(seconds=duration), TIMING.margin)
    assert state.is_over(NOW + timedelta(seconds=duration + 6), TIMING.margin)


@pytest.mark.parametrize("count", [2**31 - 1, -1, "7", None, 2**70])
def test_it_can_be_taken_over_however_often_it_was(count: object) -> None:
    mine = writer("r2").body(LOCK, NOW, lease(leaseTransitions=count))
    assert mine["spec"]["leaseTransitions"] == 1
