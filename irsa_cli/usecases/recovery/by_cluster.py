"""`irsa recover --cluster`: recovery without a journal, from what runs have left in IAM and Kubernetes.

`irsa_cli.usecases.recovery.scan` reads the state, `irsa_cli.core.recovery.judge` judges it. It is rolled back
as in any rollback: by the inverse changes, with the run's mark as the claim, and a journal of its own.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from irsa_cli.core.marks.locks.names import recovery_locks
from irsa_cli.core.plan.changes import Kind, Plan
from irsa_cli.core.recovery.ages import MINIMUM_AGE
from irsa_cli.core.recovery.judge import Finder, Key, key_of
from irsa_cli.core.recovery.leftovers import Leftovers
from irsa_cli.core.recovery.report import Found, Recoveries, Skipped, spared_text
from irsa_cli.core.results.result import Command, Ended, Left, Result
from irsa_cli.core.values.errors import Refused
from irsa_cli.transaction.events import Leftover
from irsa_cli.transaction.folder import check_place, stories
from irsa_cli.transaction.reading import read
from irsa_cli.transaction.recover import is_running, record_found, roll_back, supersede, takes_back
from irsa_cli.transaction.story import Story, new_transaction_id
from irsa_cli.usecases.command.caller import naming_caller
from irsa_cli.usecases.command.connect import Connection, Target, WireLog, connect
from irsa_cli.usecases.command.execute import handlers_of
from irsa_cli.usecases.command.parallel import attempt, warning
from irsa_cli.usecases.command.run_context import RunContext
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.command.signals import RunGroup, stoppable
from irsa_cli.usecases.locks.locks import locked
from irsa_cli.usecases.recovery.results import Approve, approve, back_result, backward_changes, planned
from irsa_cli.usecases.recovery.scan import look


@dataclass(frozen=True)
class Request:
    """Which cluster, as whom; `minimum_age` in seconds: what is younger may belong to a run that lives."""

    target: Target
    minimum_age: float = MINIMUM_AGE
    approve: Approve = lambda planned: True


def find_leftovers(request: Request, settings: Settings, log: WireLog) -> Found:
    """The leftovers of runs in the cluster and its account."""
    return _Recovery.read(request, settings, log).found


def take_back(transaction: str, request: Request, settings: Settings, log: WireLog) -> Result:
    """Roll back one run's leftovers; raises `Refused` if it may be active, or all of them are spared."""
    recovery = _Recovery.read(request, settings, log)
    leftovers = recovery.finder.leftovers(transaction, named=True)
    if leftovers is None:
        notes = [f"nothing is left of {transaction} in {recovery.connection.cluster.name}"]
        cluster = recovery.connection.cluster
        return Result(Ended.UNCHANGED, cluster=cluster, transaction=transaction, notes=notes)
    why_not = recovery.found.why_not(leftovers)
    if why_not:
        raise Refused(
            f"{transaction} is not rolled back",
            reason=why_not,
            details=[spared_text(item) for item in leftovers.spared] if leftovers.stages else (),
            next_steps=[step for item in leftovers.spared for step in item.next_steps],
        )
    if not settings.dry_run:
        approve(request.approve, [recovery.plan(leftovers)])
    stop = RunGroup(f"{transaction} --cluster {request.target.cluster}")
    with stoppable(stop, warning(settings, forward=False)):
        return attempt(transaction, partial(recovery.take, leftovers, stop))


def take_back_all(request: Request, settings: Settings, log: WireLog) -> Recoveries:
    """Roll back what all runs have left, but for those that may still live."""
    recovery = _Recovery.read(request, settings, log)
    done, gone = Recoveries(), set[Key]()
    chosen = [recovery.plan(item) for item in recovery.found.leftovers if not recovery.found.why_not(item)]
    if chosen and not settings.dry_run:
        approve(request.approve, chosen)
    stop = RunGroup(f"--all --cluster {request.target.cluster}")
    with stoppable(stop, warning(settings, forward=False)):
        for transaction in [item.transaction for item in recovery.found.leftovers]:
            if stop.number:
                done.signal = stop.number
                break
            # Judged again: of those before it, something may have stayed.
            leftovers = recovery.finder.leftovers(transaction, gone)
            why_not = recovery.found.why_not(leftovers) if leftovers else ""
            if leftovers is None or why_not:
                young = leftovers is not None and recovery.found.is_young(leftovers)
                done.skipped.append(Skipped(transaction, why_not, young))
                continue
            settings.note(f"{transaction}  {', '.join(leftovers.accounts)}".rstrip())
            result = attempt(transaction, partial(recovery.take, leftovers, stop))
            done.items.append(result)
            if result.ended in (Ended.ROLLED_BACK, Ended.PLANNED):
                gone |= {key_of(piece) for piece in leftovers.pieces}
    return done


