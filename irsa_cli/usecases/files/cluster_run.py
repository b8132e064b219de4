"""One cluster of `irsa apply`: its shared parts, its entries, and leftovers of earlier runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

from irsa_cli.aws.session import AwsSession
from irsa_cli.core.binding.current import CurrentState
from irsa_cli.core.binding.role_changes import check_boundaries
from irsa_cli.core.binding.role_only import HandOver, of_annotations, waiting
from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.config.model import BindingEntry
from irsa_cli.core.marks.locks import Lock
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import TRANSACTION_TAG
from irsa_cli.core.planning.converge import converge, trust_notes
from irsa_cli.core.planning.create import satisfies
from irsa_cli.core.results.applied import AppliedList, Item, NotBegun
from irsa_cli.core.results.result import ALL, CLUSTER, SHARED_PARTS, Command, Ended, Result
from irsa_cli.core.values.errors import IrsaError, ServiceError
from irsa_cli.core.values.names import began
from irsa_cli.core.values.patience import replaced
from irsa_cli.transaction.reading import supersede
from irsa_cli.transaction.recover import stories
from irsa_cli.transaction.story import Story
from irsa_cli.usecases.command.caller import check_partitions, naming_caller, with_caller
from irsa_cli.usecases.command.connect import Connection, WireLog, connect
from irsa_cli.usecases.command.execute import GOOD, RunContext, other_desired_state
from irsa_cli.usecases.command.loop import Draft, Loop
from irsa_cli.usecases.command.parallel import Pace, result_of, run_all
from irsa_cli.usecases.command.parallel import ended as ended_item
from irsa_cli.usecases.command.retry import with_its_locks
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.files.delete_files import Deletions
from irsa_cli.usecases.files.entries import Entries, Entry, by_role, by_target
from irsa_cli.usecases.files.fleet import SharedSessions
from irsa_cli.usecases.files.pruning import Pruning, is_prune_candidate
from irsa_cli.usecases.files.shared_parts import SharedTransaction
from irsa_cli.usecases.files.targets import Place, Request, Tell, in_terms_of_files, place_name
from irsa_cli.usecases.locks.ahead import LocksAhead, take_ahead, when_needed
from irsa_cli.usecases.locks.locks import Locks, WantedLocks, binding_lock
from irsa_cli.usecases.read.associations import Question
from irsa_cli.usecases.read.snapshot import SharedBase, Snapshot
from irsa_cli.usecases.write import delete_sa
from irsa_cli.usecases.write.create_sa import Work


@dataclass(frozen=True)
class ClusterRun:
    """One cluster that is worked on."""

    place: Place
    request: Request
    settings: Settings
    connection: Connection
    unfinished: dict[str, list[Path]] = field(default_factory=dict)
    """Journals of runs for a ServiceAccount of this cluster that were interrupted."""
    locks: Locks | None = None
    """The locks of the run here; None before it begins."""
    name: str = ""
    """The name that tells this cluster from others of the run; '' if it is the only one."""
    roles: dict[str, str] = field(default_factory=dict)
    """The ARNs of the roles of the entries that are as desired by now, or would be in a dry run."""
    others: set[str] = field(default_factory=set)
    """The locks of other runs when the current state was read."""
    reported: set[str] = field(default_factory=set)
    """The announced deletions, which are read again with their locks."""

    @classmethod
    def open(
        cls,
        place: Place,
        request: Request,
        settings: Settings,
        log: WireLog,
        sessions: SharedSessions,
        *,
        among: int,
    ) -> ClusterRun:
        """Connect; an ARN of another partition ends the run before the first call."""
        arns = [*place.arns, *filter(None, (request.boundaries.default,))]

        def check(aws: AwsSession) -> None:
            check_partitions(arns, aws)

        connection = connect(place.target, kube=True, log=log, check=check, sessions=sessions)
        cluster = connection.cluster
        unfinished: dict[str, list[Path]] = {}
        for path, story in stories(settings.state_dir):
            about = (story.context.get("cluster"), story.role_account)
            if not story.finished and about == (cluster.arn, place.target.role_account):
                unfinished.setdefault(str(story.context.get("serviceAccount")), []).append(path)
        name = place_name(cluster, among=among)
        return cls(place, request, settings, connection, unfinished, name=name)

    def guarded(self, done: AppliedList, tell: Tell, work: Callable[[], None]) -> None:
        """Do a part; if it can't begin, report what was done before."""
        try:
            work()
        except Exception as error:
            result = result_of(_raising(error))
            result.error = with_caller(result.error, self.connection.caller)
            item = self.ended(CLUSTER, result)
            done.items.append(item)
            tell(item)

    def one_by_one(self, done: AppliedList, pace: Pace, tell: Tell) -> None:
        """Run a transaction for each ServiceAccount; those that use another's role come last.

        Changes of shared parts stay locked until all have ended.
        """
        with self.holding() as cluster_run, naming_caller(self.connection.caller):
            with_its_locks(lambda _: cluster_run._one_by_one(done, pace, tell), cluster_run.settings.hold)

    @contextmanager
    def holding(self, locks: Iterable[Lock] = ()) -> Iterator[ClusterRun]:
        """The same run with these locks and those that its plans need; after a question, not before it."""
        if self.locks is None:
            yield self
            return
        late = self.settings.asks and self.request.prune
        wanted = WantedLocks(when_needed=locks) if late else WantedLocks(locks)
        with self.locks.holding(self.settings, wanted) as settings:
            yield replace(self, settings=settings)

    def _one_by_one(self, done: AppliedList, pace: Pace, tell: Tell) -> None:
        def note(item: Item) -> None:
            done.items.append(item)
            tell(item)

        with Snapshot(self.connection, one_by_one=self.settings.is_rehearsal) as snapshot:
            entries, broken = self._desired_states(snapshot)
            base = snapshot.prepare_base([desired for _, desired in entries], associate=self.place.with_oidc)
            if (hold := self.settings.hold) is not None:
                self.others.clear()
                self.others.update(hold.busy())
                hold.secure(base.plan, counted_on=base.there, busy=self.others)
            for item in broken:
                note(item)
            is_ready, shared = self._begin_shared_parts(base, note)
            if is_ready:
                try:
                    self._build(entries, shared, snapshot, pace, note)
                finally:
                    reached = self._reached(entries, done)
                    if shared is not None:
                        shared.end(wholly=len(reached) == len(entries))
                self._settle_reached(reached, entries)
            begun = {item.name for item in self._here(done)}
            done.pending += self.not_begun(binding for binding, _ in entries if str(binding) not in begun)

    def _reached(self, entries: Sequence[Entry], done: AppliedList) -> list[DesiredState]:
        """The desired states of the entries that are as desired now."""
        good = {item.name for item in self._here(done) if item.result.ended in GOOD}
        return [desired for binding, desired in entries if str(binding) in good]

    def _settle_reached(self, reached: Sequence[DesiredState], entries: Sequence[Entry]) -> None:
        """See `settle`, for interrupted runs of the shared parts and of all entries in one transaction."""
        if reached or not entries:
            self.settle([SHARED_PARTS], reached)
        if len(reached) == len(entries):
            self.settle([ALL], reached, tell=not self.request.prune)

    def _build(
        self,
        entries: Sequence[Entry],
        shared: SharedTransaction | None,
        snapshot: Snapshot,
        pace: Pace,
        note: Callable[[Item], None],
    ) -> None:
        """A transaction for each, on the shared parts; what one that is as desired builds on stays."""
        by_name = {str(binding): desired for binding, desired in entries}

        def noted(item: Item) -> None:
            if shared is not None and item.result.ended in GOOD:
                shared.release(by_name[item.name])
            note(item)

        making = [entry for entry in entries if entry[1].role is not None]
        using = [entry for entry in entries if entry[1].role is None]
        for groups in (by_target(making), by_role(using)):
            self._run(groups, snapshot, pace, noted)

    def prune(self, done: AppliedList, pace: Pace, tell: Tell) -> None:
        """Delete what no file lists any more, after showing it."""
        stages = self.prune_candidates(self.roles, tell=not self.settings.asks)
        if any(stages):
            if not self._stopped():
                names = [f"{self.name} {request.title}".strip() for stage in stages for request in stage]
                heading = f"Created by irsa and no longer in any file, in {self.connection.cluster.place}:"
                self.settings.check_confirmed(lambda: self.settings.confirm_names(heading, names))
            deletions = Deletions(self.connection, self.settings, name=self.name, locks=self.locks)
            deletions.run(stages, done, pace, self.request.parallel, tell)
        good = all(item.result.ended in GOOD for item in self._here(done))
        if self.request.prune and not done.pending and good:
            self.settle([ALL], [], pruned=True)

    def prune_candidates(
        self, roles: Mapping[str, str], *, tell: bool = True
    ) -> list[list[delete_sa.Request]]:
        """Deletions of `--prune`, announced before they begin; `roles` are those of entries."""
        if not self.request.prune:
            return []
        pruning = Pruning(self.connection, self.place, self.request.selection, self._note_once)
        stages = pruning.candidates(roles)
        if any(stages) and tell:
            names = ", ".join(sorted(request.title for stage in stages for request in stage))
            self._note_once(f"No file contains these any more; irsa created them: {names}")
        return stages

    def _note_once(self, text: str) -> None:
        """Say it once: with its locks it is looked at again."""
        if text not in self.reported:
            self.settings.note(text)
        self.reported.add(text)

    def _run(
        self,
        groups: Sequence[Sequence[Entry]],
        snapshot: Snapshot,
        pace: Pace,
        note: Callable[[Item], None],
    ) -> None:
        """Work on several groups at the same time, and on the entries of one after the other."""
        _ = self.asked  # Before several threads want it, as nothing guards its making.
        most = self.request.parallel
        with self._ahead([desired for group in groups for _, desired in group], snapshot, most) as ahead:

            def work(group: Sequence[Entry]) -> list[Item]:
                return [
                    self._one(binding, desired, snapshot, ahead)
                    for binding, desired in group
                    if not self._stopped()
                ]

            for _, items in run_all([partial(work, group) for group in groups], pace, most, self._stopped):
                for item in items:
                    note(item)

    def _ahead(
        self, desired_states: Sequence[DesiredState], snapshot: Snapshot, most: int
    ) -> AbstractContextManager[LocksAhead | None]:
        """Locks of new ServiceAccounts, taken in parallel with other work."""
        if self.locks is None:
            return nullcontext()
        new = [desired for desired in desired_states if snapshot.is_unlisted(desired)]
        locks = [binding_lock(desired.namespace, desired.name) for desired in new]
        return take_ahead(self.locks, self.settings, locks, most)

    def _stopped(self) -> bool:
        return self.settings.group is not None and self.settings.group.number != 0

    @cached_property
    def asked(self) -> Question:
        """Where pods get their credentials, asked once for all."""
        return Question(self.connection)

    def _one(
        self, binding: BindingEntry, desired: DesiredState, snapshot: Snapshot, ahead: LocksAhead | None
    ) -> Item:
        settings = replace(self.settings, started=time.monotonic())
        planner = partial(self.converge, binding)
        lock = binding_lock(desired.namespace, desired.name)

        def work(held: Settings) -> Result:
            result = Work(
                self.connection,
                desired,
                planner,
                held,
                self._context(binding),
                look=snapshot.observe,
                look_again=snapshot.observe_again,
                asked=self.asked,
                others=self.others,
                trust_notes=trust_notes,
            ).until_settled()
            if result.ended in GOOD:
                self.settle([str(binding)], [desired])
                result.notes += self._notes_of_git(desired, snapshot)
            return result

        item = self._item(binding, lambda: when_needed(self.locks, settings, lock, work, ahead))
        if item.result.ended in (*GOOD, Ended.PLANNED):
            self.roles[str(binding)] = desired.role_arn
        return item

    def _notes_of_git(self, desired: DesiredState, snapshot: Snapshot) -> list[str]:
        """That a role-only entry waits for its annotation, if the ServiceAccount could be read."""
        if not desired.role_only or desired.association is not None:
            return []
        if self.settings.git.has(desired.namespace):
            return []  # The project's setting says it.
        try:
            account = snapshot.account(desired.namespace, desired.name)
        except ServiceError as error:
            replaced(error)  # The entry asks nothing of the ServiceAccount: only this note is missing.
            return []
        annotations = {} if account is None else account.annotations
        waits = of_annotations(desired.role_arn, annotations) is HandOver.WAITS
        return [waiting(desired, desired.role_arn)] if waits else []

    def converge(self, binding: BindingEntry, desired: DesiredState, current: CurrentState) -> Plan:
        """The plan for one entry; raises `Refused` if it has no boundary, and has to have one."""
        plan = converge(desired, current, takes_over=is_abandoned(current))
        check_boundaries(self.request.boundaries, plan, named=bool(binding.permissions_boundary))
        return plan

    def _item(self, binding: BindingEntry, work: Callable[[], Result]) -> Item:
        result = result_of(work)
        result.error = with_caller(result.error, self.connection.caller)
        return self.ended(str(binding), result, binding.where, binding)

    def ended(self, name: str, result: Result, where: str = "", entry: BindingEntry | None = None) -> Item:
        """The result of one of them, in terms of the files."""
        result.error = in_terms_of_files(result.error, self.connection.cluster, name, entry=entry)
        return ended_item(self.connection.cluster, name, result, where=where, place=self.name)

    def _here(self, done: AppliedList) -> list[Item]:
        """The items of this cluster: another one may have ServiceAccounts of the same names."""
        arn = self.connection.cluster.arn
        return [item for item in done.items if item.result.cluster and item.result.cluster.arn == arn]

    def not_begun(self, bindings: Iterable[BindingEntry]) -> list[NotBegun]:
        return [NotBegun(self.connection.cluster, str(binding), self.name) for binding in bindings]

    def _context(self, binding: object) -> RunContext:
        return RunContext.of(Command.APPLY, self.connection, str(binding))

    def loop(self, binding: object) -> Loop:
        """The loop of a run that begins now, for one entry or for all."""
        settings = replace(self.settings, started=time.monotonic())
        return Loop(self.connection, settings, self._context(binding))

    def _begin_shared_parts(
        self, base: SharedBase, note: Callable[[Item], None]
    ) -> tuple[bool, SharedTransaction | None]:
        """Create the shared parts, or only show them; whether they are ready, and what this run has begun."""
        if not len(base.plan):
            return True, None
        begun: list[SharedTransaction] = []
        loop = self.loop(SHARED_PARTS)

        def begin() -> Result:
            begun.append(SharedTransaction.begin(base.plan, loop.connection, loop.settings, loop.context))
            return begun[0].result

        result = result_of(lambda: loop.perform(Draft(base.plan, carry_out=begin)))
        note(self.ended(SHARED_PARTS, result))
        is_ready = result.ended in (Ended.COMMITTED, Ended.PLANNED)
        shared = begun[0] if begun else None
        if shared is not None and not is_ready:
            shared.end(wholly=False)
        return is_ready, shared

    def settle(
        self,
        names: Iterable[str],
        desired_states: Sequence[DesiredState],
        *,
        pruned: bool = False,
        tell: bool = True,
    ) -> None:
        """Mark interrupted runs as superseded if these desired states cover them; `tell`: note the others."""
        if self.settings.dry_run:
            return
        paths = [path for name in names for path in self.unfinished.get(name, [])]

        def is_over(story: Story, change: Change) -> bool:
            if pruned and is_prune_candidate(change, story, self.place.names, self.request.selection):
                return True
            # The files ask for the provider for the cluster itself.
            if self.place.with_oidc and change.kind is Kind.PROVIDER:
                return True
            return any(satisfies(desired, change) for desired in desired_states)

        for path in supersede(paths, is_over):
            if tell:
                self.settings.note(other_desired_state(path))

    def _desired_states(self, snapshot: Snapshot) -> tuple[list[Entry], list[Item]]:
        """The desired state of each entry, and the entries that have none."""
        entries: list[Entry] = []
        broken: list[Item] = []
        for binding, desired in zip(self.place.bindings, self.desired_states(snapshot), strict=True):
            if isinstance(desired, IrsaError):
                broken.append(self._item(binding, _raising(desired)))
            else:
                entries.append((binding, desired))
        return entries, broken

    def desired_states(self, snapshot: Snapshot) -> list[DesiredState | IrsaError]:
        return Entries(self.place, self.request, self.connection, snapshot, self.settings).desired_states()


def _raising(error: Exception) -> Callable[[], Result]:
    def work() -> Result:
        raise error

    return work


ABANDONED_SECONDS = 900.0
"""A role that was left incomplete by a run that began so long ago may be taken over, whatever it was for."""


def is_abandoned(current: CurrentState) -> bool:
    """Whether the run that created the role is too old to be alive; an unknown run is not."""
    role = current.binding.seen_role
    if role is None:
        return False
    mark = role.tags.get(TRANSACTION_TAG, "")
    starts = began(mark)
    if mark and not starts:
        return False
    return all(time.time() - start.timestamp() > ABANDONED_SECONDS for start in starts)
