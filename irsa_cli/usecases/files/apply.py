"""`irsa apply` and `irsa diff`: one transaction for each ServiceAccount, or with `atomic` one for all.

The OIDC provider and namespaces come first; `irsa_cli.usecases.files.delete_files` prunes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from irsa_cli.aws.trail import writes_to
from irsa_cli.core.access.documents import Documents
from irsa_cli.core.access.guard import Guard
from irsa_cli.core.binding.access_documents import guard_of_all, of_bound, of_current
from irsa_cli.core.binding.current import CurrentState
from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.plan.changes import Change, Plan, _is_for_good
from irsa_cli.core.planning.converge import trust_notes
from irsa_cli.core.planning.delete import Deletion
from irsa_cli.core.planning.trust_warnings import of_desired_state
from irsa_cli.core.results.applied import AppliedList, Item, objects_of
from irsa_cli.core.results.result import ALL, SHARED_PARTS, Command, Ended, Result
from irsa_cli.core.values.errors import InvalidInput, IrsaError, Refused
from irsa_cli.transaction.protocol import Run
from irsa_cli.usecases.command.caller import with_caller
from irsa_cli.usecases.command.connect import Connection, WireLog
from irsa_cli.usecases.command.execute import Gate, begin
from irsa_cli.usecases.command.parallel import Pace, result_of
from irsa_cli.usecases.command.retry import Attempts, came_between, with_its_locks
from irsa_cli.usecases.command.settings import RunGroup, Settings, stoppable
from irsa_cli.usecases.files.cluster_run import GOOD, ClusterRun
from irsa_cli.usecases.files.fleet import CLUSTERS, Fleet, canary_first, unreached
from irsa_cli.usecases.files.targets import Place, Request, Tell, begun, finished, places
from irsa_cli.usecases.locks.locks import Locks, binding_lock
from irsa_cli.usecases.read.associations import Question
from irsa_cli.usecases.read.reads import WORKERS
from irsa_cli.usecases.read.snapshot import Snapshot
from irsa_cli.usecases.verification.iam_steps import verify
from irsa_cli.usecases.write.create_sa import left_behind, may_be_spreading
from irsa_cli.usecases.write.delete_sa import planned_deletion


def apply(request: Request, settings: Settings, log: WireLog, tell: Tell) -> AppliedList | Result:
    """Apply what the files ask for; an error of one ServiceAccount or cluster does not end the others.

    Returns a `Result` if the only cluster can't be reached.
    """
    pace = Pace(request.parallel, request.max_failures)
    most = 1 if settings.asks and request.prune else min(CLUSTERS, request.parallel)
    fleet = Fleet(pace, log, tell, request.parallel, most)
    request = request.bounded()
    where = places(request.configs, request.target, request.selection)
    if request.verify and any(item.pod_identity for place in where for item in place.bindings):
        settings.note("--verify checks no EKS Pod Identity associations: irsa verify does, afterwards")
    without = [
        item
        for place in where
        for item in place.bindings
        if not (item.attach_role_arn or item.permissions_boundary or request.boundaries.default)
    ]
    fields = dict.fromkeys(item.in_its_words("permissionsBoundary") for item in without)
    request.boundaries.check_all_made(
        [f"{item} ({item.where})" for item in without], field=" or ".join(fields)
    )
    if request.atomic and len(where) > 1:
        raise InvalidInput(
            "--atomic takes one cluster, and one account of roles",
            reason="one transaction is about one cluster, and keeps its roles in one account",
        )
    done, group = begun(request.configs, request.selection), RunGroup()
    alone = len(where) == 1 and not request.selection.shard
    run = _Applying(request, replace(settings, group=group), group, fleet, done, alone)
    for stage in canary_first(where, request.canary):
        try:
            run.do(stage)
        except IrsaError as error:
            if not alone:
                raise
            return unreached(where[0], error)
    if done.pending and run.canary_failed:
        done.notices = [*done.notices, f"stopped: the canary {request.canary} failed"]
    return finished(done, settings, pace, group, request.max_failures)


@dataclass(frozen=True)
class _Applying:
    """A run over clusters; `alone`: there is no other cluster."""

    request: Request
    settings: Settings
    group: RunGroup
    fleet: Fleet
    done: AppliedList
    alone: bool

    @property
    def canary_failed(self) -> bool:
        """Whether anything is not as desired; asked when only the canary has been begun."""
        wanted = (*GOOD, Ended.PLANNED)
        return bool(self.request.canary) and any(it.result.ended not in wanted for it in self.done.items)

    @property
    def is_over(self) -> bool:
        """Whether no other cluster is begun."""
        return self.fleet.pace.is_over or self.group.number != 0

    def do(self, stage: Sequence[Place]) -> None:
        """Connect these, and apply what their files ask for; raises the error of the only cluster."""
        if self.is_over or self.canary_failed:
            self.done.pending += [item for place in stage for item in place.not_begun()]
            return
        reached = self.fleet.connected(stage, self._reach, self.done, alone=self.alone)
        for _, cluster_run in reached:
            begin(cluster_run.connection, self.settings)
        with stoppable(self.group, self.settings.note):
            self.fleet.each(reached, self._work, self.done)

    def _reach(self, place: Place, listen: WireLog) -> ClusterRun:
        sessions, among = self.fleet.sessions, 1 if self.alone else 2
        return ClusterRun.open(place, self.request, self.settings, listen, sessions, among=among)

    def _work(self, place: Place, cluster_run: ClusterRun, part: AppliedList) -> None:
        if self.is_over:
            part.pending += cluster_run.not_begun(place.bindings)
        elif self.alone:
            self._one(cluster_run, part)
        else:
            cluster_run.guarded(part, self.fleet.notify, partial(self._one, cluster_run, part))

    def _one(self, cluster_run: ClusterRun, done: AppliedList) -> None:
        request, pace, notify = self.request, self.fleet.pace_of(cluster_run.place), self.fleet.notify
        with Locks.of(cluster_run.connection, self.settings, Command.APPLY) as locks:
            run = replace(cluster_run, locks=locks)
            if request.atomic:
                _all_or_nothing(run, done, notify)
                return
            start = len(done.items)
            run.guarded(done, notify, partial(run.one_by_one, done, pace, notify))
            done.order(start, map(str, run.place.bindings))
            if not pace.is_over:
                run.guarded(done, notify, partial(run.prune, done, pace, notify))
            if request.changed_by:
                done.notices = [*done.notices, *ask_who_changed(run.connection, done.items[start:])]


def _all_or_nothing(cluster_run: ClusterRun, done: AppliedList, tell: Tell) -> None:
    """Plan all and carry it out as one transaction; refused if one ServiceAccount can't be as desired."""
    desired_states: list[DesiredState] = []
    wanted = [binding_lock(item.namespace, item.name) for item in cluster_run.place.bindings]

    def work() -> Result:
        with cluster_run.holding(wanted) as held:
            attempts = Attempts(held.settings)
            for number in attempts:
                attempt = partial(_attempt, held, desired_states, again=number > 1)
                result = with_its_locks(attempt, held.settings.hold)
                if (
                    attempts.is_last
                    or result.ended is not Ended.ROLLED_BACK
                    or not came_between(result.error)
                ):
                    return result
                attempts.look_again(result.error)
        raise AssertionError("the last attempt returns")

    result = result_of(work)
    if result.ended in GOOD:
        names = (ALL, SHARED_PARTS, *map(str, cluster_run.place.bindings))
        cluster_run.settle(names, desired_states, pruned=cluster_run.request.prune)
    result.error = with_caller(result.error, cluster_run.connection.caller)
    item = cluster_run.ended(ALL, result)
    done.items.append(item)
    tell(item)


