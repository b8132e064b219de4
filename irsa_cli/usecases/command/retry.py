"""Read, plan and act again: with the locks that a plan needs, or after another run's write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import uniform
from time import monotonic, sleep
from typing import TypeVar

from irsa_cli.aws.recent_writes import may_be_late
from irsa_cli.core.results.result import Ended, Left, Result
from irsa_cli.core.values import limits, patience
from irsa_cli.core.values.errors import (
    Conflict,
    IrsaError,
    NotConfirmed,
    NotSeenYet,
    NotVisible,
    Refused,
    ServiceError,
)
from irsa_cli.core.values.patience import current
from irsa_cli.usecases.command.settings import HeldLocks, Settings, late_signal

T = TypeVar("T")

ATTEMPTS = 3
"""How often a run looks and plans at most, when others work on the same objects at the same time."""
NOT_FOUND = 404
ROUNDS = 5
"""How often a plan may need other locks than the one before."""


class LookAgain(Exception):
    """More is held now than when it was looked at: what was seen may not hold any more."""


def with_its_locks(attempt: Callable[[], T], hold: HeldLocks | None, since: float | None = None) -> T:
    """Run the work again if its plan needs more locks, or if another run or an old read may mislead it.

    `since`: when the command of many runs began (`monotonic`); none of them waits longer for what it misses.
    """
    rounds, wait = 0, limits.PROPAGATION_SECONDS / 60
    started = monotonic()
    while rounds < ROUNDS:
        try:
            return attempt()
        except LookAgain:
            rounds += 1
        except NotConfirmed:
            raise  # With a lock it would be asked again, and kept while somebody thinks.
        except (Refused, ServiceError) as error:
            if isinstance(error, ServiceError) and error.status != NOT_FOUND:
                raise
            if hold is not None and hold.complete():
                rounds += 1
                continue
            young, missing = may_be_late(), isinstance(error, NotSeenYet)
            began = since if missing and since is not None else started
            waited, most = monotonic() - began, limits.settled_seconds(young=young)
            if waited < most and (young or missing or isinstance(error, ServiceError)):
                patience.waiting(
                    "IAM to return its latest state: it may have been changed just now", waited, most
                )
                current().pause(wait)
                wait = min(wait * 2, 2.0)
            else:
                raise
    raise Conflict("the current state keeps changing while irsa reads it")


def came_between(error: Exception | None) -> bool:
    """Whether a run failed because of what another one did at the same time: to look again may help."""
    if isinstance(error, ServiceError):
        return error.code in ("NoSuchEntity", "NotFound") and not error.is_of_policy
    return isinstance(error, Conflict | NotVisible)


@dataclass
class Attempts:
    """The attempts of one run, for a `for` loop."""

    _settings: Settings
    _most: int = ATTEMPTS
    number: int = 0

    def __iter__(self) -> Iterator[int]:
        for number in range(1, self._most + 1):
            self.number = number
            yield number

    @property
    def is_last(self) -> bool:
        """Whether what this attempt finds stands: it is the last one, time is up, or the user said stop."""
        spent = self._settings.spent >= self._settings.timeout
        return self.number == self._most or spent or bool(late_signal())

    def look_again(self, error: Exception | None) -> None:
        """Say so, and wait a moment that differs between two runs that have met."""
        self._settings.note(f"Looking again: {error}")
        sleep(uniform(0.2, 0.6) * self.number)  # noqa: S311 - two runs that meet are to part, no secret


def until_settled(attempt: Callable[[], Result], settings: Settings, since: float | None = None) -> Result:
    """Attempt again if somebody else's write interfered and nothing of this attempt is left; see above.

    Also if another run turns out, at the release of the locks, to have had one of them meanwhile: what this
    run has committed may not be what is there.
    """
    attempts, committed = Attempts(settings), list[Result]()
    for number in attempts:
        try:
            result = with_its_locks(attempt, settings.hold, since)
            overtaken = overtaken_by(result, settings)
        except IrsaError as error:
            if committed:
                return _disputed(committed[-1], error)
            if not isinstance(error, Conflict) or number == ATTEMPTS:
                raise
            attempts.look_again(error)
            continue
        committed += [result] if result.ended is Ended.COMMITTED else []
        met = result.ended is Ended.ROLLED_BACK and came_between(result.error)
        if (overtaken is None and not met) or attempts.is_last:
            break
        attempts.look_again(overtaken or result.error)
    return _outcome(committed, result, overtaken)


def _outcome(committed: list[Result], last: Result, overtaken: Conflict | None) -> Result:
    """The result of all attempts; `overtaken`: as the last one says."""
    if overtaken is not None:
        return _disputed(last, overtaken)
    if not committed or last.ended not in (Ended.UNCHANGED, Ended.ROLLED_BACK):
        return last
    # Either the second look has found all as the first attempt left it, or it could not restore that.
    error = last.error if isinstance(last.error, IrsaError) else None
    return committed[-1] if error is None else _disputed(committed[-1], error)


def overtaken_by(result: Result, settings: Settings) -> Conflict | None:
    """That another run had a lock while this one was at work; the release of the locks is the last look."""
    if settings.hold is None or result.ended not in (Ended.COMMITTED, Ended.UNCHANGED):
        return None
    try:
        why = settings.hold.settle()
    except IrsaError as error:
        why = str(error)
    return Conflict("another run worked on this at the same time", reason=why) if why else None


def _disputed(result: Result, error: IrsaError) -> Result:
    """A result that may not be what is there: another run came between, and a second look has failed."""
    from irsa_cli.usecases.command.execute import SAME_AGAIN

    left = [
        Left(f"{item.change.kind.value} {item.change.name}", str(error), SAME_AGAIN)
        for item in result.changes
    ]
    return replace(result, ended=Ended.INCOMPLETE, error=error, left=left)
