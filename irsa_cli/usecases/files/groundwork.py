"""The shared parts of `irsa apply`: OIDC provider and namespaces, in one transaction that ends last.

`irsa recover` finds the open journal of a killed run. At the end, namespaces that nothing needs are rolled
back; the provider stays, as the file asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.plan.changes import Change, Plan
from irsa_cli.core.planning.create import satisfies
from irsa_cli.core.results.result import ChangeResult, Ended, Result
from irsa_cli.core.values.errors import Conflict, IrsaError
from irsa_cli.transaction.journal import Journal
from irsa_cli.transaction.protocol import RunReport
from irsa_cli.transaction.runner import Transaction
from irsa_cli.usecases.command import execute
from irsa_cli.usecases.command.settings import Note
from irsa_cli.usecases.command.signals import RunGroup


@dataclass
class SharedTransaction:
    """The transaction of the shared parts: `result` tells how far it has come, and how it ended at last."""

    result: Result
    _transaction: Transaction
    _journal: Journal
    _way: str
    _note: Note

    @classmethod
    def begin(cls, job: execute.Job) -> SharedTransaction:
        """Begin the transaction; raises `JournalError`. `end` must follow in any case."""
        settings, way = job.settings, job.context.way
        run = execute.new_run(settings)
        # The empty last stage says that doing all of the plan is not yet the end.
        journal = execute.open_journal(replace(job, plan=Plan((*job.plan.stages, ()))), run)
        try:
            transaction = execute.transaction_of(job, journal, run)
            with (settings.group or RunGroup()).holding(run):
                report = transaction.execute(ends_later=True)
        except BaseException:
            journal.close()
            raise
        result = execute.result_of_report(report, job.connection.cluster, run.transaction, settings, way)
        return cls(result, transaction, journal, way, settings.note)

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
                self._tell(self._transaction.end(), wholly=wholly)
        finally:
            self._journal.close()
        gone = [
            f"{item.change.kind.value} {item.change.name}"
            for item, was in zip(self.result.changes, before, strict=True)
            if item.state == "undone" and was.state == "done"
        ]
        if gone:
            self._note(f"Rolled back, as nothing needs it: {', '.join(gone)}")

    def _tell(self, report: RunReport, *, wholly: bool) -> None:
        """The outcome: rolled back, committed, or (exit code 3) not rolled back completely."""
        # Objects that others have changed or use are needed.
        stuck = [item for item in report.leftovers if not isinstance(item.error, Conflict)]
        used = {id(item.change): item.error for item in report.leftovers if item not in stuck}
        states = {
            id(item.change): "done" if id(item.change) in used else item.state for item in report.changes
        }
        result = self.result
        result.changes = [replace(item, state=states[id(item.change)]) for item in result.changes]
        stays = [item for item in result.changes if item.state == "done"]
        if stuck:
            result.ended = Ended.INCOMPLETE
            result.error = IrsaError("the shared parts could not be rolled back completely")
            result.left = [execute.left(item, result.transaction, self._way) for item in stuck]
        elif not stays and any(item.state == "undone" for item in result.changes):
            result.ended = Ended.ROLLED_BACK
        if not wholly and stays:
            result.facts = {**result.facts, "stays": [_named(item, used) for item in stays]}


def _named(item: ChangeResult, used: Mapping[int, Exception]) -> dict[str, str]:
    change: Change = item.change
    why = "the files ask for it, for the whole cluster" if change.kind.traits.for_all else "it is needed"
    return {
        "what": f"{change.kind.value} {change.name}",
        "why": str(used[id(change)]) if id(change) in used else why,
    }
