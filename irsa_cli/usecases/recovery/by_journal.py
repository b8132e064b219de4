"""`irsa recover`: finishing transactions whose process is gone, from the journals on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from irsa_cli.aws.gone import recognize
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.plan.traits import Service
from irsa_cli.core.recovery.authority import recovery_locks
from irsa_cli.core.recovery.leftovers import Recoveries, Skipped
from irsa_cli.core.results.result import ChangeResult, Command, Ended, Result
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import IrsaError, Refused
from irsa_cli.transaction import recover as recovery
from irsa_cli.transaction.journal import JournalError
from irsa_cli.transaction.protocol import Run, RunReport
from irsa_cli.transaction.reading import Covers, interrupted_runs, read, supersede
from irsa_cli.transaction.recover import find, roll_forward, unfinished, unreadable
from irsa_cli.transaction.story import GIVEN, TAKES_BACK, Story, recover_command
from irsa_cli.usecases.command.caller import TARGET_KEYS, naming_caller, with_caller
from irsa_cli.usecases.command.connect import Connection, Target, WireLog, connect
from irsa_cli.usecases.command.execute import handlers_of, result_of_report
from irsa_cli.usecases.command.parallel import advised, advising, attempt, warning
from irsa_cli.usecases.command.project_settings import expected_by_project
from irsa_cli.usecases.command.settings import RunGroup, Settings, stoppable
from irsa_cli.usecases.locks.hold import Pause
from irsa_cli.usecases.locks.locks import WantedLocks, locked
from irsa_cli.usecases.recovery import authority, results

RUNNING = "its process is still running"
SINCE = "it appeared after the list was shown"


@dataclass(frozen=True)
class Request:
    """The user's request; `override` may have another caller, or another way, than the run had."""

    override: Callable[[Target], Target] = lambda target: target
    forward: bool = False
    approve: results.Approve = lambda planned: True
    confirmed: bool = False
    """Whether a person has seen it and says yes: by the flag, or when `approve` asks."""


def recover(transaction: str, request: Request, settings: Settings, log: WireLog) -> Result:
    """Roll back an unfinished transaction, or continue it to its end.

    Raises `InvalidInput` for an unknown transaction, `Refused` for one that can't be continued, and
    `JournalError` while its process lives.
    """
    path = find(settings.state_dir, transaction)
    runner = _Work(request, settings, log)
    with advising():
        early = runner.without_writing(path)
        if early is not None:
            return early
        # Until here, and while connecting, nothing is written: to break off is safe.
        connection = runner.connect(read(path))
        with runner.locked(path, connection) as held:
            given_back = runner.authorise(path, connection, named=request.confirmed)
            shown = read(path)
            results.approve(request.approve, [runner.plan(shown)])
            stop = RunGroup(f"{transaction} --forward" if request.forward else transaction)
            with stoppable(stop, warning(settings, forward=request.forward)):
                carry_out = partial(runner.carry_out, path, shown, connection, stop, given_back, held)
                return attempt(transaction, carry_out)


def recover_all(request: Request, settings: Settings, log: WireLog) -> Recoveries:
    """The same for all unfinished transactions of this machine, newest first: they stand on older ones.

    Only what was shown and approved is done: transactions that have changed since, or are new, are named and
    left.
    """
    recoveries = Recoveries()
    for transaction, error in unreadable(settings.state_dir).items():
        recoveries.items.append(_unreadable(transaction, error))
    runner = _Work(request, settings, log)
    stories = unfinished(settings.state_dir)[::-1]
    waiting = {path: story for path, story in stories if not recovery.is_running(path)}
    if waiting and not settings.dry_run:
        results.approve(request.approve, [runner.plan(story) for story in waiting.values()])
    stop = RunGroup("--all --forward" if request.forward else "--all")
    with stoppable(stop, warning(settings, forward=request.forward)):
        for path, story in stories:
            if stop.number:
                recoveries.signal = stop.number
                break
            if path not in waiting:
                recoveries.skipped.append(Skipped(story.transaction, RUNNING))
                continue
            settings.note(f"{story.transaction}  {story.context.get('serviceAccount') or ''}".rstrip())
            result = attempt(story.transaction, partial(runner.one, path, story, stop))
            if result.ended is not Ended.UNCHANGED:
                recoveries.items.append(result)
    known = {path for path, _ in stories}
    new = [story.transaction for path, story in unfinished(settings.state_dir) if path not in known]
    recoveries.skipped += [Skipped(transaction, SINCE, young=True) for transaction in new]
    return recoveries


