"""Transactions one after another: an error ends its own one only, and a signal lets no other begin.

Many at the same time are in `irsa_cli.usecases.command.parallel`.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from irsa_cli.core.results.result import Ended, Result
from irsa_cli.core.values.errors import IrsaError, Refused
from irsa_cli.transaction.journal import JournalError
from irsa_cli.transaction.protocol import Interrupted, Run
from irsa_cli.usecases.command.settings import Settings


class Stop(Run):
    """Hears signals for several runs in turn: the one under way is interrupted, and no other begun.

    `command` is what finishes the work, behind `irsa recover`.
    """

    def __init__(self, command: str) -> None:
        super().__init__(command, math.inf)
        self.forgettable = False
        self.current: Run | None = None
        self.number = 0

    def notice(self, number: int) -> None:
        """See `Run.notice`."""
        super().notice(number)
        self.number = number
        if self.current is not None:
            self.current.notice(number)

    def interrupt(self, number: int) -> None:
        """See `Run.interrupt`."""
        super().interrupt(number)
        if self.current is not None:
            self.current.interrupt(number)


def attempt(transaction: str, work: Callable[[], Result]) -> Result:
    """The result of one of several: an error ends its own transaction, and not the others."""
    try:
        with advising():
            return work()
    except IrsaError as error:
        ended = Ended.REFUSED if isinstance(error, Refused) else Ended.FAILED
        number = error.number if isinstance(error, Interrupted) else 0
        return Result(ended, transaction=transaction, error=error, signal=number)


def warning(settings: Settings, *, forward: bool) -> Callable[[str], None]:
    """What is said when the first signal comes."""
    what = "the call under way is waited for" if forward else "this transaction is rolled back first"
    return lambda _: settings.note(f"stopping: {what} (once more to stop at once)")


@contextmanager
def advising() -> Iterator[None]:
    """Add to the error of a journal that can't be read what finds the run's remains without it."""
    try:
        yield
    except JournalError as error:
        told = advised(error)
        if told is error:
            raise
        raise told from error


def advised(error: JournalError) -> JournalError:
    """The error of a journal that can't be read, with what finds the run's leftovers without it."""
    return error if error.next_steps else error.but(next_steps=_without_journal(error))


def _without_journal(error: JournalError) -> tuple[str, ...]:
    """The command that finds what a run has left without its journal, as far as the journal tells."""
    options = {
        "--cluster": None if error.target.get("issuer_url") else error.target.get("cluster"),
        "--region": error.target.get("region"),
        "--profile": error.target.get("profile"),
        "--assume-role": error.target.get("assume_role"),
        "--issuer-url": error.target.get("issuer_url"),
        "--account": error.target.get("account"),
        "--kubeconfig": error.target.get("kubeconfig"),
        "--context": error.target.get("context"),
    }
    given = " ".join(f"{flag} {shlex.quote(text)}" for flag, text in options.items() if text)
    return (
        f"irsa recover {given or '--cluster CLUSTER'}  # finds what runs have left without their journals",
    )
