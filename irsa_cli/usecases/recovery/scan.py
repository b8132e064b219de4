"""Recovery without a journal: reading what runs have left in a cluster and its account.

`irsa_cli.core.recovery.judge` decides what of it is incomplete;
`irsa_cli.usecases.recovery.by_cluster` rolls it back.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from irsa_cli.aws import iam as reading
from irsa_cli.aws import listing
from irsa_cli.aws.listing import ListedRole
from irsa_cli.core.plan.states import CLUSTER_TAG, MANAGED_BY_LABEL, TRANSACTION_TAG, ProviderState
from irsa_cli.core.policies.statements import names_provider
from irsa_cli.core.recovery.judge import Finder
from irsa_cli.core.recovery.leftovers import (
    SeenAccount,
    SeenConfigMap,
    SeenLeftovers,
    SeenNamespace,
    SeenProvider,
    SeenRole,
)
from irsa_cli.core.trust.chain import chain_of_config, chain_of_policies
from irsa_cli.core.values.errors import IrsaError, ServiceError
from irsa_cli.core.values.issuer import provider_arn
from irsa_cli.core.values.names import default_role_path
from irsa_cli.kube.client import Json
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.read import chains

PARALLEL = 8


def look(connection: Connection) -> SeenLeftovers:
    """Read the leftovers of runs in three round trips, however many roles; raises `ServiceError`."""
    cluster, iam = connection.cluster, connection.iam
    arn = provider_arn(cluster.partition, cluster.home, cluster.issuer)
    with ThreadPoolExecutor(4) as pool:
        listed = pool.submit(listing.list_roles, iam)
        found_provider = pool.submit(reading.aged_provider, iam, arn) if cluster.issuer else None
        accounts = pool.submit(_none if connection.gone else connection.kube.service_accounts)
        namespaces = pool.submit(_none if connection.gone else connection.kube.namespaces)
    roles, now = listed.result().roles, listed.result().now
    seen = SeenLeftovers(
        cluster=cluster,
        now=now,
        roles=_marked_roles(connection, roles, arn),
        role_arns=frozenset(role.arn for role in roles),
        trusting=frozenset(role.name for role in roles if names_provider(role.trust, arn)),
        accounts=tuple(
            SeenAccount(about["namespace"], about["name"], *_marks(about))
            for about in (item["metadata"] for item in accounts.result())
        ),
        namespaces=tuple(
            SeenNamespace(about["name"], *_marks(about))
            for about in (item["metadata"] for item in namespaces.result())
            # Of those that a run has made, and nobody is deleting.
            if TRANSACTION_TAG in (about.get("annotations") or {}) and not about.get("deletionTimestamp")
        ),
        provider=_provider(arn, found_provider.result() if found_provider else None, now),
    )
    return _with_contents(connection, seen)


def _none() -> list[Json]:
    """The contents of a cluster that no longer exists."""
    return []


def _provider(arn: str, found: tuple[ProviderState, float] | None, now: datetime) -> SeenProvider | None:
    if found is None:
        return None
    state, age = found
    return SeenProvider(arn, state, now - timedelta(seconds=age))


def _marked_roles(
    connection: Connection, roles: tuple[ListedRole, ...], provider: str
) -> tuple[SeenRole, ...]:
    """The roles that bear the cluster's tag: under its path, or with another path and its provider."""
    path = default_role_path(connection.cluster.name)
    names = [role.name for role in roles if role.path == path or names_provider(role.trust, provider)]
    found = listing.find_roles(connection.iam, names)
    return tuple(
        SeenRole(role.name, role.arn, role.role_id, role.state, role.created, role.last_used)
        for role in found
        if role.state.tags.get(CLUSTER_TAG) == connection.cluster.arn
    )


def _with_contents(connection: Connection, seen: SeenLeftovers) -> SeenLeftovers:
    """With the policies of incomplete roles, and with what is in the namespaces that runs have made."""
    incomplete = Finder(seen).incomplete()
    inhabited = {account.namespace for account in seen.accounts if seen.role_of(account)}

    def role(item: SeenRole) -> SeenRole:
        current = reading.current_role(connection.iam, item.name) if item.name in incomplete else None
        if current is None:
            return item
        found = replace(item, state=current.state, attached=current.attached, inline=current.inline)
        if connection.gone is None:
            found = _with_config_maps(connection, found)
        return _with_targets(connection, found)

    def namespace(item: SeenNamespace) -> SeenNamespace:
        if item.name in inhabited:
            return item
        return replace(item, contents=frozenset(connection.kube.contents(item.name).hindrances))

    with ThreadPoolExecutor(PARALLEL) as pool:
        roles = pool.map(role, seen.roles)
        namespaces = pool.map(namespace, seen.namespaces)
    return replace(seen, roles=tuple(roles), namespaces=tuple(namespaces))


def _with_config_maps(connection: Connection, role: SeenRole) -> SeenRole:
    """With the ConfigMaps that its run made, and that its ServiceAccount does not note (yet, or no more)."""
    try:
        bodies = connection.kube.config_maps(role.namespace, f"{MANAGED_BY_LABEL}=irsa")
    except ServiceError as error:
        # The role and its policy alone tell of them: where those go, nobody would find them any more.
        if error.status != 403 or chain_of_policies(role.arn, role.inline) is not None:
            raise
        why = f"irsa did not check whether the run created a ConfigMap in namespace {role.namespace}"
        return replace(role, unread=f"{why}: {error.reason}")
    maps = (
        SeenConfigMap(body["metadata"]["name"], body["metadata"]["uid"], chains.found_config_map(body))
        for body in bodies
    )
    marks = (role.transaction, role.account)
    own = [item for item in maps if (item.found.transaction, item.found.service_account) == marks]
    return replace(role, config_maps=tuple(own))


def _with_targets(connection: Connection, role: SeenRole) -> SeenRole:
    """With the targets that its policy and its ConfigMaps name, as far as they may be read."""
    said = [chain_of_policies(role.arn, role.inline)]
    said += [chain_of_config(role.arn, item.found.data) for item in role.config_maps]
    found = {chain.target_arn: chain for chain in said if chain is not None}
    targets = [(chain, chains.read_target(connection, arn)) for arn, chain in found.items()]
    return replace(role, chains=tuple(targets))


def _marks(metadata: Json) -> tuple[str, dict[str, str], datetime]:
    """An object's uid, its annotations, and when it was created."""
    return metadata["uid"], metadata.get("annotations") or {}, _created(metadata)


def _created(metadata: Json) -> datetime:
    """When an object was created (RFC 3339, UTC); raises `IrsaError` if the answer does not say."""
    text = str(metadata.get("creationTimestamp"))
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        raise IrsaError(
            f"the cluster does not say when {metadata['name']} was created",
            reason="irsa recover needs the age of each object",
        ) from None
