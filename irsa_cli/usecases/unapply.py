"""`irsa delete -f`, and `irsa apply --prune`: bindings that files name, or no longer name, are deleted.

How one is deleted is `irsa_cli.usecases.delete_sa`'s business, applying files that of
`irsa_cli.usecases.apply`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from irsa_cli.core.applied import Applied, Item
from irsa_cli.core.bindings import Binding as Present
from irsa_cli.core.bindings import BoundRole, named_role
from irsa_cli.core.bound import is_made
from irsa_cli.core.causes.facts import Unreadable
from irsa_cli.core.config import Binding, Config, Selection
from irsa_cli.core.errors import IrsaError
from irsa_cli.core.names import default_role_path
from irsa_cli.core.plan import Change, Kind
from irsa_cli.core.result import Result
from irsa_cli.core.states import ROLE_ARN_ANNOTATION, SERVICE_ACCOUNT_TAG, TRANSACTION_TAG, RoleState
from irsa_cli.kube.client import Json
from irsa_cli.transaction.journal import Story, prune
from irsa_cli.usecases import delete_sa
from irsa_cli.usecases.bindings import Scope, read_bindings
from irsa_cli.usecases.connect import Connection, Target, WireLog, connect
from irsa_cli.usecases.finding import observed_account
from irsa_cli.usecases.many import PARALLEL, Pace, result_of, run_all
from irsa_cli.usecases.places import Place, places
from irsa_cli.usecases.running import RunGroup, Settings, name_caller, naming_caller, stoppable

NEVER_PRUNED = ("kube-system/aws-node",)
"""The cluster's network stands on it (and eksctl spares it, too)."""
Tell = Callable[[Item], None]


@dataclass(frozen=True)
class Request:
    """What `irsa delete -f` was asked for. `target.cluster` is '' where the files name it."""

    configs: tuple[Config, ...]
    target: Target
    selection: Selection = field(default_factory=Selection)
    parallel: int = PARALLEL
    force: bool = False


def delete_files(request: Request, settings: Settings, log: WireLog, tell: Tell) -> Applied:
    """Delete what irsa made of the bindings in the files; what is not there is as wished."""
    pace = Pace(request.parallel)

    def listen(call: Any) -> None:
        log(call)
        pace.heard(call)

    sites = []
    for place in places(request.configs, request.target, request.selection):
        connection = connect(place.target, kube=True, log=listen, check=lambda aws: None)
        cluster = connection.cluster
        settings.note(f"{cluster.name} · {cluster.region} · account {cluster.account}")
        sites.append((place, connection))
    done = Applied(notices=[notice for config in request.configs for notice in config.notices])
    group = RunGroup()
    with stoppable(group, settings.note):
        for place, connection in sites:
            deletions = Deletions(connection, replace(settings, group=group), request.force)
            deletions.run(_requests(place), done, pace, request.parallel, tell)
    prune(settings.state_dir)
    done.signal, done.seconds = group.number, settings.seconds
    return done


def _requests(place: Place) -> list[list[delete_sa.Request]]:
    """Those that only use a role before those whose role it may be."""
    using = [_request(place.target, item) for item in place.bindings if item.attach_role_arn]
    making = [_request(place.target, item) for item in place.bindings if not item.attach_role_arn]
    return [using, making]


def _request(target: Target, binding: Binding) -> delete_sa.Request:
    return delete_sa.Request(
        target,
        binding.namespace,
        binding.name,
        role_name=binding.role_name,
        role_only=binding.role_only,
        ignore_not_found=True,
    )


