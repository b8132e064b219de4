"""`irsa delete -f` and `irsa apply --prune`: delete bindings that files name, or no longer name."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from irsa_cli.aws.gone import recognize
from irsa_cli.core.config.model import BindingEntry, Config, Selection
from irsa_cli.core.results.applied import AppliedList, Item, NotBegun
from irsa_cli.core.results.result import Command, Result
from irsa_cli.core.values import checked
from irsa_cli.core.values.errors import IrsaError
from irsa_cli.transaction.reading import is_interrupted, unfinished_runs
from irsa_cli.transaction.story import About
from irsa_cli.usecases.command.caller import with_caller
from irsa_cli.usecases.command.connect import Connection, Target, WireLog, connect
from irsa_cli.usecases.command.execute import begin
from irsa_cli.usecases.command.parallel import PARALLEL, Pace, ended, in_turn, result_of, run_all
from irsa_cli.usecases.command.settings import RunGroup, Settings, stoppable
from irsa_cli.usecases.files import targets
from irsa_cli.usecases.files.fleet import CLUSTERS, Fleet, unreached
from irsa_cli.usecases.locks.locks import Locks
from irsa_cli.usecases.write import delete_sa
from irsa_cli.usecases.write.batches import Batches


@dataclass(frozen=True)
class Request:
    """The request of `irsa delete -f`; `target.cluster` is '' if the files name it."""

    configs: tuple[Config, ...]
    target: Target
    selection: Selection = field(default_factory=Selection)
    parallel: checked.Parallel = PARALLEL
    force: bool = False
    max_failures: int | None = None
    """After so many failures nothing more is begun; None: however many."""
    ignore_maker: bool = False


def delete_files(
    request: Request, settings: Settings, log: WireLog, tell: targets.Tell
) -> AppliedList | Result:
    """Delete the bindings of the files; what does not exist is as desired.

    Returns a `Result` if the only cluster can't be reached.
    """
    pace = Pace(request.parallel, request.max_failures)
    fleet = Fleet(pace, log, tell, request.parallel, min(CLUSTERS, request.parallel))

    def reach(place: targets.Place, listen: WireLog) -> Connection:
        return connect(place.target, kube=True, log=listen, gone=recognize, sessions=fleet.sessions)

    where = targets.places(request.configs, request.target, request.selection)
    alone = len(where) == 1 and not request.selection.shard
    done = targets.begun(request.configs, request.selection)
    try:
        connections = fleet.connected(where, reach, done, alone=alone)
    except IrsaError as error:
        if not alone:
            raise
        return unreached(where[0], error)
    for _, connection in connections:
        begin(connection, settings)
    _confirm(connections, settings)
    group = RunGroup()

    def work(place: targets.Place, connection: Connection, part: AppliedList) -> None:
        name = targets.place_name(connection.cluster, among=1 if alone else 2)
        grouped = replace(settings, group=group)
        with Locks.of(connection, grouped, Command.DELETE_SA) as locks:
            deletions = Deletions(connection, grouped, request.force, name, files=True, locks=locks)
            requests = _requests(place, ignore_maker=request.ignore_maker)
            deletions.run(requests, part, fleet.pace_of(place), request.parallel, fleet.notify)

    with stoppable(group, settings.note):
        fleet.each(connections, work, done)
    return targets.finished(done, settings, pace, group, request.max_failures)


def _confirm(connections: Sequence[tuple[targets.Place, Connection]], settings: Settings) -> None:
    """Ask once, about the bindings of all clusters that were reached."""
    among = len(connections)
    names = [
        f"{targets.place_name(connection.cluster, among=among)} {binding}".strip()
        for place, connection in connections
        for binding in place.bindings
    ]
    where = f" in {connections[0][1].cluster.place}" if among == 1 else ""
    heading = f"irsa deletes what it created for these ServiceAccounts{where}:"
    settings.check_confirmed(lambda: settings.confirm_names(heading, names))


def _requests(place: targets.Place, *, ignore_maker: bool) -> list[list[delete_sa.Request]]:
    """Those that only use a role before those whose role it may be."""

    def request(binding: BindingEntry) -> delete_sa.Request:
        return delete_sa.Request(
            place.target,
            binding.namespace,
            binding.name,
            role_name=binding.role_name,
            extent=delete_sa.Extent.BINDING,
            role_only=binding.role_only,
            ignore_not_found=True,
            ignore_maker=ignore_maker,
        )

    using = in_turn(
        (binding for binding in place.bindings if binding.attach_role_arn),
        lambda binding: binding.attach_role_arn,
    )
    making = [binding for binding in place.bindings if not binding.attach_role_arn]
    return [list(map(request, stage)) for stage in (*using, making)]


@dataclass(frozen=True)
class Deletions:
    """Deleting many bindings of one cluster."""

    connection: Connection
    settings: Settings
    force: bool = False
    name: str = ""
    """The name that tells this cluster from others of the run; '' if it is the only one."""
    files: bool = False
    """Whether it is `irsa delete -f`, which has `--force`."""
    locks: Locks | None = None

    def run(
        self,
        stages: Sequence[Sequence[delete_sa.Request]],
        done: AppliedList,
        pace: Pace,
        parallel: int,
        tell: targets.Tell,
    ) -> None:
        """Delete stage by stage, those of one stage at the same time."""
        unfinished = unfinished_runs(self.settings.state_dir)
        for stage in stages:
            start = len(done.items)
            begun = set()
            requests = [replace(request, force=self.force) for request in stage]
            with Batches(self.connection, self.settings, self.locks, requests) as batches:
                works = [partial(self._one, batches, number, unfinished) for number in range(len(requests))]
                for number, item in run_all(works, pace, parallel, self._is_stopped):
                    begun.add(number)
                    done.items.append(item)
                    tell(item)
            done.order(start, [request.title for request in stage])
            pending = [request.title for number, request in enumerate(stage) if number not in begun]
            done.pending += [NotBegun(self.connection.cluster, title, self.name) for title in pending]

    def _is_stopped(self) -> bool:
        return self.settings.group is not None and self.settings.group.number != 0

    def _one(self, batches: Batches, number: int, unfinished: Sequence[tuple[Path, About | None]]) -> Item:
        settings = replace(self.settings, started=time.monotonic())
        request = batches.requests[number]

        def delete() -> Result:
            about = delete_sa.about(self.connection, request)
            earlier = [path for path, other in unfinished if other == about and is_interrupted(path)]
            return batches.delete(number, settings, earlier)

        result = result_of(delete)
        cluster = self.connection.cluster
        error = with_caller(result.error, self.connection.caller)
        result.error = targets.in_terms_of_files(
            error, cluster, request.title, forces=self.files, deletes=True
        )
        return ended(cluster, request.title, result, place=self.name)