def _unreadable(transaction: str, error: JournalError) -> Result:
    """The result for a journal that can't be read: what its run has left is not known here."""
    ended = Ended.REFUSED if isinstance(error, Refused) else Ended.FAILED
    return Result(ended, transaction=transaction, error=advised(error))


def target_of(story: Story) -> Target:
    """The cluster and identity of a run; raises `JournalError` without them, or with an unknown way."""
    target = story.target
    unknown = sorted(key for key, text in target.items() if text is not None and key not in TARGET_KEYS)
    if unknown:
        raise JournalError(
            f"transaction {story.transaction} was written by another version of irsa",
            reason=f"this one does not know {unknown[0]!r}, which it used to reach the cluster",
        )
    if not target:
        raise JournalError(
            f"transaction {story.transaction} can't be finished",
            reason="its journal does not contain its cluster",
        )
    options: dict[str, Any] = {key: target.get(key) for key in TARGET_KEYS if key != "cluster"}
    return Target(target["cluster"] or "", expect_project=expected_by_project, **options)


@dataclass
class _Work:
    """The parts of the work on one transaction; connections are kept for the next one."""

    request: Request
    settings: Settings
    log: WireLog
    connections: dict[tuple[Target, bool], Connection] = field(default_factory=dict)
    announced: set[str] = field(default_factory=set)
    """The ARNs of the clusters whose head was shown."""

    def one(self, path: Path, shown: Story, stop: RunGroup) -> Result:
        early = self.without_writing(path)
        if early is not None:
            return early
        connection = self.connect(read(path))
        with self.locked(path, connection, stop.pause) as held:
            given_back = self.authorise(path, connection, named=False)
            return self.carry_out(path, shown, connection, stop, given_back, held)

    def locked(
        self, path: Path, connection: Connection, pause: Pause | None = None
    ) -> AbstractContextManager[Settings]:
        """While the locks are held of all that the journal is about."""
        locks = recovery_locks((record.change for record in read(path).records), connection.cluster)
        return locked(connection, self.settings, Command.RECOVER, WantedLocks(locks), pause)

    def without_writing(self, path: Path) -> Result | None:
        """The result if there is nothing to do, or the run is a dry run."""
        story = read(path)
        if story.finished:
            notes = [f"it ended as {story.outcome}"]
            return Result(Ended.UNCHANGED, transaction=story.transaction, notes=notes)
        if self.request.forward:
            _check_forward(story)
        if not self.settings.dry_run:
            return None
        if recovery.is_running(path):
            raise JournalError(f"transaction {path.stem} is still running")
        return self.plan(story)

    def _check_shown(self, shown: Story, now: Story) -> None:
        """Raise `Refused` if there is more to do now than was shown and approved."""
        approved = self._changes(shown)
        if any(change not in approved for change in self._changes(now)):
            raise Refused(
                f"transaction {now.transaction} was not changed",
                reason="it has changed since it was shown",
                next_steps=(f"{recover_command(now.transaction, now.to_paste)}  # shows its current state",),
            )

    def _changes(self, story: Story) -> list[Change]:
        if self.request.forward:
            return results.forward_changes(story)
        return results.backward_changes(story)

    def plan(self, story: Story) -> Result:
        cluster = results.cluster_of(story)
        self.announce(cluster)
        changes = self._changes(story)
        facts = results.facts_of(story)
        result = results.planned(story.transaction, changes, facts, cluster, self.settings)
        if not story.sealed:
            result.notes.append(authority.NOT_WRITTEN_HERE.format(story.transaction))
        return result

    def authorise(self, path: Path, connection: Connection, *, named: bool) -> frozenset[str]:
        """Check the journal's authority; returns the roles with nothing to roll back. See `Request`."""
        story = read(path)
        forward = self.request.forward
        begun = [record.change for record in story.records if record.needs_undo]
        authority.check_cluster(story, connection)
        with naming_caller(connection.caller):
            if not recovery.ended_elsewhere(story, handlers_of(connection)):
                authority.check_lock(story, begun, connection, named=named, forward=forward)
            changes = results.forward_changes(story) if forward else begun
            given_back = authority.check_marks(story, path, changes, connection, forward=forward, named=named)
        authority.check_word(story, begun, named=named, forward=forward)
        return given_back

    def connect(self, story: Story) -> Connection:
        # The ServiceAccount shows whether another run is over meanwhile, also if it was not reached.
        kube = any(record.change.kind.traits.service is Service.KUBERNETES for record in story.records)
        recorded = target_of(story)
        unsaid: dict[str, Any] = dict.fromkeys(GIVEN)
        target = self.request.override(replace(recorded, **unsaid))
        authority.check_way(story, recorded, target, *(["--forward"] if self.request.forward else []))
        if (target, kube) not in self.connections:
            self.connections[target, kube] = connect(target, kube=kube, log=self.log, gone=recognize)
            self.announce(self.connections[target, kube].cluster)
        return self.connections[target, kube]

    def announce(self, cluster: Cluster) -> None:
        if cluster.arn not in self.announced:
            self.settings.note(cluster.head)
        self.announced.add(cluster.arn)

    def carry_out(
        self,
        path: Path,
        shown: Story,
        connection: Connection,
        stop: RunGroup,
        given_back: frozenset[str],
        settings: Settings,
    ) -> Result:
        started = time.monotonic()
        stop.check()
        self._check_shown(shown, read(path))
        if given_back:
            recovery.note_given_back(path, given_back)
        story = read(path)
        handlers = handlers_of(connection)
        with naming_caller(connection.caller):
            ended = recovery.look_at_deletion(path, story, handlers, self.settings.listen)
            if ended is recovery.DeletionEnd.ENDED:
                result = _ended_result(story, connection.cluster)
            elif self.request.forward or ended is recovery.DeletionEnd.HALF:
                run = Run(story.transaction, settings.timeout, fence=settings.hold)
                with stop.holding(run):
                    report = roll_forward(path, read(path), handlers, run, self.settings.listen)
                result = _forward_result(report, story, connection, settings)
                result.access = results.access_of(results.forward_changes(story), connection.cluster)
                if ended is recovery.DeletionEnd.HALF:
                    result.notes.append(f"{_gone(story)}: irsa continues the deletion")
                result.error = with_caller(result.error, connection.caller)
            else:
                leftovers = results.roll_back(path, story, connection, settings)
                result = results.back_result(story, leftovers, story.transaction, connection.cluster)
        committed = result.ended is Ended.COMMITTED
        if committed and story.about is not None:
            supersede(interrupted_runs(self.settings.state_dir, story.about), _like(story))
        result.cluster = connection.cluster
        result.facts = results.facts_of(story, committed=committed)
        result.seconds = time.monotonic() - started
        return result


