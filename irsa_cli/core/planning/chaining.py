"""The part of a plan about a target role: its trust policy and the pods' configuration. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.binding.current import CurrentState
from irsa_cli.core.binding.role_power import power_of
from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.binding.targets import NOT_READ, TargetRole, statement_removals
from irsa_cli.core.objects.role import Role
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import ConfigMapState, DocumentState
from irsa_cli.core.policies import policy
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.trust import trust_policy
from irsa_cli.core.trust.assuming import lacking
from irsa_cli.core.trust.chain import (
    KEY,
    Chain,
    FoundConfigMap,
    answer_of,
    aws_config,
    chain_of_policies,
    marked,
    noted_chain,
    role_of,
    usage,
)
from irsa_cli.core.trust.evaluation import Answer
from irsa_cli.core.trust.rules.power import check_power
from irsa_cli.core.values.errors import Refused, Unreadable


def check(desired: DesiredState, current: CurrentState) -> None:
    """Raise `Refused` if the role can't assume its target, or if the ConfigMap belongs to others."""
    binding = current.binding
    if desired.chain is not None:
        check_target(desired.chain, target_of(desired, binding), adds=desired.update_target_trust)
    if desired.aws_config_map:
        config_maps = binding.known_config_maps
        update = desired.command("update-sa")
        check_config_map(binding.key, desired.aws_config_map, config_maps)
        config_map = config_maps.get(desired.aws_config_map)
        if config_map is not None and config_map.data != _data(desired) and not desired.override:
            raise Refused(
                f"ConfigMap {desired.namespace}/{desired.aws_config_map} has another configuration",
                details=policy.difference(config_map.data, _data(desired)),
                next_steps=(f"to overwrite it: {update} --aws-config-map {desired.aws_config_map}",),
                rests_on=(),
            )


def check_config_map(owner: tuple[str, str], name: str, config_maps: Mapping[str, FoundConfigMap]) -> None:
    """Raise `Refused` for a ConfigMap of that name that irsa did not make for the ServiceAccount."""
    config_map = config_maps.get(name)
    if config_map is not None and not config_map.is_for("/".join(owner)):
        raise Refused(
            f"ConfigMap {owner[0]}/{name} was not created by irsa for {owner[1]}",
            reason="irsa does not change it",
            next_steps=("use another name: --aws-config-map (in files awsConfigMap)",),
            rests_on=(),
        )


def check_target(chain: Chain, target: TargetRole, *, adds: bool) -> None:
    """Raise `Refused` if the target's trust policy does not allow the role, and irsa does not add it."""
    if isinstance(target, Unreadable):
        if adds:
            raise Refused(
                f"the trust policy of {chain.target_arn} can't be updated",
                reason=target.why,
                rests_on=(chain.target_arn, chain.role_arn),
            )
        return
    if target is None:
        raise Refused(
            f"role {chain.target_arn} does not exist",
            reason="--target-role (in files targetRole) needs an existing role",
            rests_on=(chain.target_arn, chain.role_arn),
        )
    answers = chain.judge(target.trust)
    if answer_of(answers) is not Answer.NO:
        return
    why = tuple(f"{answer.action}: {answer.why}" for answer in lacking(answers, Answer.NO))
    if answer_of(chain.judge(admitted(chain, target.trust))) is Answer.NO:
        raise Refused(
            f"the trust policy of {chain.target_arn} denies {chain.role_arn}",
            reason="a Deny statement applies to it",
            details=why,
            rests_on=(chain.target_arn, chain.role_arn),
        )
    if not adds:
        raise Refused(
            f"the trust policy of {chain.target_arn} does not allow {chain.role_arn}",
            reason="STS would deny AssumeRole",
            details=(*why, "missing statement:", *json.dumps(chain.statement, indent=2).splitlines()),
            next_steps=("to add the statement: run this again with --update-target-trust",),
            rests_on=(chain.target_arn, chain.role_arn),
        )


def target_changes(
    chain: Chain | None,
    target: TargetRole,
    *,
    adds: bool,
    allows_power: bool,
    quota: int = policy.TRUST_LIMIT,
) -> list[Change]:
    """The statement that irsa adds to the target's trust policy, if it is missing.

    Raises `Refused` beyond the `quota` of characters, and for a powerful target unless `allows_power`.
    """
    if chain is None or not isinstance(target, Role) or not adds:
        return []
    old = marked(target.trust, chain.role_arn)
    same = old is None or policy.equal(old, chain.statement)
    if same and answer_of(chain.judge(target.trust)) is Answer.YES:
        return []
    if not allows_power:
        check_power(chain.target_arn, chain.role_arn, power_of(target), target.policies)
    trust_policy.check_size(chain.target_arn, admitted(chain, target.trust), quota)
    before = None if old is None else DocumentState(old)
    return [Change(Kind.TARGET_TRUST, chain.key, before, DocumentState(chain.statement))]