MOST_OBJECTS = 30
"""CloudTrail answers two questions a second: so many are asked at most."""


def ask_who_changed(connection: Connection, items: Sequence[Item]) -> list[str]:
    """Add to each planned item who changed its objects; returns notes."""
    asked = 0
    for item in items:
        if item.result.ended is not Ended.PLANNED:
            continue
        found = []
        for name in objects_of(change.change for change in item.result.changes):
            if asked == MOST_OBJECTS:
                return [f"not checked in CloudTrail: who changed more than {MOST_OBJECTS} objects"]
            asked += 1
            try:
                found += writes_to(connection.home, name)
            except IrsaError as error:
                return [f"unknown who changed it: {error}"]
        item.result.facts = {**item.result.facts, "changedBy": [one.to_json() for one in found]}
    return []


def _attempt(cluster_run: ClusterRun, desired_states: list[DesiredState], *, again: bool) -> Result:
    # A list may have missed a recent change the first time.
    with Snapshot(cluster_run.connection, one_by_one=again or cluster_run.settings.is_rehearsal) as snapshot:
        desired_states[:] = [_meant(found) for found in cluster_run.desired_states(snapshot)]
        ground = snapshot.prepare_base(desired_states, associate=cluster_run.place.with_oidc)
        with ThreadPoolExecutor(WORKERS) as pool:
            looked = list(pool.map(lambda desired: (desired, snapshot.observe(desired)), desired_states))
    names_one = [bool(binding.permissions_boundary) for binding in cluster_run.place.bindings]
    found = [
        _planned(cluster_run, desired, current, named=named)
        for named, (desired, current) in zip(names_one, looked, strict=True)
    ]
    refusals = [item for item in found if isinstance(item, Refused)]
    if refusals:
        details = [line for it in refusals for line in (str(it), *(f"  {item}" for item in it.details))]
        steps = dict.fromkeys(step for it in refusals for step in it.next_steps)
        why = f"{len(refusals)} of the ServiceAccounts can't reach their desired state"
        raise Refused(why, details=details, next_steps=[*steps])
    deletions = _deletions(cluster_run, desired_states)
    plans = [item for item in found if isinstance(item, Plan)]
    plans += [item.plan for item in deletions]
    plan = side_by_side(ground.plan, plans)
    facts = {"serviceAccounts": [{"namespace": w.namespace, "name": w.name} for w in desired_states]}
    warnings = tuple(item for desired, current in looked for item in of_desired_state(desired, current, plan))
    proof: dict[str, Any] = {}
    gated = [desired for desired in desired_states if desired.gated and len(plan)]
    asked = cluster_run.asked
    gate = _gate(cluster_run, gated, plan, proof) if gated else None
    documents = partial(_documents, looked, deletions)
    seen, guard = [current for _, current in looked], partial(_guard, desired_states, deletions)
    result = cluster_run.make(plan, gate, ground.there, seen, documents, guard)
    result.facts, result.verification = facts, proof or None
    result.warnings = warnings if result.error is None else ()
    if result.error is None:
        result.notes += _association_notes(
            asked, [desired for desired in desired_states if not desired.role_only]
        )
    if result.ended is Ended.UNCHANGED:
        return result
    if result.ended in (Ended.COMMITTED, Ended.PLANNED):
        result.notes += [note for desired, current in looked for note in left_behind(desired, current)]
    result.notes += [
        f"{desired.namespace}/{desired.name}: {note}"
        for desired, current in looked
        for note in trust_notes(desired, current)
    ]
    return result