def _ended_result(story: Story, cluster: Cluster) -> Result:
    """A deletion that had come to its end counts as such."""
    changes = [record.change for record in story.records]
    return Result(
        Ended.COMMITTED,
        transaction=story.transaction,
        changes=[ChangeResult(change, "done") for change in changes],
        notes=[f"{_gone(story)}: the transaction counts as committed"],
        access=results.access_of(changes, cluster),
    )


def _like(story: Story) -> Covers:
    """Leftovers of others after the end of this transaction: none of its own objects."""
    objects = {record.change.object for record in story.records}
    request = story.context.get("request")
    return lambda other, change: other.context.get("request") == request and change.object in objects


def _gone(story: Story) -> str:
    gone = ", ".join(f"{record.change.kind.value} {record.change.name}" for record in story.stages[-1])
    return f"{gone} is already deleted and can't be restored"


def _check_forward(story: Story) -> None:
    back = f"{recover_command(story.transaction, story.to_paste)}  # rolls it back"
    if story.context.get(TAKES_BACK):
        raise Refused(
            f"transaction {story.transaction} was itself a recovery",
            reason="a recovery can't be continued",
            next_steps=(back,),
        )
    if story.context.get("gated"):
        raise Refused(
            f"transaction {story.transaction} can't be continued from its journal",
            reason="with --verify, irsa verifies the token before the last step",
            next_steps=(
                f"run the same irsa {story.context.get('command', '')} command again:"
                " it continues from the current state",
                back,
            ),
        )


def _forward_result(report: RunReport, story: Story, connection: Connection, settings: Settings) -> Result:
    result = result_of_report(report, connection.cluster, story.transaction, settings, story.to_paste)
    if isinstance(result.error, IrsaError):
        steps = (
            f"{recover_command(story.transaction, story.to_paste, '--forward')}  # continues",
            f"{recover_command(story.transaction, story.to_paste)}  # rolls it back",
        )
        result.error = result.error.but(next_steps=(*result.error.next_steps, *steps))
    return result