def admitted(chain: Chain, trust: Document) -> Document:
    """The trust policy with the statement for the role, in place of an earlier one of irsa's for it."""
    old = marked(trust, chain.role_arn)
    if old is None:
        return trust_policy.with_statement(trust, chain.statement)
    return trust_policy.with_replaced(trust, old, chain.statement)


def former_chains(desired: DesiredState, binding: Binding) -> tuple[Chain, ...]:
    """The current targets of the role that are not desired any more."""
    role = binding.seen_role
    if desired.role is None or role is None or "target_role" in desired.unsaid:
        return ()
    before = chain_of_policies(desired.role_arn, role.inline)
    return left_chains(before, noted_chain(desired.role_arn, binding.annotations), desired.chain)


def left_chains(before: Chain | None, noted: Chain | None, after: Chain | None) -> tuple[Chain, ...]:
    """The chains to remove, by the role's policy (`before`) and by annotations."""
    target_arn = after.target_arn if after is not None else ""
    chains = {chain.target_arn: chain for chain in (noted, before) if chain is not None}
    return tuple(chain for arn, chain in chains.items() if arn != target_arn)


def changes(desired: DesiredState, current: CurrentState) -> list[Change]:
    """Changes next to role and ServiceAccount; the permission is planned with the role."""
    binding = current.binding
    name = desired.aws_config_map
    changes = target_changes(
        desired.chain,
        target_of(desired, binding),
        adds=desired.update_target_trust,
        allows_power=desired.allow_wide_trust,
        quota=current.target_quota,
    )
    if desired.override:
        changes += statement_removals(former(desired, binding))[0]
    if desired.role_only:
        return changes
    data = _data(desired) if name else None
    config_maps = binding.known_config_maps
    changes += config_map_changes(binding.key, name, data, config_maps, replaces=desired.override)
    return changes


def config_map_changes(
    owner: tuple[str, str],
    name: str,
    data: dict[str, str] | None,
    config_maps: Mapping[str, FoundConfigMap],
    *,
    replaces: bool,
) -> list[Change]:
    """Changes that write the ConfigMap; with `replaces`, an older one of irsa is deleted."""
    full_name = "/".join(owner)
    changes = []
    if name and data is not None:
        present = config_maps.get(name)
        after = ConfigMapState(data, full_name, role=role_of(data))
        before = None if present is None else ConfigMapState(dict(present.data), full_name, role=after.role)
        if before != after:
            changes.append(Change(Kind.CONFIG_MAP, (owner[0], name), before, after))
    for other_name, present in config_maps.items():
        if (other_name != name or data is None) and present.is_for(full_name) and replaces:
            changes.append(removed(owner[0], other_name, present))
    return changes


def removed(namespace: str, name: str, config_map: FoundConfigMap) -> Change:
    """The deletion of a ConfigMap of irsa's."""
    role = role_of(config_map.data)
    before = ConfigMapState(
        dict(config_map.data), config_map.service_account, config_map.transaction, role, config_map.uid
    )
    return Change(Kind.CONFIG_MAP, (namespace, name), before, None)


def _data(desired: DesiredState) -> dict[str, str]:
    assert desired.chain is not None
    return {KEY: aws_config(desired.chain, desired.cluster.region)}


def usage_notes(desired: DesiredState) -> Iterator[str]:
    """How pods assume the target: by the ConfigMap, or by a configuration that somebody else gives them."""
    if desired.chain is None or desired.role_only:
        return
    if desired.aws_config_map:
        yield f"pods assume the target like this: {usage(desired.aws_config_map)}"
    else:
        yield (
            "pods assume the target by an AWS configuration: --aws-config-map NAME writes it,"
            f" {desired.command('describe-sa')} shows it"
        )


def facts(desired: DesiredState) -> dict[str, Any]:
    """The chain in a result."""
    chain = desired.chain
    if chain is None:
        return {}
    return {
        "target": {
            "roleARN": chain.target_arn,
            "externalID": chain.external_id or None,
            "awsConfig": aws_config(chain, desired.cluster.region),
            "configMap": desired.aws_config_map or None,
        }
    }


def target_of(desired: DesiredState, binding: Binding) -> TargetRole:
    """The target role of the desired role; None also without one."""
    return None if desired.chain is None else binding.targets.get(desired.chain.target_arn, NOT_READ)


def former(desired: DesiredState, binding: Binding) -> Iterator[tuple[Chain, TargetRole]]:
    """The chains to remove, with what is there of their targets."""
    for chain in former_chains(desired, binding):
        yield chain, binding.targets[chain.target_arn]


def target_notes(chain: Chain | None, target: TargetRole) -> Iterator[str]:
    """Notes about a target that is unknown or was not read."""
    if target is None or chain is None:
        return
    if isinstance(target, Unreadable):
        yield f"the trust policy of {chain.target_arn} was not checked: {target.why}"
    else:
        answers = chain.judge(target.trust)
        for answer in lacking(answers, Answer.UNKNOWN):
            yield f"irsa can't tell whether {chain.target_arn} trusts the role: {answer.why}"
