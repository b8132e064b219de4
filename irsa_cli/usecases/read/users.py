"""The users of a binding, and runs that may be active on it: read before it is deleted, nothing written."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

from irsa_cli.aws.cluster import GoneCluster
from irsa_cli.aws.gone import without_cluster
from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.marks.locks import LeaseState, Lock, LockScope
from irsa_cli.core.objects import service_accounts
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION, TRANSACTION_TAG
from irsa_cli.core.planning.delete import Deletion
from irsa_cli.core.planning.deletion_checks import Users, admits_others
from irsa_cli.core.policies.statements import trusted_providers
from irsa_cli.core.results.locks import SeenLock
from irsa_cli.core.values.errors import ServiceError, Unreadable, unless_denied
from irsa_cli.core.values.names import MINIMUM_AGE, began
from irsa_cli.transaction.journal import RefusedJournal
from irsa_cli.transaction.recover import is_running
from irsa_cli.transaction.story import is_transaction
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.read.binding_reads import NamespaceUsers, SingleReads


def users_of(
    connection: Connection,
    binding: Binding,
    deletion: Deletion,
    *,
    kube: bool = True,
    reads: SingleReads | None = None,
) -> Users:
    """The possible users of the binding, in one round trip; without `kube` the cluster is not asked.

    At the same time the deletion of the ServiceAccount is rehearsed (dryRun): raises `ServiceError` when the
    caller may not delete it. `reads` has lists of many bindings.
    """
    if connection.gone is not None:
        return Users(is_nobody=_nobodies(connection, connection.gone, binding, deletion).__contains__)
    if not kube:
        return Users()
    source = reads or SingleReads(connection)
    with source.asking() as ask:
        rehearsal = ask(_rehearse, connection, binding, deletion)
        accounts = ask(_accounts, source, binding, deletion)
        users = ask(source.users, binding.namespace) if deletion.going(binding.name) else None
        rehearsal.result()
        in_namespace = NamespaceUsers() if users is None else users.result()
        others, hidden = accounts.result()
    return Users(in_namespace.pods, others, [*in_namespace.hidden, *hidden], in_namespace.workloads)


def _nobodies(
    connection: Connection, gone: GoneCluster, binding: Binding, deletion: Deletion
) -> frozenset[str]:
    """The providers of trust policies that no cluster has: the deleted one's, and absent ones."""
    lost = [role for role in binding.own if role.arn in deletion.lost]
    trusted = {provider for role in lost for provider in trusted_providers(role.state.trust)}
    return frozenset(gone.marked) | without_cluster(connection.aws, gone.absent(trusted))


def _rehearse(connection: Connection, binding: Binding, deletion: Deletion) -> None:
    account = binding.existing
    if account is None or not deletion.takes_account:
        return
    place = ("serviceaccounts", binding.namespace, binding.name)
    version = account.resource_version
    try:
        connection.kube.delete(*place, uid=account.uid, resource_version=version, dry_run=True)
    except ServiceError as error:
        if error.status not in (404, 409):  # Somebody works on it at this moment: the run itself will see.
            raise


def _accounts(
    reads: SingleReads, binding: Binding, deletion: Deletion
) -> tuple[list[tuple[str, str]], list[str]]:
    """All ServiceAccounts with their roles, where another one may use a role that goes."""
    shared = [role for role in binding.own if role.arn in deletion.lost and admits_others(binding, role)]
    if not shared:
        return [], []
    bodies = reads.accounts()
    if isinstance(bodies, Unreadable):
        return [], [f"{shared[0].arn} also trusts others, and ServiceAccounts can't be listed: {bodies.why}"]
    accounts = [service_accounts.service_account(body) for body in bodies]
    return [(account.full_name, account.annotations.get(ROLE_ARN_ANNOTATION, "")) for account in accounts], []


def living(connection: Connection, binding: Binding, settings: Settings) -> list[str]:
    """The transactions in the roles' marks that may be active: by Lease, or by age if none can be read."""
    marks = {role.state.tags.get(TRANSACTION_TAG, "") for role in binding.own}
    marks_alive = [mark for mark in marks if _may_live(mark, settings.state_dir)]
    here = [mark for mark in marks_alive if journals_of(settings.state_dir, [mark])]
    locks = settings.lock.enabled and connection.asks_cluster
    return (
        here if locks and marks_alive != here and _is_unlocked(connection, binding, settings) else marks_alive
    )


def _is_unlocked(connection: Connection, binding: Binding, settings: Settings) -> bool:
    """Whether no other run holds the binding's lock; False if that is not known."""
    name = Lock(LockScope.BINDING, binding.full_name).name
    lease = unless_denied(lambda: connection.kube.lease(settings.lock.namespace, name))
    if lease is None or isinstance(lease, Unreadable):
        return lease is None
    lock = SeenLock(LeaseState.read(lease.body), lease.date)
    return lock.ended is True or (settings.hold is not None and lock.state.holder == settings.hold.holder)


def _may_live(transaction: str, state_dir: Path) -> bool:
    for path in journals_of(state_dir, [transaction]):
        with suppress(RefusedJournal):
            return is_running(path)
    now = datetime.now(timezone.utc)
    return any((now - moment).total_seconds() < MINIMUM_AGE for moment in began(transaction, now))


def journals_of(state_dir: Path, transactions: Iterable[str]) -> list[Path]:
    """The journals of these transactions, as far as they are on this machine."""
    paths = [state_dir / f"{name}.jsonl" for name in transactions if is_transaction(name)]
    return [path for path in paths if path.is_file()]
