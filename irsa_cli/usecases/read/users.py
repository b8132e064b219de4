"""The users of a binding, and runs that may be active on it: read before it is deleted, nothing written."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

from irsa_cli.aws.cluster import GoneCluster
from irsa_cli.aws.gone import without_cluster
from irsa_cli.core.binding.bound import Bound
from irsa_cli.core.marks.locks import LeaseState, Lock, LockScope
from irsa_cli.core.objects import kinds, service_accounts
from irsa_cli.core.objects.kinds import KINDS
from irsa_cli.core.objects.workloads import workload
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION, TRANSACTION_TAG
from irsa_cli.core.planning.delete import Deletion
from irsa_cli.core.planning.deletion_checks import Users, admits_others
from irsa_cli.core.policies.statements import trusted_providers
from irsa_cli.core.results.locks import SeenLock
from irsa_cli.core.values.errors import ServiceError, Unreadable, unless_denied
from irsa_cli.core.values.names import MINIMUM_AGE, began
from irsa_cli.kube.client import Json
from irsa_cli.transaction.journal import RefusedJournal
from irsa_cli.transaction.recover import is_running
from irsa_cli.transaction.story import is_transaction
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.command.settings import Settings
from irsa_cli.usecases.read.reads import parted


def users_of(connection: Connection, bound: Bound, deletion: Deletion, *, kube: bool = True) -> Users:
    """The possible users of the binding, in one round trip; without `kube` the cluster is not asked.

    At the same time the deletion of the ServiceAccount is rehearsed (dryRun): raises `ServiceError` when the
    caller may not delete it.
    """
    if connection.gone is not None:
        return Users(is_nobody=_nobodies(connection, connection.gone, bound, deletion).__contains__)
    if not kube:
        return Users()
    with ThreadPoolExecutor(3 + len(KINDS)) as pool:
        rehearsal = pool.submit(_rehearse, connection, bound, deletion)
        accounts = pool.submit(_accounts, connection, bound, deletion)
        wanted = ("pods", *KINDS) if deletion.going(bound.name) else ()
        listed = {kind: pool.submit(_in_namespace, connection, bound.namespace, kind) for kind in wanted}
    rehearsal.result()
    there, unread = parted({kind: future.result() for kind, future in listed.items()})
    hidden = [f"the {kind} of {bound.namespace} can't be listed: {why}" for kind, why in unread.items()]
    pods = [kinds.pod(body) for body in there.pop("pods", [])]
    workloads = [workload(KINDS[kind], body) for kind, found in there.items() for body in found]
    others, more_hidden = accounts.result()
    return Users(pods, others, [*hidden, *more_hidden], workloads)


def _nobodies(connection: Connection, gone: GoneCluster, bound: Bound, deletion: Deletion) -> frozenset[str]:
    """The providers of trust policies that no cluster has: the deleted one's, and absent ones."""
    lost = [role for role in bound.own if role.arn in deletion.lost]
    trusted = {provider for role in lost for provider in trusted_providers(role.state.trust)}
    return frozenset(gone.marked) | without_cluster(connection.aws, gone.absent(trusted))


def _in_namespace(connection: Connection, namespace: str, kind: str) -> list[Json] | Unreadable:
    """The pods of a namespace, or what of a kind makes some."""
    kube = connection.kube
    return unless_denied(lambda: kube.pods(namespace) if kind == "pods" else kube.workloads(namespace, kind))


def _rehearse(connection: Connection, bound: Bound, deletion: Deletion) -> None:
    account = bound.account
    if account is None or not deletion.takes_account:
        return
    place, version = ("serviceaccounts", bound.namespace, bound.name), account.resource_version
    try:
        connection.kube.delete(*place, uid=account.uid, resource_version=version, dry_run=True)
    except ServiceError as error:
        if error.status not in (404, 409):  # Somebody works on it at this moment: the run itself will see.
            raise


def _accounts(
    connection: Connection, bound: Bound, deletion: Deletion
) -> tuple[list[tuple[str, str]], list[str]]:
    """All ServiceAccounts with their roles, where another one may use a role that goes."""
    shared = [role for role in bound.own if role.arn in deletion.lost and admits_others(bound, role)]
    if not shared:
        return [], []
    bodies = unless_denied(connection.kube.service_accounts)
    if isinstance(bodies, Unreadable):
        return [], [f"{shared[0].arn} also trusts others, and ServiceAccounts can't be listed: {bodies.why}"]
    found = [service_accounts.service_account(body) for body in bodies]
    return [(item.full_name, item.annotations.get(ROLE_ARN_ANNOTATION, "")) for item in found], []


def living(connection: Connection, bound: Bound, settings: Settings) -> list[str]:
    """The transactions in the roles' marks that may be active: by Lease, or by age if none can be read."""
    marks = {role.state.tags.get(TRANSACTION_TAG, "") for role in bound.own}
    found = [mark for mark in marks if _may_live(mark, settings.state_dir)]
    here = [mark for mark in found if journals_of(settings.state_dir, [mark])]
    locks = settings.lock.enabled and connection.asks_cluster
    return here if locks and found != here and _is_unlocked(connection, bound, settings) else found


def _is_unlocked(connection: Connection, bound: Bound, settings: Settings) -> bool:
    """Whether no other run holds the binding's lock; False if that is not known."""
    name = Lock(LockScope.BINDING, bound.full_name).name
    found = unless_denied(lambda: connection.kube.lease(settings.lock.namespace, name))
    if found is None or isinstance(found, Unreadable):
        return found is None
    seen = SeenLock(LeaseState.read(found.body), found.date)
    return seen.ended is True or (settings.hold is not None and seen.state.holder == settings.hold.holder)


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
