"""Execute a plan as one transaction, for all writing commands; `irsa_cli.usecases.command.loop` calls it.

The journal keeps the identity of a run (`RunContext`) for `irsa recover`, and for later runs of the same
object.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from irsa_cli.aws.recent_writes import recent_writes
from irsa_cli.core.plan.changes import Change, Kind, Plan, PlannedWork, seen_of
from irsa_cli.core.recovery.authority import beyond_marks
from irsa_cli.core.results.result import Command, Ended, Left, Result
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import Claimed, Conflict, IrsaError, LockLost, MadeAgain, Overwritten
from irsa_cli.core.values.shown import redacted
from irsa_cli.transaction import reading
from irsa_cli.transaction.journal import Journal, RefusedJournal
from irsa_cli.transaction.protocol import Handler, Interrupted, Leftover, Run, RunReport
from irsa_cli.transaction.runner import Transaction
from irsa_cli.transaction.story import LOCK, TAKES_BACK, About, new_transaction_id, recover_command, way_of
from irsa_cli.usecases.command.caller import Target, written_target
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.command.settings import Settings, stoppable

if TYPE_CHECKING:
    from irsa_cli.core.access.difference import AccessChange

GOOD = (Ended.COMMITTED, Ended.UNCHANGED)
"""The ends of a run after which all is as desired."""


@dataclass(frozen=True)
class RunContext:
    """One run of a writing command; `service_account` is None for changes of the cluster itself.

    `request` tells it from other requests. `takes_back` is another transaction that it rolls back.
    """

    command: Command
    cluster: str
    service_account: str | None
    target: Target
    request: str = ""
    takes_back: str = ""

    @classmethod
    def of(
        cls, command: Command, connection: Connection, service_account: str | None, **more: str
    ) -> RunContext:
        """The context where a connection leads; `more` are `request` and `takes_back`."""
        return cls(command, connection.cluster.arn, service_account, connection.target, **more)

    @property
    def about(self) -> About:
        """By what a later run finds it."""
        account = self.target.role_account or None
        return About(self.command.value, self.cluster, self.service_account, account)

    def planned(
        self, plan: Plan, cluster: Cluster, seen: Iterable[object] = (), access: AccessChange | None = None
    ) -> PlannedWork:
        """The planned work, and the current state that it depends on."""
        found = {**seen_of(*seen), **seen_of({"issuer of the cluster": cluster.issuer})} if len(plan) else {}
        return PlannedWork(self.cluster, self.command.value, self.service_account or "", plan, found, access)

    @property
    def way(self) -> str:
        """The options that its recovery has to be given again, each with a space before it."""
        return way_of(written_target(self.target))

    def to_journal(self, *, gated: bool | None = None) -> dict[str, Any]:
        """The journal's form; its keys never change. `gated`: whether the last step waits for a proof."""
        return {
            "command": self.command.value,
            "cluster": self.cluster,
            "serviceAccount": self.service_account,
            "target": written_target(self.target),
            **({"request": self.request} if self.request else {}),
            **({TAKES_BACK: self.takes_back} if self.takes_back else {}),
            **({} if gated is None else {"gated": gated}),
        }


def going_on(
    settings: Settings, context: RunContext, covers: reading.Covers, also: Collection[str] = ()
) -> list[Path]:
    """Journals of interrupted runs for the same object; each is reported.

    `covers` tells what is left of them after this run.
    """
    found = reading.interrupted_runs(settings.state_dir, context.about, also)
    report_interrupted(found, settings, covers)
    return found


def report_interrupted(paths: Iterable[Path], settings: Settings, covers: reading.Covers) -> None:
    """Say of each interrupted run whether this one continues from it; see `going_on`."""
    for path in paths:
        story = reading.read(path)
        if reading.leaves(story, covers):
            settings.note(other_desired_state(path))
            continue
        refused = f" If it is refused: {reading.command_of(path)}" if story.taken_over else ""
        settings.note(
            f"An earlier run ({path.stem}) was interrupted; this one continues from there.{refused}"
        )


def supersede_if_well(
    earlier: Iterable[Path], result: Result, settings: Settings, covers: reading.Covers = reading.everything
) -> None:
    """Mark earlier runs as superseded after this one has succeeded."""
    if result.ended in GOOD and not settings.dry_run:
        reading.supersede(earlier, covers)


def other_desired_state(path: Path) -> str:
    """The note about an interrupted run that left something else."""
    return (
        f"An earlier run ({path.stem}) with another request was interrupted:"
        f" {reading.command_of(path)} rolls back what only that run needs."
    )


