"""`irsa apply` and `irsa diff`: applies what configuration files ask for, and nothing else.

One transaction for each ServiceAccount, many at the same time; or with `atomic` one for all. What both build
on (the OIDC provider, namespaces) is laid first. Deleting is in `irsa_cli.usecases.files.delete_files`, what
`--prune` deletes is found in `irsa_cli.usecases.files.prune`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

from irsa_cli.core.binding.boundaries import BoundaryRules
from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.results.applied import AppliedList, Item
from irsa_cli.core.results.result import ALL, SHARED_PARTS, Command, Result
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.transaction.folder import prune
from irsa_cli.usecases.command.caller import with_caller
from irsa_cli.usecases.command.connect import WireLog
from irsa_cli.usecases.command.parallel import Pace, result_of
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.command.signals import RunGroup, stoppable
from irsa_cli.usecases.files import changed_by
from irsa_cli.usecases.files.atomic import apply_at_once
from irsa_cli.usecases.files.request import Request
from irsa_cli.usecases.files.site import GOOD, Site, Tell
from irsa_cli.usecases.files.targets import Place, connected, places
from irsa_cli.usecases.locks.locks import Locks, binding_lock


def apply(request: Request, settings: Settings, log: WireLog, tell: Tell) -> AppliedList:
    """Apply what the files ask for; an error of one ServiceAccount does not end the others."""
    pace = Pace(request.parallel, request.max_failures)

    def listen(call: Any) -> None:
        log(call)
        pace.heard(call)

    def told(item: Item) -> None:
        pace.ended(item.result)
        tell(item)

    request = request.bounded()
    where = places(request.configs, request.target, request.selection)
    request.boundaries.check_all_made([*_without_boundary(where, request.boundaries)])
    if request.atomic and len(where) > 1:
        raise InvalidInput(
            "--atomic takes one cluster, and one account of roles",
            reason="one transaction is about one cluster, and keeps its roles in one account",
        )
    done = AppliedList(notices=[notice for config in request.configs for notice in config.notices])
    sites = connected(
        where, lambda place: Site.open(place, request, settings, listen, among=len(where)), done, told
    )
    group = RunGroup()
    with stoppable(group, settings.note), ExitStack() as taking:
        for site in sites:
            if pace.is_over:
                done.pending += site.not_begun(site.place.bindings)
                continue
            grouped = replace(settings, group=group)
            locks = taking.enter_context(Locks.of(site.connection, grouped, Command.APPLY))
            run = replace(site, settings=grouped, locks=locks)
            if request.atomic:
                _all_or_nothing(run, done, told)
            else:
                start = len(done.items)
                run.guarded(done, told, partial(run.one_by_one, done, pace, told))
                done.order(start, map(str, site.place.bindings))
                if not pace.is_over:
                    run.guarded(done, told, partial(run.prune, done, pace, told))
                if request.changed_by:
                    found = changed_by.told(site.connection, done.items[start:])
                    done.notices = [*done.notices, *found]
    prune(settings.state_dir)
    done.signal, done.seconds = group.number, settings.seconds
    if pace.is_over and done.pending:
        done.notices = [*done.notices, f"nothing more was begun: --max-failures {request.max_failures}"]
    return done


def _all_or_nothing(site: Site, done: AppliedList, tell: Tell) -> None:
    """One transaction for all of it."""
    desired_states: list[DesiredState] = []
    wanted = [binding_lock(item.namespace, item.name) for item in site.place.bindings]

    def work() -> Result:
        with site.holding(wanted) as held:
            return apply_at_once(held, desired_states)

    result = result_of(work)
    if result.ended in GOOD:
        names = (ALL, SHARED_PARTS, *map(str, site.place.bindings))
        site.settle(names, desired_states, pruned=site.request.prune)
    result.error = with_caller(result.error, site.connection.caller)
    item = site.ended(ALL, result)
    done.items.append(item)
    tell(item)


def _without_boundary(where: Iterable[Place], rules: BoundaryRules) -> Iterator[str]:
    """The entries that make a role for which nobody names a boundary."""
    for item in (item for place in where for item in place.bindings):
        if not (item.attach_role_arn or item.permissions_boundary or rules.default):
            yield f"{item} ({item.where})"
