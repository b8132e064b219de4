"""Looking, planning and acting again when somebody else's write came between: the same for several commands.

What one attempt does is its command's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import uniform
from time import sleep

from irsa_cli.core.results.result import Ended, Result
from irsa_cli.core.values.errors import Conflict
from irsa_cli.usecases.command.leftovers import came_between
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
        self._settings.note(f"Looking again: {error}")
        sleep(uniform(0.2, 0.6) * self.number)  # noqa: S311 - two runs that meet are to part, no secret


def until_settled(attempt: Callable[[], Result], settings: Settings) -> Result:
    """Attempt again when somebody else's write came between, and nothing of this attempt is left.

    An attempt looks, plans and acts.
    """
    attempts = Attempts(settings)
    for number in attempts:
        try:
            result = with_its_locks(attempt, settings.hold)
        except Conflict as error:
            if number == ATTEMPTS:
                raise
            attempts.look_again(error)
            continue
        if result.ended is not Ended.ROLLED_BACK or not came_between(result.error) or attempts.is_last:
            break
        attempts.look_again(result.error)
    return result