def _deletions(cluster_run: ClusterRun, desired_states: Iterable[DesiredState]) -> list[Deletion]:
    """The deletions of what no file lists any more."""
    roles = {f"{desired.namespace}/{desired.name}": desired.role_arn for desired in desired_states}
    stages = cluster_run.prune_candidates(roles)
    planned = (
        planned_deletion(cluster_run.connection, item, cluster_run.settings)
        for stage in stages
        for item in stage
    )
    return [item for item in planned if item is not None]


def _documents(
    looked: Iterable[tuple[DesiredState, CurrentState]], deletions: Iterable[Deletion]
) -> Documents:
    created = (of_current(desired, current) for desired, current in looked)
    deleted = (of_bound(item.bound) for item in deletions if item.bound is not None)
    return Documents.together([*created, *deleted])


def _guard(desired_states: Iterable[DesiredState], deletions: Iterable[Deletion]) -> Guard:
    return guard_of_all(desired_states, [item.bound for item in deletions if item.bound is not None])


def _association_notes(asked: Question, desired_states: Sequence[DesiredState]) -> Iterator[str]:
    for desired in desired_states:
        one = Result(Ended.COMMITTED)
        asked.tell(one, desired.namespace, desired.name, desired.role_arn)
        yield from (f"{desired.namespace}/{desired.name}: {note}" for note in one.notes)


def _meant(found: DesiredState | IrsaError) -> DesiredState:
    if isinstance(found, IrsaError):
        raise found
    return found


def _planned(
    cluster_run: ClusterRun, desired: DesiredState, current: CurrentState, *, named: bool
) -> Plan | Refused:
    try:
        return cluster_run.converge(desired, current, named=named)
    except Refused as error:
        return error


def _gate(
    cluster_run: ClusterRun, desired_states: Sequence[DesiredState], plan: Plan, proof: dict[str, Any]
) -> Gate:
    fresh = may_be_spreading(plan)

    def prove(run: Run | None) -> None:
        assert run is not None, "there is something to do"
        for desired in desired_states:
            found = verify(
                cluster_run.connection,
                desired,
                seconds=run.remaining - 1 if fresh else 0,
                pause=run.pause,
                listen=cluster_run.settings.listen,
                plan=plan,
            )
            proof[f"{desired.namespace}/{desired.name}"] = found

    return prove


def side_by_side(first: Plan, plans: Sequence[Plan]) -> Plan:
    """One plan of all: `first`, then the others at the same time, each in its own order.

    Their last stages come together, as they are what pods see. ServiceAccounts are deleted after everything
    else: a recreated one has another uid, so nothing that can fail comes after it.
    """
    depth = max((len(plan.stages) for plan in plans), default=0)
    stages: list[list[Change]] = [[] for _ in range(depth)]
    for plan in plans:
        for place, stage in enumerate(plan.stages, depth - len(plan.stages)):
            stages[place] += stage
    deletions = [change for stage in stages for change in stage if _is_for_good(change)]
    kept = [[change for change in stage if not _is_for_good(change)] for stage in stages]
    found = Plan.of(*_once([*map(list, first.stages), *kept, deletions]))
    # A gate is before the last stage: it proves what is before it, even if nothing comes after.
    is_behind = any(plan.stages and not plan.stages[-1] for plan in plans) and not any((kept[-1], deletions))
    return Plan((*found.stages, ())) if is_behind else found


def _once(stages: Iterable[list[Change]]) -> list[list[Change]]:
    """Each change at its first place only: two ServiceAccounts may need the same one."""
    seen: set[str] = set()
    found = []
    for stage in stages:
        kept = []
        for change in stage:
            key = repr(change)
            if key not in seen:
                kept.append(change)
            seen.add(key)
        found.append(kept)
    return found
