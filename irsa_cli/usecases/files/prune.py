"""What `irsa apply --prune` deletes: what irsa made and no file lists, and roles that are left from before.

How they are deleted is `irsa_cli.usecases.write.delete_sa`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from irsa_cli.core.binding.current import is_made
from irsa_cli.core.config.model import Selection
from irsa_cli.core.inventory.bindings import BoundRole, ListedBinding, named_role
from irsa_cli.core.marks.notes import wrote
from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION, SERVICE_ACCOUNT_TAG, TRANSACTION_TAG, RoleState
from irsa_cli.core.values.errors import IrsaError
from irsa_cli.core.values.names import default_role_path
from irsa_cli.kube.client import Json
from irsa_cli.transaction.story import Story
from irsa_cli.usecases.command.caller import naming_caller
from irsa_cli.usecases.command.connect import Connection, Target
from irsa_cli.usecases.command.parallel import in_turn
from irsa_cli.usecases.read.bindings import BindingsScope, read_bindings
from irsa_cli.usecases.read.lookup import current_account
from irsa_cli.usecases.write.delete_sa import Extent, Request

NEVER_PRUNED = ("kube-system/aws-node",)
"""The cluster's network stands on it (and eksctl spares it, too)."""


def prune_candidates(
    connection: Connection,
    target: Target,
    desired: Collection[str],
    selection: Selection,
    roles: Mapping[str, str],
    homes: Sequence[str] = ("",),
    note: Callable[[str], None] = lambda text: None,
) -> list[list[Request]]:
    """What irsa made for this cluster and no file lists any more, in stages.

    `desired` are the ServiceAccounts of all entries, `roles` the ARNs of the roles that they have by now:
    others that irsa made for one of these are left from before. Roles are looked for in all paths of this
    connection's account; `homes` are the accounts that are pruned one after the other ('': the cluster's).
    Those that irsa only took over (`irsa adopt`) were made by others: they bear no transaction's mark.

    Raises `IrsaError` when something that may be one of them can't be read: nobody is to take a pruning that
    has overlooked some for complete.
    """
    with naming_caller(connection.caller):
        home = connection.cluster.home
        found = read_bindings(connection, BindingsScope(everywhere=True), homes=(home,))
        accounts = connection.kube.service_accounts()
    items = [item for item in found.items if _may_be_pruned(item, connection, selection, homes)]
    at_stake = [item for item in items if item.full_name not in desired]
    unread = [*found.notes, *_unread(at_stake, connection)]
    if unread:
        raise IrsaError(
            "What is to be pruned is unknown",
            reason="some of what irsa may have made can't be read, and nothing was pruned",
            details=unread,
            next_steps=["run the same command again, as a caller who may read these"],
        )
    names = dict.fromkeys(_made_here(accounts, desired, connection, homes, note), "")
    names |= {item.full_name: role.name for item, role in _own_roles(at_stake, connection)}
    chosen = [
        _request(target, name, names[name], Extent.BINDING)
        for name in sorted(names)
        if name not in (*desired, *NEVER_PRUNED) and selection.admits(name)
    ]
    former = [
        _request(target, item.full_name, role.name, Extent.FORMER_ROLE)
        for item, role in _own_roles(items, connection)
        if item.account is None and role.arn != roles.get(item.full_name, role.arn)
    ]
    used = {item.full_name: item.role_arn for item in items if item.account is not None}
    return _in_stages(chosen, former, used)


def _in_stages(chosen: list[Request], former: list[Request], used: Mapping[str, str]) -> list[list[Request]]:
    """Those that only use a role (`used` by name) before those whose role it may be."""
    using = in_turn(
        (item for item in chosen if not item.role_name), lambda item: used.get(item.full_name, "")
    )
    return [*using, [*(item for item in chosen if item.role_name), *former]]


def is_prune_candidate(change: Change, story: Story, desired: Collection[str], selection: Selection) -> bool:
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
    return bool(own) and own in names and own not in desired and selection.admits(own)


def _request(target: Target, full_name: str, role_name: str, extent: Extent) -> Request:
    namespace, _, name = full_name.partition("/")
    return Request(target, namespace, name, role_name=role_name, extent=extent, ignore_not_found=True)


def _unread(items: Iterable[ListedBinding], connection: Connection) -> Iterator[str]:
    """Those that may be irsa's own, by their mark or their role's path, and whose role can't be read."""
    for item in items:
        if isinstance(item.role, Unreadable) and _may_be_own(item, connection):
            yield f"the role of {item.full_name}: {item.role.why}"


def _may_be_own(item: ListedBinding, connection: Connection) -> bool:
    if item.account is None:
        return True
    arn, cluster = named_role(item.account), connection.cluster
    if arn is None or arn.account != cluster.home:
        return False
    in_path = arn.resource.startswith(f"role{default_role_path(cluster.name)}")
    return in_path or TRANSACTION_TAG in item.account.annotations


def _may_be_pruned(
    item: ListedBinding, connection: Connection, selection: Selection, homes: Sequence[str]
) -> bool:
    chosen = item.full_name not in NEVER_PRUNED and selection.admits(item.full_name)
    return chosen and _is_pruned_here(item.role_arn, connection, homes)


def _made_here(
    accounts: Iterable[Json],
    desired: Collection[str],
    connection: Connection,
    homes: Sequence[str],
    note: Callable[[str], None],
) -> Iterator[str]:
    """The ServiceAccounts that irsa made and that are deleted with the roles of this account."""
    for name, arn in sorted(_made(accounts).items()):
        if _is_out_of_reach(arn, connection, homes) and name not in desired:
            note(f"{name} is not pruned: no file keeps roles in account {_account_of(arn)}")
        elif _is_pruned_here(arn, connection, homes):
            yield name


def _made(accounts: Iterable[Json]) -> dict[str, str]:
    """The ServiceAccounts that irsa made, with the role that it gave them, or none (any more).

    One that somebody else has given another role since is theirs.
    """
    found = {}
    for body in accounts:
        account = current_account(body)
        bound = ROLE_ARN_ANNOTATION in account.annotations
        if is_made(account) and (not bound or wrote(account.annotations, ROLE_ARN_ANNOTATION)):
            name = f"{body['metadata']['namespace']}/{body['metadata']['name']}"
            found[name] = account.annotations.get(ROLE_ARN_ANNOTATION, "")
    return found


def _is_pruned_here(arn: str, connection: Connection, homes: Sequence[str]) -> bool:
    """Whether what has this role is deleted with the roles of this account.

    What has a role that is nobody's here, or none, is deleted with those of the first one.
    """
    cluster = connection.cluster
    account, accounts = _account_of(arn), [home or cluster.account for home in homes]
    return account == cluster.home if account in accounts else cluster.home == accounts[0]


def _is_out_of_reach(arn: str, connection: Connection, homes: Sequence[str]) -> bool:
    """Whether a role is irsa's own in an account that is none of those which are pruned."""
    cluster = connection.cluster
    accounts = [home or cluster.account for home in homes]
    return f":role{default_role_path(cluster.name)}" in arn and _account_of(arn) not in accounts


def _account_of(arn: str) -> str:
    return (arn.split(":") + [""] * 5)[4]


def _own_roles(
    items: Iterable[ListedBinding], connection: Connection
) -> Iterator[tuple[ListedBinding, BoundRole]]:
    """Those whose role irsa made for them, with it."""
    for item in items:
        role = item.role
        if (
            isinstance(role, BoundRole)
            and role.is_of(connection.cluster)
            and TRANSACTION_TAG in role.tags
            and role.tags.get(SERVICE_ACCOUNT_TAG) == item.full_name
        ):
            yield item, role
