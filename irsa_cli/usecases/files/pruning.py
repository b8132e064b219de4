"""`irsa apply --prune`: the bindings that irsa created for a cluster and that no file contains."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from irsa_cli.core.binding.binding import is_made
from irsa_cli.core.config.model import Selection
from irsa_cli.core.inventory.bindings import ListedBinding, named_role
from irsa_cli.core.marks.lifecycle import wrote
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import with_manifest
from irsa_cli.core.plan import states
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.values.errors import IrsaError, Unreadable
from irsa_cli.core.values.names import default_role_path
from irsa_cli.kube.client import Json
from irsa_cli.transaction.story import Story
from irsa_cli.usecases.command.caller import naming_caller
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.command.parallel import in_turn
from irsa_cli.usecases.command.settings import Note
from irsa_cli.usecases.files.targets import Place
from irsa_cli.usecases.read.bindings import BindingsScope, read_bindings
from irsa_cli.usecases.write import delete_sa

NEVER_PRUNED = ("kube-system/aws-node",)
"""The cluster's network needs it (eksctl spares it as well)."""


@dataclass(frozen=True)
class Pruning:
    """Bindings that irsa created for a cluster and that no file contains.

    Reads all paths of the connection's account. Adopted bindings have no transaction tag and stay.
    """

    connection: Connection
    place: Place
    selection: Selection
    note: Note

    def candidates(self, roles: Mapping[str, str]) -> list[list[delete_sa.Request]]:
        """The deletions in stages; `roles` are the ARNs of roles that entries have now.

        Raises `IrsaError` if something that may be one of them can't be read.
        """
        with naming_caller(self.connection.caller):
            home = self.connection.cluster.home
            listing = read_bindings(self.connection, BindingsScope(everywhere=True), homes=(home,))
            accounts = self.connection.kube.service_accounts()
        bindings = [binding for binding in listing.items if self._is_in_scope(binding)]
        without_entry = [binding for binding in bindings if binding.full_name not in self.place.names]
        self._check_read(listing.notes, without_entry)
        whole = [
            self._request(name, role, delete_sa.Extent.BINDING)
            for name, role in sorted(self._to_delete(without_entry, accounts).items())
        ]
        using = [request for request in whole if not request.role_name]
        making = [request for request in whole if request.role_name]
        role_of = {binding.full_name: binding.role_arn for binding in bindings if binding.account is not None}
        # Those that only use a role come before those whose role it may be.
        stages = in_turn(using, lambda request: role_of.get(request.full_name, ""))
        return [*stages, [*making, *self._former_roles(bindings, roles)]]

    def _is_in_scope(self, binding: ListedBinding) -> bool:
        name = binding.full_name
        return (
            name not in NEVER_PRUNED
            and self.selection.admits(name)
            and self._is_pruned_here(binding.role_arn)
        )

    def _check_read(self, notes: Iterable[str], without_entry: Iterable[ListedBinding]) -> None:
        """Raise `IrsaError` if something that irsa may have created was not read."""
        unread = [*notes, *self._unread(without_entry)]
        if unread:
            raise IrsaError(
                "Nothing was pruned",
                reason="some roles that irsa may have created can't be read",
                details=unread,
                next_steps=["run the same command again with permission to read them"],
            )

    def _to_delete(self, without_entry: Sequence[ListedBinding], accounts: Iterable[Json]) -> dict[str, str]:
        """The ServiceAccounts to delete, each with the name of the role that irsa created for it, if any."""
        role_names = dict.fromkeys(self._made_here(accounts), "")
        for binding in without_entry:
            if self._has_own_association(binding):
                role_names[binding.full_name] = ""
        for binding, role in self._own_roles(without_entry):
            role_names[binding.full_name] = role.name
        spared = {*self.place.names, *NEVER_PRUNED}
        return {
            name: role
            for name, role in role_names.items()
            if name not in spared and self.selection.admits(name)
        }

    def _former_roles(
        self, bindings: Iterable[ListedBinding], roles: Mapping[str, str]
    ) -> Iterator[delete_sa.Request]:
        """The deletions of roles that irsa created for entries which have another role now."""
        for binding, role in self._own_roles(bindings):
            name = binding.full_name
            if binding.account is None and role.arn != roles.get(name, role.arn):
                yield self._request(name, role.name, delete_sa.Extent.FORMER_ROLE)

    def _request(self, full_name: str, role_name: str, extent: delete_sa.Extent) -> delete_sa.Request:
        namespace, _, name = full_name.partition("/")
        return delete_sa.Request(
            self.place.target, namespace, name, role_name=role_name, extent=extent, ignore_not_found=True
        )

    def _unread(self, bindings: Iterable[ListedBinding]) -> Iterator[str]:
        """Those that may be irsa's own, by their mark or their role's path, and whose role can't be read."""
        for binding in bindings:
            # EKS may return only the id of an association, and not its role and its tags.
            association = binding.association
            is_read = isinstance(association, Association) and bool(association.role_arn)
            if association is not None and not is_read:
                yield f"the association of {binding.full_name}"
            if isinstance(binding.role, Unreadable) and self._may_be_own(binding):
                yield f"the role of {binding.full_name}: {binding.role.why}"

    def _has_own_association(self, binding: ListedBinding) -> bool:
        """Whether irsa created its association here: one that it only took over has no transaction."""
        association = binding.binding.own_association
        return association is not None and states.TRANSACTION_TAG in association.tags

    def _may_be_own(self, binding: ListedBinding) -> bool:
        if binding.account is None:
            return True
        arn = named_role(binding.account)
        cluster = self.connection.cluster
        if arn is None or arn.account != cluster.home:
            return False
        in_path = arn.resource.startswith(f"role{default_role_path(cluster.name)}")
        return in_path or states.TRANSACTION_TAG in binding.account.annotations

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
        account = _account_of(arn)
        home = self.connection.cluster.home
        return home == (account if account in self._accounts else self._accounts[0])

    @property
    def _accounts(self) -> list[str]:
        return [home or self.connection.cluster.account for home in self.place.homes]

    def _own_roles(self, bindings: Iterable[ListedBinding]) -> Iterator[tuple[ListedBinding, Role]]:
        """ServiceAccounts and the roles that irsa created for them."""
        for binding in bindings:
            role = binding.binding.seen_role
            if role is not None and binding.binding.is_own_role and states.TRANSACTION_TAG in role.tags:
                yield binding, role


