"""Reading what is there of a chain: the target's trust policy, as far as it may be read, and the ConfigMap.

What follows from it is in `irsa_cli.core.trust.chain` and `irsa_cli.core.planning.chaining`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from irsa_cli.aws import iam as reading
from irsa_cli.core.binding.current import Bound
from irsa_cli.core.binding.spec import CurrentRole, CurrentServiceAccount, DesiredState
from irsa_cli.core.plan.rules import noted_or_none
from irsa_cli.core.plan.states import (
    CONFIG_MAP_ANNOTATION,
    MANAGED_BY_LABEL,
    SERVICE_ACCOUNT_TAG,
    TARGET_ANNOTATION,
    TRANSACTION_TAG,
)
from irsa_cli.core.planning.chaining import admitted, former_chains, noted_chain
from irsa_cli.core.policies import policy
from irsa_cli.core.trust.chain import Chain, FoundConfigMap, FoundTarget, chain_of_policies
from irsa_cli.core.values.arn import role_arn
from irsa_cli.core.values.errors import ServiceError
from irsa_cli.kube.client import Json
from irsa_cli.usecases.command.connect import Connection


def target_of(connection: Connection, desired: DesiredState) -> FoundTarget | None:
    """The target that a role is desired to go on to, None where there is none."""
    if desired.chain is None:
        return None
    judged = desired.update_target_trust and not desired.allow_wide_trust
    found = read_target(connection, desired.chain.target_arn, judged=judged)
    if found.trust is None or not desired.update_target_trust:
        return found
    size = policy.size(admitted(desired.chain, found.trust))
    if size <= policy.TRUST_LIMIT:
        return found
    quota = reading.trust_quota(connection.iam_of_target(desired.chain.account))
    return replace(found, trust_quota=quota)


def former_targets_of(
    connection: Connection,
    desired: DesiredState,
    role: CurrentRole | None,
    account: CurrentServiceAccount | None,
) -> dict[str, FoundTarget]:
    """The targets that the role goes on to as it is, by ARN, where they are not the desired one."""
    return targets(connection, former_chains(desired, role, account))


def targets(
    connection: Connection, chains: Iterable[Chain], *, judged: bool = False
) -> dict[str, FoundTarget]:
    """The target of each chain, by its ARN."""
    return {chain.target_arn: read_target(connection, chain.target_arn, judged=judged) for chain in chains}


def read_target(connection: Connection, arn: str, *, judged: bool = False) -> FoundTarget:
    """The trust policy of a target role, or why it was not read; `judged`: with what it may do."""
    parsed = role_arn(arn)
    if not connection.reaches_target(parsed.account):
        return FoundTarget(
            unread=f"there are no credentials for account {parsed.account}"
            " (--target-assume-role, --target-profile)"
        )
    try:
        found = reading.role_state(connection.iam_of_target(parsed.account), parsed.name)
    except ServiceError as error:
        if error.status == 403:
            return FoundTarget(unread=error.reason)
        raise
    if found is None or f"role{found[0].path}{parsed.name}" != parsed.resource:
        return FoundTarget()
    if not judged:
        return FoundTarget(found[0].trust)
    whole = reading.with_power(connection.iam_of_target(parsed.account), parsed.name, CurrentRole(found[0]))
    return FoundTarget(found[0].trust, power=whole.power, policies=whole.policies)


def config_maps_of(connection: Connection, desired: DesiredState) -> dict[str, FoundConfigMap]:
    """The ConfigMap that is desired, by its name, where it is there."""
    if not desired.aws_config_map:
        return {}
    return named_config_maps(connection, desired.namespace, desired.aws_config_map)


def with_former(
    connection: Connection,
    desired: DesiredState,
    account: CurrentServiceAccount | None,
    found: Mapping[str, FoundConfigMap],
) -> Mapping[str, FoundConfigMap]:
    """With the ConfigMap that the ServiceAccount had before, where that is another one."""
    former = noted_or_none(account.annotations, CONFIG_MAP_ANNOTATION) if account is not None else ""
    kept = desired.role_only or "target_role" in desired.unsaid
    if not former or former == desired.aws_config_map or kept:
        return found
    return {**found, **named_config_maps(connection, desired.namespace, former)}


def with_chain(connection: Connection, bound: Bound) -> Bound:
    """With the chain of its own role, the target, and the ConfigMap of its pods, as far as there are any."""
    chain = chain_of(bound)
    if chain is not None:
        bound = replace(bound, chain=chain, target=read_target(connection, chain.target_arn))
    noted = next((noted_chain(role.arn, bound.account) for role in bound.own), None)
    if noted is not None and (chain is None or chain.target_arn != noted.target_arn):
        bound = replace(bound, noted_target=(noted, read_target(connection, noted.target_arn)))
    return _with_config_map(connection, bound) if connection.asks_cluster else bound


def _with_config_map(connection: Connection, bound: Bound) -> Bound:
    """With the ConfigMap that the ServiceAccount notes.

    Where the role has a target of which the ServiceAccount knows nothing (any more: somebody may have made it
    again), the one that bears irsa's marks for it.
    """
    noted = bound.account.annotations if bound.account is not None else {}
    name = noted_or_none(noted, CONFIG_MAP_ANNOTATION)
    if name:
        found = named_config_maps(connection, bound.namespace, name).get(name)
        return replace(bound, config_map=found, config_map_name=name)
    if bound.chain is None or TARGET_ANNOTATION in noted:
        return bound
    try:
        bodies = connection.kube.config_maps(bound.namespace, f"{MANAGED_BY_LABEL}=irsa")
    except ServiceError as error:
        if error.status != 403:
            raise
        return replace(bound, config_map_unread=error.reason)
    for body in bodies:
        found = found_config_map(body)
        if found.is_for(bound.full_name):
            return replace(bound, config_map=found, config_map_name=body["metadata"]["name"])
    return bound


def chain_of(bound: Bound) -> Chain | None:
    """The chain that the policy of its own role tells of."""
    found = (chain_of_policies(role.arn, role.role.inline) for role in bound.own)
    return next((chain for chain in found if chain is not None), None)


def named_config_maps(connection: Connection, namespace: str, name: str) -> dict[str, FoundConfigMap]:
    """The ConfigMap of a name, by that; empty where there is none."""
    body = connection.kube.config_map(namespace, name)
    return {} if body is None else {name: found_config_map(body)}


def found_config_map(body: Json) -> FoundConfigMap:
    """A ConfigMap as the API shows it."""
    marks = body["metadata"].get("annotations") or {}
    return FoundConfigMap(
        body.get("data") or {},
        marks.get(SERVICE_ACCOUNT_TAG, ""),
        marks.get(TRANSACTION_TAG, ""),
        body["metadata"].get("uid", ""),
    )
