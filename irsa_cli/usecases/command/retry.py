"""Attempt a run again: with more locks, after a late read, or if another run came between.

`until_settled` repeats whole attempts, which write. Within an attempt, `with_its_locks` repeats what has
written nothing yet.
"""

from __future__ import annotations

from collections.abc import Callable
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
from irsa_cli.usecases.command.execute import GOOD, SAME_AGAIN
from irsa_cli.usecases.command.settings import HeldLocks, Settings, late_signal

T = TypeVar("T")

ATTEMPTS = 3
"""How often a run attempts at most, if others work on the same objects at the same time."""
ROUNDS = 5
"""How often a plan may need other locks than the one before."""
NOT_FOUND = 404


class LookAgain(Exception):
    """More is held now than during the read: what was seen may not hold any more."""


@dataclass(frozen=True)
class Attempt:
    """An attempt of a run, for a draft that depends on the attempts before.

    `why` is the reason to read again; None for the first read. `before` is the result of an earlier attempt
    that has left something: what it committed, or could not roll back.
    """

    number: int = 1
    why: Exception | None = None
    before: Result | None = None

    def next(self, why: Exception | None, result: Result | None = None) -> Attempt:
        """The attempt after this one, which had this result, if any."""
        has_left = result is not None and result.ended in (Ended.COMMITTED, Ended.INCOMPLETE)
        return Attempt(self.number + 1, why, result if has_left else self.before)


FIRST = Attempt()


def until_settled(
    work: Callable[[Attempt], Result],
    settings: Settings,
    since: float | None = None,
    *,
    most: int = ATTEMPTS,
    continues: bool = False,
) -> Result:
    """Attempt again if another run interfered and nothing of this attempt is left.

    Also if another run turns out, at the release of the locks, to have had one of them meanwhile: what this
    run has committed may not be what is there. `continues`: an attempt ends what the one before has left.
    """
    attempt = FIRST
    while True:
        try:
            result = with_its_locks(work, settings.hold, since, attempt)
            why = _interference(result, attempt, settings, continues=continues)
            if why is None or _is_last(attempt, settings, most):
                return _reported(result, attempt.before, why)
            attempt = attempt.next(why, result)
        except IrsaError as error:
            if attempt.before is not None:
                return _disputed(attempt.before, error)
            if not isinstance(error, Conflict) or _is_last(attempt, settings, most):
                raise
            attempt = attempt.next(error)
        settings.note(f"Looking again: {attempt.why}")
        # Two runs that have met are to part.
        sleep(uniform(0.2, 0.6) * (attempt.number - 1))  # noqa: S311 - no secret


def with_its_locks(
    work: Callable[[Attempt], T],
    hold: HeldLocks | None,
    since: float | None = None,
    attempt: Attempt = FIRST,
) -> T:
    """Run the work again if its plan needs more locks, or if another run or an old read may mislead it.

    `since`: when the command of many runs began (`monotonic`); none of them waits longer for what it misses.
    """
    rounds = 0
    pause = limits.PROPAGATION_SECONDS / 60
    started = monotonic()
    while rounds < ROUNDS:
        try:
            return work(attempt)
        except (LookAgain, Refused, ServiceError) as error:
            attempt = replace(attempt, why=error)
            if _lacked_locks(error, hold):
                rounds += 1
                continue
            began = since if since is not None and isinstance(error, NotSeenYet) else started
            _wait_for_iam(error, monotonic() - began, pause)
            pause = min(pause * 2, 2.0)
    raise Conflict("the current state keeps changing while irsa reads it")


def _lacked_locks(error: Exception, hold: HeldLocks | None) -> bool:
    """Whether it was read without locks that are held now; raises the error if no other read may help."""
    if isinstance(error, LookAgain):
        return True
    if isinstance(error, NotConfirmed):
        raise error  # With a lock it would be asked again, and kept while somebody thinks.
    if isinstance(error, ServiceError) and error.status != NOT_FOUND:
        raise error
    return hold is not None and hold.complete()


def _wait_for_iam(error: Exception, waited: float, pause: float) -> None:
    """Pause before IAM is read again; raises the error if it rests on no old read, or has come for long."""
    young = may_be_late(error.rests_on if isinstance(error, Refused) else None)
    most = limits.settled_seconds(young=young)
    is_late = young or isinstance(error, NotSeenYet | ServiceError)
    if waited >= most or not is_late:
        raise error
    patience.waiting("IAM to return its latest state: it may have been changed just now", waited, most)
    current().pause(pause)


def _is_last(attempt: Attempt, settings: Settings, most: int) -> bool:
    """Whether the attempt's result stands: there is no other one, time is up, or the user said stop."""
    return attempt.number >= most or settings.spent >= settings.timeout or bool(late_signal())


def _interference(
    result: Result, attempt: Attempt, settings: Settings, *, continues: bool
) -> Exception | None:
    """The interference of another run, if another attempt may help; None without one."""
    overtaken = _overtaken(result, settings)
    if overtaken is not None:
        return overtaken
    if attempt.before is not None and attempt.before.ended is Ended.INCOMPLETE:
        return None  # Its leftovers have not been reported yet.
    may_repeat = result.ended is Ended.ROLLED_BACK or (continues and result.ended is Ended.INCOMPLETE)
    return result.error if may_repeat and _is_of_others(result.error) else None


def _overtaken(result: Result, settings: Settings) -> Conflict | None:
    """That another run had a lock while this one was at work; the release of the locks is the last look."""
    if settings.hold is None or result.ended not in GOOD:
        return None
    try:
        why = settings.hold.settle()
    except IrsaError as error:
        why = str(error)
    return Conflict("another run worked on this at the same time", reason=why) if why else None


def _is_of_others(error: Exception | None) -> bool:
    """Whether a run failed because of what another one did at the same time: to look again may help."""
    if isinstance(error, ServiceError):
        return error.code in ("NoSuchEntity", "NotFound") and not error.is_of_policy
    return isinstance(error, Conflict | NotVisible)


def _reported(result: Result, before: Result | None, overtaken: Exception | None) -> Result:
    """Which of the last result and one before is reported; `overtaken`: why the last one may not stand."""
    if overtaken is not None and result.ended in GOOD:
        return _disputed(result, overtaken)
    if before is None:
        return result
    if before.ended is Ended.INCOMPLETE:
        return result if result.ended in GOOD else before
    if result.ended is Ended.UNCHANGED:
        return before  # The second look has found all as the first attempt left it.
    return _disputed(before, result.error) if result.ended is Ended.ROLLED_BACK else result


def _disputed(result: Result, error: Exception | None) -> Result:
    """A result that may not be what is there: another run came between, and a second look has failed."""
    if result.ended is Ended.INCOMPLETE:
        return result  # It says what is left.
    left = [
        Left(f"{item.change.kind.value} {item.change.name}", str(error), SAME_AGAIN)
        for item in result.changes
    ]
    return replace(result, ended=Ended.INCOMPLETE, error=error, left=left)