Gate = Callable[[Run | None], None]
"""The proof before the last stage, or (without a run) if there is nothing to do; raises if it fails."""


SAME_AGAIN = "run the same irsa command again: it continues, or shows what differs"

_ended: ContextVar[list[Result] | None] = ContextVar("ended", default=None)


@contextmanager
def recording() -> Iterator[list[Result]]:
    """The results of the transactions that this thread runs in here, in their order."""
    found: list[Result] = []
    token = _ended.set(found)
    try:
        yield found
    finally:
        _ended.reset(token)


def standing(ended: Sequence[Result], error: BaseException) -> Result | None:
    """The result of the last transaction, with a note about a later failure.

    None if no transaction ended or left anything: then the failure is the result.
    """
    if not ended or ended[-1].ended not in (Ended.COMMITTED, Ended.INCOMPLETE):
        return None
    words = str(error)
    if isinstance(error, KeyboardInterrupt):
        words = "interrupted"
    elif not isinstance(error, IrsaError):
        words = redacted(f"a bug in irsa: {type(error).__name__}: {error}")
    last = ended[-1]
    return replace(last, notes=[*last.notes, f"a step after the transaction failed: {words}"])


def execute(
    plan: Plan, connection: Connection, settings: Settings, context: RunContext, gate: Gate | None = None
) -> Result:
    """Run a plan as one transaction and report; raises `JournalError` when it can't even start."""
    run = new_run(settings)
    if settings.group is None:
        hearing = stoppable(run, settings.note, context.way)
    else:
        hearing = settings.group.holding(run)
    with hearing:
        if settings.group is None:
            try:
                reading.check_place(settings.state_dir)
            except RefusedJournal as error:
                settings.note(f"Note: irsa recover can't use the journal of this run: {error}")
        with closing(open_journal(plan, settings, context, run, gate)) as journal:
            transaction = transaction_of(plan, connection, settings, journal, run)
            report = transaction.execute(None if gate is None else lambda: gate(run))
            run.forgettable = report.outcome == "rolled-back"
    target = written_target(context.target)
    result = result_of_report(report, connection.cluster, run.transaction, settings, target)
    if (ended := _ended.get()) is not None:
        ended.append(result)
    if settings.group is None:
        reading.prune(settings.state_dir)
    return result


def new_run(settings: Settings) -> Run:
    """A run that begins now; what the command has taken until now counts for its time limit."""
    seconds = settings.timeout - settings.spent
    run = Run(new_transaction_id(), seconds, settings.timeout, fence=settings.hold)
    _begun_here.add(run.transaction)
    return run


_begun_here: set[str] = set()
"""The transactions of this process: what they write, the clients note themselves."""


def open_journal(
    plan: Plan, settings: Settings, context: RunContext, run: Run, gate: Gate | None = None
) -> Journal:
    """The journal of a run, with the plan on disk; raises `JournalError`."""
    facts = context.to_journal(gated=gate is not None)
    if settings.hold is not None:
        facts[LOCK] = settings.hold.holder
    return Journal.open(settings.state_dir, run.transaction, plan, facts)


def transaction_of(
    plan: Plan, connection: Connection, settings: Settings, journal: Journal, run: Run
) -> Transaction:
    """The transaction of a plan, which knows what other runs have just written."""
    recall_other_runs(connection, settings)
    return Transaction(
        plan,
        handlers_of(connection, {change.kind for change in plan}),
        journal,
        run,
        settings.listen,
        settings.rollback_timeout,
    )


def begin(connection: Connection, settings: Settings) -> None:
    """Show where a writing command works, and recall what other runs of this machine have just written."""
    connection.announce(settings.note)
    recall_other_runs(connection, settings)


def recall_other_runs(connection: Connection, settings: Settings) -> None:
    """Count what other runs of this machine have just written, also while IAM does not show it yet.

    The cluster's API is left out: it shows its writes at once, and may be out of reach.
    """
    from irsa_cli.changes import handlers

    def handler_of(kind: Kind) -> Handler:
        eks = connection.aws.client("eks")
        return handlers(connection.iam, None, connection.iam_of_target, eks, kinds=(kind,))[kind]

    known = recent_writes(connection.iam).recalled
    known |= _begun_here
    reading.recall_recent(settings.state_dir, handler_of, connection.cluster.home, known)


