"""`irsa delete -f` and `irsa apply --prune`: delete bindings that files name, or no longer name."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from irsa_cli.aws.gone import recognize
from irsa_cli.core.binding.current import is_made
from irsa_cli.core.config.model import Binding, Config, Selection
from irsa_cli.core.inventory.bindings import BoundRole, ListedBinding, named_role
from irsa_cli.core.marks import lifecycle
from irsa_cli.core.marks.lifecycle import wrote
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.plan import states
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.results.applied import AppliedList, Item, NotBegun
from irsa_cli.core.results.result import Command, Result
from irsa_cli.core.values import checked
from irsa_cli.core.values.errors import IrsaError, Unreadable
from irsa_cli.core.values.names import default_role_path
from irsa_cli.kube.client import Json
from irsa_cli.transaction.story import Story
from irsa_cli.usecases.command.caller import naming_caller, with_caller
from irsa_cli.usecases.command.connect import Connection, Target, WireLog, connect
from irsa_cli.usecases.command.execute import begin
from irsa_cli.usecases.command.parallel import PARALLEL, Pace, ended, in_turn, result_of, run_all
from irsa_cli.usecases.command.settings import Note, RunGroup, Settings, stoppable
from irsa_cli.usecases.files import targets
from irsa_cli.usecases.files.fleet import CLUSTERS, Fleet, unreached
from irsa_cli.usecases.locks.ahead import when_needed
from irsa_cli.usecases.locks.locks import Locks, binding_lock
from irsa_cli.usecases.read.bindings import BindingsScope, read_bindings
from irsa_cli.usecases.read.observe import current_account
from irsa_cli.usecases.write import delete_sa


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

    def request(binding: Binding) -> delete_sa.Request:
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
        (item for item in place.bindings if item.attach_role_arn), lambda item: item.attach_role_arn
    )
    making = [item for item in place.bindings if not item.attach_role_arn]
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
        lock = binding_lock(request.namespace, request.name)
        delete = partial(delete_sa.delete_binding, self.connection, wanted)
        result = result_of(lambda: when_needed(self.locks, settings, lock, delete))
        cluster = self.connection.cluster
        error = with_caller(result.error, self.connection.caller)
        result.error = targets.in_terms_of_files(
            error, cluster, request.title, forces=self.files, deletes=True
        )
        return ended(cluster, request.title, result, place=self.name)


NEVER_PRUNED = ("kube-system/aws-node",)
"""The cluster's network needs it (eksctl spares it as well)."""


