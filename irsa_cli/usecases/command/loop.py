"""The loop of every writing command: read, plan, act, and again if somebody came between.

A command says what it wants of its subject as a `Draft`, made from what it has just read. All else is here:
locks that the plan needs, reads of IAM that may be late, other runs at the same time, and the journals of
earlier runs that this one has made needless.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from irsa_cli.core.plan.changes import Change, Plan
from irsa_cli.core.results.result import Result
from irsa_cli.transaction import reading
from irsa_cli.usecases.command.caller import naming_caller
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.command.execute import CarryOut, Gate, Job, RunContext, perform, supersede_if_well
from irsa_cli.usecases.command.retry import until_settled
from irsa_cli.usecases.command.settings import Settings

if TYPE_CHECKING:
    from irsa_cli.core.access.documents import Documents
    from irsa_cli.core.access.guard import Guard


def _no_description(_result: Result) -> None:
    """Add nothing to the result."""


@dataclass(frozen=True)
class Draft:
    """A plan, made from what was just read, with all that belongs to it.

    `seen` is the current state behind the plan, `counted_on` are the objects that it depends on. `documents`
    are what was read of who can assume which role, `guard` is what the command may change of that. `gate` is
    the proof before the last stage, `carry_out` how the plan is carried out, if not as one transaction.
    `describe` adds to the result what the command says of it: facts, notes and warnings.
    """

    plan: Plan
    seen: Sequence[object] = ()
    counted_on: Iterable[Change] = ()
    documents: Callable[[], Documents] | None = None
    guard: Callable[[], Guard] | None = None
    gate: Gate | None = None
    carry_out: CarryOut | None = None
    describe: Callable[[Result], None] = _no_description


@dataclass(frozen=True)
class Loop:
    """One run of a writing command on one subject; `context` goes into the journal.

    `earlier` are the journals of interrupted runs that it makes needless if it ends well, as far as `covers`
    says. `since`: when the command of many such runs began (`monotonic`).
    """

    connection: Connection
    settings: Settings
    context: RunContext
    earlier: Sequence[Path] = ()
    covers: reading.Covers = reading.everything
    since: float | None = None

    def run(self, draft: Callable[[], Draft | Result]) -> Result:
        """Draft and act until nobody comes between; a draft may be a result, if there is nothing to do.

        Raises `Refused` and other errors of the draft, and those of `perform`.
        """
        return self.settle(lambda: self.attempt(draft))

    def settle(self, attempt: Callable[[], Result]) -> Result:
        """As `run`, for who reads in another way after an attempt that failed."""
        result = until_settled(attempt, self.settings, self.since)
        supersede_if_well(self.earlier, result, self.settings, self.covers)
        return result

    def attempt(self, draft: Callable[[], Draft | Result]) -> Result:
        """Draft and act once."""
        with naming_caller(self.connection.caller):
            drafted = draft()
        if isinstance(drafted, Result):
            return drafted
        job = Job(
            drafted.plan,
            self.connection,
            self.settings,
            self.context,
            drafted.seen,
            drafted.counted_on,
            drafted.documents,
            drafted.guard,
        )
        result = perform(job, drafted.gate, drafted.carry_out)
        drafted.describe(result)
        return result
