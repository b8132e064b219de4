"""The shared parts of the entries of one cluster: OIDC provider and namespaces.

They are one transaction that ends last; `irsa recover` finds the open journal of a killed run. At its end,
namespaces that nothing needs are rolled back; the provider stays, as the file asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.plan.changes import Plan
from irsa_cli.core.planning.create import satisfies
from irsa_cli.core.results.result import ChangeResult, Ended, Result
from irsa_cli.core.values.errors import Conflict, IrsaError
from irsa_cli.transaction.journal import Journal
from irsa_cli.transaction.protocol import Leftover, RunReport
from irsa_cli.transaction.runner import Transaction
from irsa_cli.usecases.command import execute
from irsa_cli.usecases.command.caller import written_target
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.command.settings import Note, RunGroup, Settings


@dataclass
class SharedTransaction:
    """The transaction of the shared parts: `result` tells how far it has come, and how it ended at last."""

    result: Result
    _transaction: Transaction
    _journal: Journal
    _reached: execute.Reached
    _note: Note

    @classmethod
    def begin(
        cls, plan: Plan, connection: Connection, settings: Settings, context: execute.RunContext
    ) -> SharedTransaction:
        """Begin the transaction; raises `JournalError`. `end` must follow in any case."""
        reached = written_target(context.target)
        run = execute.new_run(settings)
        # The empty last stage says that doing all of the plan is not yet the end.
        journal = execute.open_journal(Plan((*plan.stages, ())), settings, context, run)
        try:
            transaction = execute.transaction_of(plan, connection, settings, journal, run)
            with (settings.group or RunGroup()).holding(run):
                report = transaction.execute(ends_later=True)
        except BaseException:
            journal.close()
            raise
        result = execute.result_of_report(report, connection.cluster, run.transaction, settings, reached)
        return cls(result, transaction, journal, reached, settings.note)

    @property
    def is_whole(self) -> bool:
        """Whether others can build on it."""
        return self.result.ended is Ended.COMMITTED

    def release(self, desired: DesiredState) -> None:
        """Keep what this desired state needs: it was reached."""
        if self.is_whole:
            self._transaction.release(lambda change: satisfies(desired, change))

    def end(self, *, wholly: bool) -> None:
        """Roll back what nobody needs, and say so.

        `wholly`: all that builds on it is as desired, and needs all of it.
        """
        before = self.result.changes
        try:
            if self.is_whole:
                self._transaction.release(lambda change: wholly or change.kind.traits.for_all)
                self._conclude(self._transaction.end(), wholly=wholly)
        finally:
            self._journal.close()
        rolled_back = [
            f"{change.change.kind.value} {change.change.name}"
            for change, former in zip(self.result.changes, before, strict=True)
            if change.state == "undone" and former.state == "done"
        ]
        if rolled_back:
            self._note(f"Rolled back, as nothing needs it: {', '.join(rolled_back)}")

    def _conclude(self, report: RunReport, *, wholly: bool) -> None:
        """Set the outcome: rolled back, committed, or (exit code 3) not rolled back completely."""
        # Objects that others have changed or use are needed.
        used: dict[int, Exception] = {}
        stuck: list[Leftover] = []
        for leftover in report.leftovers:
            if isinstance(leftover.error, Conflict):
                used[id(leftover.change)] = leftover.error
            else:
                stuck.append(leftover)
        states = {id(change.change): change.state for change in report.changes}
        states.update(dict.fromkeys(used, "done"))
        result = self.result
        result.changes = [replace(change, state=states[id(change.change)]) for change in result.changes]
        stays = [change for change in result.changes if change.state == "done"]
        if stuck:
            self._report_stuck(stuck)
        elif not stays and "undone" in states.values():
            result.ended = Ended.ROLLED_BACK
        if stays and not wholly:
            result.facts = {**result.facts, "stays": [_reason(change, used) for change in stays]}

    def _report_stuck(self, stuck: Sequence[Leftover]) -> None:
        self.result.ended = Ended.INCOMPLETE
        self.result.error = IrsaError("the shared parts could not be rolled back completely")
        repairs = execute.Repairs(self.result.transaction, self._reached)
        self.result.left = [repairs.of(leftover) for leftover in stuck]


def _reason(stays: ChangeResult, used: Mapping[int, Exception]) -> dict[str, str]:
    """A shared part that stays, and why; `used` are those that others use, by the id of their changes."""
    change = stays.change
    why = "the files ask for it, for the whole cluster" if change.kind.traits.for_all else "it is needed"
    return {
        "what": f"{change.kind.value} {change.name}",
        "why": str(used[id(change)]) if id(change) in used else why,
    }
