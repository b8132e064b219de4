"""Looking, planning and acting again: what counts as the outcome of several attempts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import pytest

from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import Present
from irsa_cli.core.results.result import ChangeResult, Ended, Result
from irsa_cli.core.values.errors import Conflict, FailedCall, IrsaError, NotVisible, Refused, ServiceError
from irsa_cli.usecases.command import retry
from irsa_cli.usecases.command.execute import SAME_AGAIN
from irsa_cli.usecases.command.retry import ATTEMPTS, until_settled
from irsa_cli.usecases.command.settings import Settings

BETWEEN = Conflict("somebody else was quicker")
BROKEN = IrsaError("something else")
ATTACHED = ChangeResult(Change(Kind.ATTACHMENT, ("r", "p"), None, Present()), "done")


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses, which nobody waits for."""
    found: list[float] = []
    monkeypatch.setattr(retry, "sleep", found.append)
    return found


def settled(
    *outcomes: Result | Exception, timeout: float = 60.0, continues: bool = False, others: Sequence[str] = ()
) -> Result:
    """What attempts end with that end so, one after the other; `others`: why each had lost its lock."""
    waiting = mock.Mock(side_effect=outcomes)
    hold = mock.Mock(settle=mock.Mock(side_effect=others)) if others else None
    settings = Settings(Path(), timeout=timeout, hold=hold)
    if hold is not None:
        hold.waited, hold.complete.return_value = 0.0, False
    found = until_settled(waiting, settings, continues=continues)
    assert waiting.call_count == len(outcomes)
    attempts = [call.args[0] for call in waiting.call_args_list]
    assert [attempt.number for attempt in attempts] == [*range(1, len(outcomes) + 1)]
    assert [attempt.why is None for attempt in attempts] == [True, *[False] * (len(outcomes) - 1)]
    return found


COMMITTED, UNCHANGED = Result(Ended.COMMITTED, changes=[ATTACHED]), Result(Ended.UNCHANGED)
LEFT = Result(Ended.INCOMPLETE, error=BETWEEN)


def lost_to(error: Exception = BETWEEN) -> Result:
    return Result(Ended.ROLLED_BACK, error=error)


@pytest.mark.parametrize(
    "result",
    [
        COMMITTED,
        UNCHANGED,
        Result(Ended.PLANNED),
        lost_to(BROKEN),
        LEFT,
    ],
)
def test_what_nobody_has_come_between_is_done_once(result: Result, naps: list[float]) -> None:
    assert settled(result) is result
    assert naps == []


@pytest.mark.parametrize(
    "error",
    [
        BETWEEN,
        NotVisible("it does not show"),
        ServiceError("call", FailedCall("iam", "X", "NoSuchEntity")),
        ServiceError("call", FailedCall("kubernetes", "X", "NotFound")),
    ],
)
def test_who_was_too_late_looks_again(error: Exception, naps: list[float]) -> None:
    assert settled(lost_to(error), COMMITTED) is COMMITTED
    assert len(naps) == 1


def test_a_conflict_while_looking_is_looked_at_again(naps: list[float]) -> None:
    assert settled(BETWEEN, BETWEEN, UNCHANGED) is UNCHANGED
    first, second = naps
    assert 0.2 <= first <= 0.6
    assert 0.4 <= second <= 1.2


def test_not_for_ever() -> None:
    results = [lost_to() for _ in range(ATTEMPTS)]
    assert settled(*results) is results[-1]
    with pytest.raises(Conflict):
        settled(*[BETWEEN] * ATTEMPTS)


def test_not_when_time_is_over() -> None:
    result = lost_to()
    assert settled(result, timeout=0.0) is result


@pytest.mark.parametrize("error", [BROKEN, Refused("it differs")])
def test_what_fails_the_first_time_is_raised(error: IrsaError) -> None:
    with pytest.raises(IrsaError) as caught:
        settled(error)
    assert caught.value is error


REFUSED = Refused("it is in use")
ROLLED_BACK = lost_to(BROKEN)


@pytest.mark.parametrize(
    ("last", "reported"),
    [(COMMITTED, COMMITTED), (UNCHANGED, UNCHANGED), (ROLLED_BACK, LEFT), (REFUSED, LEFT), (LEFT, LEFT)],
)
def test_the_next_attempt_of_a_deletion_ends_what_one_has_left(
    last: Result | Exception, reported: Result
) -> None:
    """What is left is reported unless it is deleted by now."""
    assert settled(LEFT, last, continues=True) is reported


@pytest.mark.parametrize("continues", [False, True])
@pytest.mark.parametrize("last", [ROLLED_BACK, REFUSED])
def test_what_another_run_may_have_changed_is_not_reported_as_committed(
    last: Result | Exception, continues: bool
) -> None:
    result = settled(COMMITTED, last, continues=continues, others=["lost", ""])
    assert result.ended is Ended.INCOMPLETE
    assert result.error is (last.error if isinstance(last, Result) else last)
    assert [entry.repair for entry in result.left] == [SAME_AGAIN]


def test_a_second_look_that_finds_no_difference_confirms_what_was_committed() -> None:
    assert settled(COMMITTED, UNCHANGED, others=["lost", ""]) is COMMITTED


def test_who_loses_the_lock_in_each_attempt_can_not_tell_what_is_there() -> None:
    result = settled(*[COMMITTED] * ATTEMPTS, others=["lost"] * ATTEMPTS)
    assert result.ended is Ended.INCOMPLETE
    assert "another run worked on this at the same time" in str(result.error)
