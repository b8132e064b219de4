"""Reading a chain: the target's trust policy, as far as it may be read, and the ConfigMap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from irsa_cli.aws import iam as reading
from irsa_cli.core.binding.spec import CurrentRole, CurrentServiceAccount, DesiredState
from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.core.plan.rules import noted_or_none
from irsa_cli.core.plan.states import CONFIG_MAP_ANNOTATION, SERVICE_ACCOUNT_TAG, TRANSACTION_TAG
from irsa_cli.core.planning.chaining import admitted, former_chains
from irsa_cli.core.policies import policy
from irsa_cli.core.trust.chain import Chain, FoundConfigMap, FoundTarget
from irsa_cli.core.values.arn import role_arn
from irsa_cli.kube.client import Json
from irsa_cli.usecases.command.connect import Connection
from irsa_cli.usecases.read.readable import unless_denied


def target_of(connection: Connection, desired: DesiredState) -> FoundTarget | None:
    """The desired target of a role, None if there is none."""
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
    """The role's current targets, by ARN, other than the desired one."""
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
    iam = connection.iam_of_target(parsed.account)
    found = unless_denied(lambda: reading.role_state(iam, parsed.name))
    if isinstance(found, Unreadable):
        return FoundTarget(unread=found.why)
    if found is None or f"role{found[0].path}{parsed.name}" != parsed.resource:
        return FoundTarget()
    if not judged:
        return FoundTarget(found[0].trust)
    whole = reading.with_power(iam, parsed.name, CurrentRole(found[0]))
    return FoundTarget(found[0].trust, power=whole.power, policies=whole.policies)


def config_maps_of(connection: Connection, desired: DesiredState) -> dict[str, FoundConfigMap]:
    """The desired ConfigMap, by its name, if it exists."""
    if not desired.aws_config_map:
        return {}
    return named_config_maps(connection, desired.namespace, desired.aws_config_map)


def with_former(
    connection: Connection,
    desired: DesiredState,
    account: CurrentServiceAccount | None,
    found: Mapping[str, FoundConfigMap],
) -> Mapping[str, FoundConfigMap]:
    """With the ServiceAccount's former ConfigMap, if that is another one."""
    former = noted_or_none(account.annotations, CONFIG_MAP_ANNOTATION) if account is not None else ""
    kept = desired.role_only or "target_role" in desired.unsaid
    if not former or former == desired.aws_config_map or kept:
        return found
    return {**found, **named_config_maps(connection, desired.namespace, former)}


def named_config_maps(connection: Connection, namespace: str, name: str) -> dict[str, FoundConfigMap]:
    """The ConfigMap of a name, by that; empty if there is none."""
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