def handlers_of(connection: Connection, kinds: Collection[Kind] = tuple(Kind)) -> Mapping[Kind, Handler]:
    """The handlers of changes of these kinds that are possible where a connection leads."""
    from irsa_cli.changes import handlers
    from irsa_cli.changes.common import vanished

    kube = connection.kube if connection.asks_cluster else None
    eks = connection.aws.client("eks")
    found = handlers(connection.iam, kube, connection.iam_of_target, eks, kinds=kinds)
    return found if connection.gone is None else {**found, **vanished()}


Reached = Mapping[str, str | None]
"""A cluster and how it was reached, in the form of a journal."""


def result_of_report(
    report: RunReport, cluster: Cluster, transaction: str, settings: Settings, target: Reached
) -> Result:
    signal_number = report.error.number if isinstance(report.error, Interrupted) else 0
    lost = any(isinstance(item.error, LockLost) for item in report.leftovers)
    begun = [item.change for item in report.leftovers]
    proven = not beyond_marks([item.change for item in report.changes], begun)
    repairs = Repairs(transaction, target, lock_lost=lost, proven=proven)
    return Result(
        Ended(report.outcome),
        cluster=cluster,
        transaction=transaction,
        changes=report.changes,
        left=[repairs.of(item) for item in report.leftovers],
        notes=list(report.notes),
        error=report.error,
        signal=signal_number,
        seconds=settings.seconds,
    )


_FOR_PROVIDERS = (
    *("cluster", "issuer_url", "account", "region", "profile", "assume_role"),
    *("role_account", "role_assume_role", "role_profile"),
)
"""The keys with the cluster and the caller that `irsa associate-oidc` needs."""


@dataclass(frozen=True)
class Repairs:
    """The commands that end what a transaction left. `target`: how its cluster was reached.

    `lock_lost`: another run may have continued from it. `proven`: marks show that all of it is this run's.
    `recovers`: the run was a recovery.
    """

    transaction: str
    target: Reached = field(default_factory=dict)
    lock_lost: bool = False
    proven: bool = False
    recovers: bool = False

    def of(self, leftover: Leftover) -> Left:
        """A leftover with the command that rolls it back, or shows it if it may belong to others."""
        change = leftover.change
        error = leftover.error
        what = f"{change.kind.value} {change.name}"
        return Left(what, str(error), self._command(change, error), in_use=isinstance(error, Claimed))

    def _command(self, change: Change, error: Exception) -> str:
        recover = recover_command(self.transaction, self.target)
        if isinstance(error, Claimed) and error.ended:
            # Its transaction is over: `irsa recover` has nothing to do.
            return self._keep_provider(change) if change.kind.traits.for_all else SAME_AGAIN
        if isinstance(error, Claimed):
            # A person may have annotated a role: then only forward ends it.
            forward = f"; or {SAME_AGAIN}" if change.kind is Kind.ROLE else ""
            return f"{recover}  # after the other run has ended{forward}"
        if isinstance(error, Overwritten):
            return recover_command(self.transaction, self.target, "--forward")
        if isinstance(error, MadeAgain):
            namespace, name = map(shlex.quote, change.target)
            return f"kubectl -n {namespace} get pods  # those of {name}: delete them to restart them"
        if self.recovers and isinstance(error, LockLost) and error.taken_over:
            look = recover_command(self.transaction, self.target, "--dry-run")
            return f"{recover_command(self.transaction, self.target, '--yes')}  # first look: {look}"
        if self.lock_lost:
            return f"{recover}  # rolls it back; or {SAME_AGAIN}" if self.proven else SAME_AGAIN
        if isinstance(error, Conflict) and change.after is not None:
            return look_command(change)  # Deleted objects are in the journal only.
        return recover

    def _keep_provider(self, change: Change) -> str:
        """The command after which the provider, or its audience, is the cluster's and no leftover."""
        unnamed = "cluster" if self.target.get("issuer_url") else ""
        found = {key: self.target.get(key) for key in _FOR_PROVIDERS if key != unnamed}
        flags = {f"--{key.replace('_', '-')}": text for key, text in found.items() if text}
        if change.kind is Kind.AUDIENCE:
            flags["--audience"] = change.target[-1]
        return f"irsa associate-oidc {shlex.join(chain(*flags.items()))}  # keeps it: roles trust it"


def look_command(change: Change) -> str:
    """The command that shows a changed object; never one that deletes."""
    target = [shlex.quote(part) for part in change.target]
    role = shlex.quote(change.target[0].rsplit("/", 1)[-1])
    command = change.kind.traits.shown_by.format(*target, first=target[0], last=target[-1], target=role)
    return f"{command}  # check first: somebody else changed it"