def _made(accounts: Iterable[Json]) -> dict[str, str]:
    """ServiceAccounts created by irsa, with the role that irsa assigned, if any.

    One with a role that others assigned later belongs to them.
    """
    roles = {}
    for body in accounts:
        account = with_manifest(body)
        role = account.annotations.get(states.ROLE_ARN_ANNOTATION, "")
        if is_made(account) and (not role or wrote(account.annotations, states.ROLE_ARN_ANNOTATION)):
            roles[f"{body['metadata']['namespace']}/{body['metadata']['name']}"] = role
    return roles


def _account_of(arn: str) -> str:
    return (arn.split(":") + [""] * 5)[4]


def is_prune_candidate(change: Change, story: Story, desired: Collection[str], selection: Selection) -> bool:
    """Whether a change of an earlier run deletes, or leads up to deleting, what is pruned now."""
    deletions = [record.change for record in story.records if record.change.after is None]
    role_accounts = {
        deletion.object: deletion.before.tags.get(states.SERVICE_ACCOUNT_TAG, "")
        for deletion in deletions
        if isinstance(deletion.before, states.RoleState)
    }
    deleted = {*role_accounts.values(), *map(_own_account, deletions)}
    name = _own_account(change) or role_accounts.get(change.object, "")
    return bool(name) and name in deleted and name not in desired and selection.admits(name)


def _own_account(change: Change) -> str:
    """The ServiceAccount (`namespace/name`) that a change is about by its target; '' for others."""
    if change.kind is Kind.SERVICE_ACCOUNT:
        return change.name
    if change.kind is Kind.ASSOCIATION:
        return "/".join(change.target[1:])
    return ""
