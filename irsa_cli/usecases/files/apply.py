"""`irsa apply` and `irsa diff`: one transaction for each ServiceAccount, or with `atomic` one for all.

The OIDC provider and namespaces come first; `irsa_cli.usecases.files.delete_files` prunes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from irsa_cli.aws.trail import writes_to
from irsa_cli.core.results.applied import AppliedList, Item, objects_of
from irsa_cli.core.results.result import ALL, Command, Ended, Result
from irsa_cli.core.values.errors import InvalidInput, IrsaError
from irsa_cli.usecases.command.caller import with_caller
from irsa_cli.usecases.command.connect import Connection, WireLog
from irsa_cli.usecases.command.execute import GOOD, begin
from irsa_cli.usecases.command.parallel import Pace, result_of
from irsa_cli.usecases.command.settings import RunGroup, Settings, stoppable
from irsa_cli.usecases.files.atomic import all_or_nothing
from irsa_cli.usecases.files.cluster_run import ClusterRun
from irsa_cli.usecases.files.fleet import CLUSTERS, Fleet, canary_first, unreached
from irsa_cli.usecases.files.targets import Place, Request, Tell, begun, finished, places
from irsa_cli.usecases.locks.locks import Locks


def apply(request: Request, settings: Settings, log: WireLog, tell: Tell) -> AppliedList | Result:
    """Apply what the files ask for; an error of one ServiceAccount or cluster does not end the others.

    Returns a `Result` if the only cluster can't be reached.
    """
    request = request.bounded()
    where = places(request.configs, request.target, request.selection)
    if request.verify and any(binding.pod_identity for place in where for binding in place.bindings):
        settings.note("--verify checks no EKS Pod Identity associations: irsa verify does, afterwards")
    _check(request, where)
    pace = Pace(request.parallel, request.max_failures)
    most = 1 if settings.asks and request.prune else min(CLUSTERS, request.parallel)
    fleet = Fleet(pace, log, tell, request.parallel, most)
    done = begun(request.configs, request.selection)
    group = RunGroup()
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


def _check(request: Request, where: Sequence[Place]) -> None:
    """Raise for roles without a required boundary, and for --atomic in several clusters or accounts."""
    making = [binding for place in where for binding in place.bindings if not binding.attach_role_arn]
    if not request.boundaries.default:
        without = [binding for binding in making if not binding.permissions_boundary]
        fields = dict.fromkeys(binding.in_its_words("permissionsBoundary") for binding in without)
        names = [f"{binding} ({binding.where})" for binding in without]
        request.boundaries.check_all_made(names, field=" or ".join(fields))
    if request.atomic and len(where) > 1:
        raise InvalidInput(
            "--atomic takes one cluster, and one account of roles",
            reason="one transaction is about one cluster, and keeps its roles in one account",
        )


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
        if not self.request.canary:
            return False
        return any(item.result.ended not in (*GOOD, Ended.PLANNED) for item in self.done.items)

    @property
    def is_over(self) -> bool:
        """Whether no other cluster is begun."""
        return self.fleet.pace.is_over or self.group.number != 0

    def do(self, stage: Sequence[Place]) -> None:
        """Connect these, and apply what their files ask for; raises the error of the only cluster."""
        if self.is_over or self.canary_failed:
            for place in stage:
                self.done.pending += place.not_begun()
            return
        reached = self.fleet.connected(stage, self._reach, self.done, alone=self.alone)
        for _, cluster_run in reached:
            begin(cluster_run.connection, self.settings)
        with stoppable(self.group, self.settings.note):
            self.fleet.each(reached, self._work, self.done)

    def _reach(self, place: Place, listen: WireLog) -> ClusterRun:
        sessions = self.fleet.sessions
        among = 1 if self.alone else 2
        return ClusterRun.open(place, self.request, self.settings, listen, sessions, among=among)

    def _work(self, place: Place, cluster_run: ClusterRun, part: AppliedList) -> None:
        if self.is_over:
            part.pending += cluster_run.not_begun(place.bindings)
        elif self.alone:
            self._one(cluster_run, part)
        else:
            cluster_run.guarded(part, self.fleet.notify, partial(self._one, cluster_run, part))

    def _one(self, cluster_run: ClusterRun, done: AppliedList) -> None:
        request = self.request
        pace = self.fleet.pace_of(cluster_run.place)
        notify = self.fleet.notify
        with Locks.of(cluster_run.connection, self.settings, Command.APPLY) as locks:
            run = replace(cluster_run, locks=locks)
            if request.atomic:
                result = result_of(lambda: all_or_nothing(run))
                result.error = with_caller(result.error, run.connection.caller)
                item = run.ended(ALL, result)
                done.items.append(item)
                notify(item)
                return
            start = len(done.items)
            run.guarded(done, notify, partial(run.one_by_one, done, pace, notify))
            done.order(start, map(str, run.place.bindings))
            if not pace.is_over:
                run.guarded(done, notify, partial(run.prune, done, pace, notify))
            if request.changed_by:
                done.notices = [*done.notices, *ask_who_changed(run.connection, done.items[start:])]


MOST_OBJECTS = 30
"""CloudTrail answers two questions a second: so many are asked at most."""


def ask_who_changed(connection: Connection, items: Sequence[Item]) -> list[str]:
    """Add to each planned item who changed its objects; returns notes."""
    asked = 0
    for item in items:
        if item.result.ended is not Ended.PLANNED:
            continue
        writes = []
        for name in objects_of(change.change for change in item.result.changes):
            if asked == MOST_OBJECTS:
                return [f"not checked in CloudTrail: who changed more than {MOST_OBJECTS} objects"]
            asked += 1
            try:
                writes += writes_to(connection.home, name)
            except IrsaError as error:
                return [f"unknown who changed it: {error}"]
        changed_by = [write.to_json() for write in writes]
        item.result.facts = {**item.result.facts, "changedBy": changed_by}
    return []
