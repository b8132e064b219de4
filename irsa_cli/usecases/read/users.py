"""Who uses a binding, and who may be at work on it: what is read before it is deleted, and nothing written.

Whether it may be deleted is decided in `irsa_cli.core.planning.deletion_checks`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import TypeVar

from irsa_cli.core.binding.current import Bound
from irsa_cli.core.marks.locks.lease import LeaseState, SeenLock
from irsa_cli.core.marks.locks.names import Lock, LockScope
from irsa_cli.core.objects import parsing
from irsa_cli.core.objects.kinds import Pod
from irsa_cli.core.objects.workloads import KINDS, Workload, workload
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION, TRANSACTION_TAG
from irsa_cli.core.planning.delete import Deletion
from irsa_cli.core.planning.deletion_checks import Users, admits_others
from irsa_cli.core.recovery.leftovers import MINIMUM_AGE, began
from irsa_cli.core.values.errors import ServiceError
from irsa_cli.transaction.journal import RefusedJournal
from irsa_cli.transaction.recover import is_running
from irsa_cli.transaction.story import is_transaction
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.command.settings import Settings

T = TypeVar("T")
FORBIDDEN = 403


def users_of(connection: Connection, bound: Bound, deletion: Deletion, *, kube: bool = True) -> Users:
    """Who may use the binding, in one round trip; without `kube` the cluster is not asked.

    At the same time the deletion of the ServiceAccount is rehearsed (dryRun): raises `ServiceError` when the
    caller may not delete it.
    """
    if connection.gone is not None:
        return Users(is_nobody=connection.gone.is_nobody)
    if not kube:
        return Users()
    with ThreadPoolExecutor(3 + len(KINDS)) as pool:
        rehearsal = pool.submit(_rehearse, connection, bound, deletion)
        pods = pool.submit(_pods, connection, bound, deletion)
        accounts = pool.submit(_accounts, connection, bound, deletion)
        making = [pool.submit(_workloads, connection, bound, deletion, resource) for resource in KINDS]
    rehearsal.result()
    (seen, hidden), (others, more_hidden) = pods.result(), accounts.result()
    workloads = [item for found in making for item in found.result()[0]]
    unlisted = [found.result()[1] for found in making if found.result()[1]]
    return Users(seen, others, [*hidden, *unlisted, *more_hidden], workloads)


def _rehearse(connection: Connection, bound: Bound, deletion: Deletion) -> None:
    account = bound.account
    if account is None or not deletion.takes_account:
        return
    place, version = (bound.namespace, bound.name), account.resource_version
    try:
        connection.kube.delete_service_account(
            *place, uid=account.uid, resource_version=version, dry_run=True
        )
    except ServiceError as error:
        if error.status not in (404, 409):  # Somebody works on it at this moment: the run itself will see.
            raise


def _pods(connection: Connection, bound: Bound, deletion: Deletion) -> tuple[list[Pod], list[str]]:
    """The pods of the namespace, and why they can't be looked at."""
    if not deletion.takes_account and not deletion.lost:
        return [], []
    bodies, why = _listed(lambda: connection.kube.pods(bound.namespace))
    hidden = [f"the pods of {bound.namespace} can't be listed: {why}"] if why else []
    return [parsing.pod(body) for body in bodies], hidden


def _workloads(
    connection: Connection, bound: Bound, deletion: Deletion, resource: str
) -> tuple[list[Workload], str]:
    """What of a kind makes pods in the namespace, and why that can't be looked at."""
    if not deletion.takes_account and not deletion.lost:
        return [], ""
    bodies, why = _listed(lambda: connection.kube.workloads(bound.namespace, resource))
    hidden = f"the {resource} of {bound.namespace} can't be listed: {why}" if why else ""
    return [workload(KINDS[resource], body) for body in bodies], hidden


def _accounts(
    connection: Connection, bound: Bound, deletion: Deletion
) -> tuple[list[tuple[str, str]], list[str]]:
    """All ServiceAccounts with their roles, where another one may use a role that goes."""
    shared = [role for role in bound.own if role.arn in deletion.lost and admits_others(bound, role)]
    if not shared:
        return [], []
    bodies, why = _listed(connection.kube.service_accounts)
    found = [parsing.service_account(body) for body in bodies]
    hidden = [f"{shared[0].arn} trusts others, too, and ServiceAccounts can't be listed: {why}"]
    named = [(item.full_name, item.annotations.get(ROLE_ARN_ANNOTATION, "")) for item in found]
    return named, hidden if why else []


def sharers_of(connection: Connection, bound: Bound) -> list[str]:
    """The other ServiceAccounts that name the same role; none where the caller may not list them."""
    bodies, _ = _listed(connection.kube.service_accounts)
    found = [parsing.service_account(body) for body in bodies]
    named = [item for item in found if item.annotations.get(ROLE_ARN_ANNOTATION) == bound.annotation]
    return sorted(item.full_name for item in named if item.full_name != bound.full_name)


def _listed(read: Callable[[], list[T]]) -> tuple[list[T], str]:
    """What is listed, or why the caller may not list it."""
    try:
        return read(), ""
    except ServiceError as error:
        if error.status != FORBIDDEN:
            raise
        return [], error.reason


def living(connection: Connection, bound: Bound, settings: Settings) -> list[str]:
    """The transactions whose marks the roles bear, and which may still be at work, here or elsewhere.

    A run elsewhere is known by its Lease; where no locks are used, or may be read, by its age alone.
    """
    marks = {role.state.tags.get(TRANSACTION_TAG, "") for role in bound.own}
    found = [mark for mark in marks if _may_live(mark, settings.state_dir)]
    here = [mark for mark in found if journals_of(settings.state_dir, [mark])]
    locks = settings.lock.enabled and connection.asks_cluster
    return here if locks and found != here and _is_unlocked(connection, bound, settings) else found


def _is_unlocked(connection: Connection, bound: Bound, settings: Settings) -> bool:
    """Whether no other run holds the binding's lock; not, where that is not known."""
    name = Lock(LockScope.BINDING, bound.full_name).name
    try:
        found = connection.kube.lease(settings.lock.namespace, name)
    except ServiceError as error:
        if error.status != FORBIDDEN:
            raise
        return False
    if found is None:
        return True
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
