"""Looking, planning and acting again until nobody else's run has come between: the same for several commands.

What one attempt does is its command's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from random import uniform
from time import sleep

from irsa_cli.core.results.result import Ended, Left, Result
from irsa_cli.core.values.errors import Conflict, IrsaError, Refused
from irsa_cli.transaction.recover import supersede
from irsa_cli.usecases.command.leftovers import came_between, left_to_another
from irsa_cli.usecases.command.look_again import with_its_locks
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.command.signals import told_to_stop

ATTEMPTS = 3
"""How often a run looks and plans at most, when others work on the same objects at the same time."""


class Attempts:
    """The attempts of one run, for a `for` loop that ends itself where nothing is to be attempted again."""

    def __init__(self, settings: Settings, most: int = ATTEMPTS) -> None:
        self._settings = settings
        self._most = most
        self.number = 0

    def __iter__(self) -> Iterator[int]:
        for number in range(1, self._most + 1):
            self.number = number
            yield number

    @property
    def is_last(self) -> bool:
        """Whether what this attempt finds stands: it is the last one, time is up, or the user said stop."""
        spent = self._settings.spent >= self._settings.timeout
        return self.number == self._most or spent or bool(told_to_stop())

    def look_again(self, error: Exception | None) -> None:
        """Say so, and wait a moment that differs between two runs that have met."""
        self._settings.note(f"Another run came between ({error}): looking again.")
        sleep(uniform(0.2, 0.6) * self.number)  # noqa: S311 - two runs that meet are to part, no secret


def until_settled(attempt: Callable[[], tuple[Result, bool]], settings: Settings) -> Result:
    """Attempt again when another run came between, or may have taken away what this one found or made.

    An attempt looks, plans and acts; it returns its result, and whether that has to be looked at again.
    """
    done: Result | None = None
    left: Result | None = None
    attempts = Attempts(settings)
    for number in attempts:
        try:
            result, unsure = with_its_locks(attempt, settings.hold)
        except KeyboardInterrupt:
            if done is None:
                raise
            done.notes.append("stopped while looking whether another run came between; all was done before")
            return done
        except IrsaError as error:
            if done is None and left is None and isinstance(error, Conflict) and number < ATTEMPTS:
                attempts.look_again(error)
                continue
            return _instead(error, done, left)
        last = attempts.is_last
        if result.ended is Ended.COMMITTED and unsure and not last:
            done = result
        elif result.ended is Ended.ROLLED_BACK and came_between(result.error) and not last:
            attempts.look_again(result.error)
        elif done is None and left is None and left_to_another(result) and not last:
            left = result
            attempts.look_again(result.error)
        else:
            break
    return _outcome(result, done, left, settings)


def _instead(error: IrsaError, done: Result | None, left: Result | None) -> Result:
    """What stands when nothing could be attempted again; raises the error where nothing does."""
    if done is None:
        if left is not None:
            return left
        raise error
    if isinstance(error, Refused):
        return _doubtful(done, error)
    done.notes.append(f"what another run had made could not be looked at again: {error}")
    return done


def _outcome(result: Result, done: Result | None, left: Result | None, settings: Settings) -> Result:
    """What the last attempt means after those before it."""
    if left is not None and done is None and result.ended not in (Ended.COMMITTED, Ended.UNCHANGED):
        return _still_left(left, result)
    if left is not None:
        supersede([settings.state_dir / f"{left.transaction}.jsonl"])
    if done is None or result.ended is Ended.COMMITTED:
        return result
    if result.ended is Ended.UNCHANGED:
        return done
    return _doubtful(done, result.error)


def _still_left(left: Result, result: Result) -> Result:
    """What was left to another run has to be told of while this one's desired state is not reached."""
    told = {item.what for item in left.left}
    return replace(left, left=[*left.left, *(item for item in result.left if item.what not in told)])


def _doubtful(done: Result, error: Exception | None) -> Result:
    """What was done stands, and something is missing again that another run has rolled back meanwhile."""
    why = f"another run has rolled back what this one had found: {error}"
    repair = "run the same command again"
    made = [change for change in done.changes if change.state in ("done", "unchanged")]
    left = [Left(f"{item.change.kind.value} {item.change.name}", why, repair) for item in made]
    return replace(done, ended=Ended.INCOMPLETE, left=left, error=error)
