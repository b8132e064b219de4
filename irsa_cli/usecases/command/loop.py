"""The loop of every writing command: read, plan, act, and again if somebody came between.

A command says what it wants of its subject as a `Draft`, made from what it has just read. All else is here:
locks that the plan needs, reads of IAM that may be late, other runs at the same time, and the journals of
earlier runs that this one has made needless.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from irsa_cli.aws.bindings import association
from irsa_cli.core.plan.changes import Change, Kind, Plan, ServedAccounts, not_again
from irsa_cli.core.results.result import ChangeResult, Ended, Result
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.transaction import reading
from irsa_cli.transaction.protocol import Event, Step
from irsa_cli.usecases.command.caller import naming_caller, with_caller
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.command.execute import Gate, RunContext, execute, supersede_if_well
from irsa_cli.usecases.command.retry import ATTEMPTS, Attempt, until_settled
from irsa_cli.usecases.command.settings import Settings

if TYPE_CHECKING:
    from irsa_cli.core.access.documents import Documents
    from irsa_cli.core.access.guard import Guard, PlannedAccess


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
    carry_out: Callable[[], Result] | None = None
    describe: Callable[[Result], None] = _no_description

    def access(self, cluster: Cluster) -> PlannedAccess | None:
        """Gains and losses of roles by the plan; None for a plan without changes."""
        if not len(self.plan):
            return None
        from irsa_cli.core.access.documents import Documents
        from irsa_cli.core.access.guard import PlannedAccess

        documents = self.documents() if self.documents is not None else Documents()
        return PlannedAccess(documents, [*self.plan], cluster)

    def check_access(self, access: PlannedAccess) -> None:
        """Raise `Refused` if the plan takes or gives more than its command says; see `PlannedAccess`."""
        from irsa_cli.core.access.guard import Guard

        access.check(self.guard() if self.guard is not None else Guard())


@dataclass(frozen=True)
class Loop:
    """One run of a writing command on one subject; `context` goes into the journal.

    `earlier` are the journals of interrupted runs that it replaces if it ends well, as far as `covers` says.
    `since`: when the command of many such runs began (`monotonic`). It attempts `most` times if others come
    between. `continues`: an attempt ends what the one before has left, and replaces its journal.
    """

    connection: Connection
    settings: Settings
    context: RunContext
    earlier: Sequence[Path] = ()
    covers: reading.Covers = reading.everything
    since: float | None = None
    most: int = ATTEMPTS
    continues: bool = False

    def run(self, draft: Callable[[], Draft | Result]) -> Result:
        """Draft and act until nobody comes between; a draft may be a result, if there is nothing to do.

        Raises `Refused` and other errors of the draft, and those of `perform`.
        """
        return self.repeat(lambda _attempt: draft())

    def repeat(self, draft: Callable[[Attempt], Draft | Result]) -> Result:
        """As `run`, for a draft that depends on the attempt."""
        result = until_settled(
            partial(self._attempt, draft),
            self.settings,
            self.since,
            most=self.most,
            continues=self.continues,
        )
        supersede_if_well(self.earlier, result, self.settings, self.covers)
        return result

    def _attempt(self, draft: Callable[[Attempt], Draft | Result], attempt: Attempt) -> Result:
        with naming_caller(self.connection.caller):
            drafted = draft(attempt)
        result = drafted if isinstance(drafted, Result) else self.perform(drafted)
        if self.continues and attempt.before is not None:
            journal = self.settings.state_dir / f"{attempt.before.transaction}.jsonl"
            supersede_if_well([journal], result, self.settings)
        return result

    def perform(self, draft: Draft) -> Result:
        """Carry out a plan, or only show it; without changes, only its gate runs.

        The one way by which commands write. Raises `JournalError`, `LookAgain` if a lock is missing,
        `Refused` if it is not the saved plan or writes a ServiceAccount in Git, and errors of the gate.
        """
        plan = draft.plan
        settings = self.settings
        settings.git.check(plan)
        cluster = self.connection.cluster
        served = [self._served(plan)] if settings.keeps_plan and len(plan) else []
        access = draft.access(cluster)
        access_change = None if access is None else access.change
        planned = self.context.planned(plan, cluster, [*draft.seen, *served], access_change)
        if settings.expected is not None:
            settings.expected(planned)
        if access is not None and not settings.allow_access_change:
            draft.check_access(access)
        if not len(plan):
            self._prove_unchanged(draft.gate)
            result = Result(Ended.UNCHANGED, cluster=cluster)
        elif settings.dry_run:
            changes = [ChangeResult(change, "planned") for change in plan]
            result = Result(Ended.PLANNED, cluster=cluster, changes=changes)
        else:
            result = self._carry_out(draft)
        if self.connection.gone is not None:
            result.notes.append(self.connection.gone.note)
        result.notes += not_again(
            item.change for item in result.changes if item.state in ("planned", "undone")
        )
        result.command = self.context.command
        result.seconds = settings.seconds
        result.planned = planned
        result.access = access_change
        draft.describe(result)
        return result

    def _prove_unchanged(self, gate: Gate | None) -> None:
        """Run the gate of a plan without changes; an earlier run may have written just now."""
        if gate is not None and not self.settings.dry_run:
            self.settings.listen(Event(Step.GATE))
            gate(None)
            self.settings.listen(Event(Step.GATE_PASSED))

    def _carry_out(self, draft: Draft) -> Result:
        """Ask, lock what the plan needs, and write."""
        settings = self.settings
        place = self.connection.cluster.place
        settings.check_confirmed(lambda: settings.confirm_plan(draft.plan, place))
        if settings.hold is not None:
            busy = settings.hold.busy() if draft.counted_on else ()
            settings.hold.secure(draft.plan, counted_on=draft.counted_on, busy=busy)
        if draft.carry_out is not None:
            result = draft.carry_out()
        else:
            result = execute(draft.plan, self.connection, settings, self.context, draft.gate)
        result.error = with_caller(result.error, self.connection.caller)
        return result

    def _served(self, plan: Plan) -> ServedAccounts:
        """The ServiceAccounts of a plan whose pods get their role by EKS Pod Identity, not by annotation."""
        connection = self.connection
        service_account = self.context.service_account or ""
        names = {change.name for change in plan if change.kind is Kind.SERVICE_ACCOUNT}
        if "/" in service_account:
            names.add(service_account)
        associations = connection.associations
        if isinstance(associations, str):
            return ServedAccounts(dict.fromkeys(sorted(names), f"can't be read: {associations}"))
        eks = connection.aws.client("eks")
        cluster = connection.cluster.name
        served: dict[str, str] = {}
        for full_name in sorted(names):
            namespace, _, name = full_name.partition("/")
            if (namespace, name) in associations:
                served[full_name] = repr(association(eks, cluster, namespace, name))
        return ServedAccounts(served)
