"""The current state of bindings as the documents that decide who can assume which role."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from irsa_cli.core.access.documents import Account, Documents
from irsa_cli.core.access.guard import ANY_CHANGE, Guard
from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.binding.current import CurrentState
from irsa_cli.core.binding.spec import DesiredState, ServiceAccountRef
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION, ProviderState
from irsa_cli.core.policies.policy import Document, as_list
from irsa_cli.core.trust.chain import FoundTarget
from irsa_cli.core.values.arn import iam_arn, provider_arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import Unreadable


def of_current(desired: DesiredState, current: CurrentState) -> Documents:
    """Of a binding that is created or completed."""
    cluster, account = desired.cluster, _account(desired)
    trusts: dict[str, Document | Unreadable | None] = {desired.role_arn: None}
    policies: dict[str, Mapping[str, Document | None]] = {}
    if current.role is not None:
        resource = f"role{current.role.state.path}{desired.role_name}"
        arn = iam_arn(cluster.partition, desired.role_account, resource)
        trusts[arn] = current.role.trust
        if desired.role is not None:
            policies[arn] = _policies(current.role)
    elif current.role_unreadable:
        trusts[desired.role_arn] = Unreadable(current.role_unreadable)
    elif desired.role is not None:
        policies[desired.role_arn] = {}
    service_account = current.service_account
    if current.bound_role is not None and service_account is not None:
        trusts[service_account.annotations[ROLE_ARN_ANNOTATION]] = current.bound_role.trust
    targets = dict(current.former_targets)
    if desired.chain is not None and current.target is not None:
        targets[desired.chain.target_arn] = current.target
    given = None if current.association is None else current.association.state
    is_home = desired.role_account == cluster.home
    is_known = service_account is not None or not desired.role_only or desired.creates_account
    return Documents(
        (cluster,),
        {**trusts, **_targets(targets)},
        {account: _annotations(service_account)} if is_known else {},
        {} if desired.association is None else {account: given},
        {desired.identity.provider_arn: _audiences(current.provider)} if is_home else {},
        policies,
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
    found: ServiceAccountRef, role_arn: str, *, gains: bool = False, gain_flag: str = ANY_CHANGE
) -> Guard:
    """Whom a command about one ServiceAccount and its role names; `gains`: the flag was given."""
    return Guard(frozenset({_account(found)}), frozenset({role_arn}), gains=gains, gain_flag=gain_flag)


def of_binding(binding: Binding) -> Documents:
    """Of a binding that is changed or deleted."""
    account, association, provider = _account(binding), binding.known_association, binding.known_provider
    cluster = binding.cluster
    arn = provider_arn(cluster.partition, cluster.home, cluster.issuer)
    # EKS may tell only the id of one.
    given = association.state if association is not None and association.role_arn else None
    return Documents(
        (cluster,),
        {**{role.arn: role.trust for role in binding.roles}, **_targets(binding.targets)},
        {account: _annotations(binding.existing)},
        {account: given},
        {} if provider is None else {arn: _audiences(provider)},
        {role.arn: _policies(role) for role in binding.own},
    )


def of_role(arn: str, trust: Document, clusters: Iterable[Cluster], gone: Iterable[str] = ()) -> Documents:
    """Of one role; `gone` are issuers (without `https://`) of clusters that do not exist."""
    return Documents(tuple(clusters), {arn: trust}, gone=frozenset(gone))


def _account(found: ServiceAccountRef) -> Account:
    return Account(found.cluster.arn, found.namespace, found.name)


def _annotations(account: ServiceAccount | None) -> Mapping[str, str] | None:
    return None if account is None else account.annotations


def _audiences(provider: ProviderState | None) -> list[str] | None:
    return None if provider is None else provider.audiences


def _policies(role: Role) -> Mapping[str, Document | None]:
    return {**dict.fromkeys(role.attached), **role.inline}


def _targets(found: Mapping[str, FoundTarget]) -> dict[str, Document | Unreadable | None]:
    return {arn: Unreadable(it.unread) if it.unread else it.trust for arn, it in found.items()}
