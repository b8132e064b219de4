"""`irsa delete-sa`: delete what irsa created for one binding, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

from irsa_cli.aws.gone import recognize
from irsa_cli.core.access.documents import Account
from irsa_cli.core.access.guard import Guard
from irsa_cli.core.binding.access_documents import of_binding
from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.marks import lifecycle
from irsa_cli.core.marks.lifecycle import Stage
from irsa_cli.core.marks.locks import Lock, locks_of
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import CLUSTER_TAG, ROLE_ARN_ANNOTATION, SERVICE_ACCOUNT_TAG
from irsa_cli.core.planning import deletion_checks
from irsa_cli.core.planning.delete import Deletion, deletion, named_in_source
from irsa_cli.core.results.result import Command, Ended, Result
from irsa_cli.core.values import checked
from irsa_cli.core.values.errors import IrsaError, Refused, read
from irsa_cli.core.values.names import Namespaced, default_role_name
from irsa_cli.transaction.reading import command_of, interrupted_runs
from irsa_cli.transaction.reading import read as read_journal
from irsa_cli.transaction.story import About, Story
from irsa_cli.usecases.command.connect import Connection, Target, WireLog, connect
from irsa_cli.usecases.command.execute import RunContext, begin, report_interrupted
from irsa_cli.usecases.command.loop import Draft, Loop
from irsa_cli.usecases.command.retry import Attempt
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.locks.locks import WantedLocks, binding_lock, locked
from irsa_cli.usecases.read.binding_reads import BindingLists, SingleReads
from irsa_cli.usecases.read.identity import NamedServiceAccount
from irsa_cli.usecases.read.lookup import find, read_all_accounts, sharers
from irsa_cli.usecases.read.observe import read_service_account
from irsa_cli.usecases.read.users import living, users_of

ATTEMPTS = 4
"""How often a run looks and plans at most, when others work on the same objects at the same time."""


class Extent(Enum):
    """The parts to delete if a role is named and the ServiceAccount has another one."""

    BINDING = "all of it"
    ROLE = "only the named role"
    FORMER_ROLE = "only the named role, and not even that where the ServiceAccount names it"


@dataclass(frozen=True)
class Request(Namespaced):
    """The request, with checked values."""

    target: Target
    namespace: checked.Namespace
    name: checked.ServiceAccountName
    role_name: checked.RoleName = ""
    extent: Extent = Extent.ROLE
    keep_account: bool = False
    keep_role: bool = False
    role_only: bool = False
    force: bool = False
    ignore_not_found: bool = False
    ignore_maker: bool = False

    @property
    def title(self) -> str:
        """The name in a list of several."""
        former = self.extent is Extent.FORMER_ROLE
        return f"{self.full_name} (role {self.role_name})" if former else self.full_name


def delete_sa(request: Request, settings: Settings, log: WireLog) -> Result:
    """Delete what irsa created for the binding.

    Raises `Refused` if nothing exists, if it is in use, or if a run is creating it.
    """
    connection = connect(request.target, kube=not request.role_only, log=log, gone=recognize)
    begin(connection, settings)
    lock = binding_lock(request.namespace, request.name)
    with locked(connection, settings, Command.DELETE_SA, WantedLocks(when_needed=[lock])) as held:
        return delete_binding(connection, request, held)


def delete_binding(
    connection: Connection,
    request: Request,
    settings: Settings,
    earlier: Sequence[Path] | None = None,
    lists: BindingLists | None = None,
) -> Result:
    """The same where the cluster is connected already; `settings` have the lock.

    `earlier` are the journals of interrupted deletions of the same, if the caller has looked for them. The
    first look is at the `lists`.
    """
    if earlier is None:
        earlier = interrupted_runs(settings.state_dir, about(connection, request))

    def gone(_story: Story, change: Change) -> bool:
        """Whether a deletion that has ended well leaves nothing to bring back of what a change is about."""
        stays = request.role_only if change.object[0] is Kind.SERVICE_ACCOUNT else request.keep_role
        return not stays

    report_interrupted(earlier, settings, gone)
    context = _context(connection, request)
    loop = Loop(connection, settings, context, earlier, gone, most=ATTEMPTS, continues=True)
    return loop.repeat(_Deleting(connection, request, settings, earlier, lists).draft)


def _context(connection: Connection, request: Request) -> RunContext:
    return RunContext.of(Command.DELETE_SA, connection, request.full_name)


def about(connection: Connection, request: Request) -> About:
    """By what a later run of the same finds this one."""
    return _context(connection, request).about


def planned_deletions(
    connection: Connection, requests: Sequence[Request], settings: Settings, *, one_by_one: bool
) -> list[Deletion]:
    """Plan deletions as part of a larger plan, without those of nothing. Raises as `delete_sa`."""
    with ExitStack() as opened:
        lists = None
        if len(requests) >= FEW and not one_by_one:
            lists = opened.enter_context(lists_of(connection, requests))
        reads = lists or SingleReads(connection)
        planned = [_Deleting(connection, request, settings).planned(reads) for request in requests]
    return [deletion for _, deletion in planned if deletion is not None]


FEW = 4
"""Fewer bindings are read one by one: that takes fewer calls than lists of the account and the cluster."""


def lists_of(connection: Connection, requests: Iterable[Request]) -> BindingLists:
    """Lists of what the requests are about; for a `with` block."""
    cluster = connection.cluster
    requests = [*requests]
    bindings = {(request.namespace, request.name) for request in requests}
    names = {default_role_name(cluster.name, cluster.arn, *binding) for binding in bindings}
    names |= {request.role_name for request in requests if request.role_name}
    return BindingLists(connection, bindings, names)


def needed_locks(connection: Connection, request: Request, lists: BindingLists) -> frozenset[Lock]:
    """The locks that a deletion needs by these lists; none if there is nothing to delete.

    The users are not read. The deletion itself reports what can't be read.
    """
    try:
        bound = _find(connection, request, lists)
    except IrsaError:
        return frozenset()
    if deletion_checks.is_nothing(bound):
        return frozenset()
    plan = deletion(bound, keep_account=request.keep_account, keep_role=request.keep_role).plan
    return locks_of(plan, connection.cluster) | {binding_lock(request.namespace, request.name)}


def _find(connection: Connection, request: Request, reads: SingleReads, also: Iterable[str] = ()) -> Binding:
    """The current state; `also` are names of further roles to look at.

    Raises `Refused` if the role that the request names is not the ServiceAccount's own.
    """
    named = (request.role_name,) if request.role_name else ()
    bound = find(
        connection,
        request.namespace,
        request.name,
        candidates=(*named, *also),
        kube=not request.role_only and connection.gone is None,
        reads=reads,
    )
    strange = [role for role in bound.others if role.name in named and role not in bound.own]
    if strange:
        raise _not_made_for(bound, strange[0])
    return bound


@dataclass
class _Deleting:
    """The work on one binding; `earlier` are the journals of interrupted deletions.

    The first read is from the `lists`; a later one reads everything by itself.
    """

    connection: Connection
    request: Request
    settings: Settings
    earlier: Sequence[Path] = ()
    lists: BindingLists | None = None
    seen: set[str] = field(default_factory=set)
    """The roles of all reads: others may remove the annotation in the meantime."""
    forced: set[str] = field(default_factory=set)
    """The refusals that `--force` has lifted: each is said once."""

    def draft(self, attempt: Attempt) -> Draft | Result:
        """The deletion of what is there; a result if there is nothing to delete. Raises as `delete_sa`."""
        reads = SingleReads(self.connection)
        if self.lists is not None and attempt.why is None:
            reads = self.lists
        bound, planned = self.planned(reads)
        if planned is None:
            return self._nothing(bound, attempt)
        # Without an association, pods get the role of the annotation.
        account = Account(bound.cluster.arn, bound.namespace, bound.name)

        def describe(result: Result) -> None:
            result.facts = _facts(self.request, bound, planned, result)
            result.notes += [*planned.notes, *_unsearched(bound)]

        return Draft(
            planned.plan,
            [bound],
            documents=partial(of_binding, bound),
            guard=partial(Guard, frozenset({account}), losses=self.request.force, loss_flag="--force"),
            describe=describe,
        )

    def planned(self, reads: SingleReads) -> tuple[Binding, Deletion | None]:
        """The current state and its deletion; None if there is nothing to delete.

        Raises `Refused` if all of it belongs to others: no flag lifts that.
        """
        whole = self._find(reads)
        bound = self._narrowed(whole)
        if deletion_checks.is_nothing(bound):
            if bound.is_theirs:
                accounts = read_all_accounts(self.connection)
                deletion_checks.check_ours(bound, sharers(bound.annotation, bound.full_name, accounts))
            return bound, None
        git = self.settings.git
        planned = deletion(
            bound,
            keep_account=self.request.keep_account,
            keep_role=self.request.keep_role,
            leaves_account=git.has(bound.namespace),
        )
        if git.has(bound.namespace):
            planned.notes.append(git.stays(bound))
        planned.notes += self._named_in_source(bound, planned)
        if bound is not whole and whole.annotation:
            stays = f"its annotation has another role, {whole.annotation}"
            planned.notes.append(f"ServiceAccount {bound.full_name} is kept: {stays}")
        self._check(bound, planned, reads)
        return bound, planned

    def _named_in_source(self, bound: Binding, planned: Deletion) -> list[str]:
        """The note on the manifest that names a role-only role, if the cluster is asked anyway."""
        asks = self.request.role_only and self.connection.asks_cluster and self.connection.gone is None
        if not asks:
            return []
        account = read(lambda: read_service_account(self.connection, bound.namespace, bound.name))
        if not isinstance(account, ServiceAccount) or account.role_arn not in planned.lost:
            return []
        return named_in_source(account)

    def _find(self, reads: SingleReads) -> Binding:
        """The current state, including roles of earlier reads and earlier runs."""
        records = [record.change for path in self.earlier for record in read_journal(path).records]
        names = {change.object[1][0] for change in records if change.object[0] is Kind.ROLE}
        bound = _find(self.connection, self.request, reads, sorted(names | self.seen))
        self.seen |= {role.name for role in (*bound.own, *((bound.used,) if bound.used else ()))}
        return bound

    def _narrowed(self, bound: Binding) -> Binding:
        """Only the role that is named, where the ServiceAccount has another one."""
        if self.request.extent is Extent.BINDING:
            return bound
        narrow = bound.only(self.request.role_name)
        if self.request.extent is Extent.ROLE:
            return narrow if bound.has_other(self.request.role_name) else bound
        if any(role.arn == bound.annotation for role in narrow.own):
            raise Refused(f"ServiceAccount {bound.full_name} names the role {bound.annotation} again")
        return narrow

    def _nothing(self, bound: Binding, attempt: Attempt) -> Result:
        """There is nothing to delete: because it is done, or because it never was there."""
        notes = _unsearched(bound)
        if attempt.number > 1:
            notes.append("another run deleted it at the same time")
        elif not self.earlier and not self.request.ignore_not_found:
            raise self._not_there(bound)
        return Result(
            Ended.UNCHANGED,
            cluster=bound.cluster,
            facts=_facts(self.request, bound, None, None),
            notes=notes,
            command=Command.DELETE_SA,
            seconds=self.settings.seconds,
        )

    def _not_there(self, bound: Binding) -> Refused:
        request = self.request
        role = f"{bound.command('delete-sa')} --role-name NAME  # deletes a role with a custom name"
        if bound.account is not None:
            delete = f"kubectl delete serviceaccount {request.name} -n {request.namespace}"
            error = Refused(
                f"irsa manages nothing in {bound.full_name}",
                reason=f"irsa did not create it, and it has no annotation {ROLE_ARN_ANNOTATION}",
                next_steps=(f"if nobody needs it, delete the ServiceAccount: {delete}", role),
            )
        elif request.role_only or self.connection.gone is not None:
            error = Refused(f"irsa manages no role for {bound.full_name} in {bound.cluster.name}")
        else:
            named = NamedServiceAccount(self.connection, request.namespace, request.name)
            error = named.missing(deletes=True)
        return error.but(
            details=(*error.details, *_unsearched(bound)),
            next_steps=error.next_steps or (role,),
        )

    def _check(self, bound: Binding, planned: Deletion, reads: SingleReads) -> None:
        """Run all checks before the first write."""
        if not self.request.ignore_maker:
            deletion_checks.check_makers(bound, planned)
        users = users_of(self.connection, bound, planned, kube=not self.request.role_only, reads=reads)
        checks: list[Callable[[], None]] = []
        if self.request.role_only and self.connection.gone is None:
            checks.append(partial(_check_role_only, bound))
        if self.request.keep_role:
            checks.append(partial(_check_whole, bound, self.earlier))
        elif self.request.extent is not Extent.FORMER_ROLE:
            checks.append(partial(_check_home, bound))
        checks.append(
            partial(deletion_checks.check_ended, bound, living(self.connection, bound, self.settings))
        )
        checks.append(partial(deletion_checks.check, bound, planned, users))
        checks.append(partial(deletion_checks.check_known, planned.plan))
        for check in checks:
            try:
                check()
            except Refused as error:
                if not self.request.force:
                    raise
                # Each of the checks is said, and not only the first that says no.
                self._note_forced("; ".join([f"--force: {error}", *error.details]))

    def _note_forced(self, text: str) -> None:
        if text not in self.forced:
            self.forced.add(text)
            self.settings.note(text)


def _not_made_for(bound: Binding, role: Role) -> Refused:
    """Why a role that is named is left alone: whom its tags are about, if it has any."""
    tags = role.state.tags
    options = ""
    cluster = tags.get(CLUSTER_TAG, "")
    account = tags.get(SERVICE_ACCOUNT_TAG, "")
    if account == bound.full_name and cluster.endswith(f":cluster/{bound.cluster.name}"):
        options = f"-c {bound.cluster.name} -r {cluster.split(':')[3]}, without --issuer-url"
    return Refused(
        f"role {role.name} does not belong to {bound.full_name} in {bound.cluster.arn}",
        reason=f"its tags name {account or 'no ServiceAccount'} in {cluster}"
        if cluster
        else "it has no tag and no statement of irsa for this ServiceAccount",
        next_steps=(f"run this again with {options}",) if options else (),
    )


def _check_home(bound: Binding) -> None:
    """Raise `Refused` where the role is in an account that is not looked at: nobody would find it again."""
    account = bound.made_elsewhere
    if account and not bound.is_theirs:
        raise Refused(
            f"irsa's role for {bound.full_name} is in account {account}",
            reason=f"it is annotated with {bound.annotation}, and irsa looks in account {bound.cluster.home}",
            next_steps=(
                bound.cluster.in_account(account),
                "or keep the role: run this again with --keep-role",
            ),
            rests_on=(),
        )


def _check_role_only(bound: Binding) -> None:
    """Raise `Refused` for a role whose ServiceAccount tells whether it is in use: that is not looked at."""
    unclear = [role for role in bound.own if not lifecycle.tells_itself(role.state.tags)]
    if unclear:
        raise Refused(
            f"{unclear[0].arn} was created with its ServiceAccount",
            reason="--role-only does not check whether pods use it",
            next_steps=("run this again without --role-only, or with --force",),
        )


def _check_whole(bound: Binding, earlier: Sequence[Path]) -> None:
    """Raise `Refused` for a role that can't be kept as it was, because its deletion was begun."""
    lives = {role.arn: lifecycle.of(role.state.tags, named=True) for role in bound.own}
    half = [arn for arn, life in lives.items() if life.stage is Stage.DELETING]
    if half:
        raise Refused(
            f"{half[0]} can't be kept: its deletion has begun",
            reason=f"{lives[half[0]].why}; policies may be missing",
            next_steps=(
                *(f"{command_of(path)}  # restores it; then run this again" for path in earlier),
                "or delete it: run this again without --keep-role",
            ),
        )


def _unsearched(bound: Binding) -> list[str]:
    return [f"roles with other names were not checked: {bound.unsearched}"] if bound.unsearched else []


def _facts(request: Request, bound: Binding, found: Deletion | None, result: Result | None) -> dict[str, Any]:
    """The ServiceAccount and its role, and which of them this run has deleted."""
    done = result is not None and result.ended is Ended.COMMITTED and found is not None
    facts: dict[str, Any] = {"serviceAccount": None}
    if not request.role_only:
        gone = done and found is not None and found.takes_account
        facts["serviceAccount"] = {"namespace": request.namespace, "name": request.name, "deleted": gone}
    for role in (*bound.own, *((bound.used,) if bound.used else ())):
        gone = done and role in bound.own and not request.keep_role
        facts.setdefault("role", {"arn": role.arn, "created": False, "deleted": gone})
    return facts
