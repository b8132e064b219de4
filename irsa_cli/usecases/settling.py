"""Looking, planning and acting again until nobody else's run has come between: the same for several commands.

What one attempt does is its command's business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import uniform
from time import sleep

from irsa_cli.core.errors import IrsaError, Refused
from irsa_cli.core.result import Ended, Left, Result
from irsa_cli.usecases.running import Settings, came_between

ATTEMPTS = 3
"""How often a run looks and plans at most, when others work on the same objects at the same time."""


def until_settled(attempt: Callable[[], tuple[Result, bool]], settings: Settings) -> Result:
    """Attempt again when another run came between, or may have taken away what this one found or made.

    An attempt looks, plans and acts; it returns its result, and whether that has to be looked at again.
    """
    done: Result | None = None
    for number in range(1, ATTEMPTS + 1):
        try:
            result, unsure = attempt()
        except KeyboardInterrupt:
            if done is None:
                raise
            done.notes.append("stopped while looking whether another run came between; all was done before")
            return done
        except IrsaError as error:
            if done is None:
                raise
            if isinstance(error, Refused):
                return _doubtful(done, error)
            done.notes.append(f"what another run had made could not be looked at again: {error}")
            return done
        last = number == ATTEMPTS or settings.seconds >= settings.timeout
        if result.ended is Ended.COMMITTED and unsure and not last:
            done = result
        elif result.ended is Ended.ROLLED_BACK and came_between(result.error) and not last:
            settings.note(f"Another run came between ({result.error}): looking again.")
            sleep(uniform(0.2, 0.6) * number)  # noqa: S311 - two runs that meet are to part, no secret
        else:
            break
    if done is None or result.ended is Ended.COMMITTED:
        return result
    if result.ended is Ended.UNCHANGED:
        return done
    return _doubtful(done, result.error)


def _doubtful(done: Result, error: Exception | None) -> Result:
    """What was done stands, and something is missing again that another run has taken back meanwhile."""
    why = f"another run has taken back what this one had found: {error}"
    repair = "run the same command again"
    made = [change for change in done.changes if change.state in ("done", "unchanged")]
    left = [Left(f"{item.change.kind.value} {item.change.name}", why, repair) for item in made]
    return replace(done, ended=Ended.INCOMPLETE, left=left, error=error)