@dataclass(frozen=True)
class Deletions:
    """Deleting many bindings of one cluster."""

    connection: Connection
    settings: Settings
    force: bool = False

    def run(
        self,
        stages: Sequence[Sequence[delete_sa.Request]],
        done: Applied,
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
            for number, item in run_all(works, pace, parallel, stopped):
                begun.add(number)
                done.items.append(item)
                tell(item)
            done.pending += [item.full_name for number, item in enumerate(stage) if number not in begun]

    def _one(self, request: delete_sa.Request) -> Item:
        settings = replace(self.settings, started=time.monotonic())
        wanted = replace(request, force=self.force)
        result = result_of(lambda: self._delete(wanted, settings))
        name_caller(result.error, self.connection.aws.caller)
        return Item(self.connection.cluster.name, request.full_name, result)

    def _delete(self, request: delete_sa.Request, settings: Settings) -> Result:
        return delete_sa.delete_binding(self.connection, request, settings)


def surplus(
    connection: Connection, target: Target, wished: Collection[str], selection: Selection
) -> list[delete_sa.Request]:
    """The bindings that irsa made for this cluster and that no file wishes any more.

    Roles that irsa only took over (`irsa adopt`) were made by others: they bear no transaction's mark.
    Raises `IrsaError` when something that may be one of them can't be read: nobody is to take a pruning that
    has overlooked some for complete.
    """
    with naming_caller(connection.aws.caller):
        found = read_bindings(connection, Scope())
        accounts = connection.kube.service_accounts()
    kept = {*wished, *NEVER_PRUNED}
    at_stake = [
        item for item in found.items if item.full_name not in kept and selection.admits(item.full_name)
    ]
    unread = [*found.notes, *_unread(at_stake, connection)]
    if unread:
        raise IrsaError(
            "Can't tell what is to be pruned",
            reason="some of what irsa may have made can't be read, and nothing was pruned",
            details=unread,
            next_steps=["run the same command again, as a caller who may read these"],
        )
    roles = {
        item.full_name: item.role.name
        for item in at_stake
        if isinstance(item.role, BoundRole) and _is_own(item, item.role, connection)
    }
    names = {**dict.fromkeys(_left_over(accounts), ""), **roles}
    chosen = (name for name in sorted(names) if name not in kept)
    return [
        delete_sa.Request(
            target,
            name.partition("/")[0],
            name.partition("/")[2],
            role_name=names[name],
            ignore_not_found=True,
        )
        for name in chosen
        if selection.admits(name)
    ]


def _unread(items: Iterable[Present], connection: Connection) -> Iterator[str]:
    """Those that may be irsa's own, by their mark or their role's path, and whose role can't be read."""
    for item in items:
        if isinstance(item.role, Unreadable) and _may_be_own(item, connection):
            yield f"the role of {item.full_name}: {item.role.why}"


def _may_be_own(item: Present, connection: Connection) -> bool:
    if item.account is None:
        return True
    arn, cluster = named_role(item.account), connection.cluster
    if arn is None or arn.account != cluster.account:
        return False
    in_path = arn.resource.startswith(f"role{default_role_path(cluster.name)}")
    return in_path or TRANSACTION_TAG in item.account.annotations


def is_surplus(change: Change, story: Story, wished: Collection[str], selection: Selection) -> bool:
    """Whether a change of an earlier run deletes, or leads up to deleting, what is pruned now."""
    roles: dict[tuple[Kind, tuple[str, ...]], str] = {}
    names: set[str] = set()
    for item in (record.change for record in story.records if record.change.after is None):
        if isinstance(item.before, RoleState):
            roles[item.object] = item.before.tags.get(SERVICE_ACCOUNT_TAG, "")
        elif item.kind is Kind.SERVICE_ACCOUNT:
            names.add(item.name)
    names |= set(roles.values())
    own = change.name if change.kind is Kind.SERVICE_ACCOUNT else roles.get(change.object, "")
    return bool(own) and own in names and own not in wished and selection.admits(own)


def _left_over(accounts: Iterable[Json]) -> Iterator[str]:
    """The ServiceAccounts that irsa made and that have no role any more: a deletion was cut off."""
    for account in map(observed_account, accounts):
        if is_made(account) and ROLE_ARN_ANNOTATION not in account.annotations:
            metadata = account.manifest["metadata"]
            yield f"{metadata['namespace']}/{metadata['name']}"


def _is_own(item: Present, role: BoundRole, connection: Connection) -> bool:
    return (
        role.is_of(connection.cluster)
        and TRANSACTION_TAG in role.tags
        and role.tags.get(SERVICE_ACCOUNT_TAG) == item.full_name
    )
