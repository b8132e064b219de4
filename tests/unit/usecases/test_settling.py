"""Looking, planning and acting again: what counts as the outcome of several attempts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import Present
from irsa_cli.core.results.result import ChangeResult, Ended, Result
from irsa_cli.core.values.errors import Conflict, FailedCall, IrsaError, NotVisible, Refused, ServiceError
from irsa_cli.usecases.command import retry
from irsa_cli.usecases.command.retry import ATTEMPTS, until_settled
from irsa_cli.usecases.command.settings import Settings

BETWEEN = Conflict("somebody else was quicker")
BROKEN = IrsaError("something else")
ATTACHED = ChangeResult(Change(Kind.ATTACHMENT, ("r", "p"), None, Present()), "done")
Attempt = Callable[[], Result]


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses, which nobody waits for."""
    found: list[float] = []
    monkeypatch.setattr(retry, "sleep", found.append)
    return found


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a run that has just begun."""
    return Settings(tmp_path)


def attempts(*outcomes: Any) -> Attempt:
    """Attempts that end so, one after the other: a result or an error."""
    waiting: Iterator[Any] = iter(outcomes)

    def attempt() -> Result:
        found = next(waiting)
        if isinstance(found, BaseException):
            raise found
        assert isinstance(found, Result)
        return found

    return attempt


def committed(**more: Any) -> Result:
    return Result(Ended.COMMITTED, changes=[ATTACHED], **more)


def lost_to(error: Exception = BETWEEN) -> Result:
    return Result(Ended.ROLLED_BACK, error=error)


@pytest.mark.parametrize(
    "result",
    [
        committed(),
        Result(Ended.UNCHANGED),
        Result(Ended.PLANNED),
        lost_to(BROKEN),
        Result(Ended.INCOMPLETE, error=BETWEEN),
    ],
)
def test_what_nobody_has_come_between_is_done_once(result: Result, settings: Settings, naps: Any) -> None:
    assert until_settled(attempts(result), settings) is result
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
def test_who_was_too_late_looks_again(error: Exception, settings: Settings, naps: list[float]) -> None:
    done = committed()
    assert until_settled(attempts(lost_to(error), done), settings) is done
    assert len(naps) == 1


def test_a_conflict_while_looking_is_looked_at_again(settings: Settings, naps: list[float]) -> None:
    done = Result(Ended.UNCHANGED)
    assert until_settled(attempts(BETWEEN, BETWEEN, done), settings) is done
    first, second = naps
    assert 0.2 <= first <= 0.6
    assert 0.4 <= second <= 1.2


def test_not_for_ever(settings: Settings) -> None:
    last = lost_to()
    assert until_settled(attempts(*(lost_to() for _ in range(ATTEMPTS - 1)), last), settings) is last
    with pytest.raises(Conflict):
        until_settled(attempts(*[BETWEEN] * ATTEMPTS), settings)


def test_not_when_time_is_over(tmp_path: Path) -> None:
    result = lost_to()
    assert until_settled(attempts(result), Settings(tmp_path, timeout=0.0)) is result


@pytest.mark.parametrize("error", [BROKEN, Refused("it differs")])
def test_what_fails_the_first_time_is_raised(error: IrsaError, settings: Settings) -> None:
    with pytest.raises(IrsaError) as caught:
        until_settled(attempts(error), settings)
    assert caught.value is error
