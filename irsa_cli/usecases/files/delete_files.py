"""`irsa delete -f`, and `irsa apply --prune`: bindings that files name, or no longer name, are deleted.

Which ones no file names any more is found out in `irsa_cli.usecases.files.prune`; how one is deleted is
`irsa_cli.usecases.write.delete_sa`'s business, applying files that of `irsa_cli.usecases.files.apply`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from irsa_cli.core.config.model import Binding, Config, Selection
from irsa_cli.core.results.applied import AppliedList, Item, NotBegun
from irsa_cli.core.results.result import Command, Result
from irsa_cli.transaction.folder import prune
from irsa_cli.usecases.command.caller import with_caller
from irsa_cli.usecases.command.connect import Connection, Target, WireLog, connect
from irsa_cli.usecases.command.parallel import PARALLEL, Pace, ended, in_turn, result_of, run_all
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.command.signals import RunGroup, stoppable
from irsa_cli.usecases.files.advice import in_terms_of_files
from irsa_cli.usecases.files.targets import Place, connected, place_name, places
from irsa_cli.usecases.locks.locks import Locks, binding_lock, when_needed
from irsa_cli.usecases.write import delete_sa

Tell = Callable[[Item], None]


@dataclass(frozen=True)
class Request:
    """What `irsa delete -f` was asked for. `target.cluster` is '' where the files name it."""

    configs: tuple[Config, ...]
    target: Target
    selection: Selection = field(default_factory=Selection)
    parallel: int = PARALLEL
    force: bool = False
    max_failures: int | None = None
    """After so many failures nothing more is begun; None: however many."""
    ignore_maker: bool = False


def delete_files(request: Request, settings: Settings, log: WireLog, tell: Tell) -> AppliedList:
    """Delete what irsa made of the bindings in the files; what is not there is as desired."""
    pace = Pace(request.parallel, request.max_failures)

    def listen(call: Any) -> None:
        log(call)
        pace.heard(call)

    def told(item: Item) -> None:
        pace.ended(item.result)
        tell(item)

    def reach(place: Place) -> tuple[Place, Connection]:
        connection = connect(place.target, kube=True, log=listen, check=lambda aws: None, gone=True)
        connection.announce(settings.note)
        return place, connection

    where = places(request.configs, request.target, request.selection)
    done = AppliedList(notices=[notice for config in request.configs for notice in config.notices])
    sites = connected(where, reach, done, told)
    group = RunGroup()
    with stoppable(group, settings.note):
        for place, connection in sites:
            name = place_name(connection.cluster, among=len(where))
            grouped = replace(settings, group=group)
            with Locks.of(connection, grouped, Command.DELETE_SA) as locks:
                deletions = Deletions(connection, grouped, request.force, name, files=True, locks=locks)
                requests = _requests(place, ignore_maker=request.ignore_maker)
                deletions.run(requests, done, pace, request.parallel, told)
    prune(settings.state_dir)
    done.signal, done.seconds = group.number, settings.seconds
    if pace.is_over and done.pending:
        done.notices = [*done.notices, f"nothing more was begun: --max-failures {request.max_failures}"]
    return done


def _requests(place: Place, *, ignore_maker: bool) -> list[list[delete_sa.Request]]:
    """Those that only use a role before those whose role it may be."""
    using = in_turn(
        (item for item in place.bindings if item.attach_role_arn), lambda item: item.attach_role_arn
    )
    making = [item for item in place.bindings if not item.attach_role_arn]
    stages = [[_request(place.target, item) for item in stage] for stage in (*using, making)]
    return [[replace(item, ignore_maker=ignore_maker) for item in stage] for stage in stages]


def _request(target: Target, binding: Binding) -> delete_sa.Request:
    return delete_sa.Request(
        target,
        binding.namespace,
        binding.name,
        role_name=binding.role_name,
        extent=delete_sa.Extent.BINDING,
        role_only=binding.role_only,
        ignore_not_found=True,
    )


@dataclass(frozen=True)
class Deletions:
    """Deleting many bindings of one cluster."""

    connection: Connection
    settings: Settings
    force: bool = False
    name: str = ""
    """What tells this cluster from the others of the run; '' where there are none."""
    files: bool = False
    """Whether it is `irsa delete -f`, which has `--force`."""
    locks: Locks | None = None

    def run(
        self,
        stages: Sequence[Sequence[delete_sa.Request]],
        done: AppliedList,
        pace: Pace,
        parallel: int,
        tell: Tell,
    ) -> None:
        """Delete stage by stage, those of one stage at the same time."""
        group = self.settings.group
        stopped = lambda: group is not None and group.number != 0  # noqa: E731 - asked in two places
        for stage in stages:
            works = [lambda request=request: self._one(request) for request in stage]
            begun = set()
            start = len(done.items)
            for number, item in run_all(works, pace, parallel, stopped):
                begun.add(number)
                done.items.append(item)
                tell(item)
            done.order(start, [request.title for request in stage])
            pending = [item.title for number, item in enumerate(stage) if number not in begun]
            done.pending += [NotBegun(self.connection.cluster, title, self.name) for title in pending]

    def _one(self, request: delete_sa.Request) -> Item:
        settings = replace(self.settings, started=time.monotonic())
        wanted = replace(request, force=self.force)
        result = result_of(lambda: self._delete(wanted, settings))
        cluster = self.connection.cluster
        error = with_caller(result.error, self.connection.caller)
        result.error = in_terms_of_files(error, cluster, request.title, forces=self.files, deletes=True)
        return ended(cluster, request.title, result, place=self.name)

    def _delete(self, request: delete_sa.Request, settings: Settings) -> Result:
        lock = binding_lock(request.namespace, request.name)
        return when_needed(self.locks, settings, lock, partial(self._delete_held, request))

    def _delete_held(self, request: delete_sa.Request, settings: Settings) -> Result:
        return delete_sa.delete_binding(self.connection, request, settings)
