"""Reading one ServiceAccount with its role, for `irsa update-sa` and `irsa adopt`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from irsa_cli.aws import iam as reading
from irsa_cli.core.binding.spec import CurrentServiceAccount
from irsa_cli.core.binding.update_request import Pairing
from irsa_cli.core.objects.injection import Injection
from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION, ProviderState
from irsa_cli.core.values.arn import iam_arn, role_arn
from irsa_cli.core.values.errors import Refused
from irsa_cli.core.values.issuer import provider_arn
from irsa_cli.kube.client import Json
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.read.bindings import naming_roles
from irsa_cli.usecases.read.identity import NamedServiceAccount
from irsa_cli.usecases.read.observe import current_account
from irsa_cli.usecases.read.readable import unless_denied

UNCHECKED = "irsa did not check whether other ServiceAccounts use the role: the caller can't list them"


def read_account(connection: Connection, namespace: str, name: str) -> Pairing:
    """The ServiceAccount with the role that it names, which is not looked at.

    Raises `Refused` if there is no such ServiceAccount (with the namespaces of its name), or it has no role;
    with the role that irsa nevertheless created for it, if there is one.
    """
    account = NamedServiceAccount(connection, namespace, name)
    body = connection.kube.service_account(namespace, name)
    try:
        if body is None:
            raise account.missing()
        current = current_account(body)
        account.with_role(Injection.read(current.annotations))
    except Refused as error:
        raise naming_roles(error, connection, namespace, name) from error
    return Pairing(connection.cluster, namespace, name, current)


def read_named(connection: Connection, namespace: str, name: str, role: str) -> Pairing:
    """The ServiceAccount, whether it is there or not, with a role of that name, which it need not name.

    Raises `Refused` when there is no such role. Where the cluster is not asked, or does not answer the
    caller, the ServiceAccount counts as one that names no role.
    """
    cluster = connection.cluster
    asks = connection.asks_cluster
    body = unless_denied(lambda: connection.kube.service_account(namespace, name)) if asks else None
    account = current_account(body) if isinstance(body, dict) else CurrentServiceAccount("", "", {}, {})
    found = reading.whole_role(connection.iam, role)
    if found is None:
        raise Refused(
            f"role {role} does not exist",
            reason=f"account {cluster.home} has no role of that name",
            next_steps=("check the name, and that the credentials belong to the role's account",),
        )
    arn = iam_arn(cluster.partition, cluster.home, f"role{found.state.path}{role}")
    return Pairing(cluster, namespace, name, account, found, named_role=arn)


def with_role(connection: Connection, pair: Pairing) -> Pairing:
    """With the role and what is on it; a role of another account is not looked at."""
    if role_arn(pair.role_arn).account != connection.cluster.home:
        return pair
    return replace(pair, role=reading.whole_role(connection.iam, pair.role_name))


def read_provider(connection: Connection) -> ProviderState | None:
    """The cluster's OIDC provider."""
    cluster = connection.cluster
    arn = provider_arn(cluster.partition, cluster.home, cluster.issuer)
    return reading.provider(connection.iam, arn)


def read_all_accounts(connection: Connection) -> list[Json] | None:
    """All ServiceAccounts of the cluster, None when they may not be listed, or the cluster isn't asked."""
    if not connection.asks_cluster:
        return None
    found = unless_denied(connection.kube.service_accounts)
    return None if isinstance(found, Unreadable) else found


def sharers(role: str, full_name: str, accounts: list[Json] | None) -> list[str]:
    """The ServiceAccounts but one (`namespace/name`) that name a role, as far as they may be listed."""
    names = [
        f"{metadata['namespace']}/{metadata['name']}"
        for metadata in (item["metadata"] for item in accounts or [])
        if (metadata.get("annotations") or {}).get(ROLE_ARN_ANNOTATION) == role
    ]
    return sorted(name for name in names if name != full_name)


def read_pairing(
    connection: Connection, namespace: str, name: str, role: str = ""
) -> tuple[Pairing, list[Json] | None]:
    """The ServiceAccount with its role (or the one named `role`), and all of the cluster if permitted."""
    with ThreadPoolExecutor(1) as pool:
        accounts = pool.submit(read_all_accounts, connection)
        if role:
            return read_named(connection, namespace, name, role), accounts.result()
        pair = with_role(connection, read_account(connection, namespace, name))
    return pair, accounts.result()