@dataclass
class _Recovery:
    """A cluster that was looked at, and this machine's journals."""

    request: Request
    settings: Settings
    connection: Connection
    journals: Mapping[str, tuple[Path, Story]]
    finder: Finder
    found: Found = field(init=False)

    @classmethod
    def read(cls, request: Request, settings: Settings, log: WireLog) -> _Recovery:
        connection = connect(request.target, kube=True, log=log, gone=True)
        connection.announce(settings.note)
        with naming_caller(connection.caller):
            seen = look(connection)
        journals = {story.transaction: (path, story) for path, story in stories(settings.state_dir)}
        # Of one that a later run superseded, what that one doesn't use is left, and nobody else's.
        mine = {name: story for name, (_, story) in journals.items() if story.sealed}
        ended = [name for name, story in mine.items() if story.outcome == "committed"]
        return cls(request, settings, connection, journals, Finder(seen, ended))

    def __post_init__(self) -> None:
        leftovers = tuple(self.finder.find(self.request.minimum_age))
        here = [self.journals[item.transaction] for item in leftovers if item.transaction in self.journals]
        running = {story.transaction for path, story in here if not story.finished and is_running(path)}
        cluster = self.connection.cluster
        self.found = Found(cluster, leftovers, self.request.minimum_age, frozenset(running))

    def plan(self, leftovers: Leftovers) -> Result:
        """The plan for one run's leftovers."""
        changes = [piece.change.inverse for piece in reversed(list(leftovers.pieces))]
        own = self._own_journal(leftovers)
        if own is not None:  # It is what is gone by, but for a provider that roles of others trust.
            free = any(piece.change.kind is Kind.PROVIDER for piece in leftovers.pieces)
            kept = () if free else (Kind.PROVIDER,)
            back = backward_changes(own[1])
            changes = [item for item in back if item.after is not None or item.kind not in kept]
        result = planned(leftovers.transaction, changes, _facts(leftovers), self.settings)
        result.notes = [*(f"left alone: {spared_text(item)}" for item in leftovers.spared), *leftovers.notes]
        return result

    def take(self, leftovers: Leftovers, stop: RunGroup) -> Result:
        """Take one run's remains back; raises `JournalError` when no journal can be written."""
        started = time.monotonic()
        stop.check()
        if self.settings.dry_run:
            result = self.plan(leftovers)
        else:
            story, kept = self._roll_back(leftovers, stop)
            result = back_result(story, kept, leftovers.transaction, self.connection.cluster)
            result.changes = [item for item in result.changes if item.state != "pending"]
            result.notes += leftovers.notes
            _tell_spared(result, leftovers)
            if result.ended is Ended.ROLLED_BACK:
                self._settle(leftovers.transaction)
        result.cluster, result.facts = self.connection.cluster, _facts(leftovers)
        result.seconds = time.monotonic() - started
        return result

    def _roll_back(self, leftovers: Leftovers, stop: RunGroup) -> tuple[Story, list[Leftover]]:
        """Take the changes back, with the locks of all that they are about."""
        connection, changes = self.connection, (piece.change for piece in leftovers.pieces)
        wanted = recovery_locks(changes, connection.cluster)
        found = handlers_of(connection)
        with locked(connection, self.settings, Command.RECOVER, wanted, pause=stop.pause) as settings:
            path = self._journal(leftovers)
            story = read(path)
            with naming_caller(connection.caller):
                kept = roll_back(
                    path,
                    story,
                    found,
                    settings.listen,
                    rollback_seconds=settings.rollback_timeout,
                    fence=settings.hold,
                )
        return story, kept

    def _journal(self, leftovers: Leftovers) -> Path:
        """The run's own journal if it is on this machine, else a new one; raises `RefusedJournal`."""
        check_place(self.settings.state_dir)
        own = self._own_journal(leftovers)
        if own is not None:
            return own[0]
        plan = Plan.of(
            *([piece.change for piece in stage] for stage in leftovers.stages), list(leftovers.missing)
        )
        identities = {index: piece.identity for index, piece in enumerate(leftovers.pieces)}
        accounts = ", ".join(leftovers.accounts)
        context = RunContext.of(Command.RECOVER, self.connection, accounts, takes_back=leftovers.transaction)
        name, folder = new_transaction_id(), self.settings.state_dir
        return record_found(folder, name, plan, identities, context.to_journal())

    def _own_journal(self, leftovers: Leftovers) -> tuple[Path, Story] | None:
        """The run's journal, if it is this user's word about this cluster, with roles in this account."""
        found = self.journals.get(leftovers.transaction)
        if found is None or found[1].finished or not found[1].sealed:
            return None
        story, account = found[1], self.request.target.role_account
        about = (story.context.get("cluster"), story.role_account)
        return found if about == (self.connection.cluster.arn, account) else None

    def _settle(self, transaction: str) -> None:
        """Earlier recoveries of the same remains that did not get to their end have nothing left to do."""
        paths = [
            path
            for path, story in stories(self.settings.state_dir)
            if takes_back(story) == transaction and not story.finished
        ]
        supersede(paths)


def _tell_spared(result: Result, leftovers: Leftovers) -> None:
    """Spared objects are also leftovers."""
    for item in leftovers.spared:
        what = f"{item.kind.value} {item.name}"
        look = f"check {what}, and delete it if nobody needs it"
        commands = (step for step in item.next_steps if step.startswith("irsa "))
        result.left.append(Left(what, item.why, next(commands, look)))
    if leftovers.spared:
        result.ended = Ended.INCOMPLETE


def _facts(leftovers: Leftovers) -> dict[str, object]:
    namespace, slash, name = (leftovers.accounts or ("",))[0].partition("/")
    return {"serviceAccount": {"namespace": namespace, "name": name}} if slash else {}