@dataclass(frozen=True)
class Pruning:
    """Bindings that irsa created for a cluster and that no file contains.

    Reads all paths of the connection's account. Adopted bindings have no transaction tag and stay.
    """

    connection: Connection
    place: targets.Place
    selection: Selection
    note: Note

    def candidates(self, roles: Mapping[str, str]) -> list[list[delete_sa.Request]]:
        """The deletions in stages; `roles` are the ARNs of roles that entries have now.

        Raises `IrsaError` if something that may be one of them can't be read.
        """
        with naming_caller(self.connection.caller):
            home = self.connection.cluster.home
            found = read_bindings(self.connection, BindingsScope(everywhere=True), homes=(home,))
            accounts = self.connection.kube.service_accounts()
        items = [
            item
            for item in found.items
            if item.full_name not in NEVER_PRUNED
            and self.selection.admits(item.full_name)
            and self._is_pruned_here(item.role_arn)
        ]
        at_stake = [item for item in items if item.full_name not in self.place.names]
        unread = [*found.notes, *self._unread(at_stake)]
        if unread:
            raise IrsaError(
                "Nothing was pruned",
                reason="some roles that irsa may have created can't be read",
                details=unread,
                next_steps=["run the same command again with permission to read them"],
            )
        names = dict.fromkeys(self._made_here(accounts), "")
        names |= {item.full_name: "" for item in at_stake if self._has_own_association(item)}
        names |= {item.full_name: role.name for item, role in self._own_roles(at_stake)}
        chosen = [
            self._request(name, names[name], delete_sa.Extent.BINDING)
            for name in sorted(names)
            if name not in (*self.place.names, *NEVER_PRUNED) and self.selection.admits(name)
        ]
        former = [
            self._request(item.full_name, role.name, delete_sa.Extent.FORMER_ROLE)
            for item, role in self._own_roles(items)
            if item.account is None and role.arn != roles.get(item.full_name, role.arn)
        ]
        used = {item.full_name: item.role_arn for item in items if item.account is not None}
        # Those that only use a role come before those whose role it may be.
        using = in_turn(
            (item for item in chosen if not item.role_name), lambda item: used.get(item.full_name, "")
        )
        return [*using, [*(item for item in chosen if item.role_name), *former]]

    def _request(self, full_name: str, role_name: str, extent: delete_sa.Extent) -> delete_sa.Request:
        namespace, _, name = full_name.partition("/")
        return delete_sa.Request(
            self.place.target, namespace, name, role_name=role_name, extent=extent, ignore_not_found=True
        )

    def _unread(self, items: Iterable[ListedBinding]) -> Iterator[str]:
        """Those that may be irsa's own, by their mark or their role's path, and whose role can't be read."""
        for item in items:
            # EKS may return only the id of an association, and not its role and its tags.
            found = item.association
            if found is not None and not (isinstance(found, Association) and found.role_arn):
                yield f"the association of {item.full_name}"
            if isinstance(item.role, Unreadable) and self._may_be_own(item):
                yield f"the role of {item.full_name}: {item.role.why}"

    def _has_own_association(self, item: ListedBinding) -> bool:
        """Whether irsa created its association here: one that it only took over has no transaction."""
        tags = item.association.tags if isinstance(item.association, Association) else {}
        marks = (tags.get(states.CLUSTER_TAG), lifecycle.account_of(tags))
        return states.TRANSACTION_TAG in tags and marks == (self.connection.cluster.arn, item.full_name)

    def _may_be_own(self, item: ListedBinding) -> bool:
        if item.account is None:
            return True
        arn, cluster = named_role(item.account), self.connection.cluster
        if arn is None or arn.account != cluster.home:
            return False
        in_path = arn.resource.startswith(f"role{default_role_path(cluster.name)}")
        return in_path or states.TRANSACTION_TAG in item.account.annotations

    def _made_here(self, accounts: Iterable[Json]) -> Iterator[str]:
        path = f":role{default_role_path(self.connection.cluster.name)}"
        for name, arn in sorted(_made(accounts).items()):
            out_of_reach = path in arn and _account_of(arn) not in self._accounts
            if out_of_reach and name not in self.place.names:
                self.note(f"{name} is not pruned: no file keeps roles in account {_account_of(arn)}")
            elif self._is_pruned_here(arn):
                yield name

    def _is_pruned_here(self, arn: str) -> bool:
        """Whether a binding with this role is deleted here; those without a role with the first account."""
        account, home = _account_of(arn), self.connection.cluster.home
        return home == (account if account in self._accounts else self._accounts[0])

    @property
    def _accounts(self) -> list[str]:
        return [home or self.connection.cluster.account for home in self.place.homes]

    def _own_roles(self, items: Iterable[ListedBinding]) -> Iterator[tuple[ListedBinding, BoundRole]]:
        """ServiceAccounts and the roles that irsa created for them."""
        for item in items:
            role = item.role
            if (
                isinstance(role, BoundRole)
                and role.is_of(self.connection.cluster)
                and states.TRANSACTION_TAG in role.tags
                and lifecycle.account_of(role.tags) == item.full_name
            ):
                yield item, role


def _made(accounts: Iterable[Json]) -> dict[str, str]:
    """ServiceAccounts created by irsa, with the role that irsa assigned, if any.

    One with a role that others assigned later belongs to them.
    """
    found = {}
    for body in accounts:
        account = current_account(body)
        bound = states.ROLE_ARN_ANNOTATION in account.annotations
        if is_made(account) and (not bound or wrote(account.annotations, states.ROLE_ARN_ANNOTATION)):
            name = f"{body['metadata']['namespace']}/{body['metadata']['name']}"
            found[name] = account.annotations.get(states.ROLE_ARN_ANNOTATION, "")
    return found


def _account_of(arn: str) -> str:
    return (arn.split(":") + [""] * 5)[4]


def is_prune_candidate(change: Change, story: Story, desired: Collection[str], selection: Selection) -> bool:
    """Whether a change of an earlier run deletes, or leads up to deleting, what is pruned now."""
    roles: dict[tuple[Kind, tuple[str, ...]], str] = {}
    names: set[str] = set()
    for item in (record.change for record in story.records if record.change.after is None):
        if isinstance(item.before, states.RoleState):
            roles[item.object] = item.before.tags.get(states.SERVICE_ACCOUNT_TAG, "")
        elif item.kind is Kind.SERVICE_ACCOUNT:
            names.add(item.name)
        elif item.kind is Kind.ASSOCIATION:
            names.add("/".join(item.target[1:]))
    names |= set(roles.values())
    own = change.name if change.kind is Kind.SERVICE_ACCOUNT else roles.get(change.object, "")
    if change.kind is Kind.ASSOCIATION:
        own = "/".join(change.target[1:])
    return bool(own) and own in names and own not in desired and selection.admits(own)
