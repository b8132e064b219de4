"""The current state of bindings as the documents that decide who can assume which role."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from irsa_cli.core.access.documents import Account, Documents
from irsa_cli.core.access.guard import ANY_CHANGE, Guard
from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.binding.current import CurrentState
from irsa_cli.core.binding.spec import DesiredState, ServiceAccountRef
from irsa_cli.core.binding.targets import TargetRole
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan.states import ProviderState
from irsa_cli.core.policies.policy import Document, as_list
from irsa_cli.core.values.arn import provider_arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import Unreadable


def of_current(desired: DesiredState, current: CurrentState) -> Documents:
    """Of a binding that is created or completed."""
    binding = current.binding
    documents = of_binding(current.binding)
    trust = binding.role if isinstance(binding.role, Unreadable) else None
    policies = {} if desired.role is None else documents.policies
    if desired.role is not None and binding.role is None:
        policies = {desired.role_arn: {}}
    is_home = desired.role_account == desired.cluster.home
    is_known = binding.existing is not None or not desired.role_only or desired.creates_account
    return replace(
        documents,
        trusts={desired.role_arn: trust, **documents.trusts},
        accounts=documents.accounts if is_known else {},
        associations={} if desired.association is None else documents.associations,
        providers={desired.identity.provider_arn: _audiences(binding.known_provider)} if is_home else {},
        policies=policies,
        # An association goes before an annotation, if there is one.
        unread=(f"ServiceAccount {desired.full_name}",) if desired.association and not is_known else (),
    )


def guard_of(desired: DesiredState) -> Guard:
    """Whom a binding that is created or completed names, and what its options permit."""
    trusts = [desired.own_statement] if desired.role is None else as_list(desired.role.trust["Statement"])
    return Guard(
        frozenset({_account(desired)}),
        frozenset({desired.role_arn}),
        ({"Statement": trusts},),
        losses=desired.override or desired.force,
        gains=desired.allow_wide_trust,
        gain_flag="--allow-wide-trust",
    )


def guard_of_all(desired_states: Iterable[DesiredState], deleted: Iterable[Binding] = ()) -> Guard:
    """Whom several bindings name together, and those that are deleted."""
    each = list(map(guard_of, desired_states))
    return Guard(
        frozenset(map(_account, deleted)).union(*(guard.accounts for guard in each)),
        frozenset().union(*(guard.roles for guard in each)),
        tuple(trust for guard in each for trust in guard.trusts),
        losses=any(guard.losses for guard in each),
        gains=any(guard.gains for guard in each),
        gain_flag="--allow-wide-trust",
    )


def guard_of_account(
    account: ServiceAccountRef, role_arn: str, *, gains: bool = False, gain_flag: str = ANY_CHANGE
) -> Guard:
    """Whom a command about one ServiceAccount and its role names; `gains`: the flag was given."""
    return Guard(frozenset({_account(account)}), frozenset({role_arn}), gains=gains, gain_flag=gain_flag)


def of_binding(binding: Binding) -> Documents:
    """Of a binding that is changed or deleted."""
    account = _account(binding)
    association = binding.known_association
    provider = binding.known_provider
    cluster = binding.cluster
    arn = provider_arn(cluster.partition, cluster.home, cluster.issuer)
    # EKS may tell only the id of one.
    association_state = association.state if association is not None and association.role_arn else None
    return Documents(
        (cluster,),
        {**{role.arn: role.trust for role in binding.roles}, **_trusts(binding.targets)},
        {account: _annotations(binding.existing)},
        {account: association_state},
        {} if provider is None else {arn: _audiences(provider)},
        {role.arn: _policies(role) for role in binding.own},
    )


def of_role(arn: str, trust: Document, clusters: Iterable[Cluster], gone: Iterable[str] = ()) -> Documents:
    """Of one role; `gone` are issuers (without `https://`) of clusters that do not exist."""
    return Documents(tuple(clusters), {arn: trust}, gone=frozenset(gone))


def _account(account: ServiceAccountRef) -> Account:
    return Account(account.cluster.arn, account.namespace, account.name)


def _annotations(account: ServiceAccount | None) -> Mapping[str, str] | None:
    return None if account is None else account.annotations


def _audiences(provider: ProviderState | None) -> list[str] | None:
    return None if provider is None else provider.audiences


def _policies(role: Role) -> Mapping[str, Document | None]:
    return {**dict.fromkeys(role.attached), **role.inline}


def _trusts(targets: Mapping[str, TargetRole]) -> dict[str, Document | Unreadable | None]:
    return {arn: target.trust if isinstance(target, Role) else target for arn, target in targets.items()}
