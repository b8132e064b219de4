"""A world in memory for the properties of the plan: IAM and Kubernetes as dictionaries, and pure writes.

`apply` refuses what the real services refuse (a role with policies on it is not deleted, a namespace
with something in it neither), so that a plan in a wrong order fails. Observing it is `observe`.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace

from irsa_cli.core import trust
from irsa_cli.core.binding import Observed, ObservedRole, ObservedServiceAccount, Wish
from irsa_cli.core.plan import Change, Kind
from irsa_cli.core.policy import Document
from irsa_cli.core.states import (
    DocumentState,
    ProviderState,
    RoleState,
    ServiceAccountState,
)


@dataclass
class Role:
    """A role with what is on it."""

    state: RoleState
    attached: set[str] = field(default_factory=set)
    inline: dict[str, Document] = field(default_factory=dict)


@dataclass
class Account:
    """A ServiceAccount."""

    annotations: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    uid: str = "made"


@dataclass
class World:
    """Everything that there is."""

    providers: dict[str, ProviderState] = field(default_factory=dict)
    namespaces: set[str] = field(default_factory=set)
    roles: dict[str, Role] = field(default_factory=dict)
    accounts: dict[tuple[str, str], Account] = field(default_factory=dict)


def observe(world: World, wish: Wish) -> Observed:
    """What a run would read of this world."""
    role = world.roles.get(wish.role_name)
    account = None if wish.role_only else world.accounts.get((wish.namespace, wish.name))
    return Observed(
        provider=world.providers.get(wish.identity.provider_arn),
        role=None if role is None else ObservedRole(role.state, frozenset(role.attached), role.inline),
        service_account=None
        if account is None
        else ObservedServiceAccount(account.uid, "1", account.annotations, account.labels),
        namespace_exists=wish.role_only or wish.namespace in world.namespaces,
    )


def apply(world: World, change: Change) -> World:
    """The world after a change; the change must find exactly what it expects."""
    world = copy.deepcopy(world)
    {
        Kind.PROVIDER: _provider,
        Kind.AUDIENCE: _audience,
        Kind.NAMESPACE: _namespace,
        Kind.ROLE: _role,
        Kind.ATTACHMENT: _attachment,
        Kind.INLINE_POLICY: _inline,
        Kind.TRUST_STATEMENT: _statement,
        Kind.SERVICE_ACCOUNT: _account,
    }[change.kind](world, change)
    return world


def _provider(world: World, change: Change) -> None:
    (arn,) = change.target
    assert world.providers.get(arn) == change.before
    if change.after is None:
        del world.providers[arn]
    else:
        assert isinstance(change.after, ProviderState)
        world.providers[arn] = change.after


def _audience(world: World, change: Change) -> None:
    arn, audience = change.target
    provider = world.providers[arn]
    assert (audience in provider.audiences) == (change.before is not None)
    kept = [item for item in provider.audiences if item != audience]
    world.providers[arn] = replace(provider, audiences=kept if change.after is None else [*kept, audience])


def _namespace(world: World, change: Change) -> None:
    (name,) = change.target
    assert (name in world.namespaces) == (change.before is not None)
    assert not any(namespace == name for namespace, _ in world.accounts)
    (world.namespaces.remove if change.after is None else world.namespaces.add)(name)


def _role(world: World, change: Change) -> None:
    (name,) = change.target
    if change.after is None:
        role = world.roles.pop(name)
        assert role == Role(change.before), "IAM keeps a role that has policies"  # type: ignore[arg-type]
    else:
        assert name not in world.roles
        assert isinstance(change.after, RoleState)
        world.roles[name] = Role(change.after)


def _attachment(world: World, change: Change) -> None:
    name, arn = change.target
    attached = world.roles[name].attached
    assert (arn in attached) == (change.before is not None)
    (attached.remove if change.after is None else attached.add)(arn)


def _inline(world: World, change: Change) -> None:
    name, policy = change.target
    inline = world.roles[name].inline
    assert inline.get(policy) == (
        change.before.document if isinstance(change.before, DocumentState) else None
    )
    if isinstance(change.after, DocumentState):
        inline[policy] = change.after.document
    else:
        del inline[policy]


def _statement(world: World, change: Change) -> None:
    role = world.roles[change.target[0]]
    state = change.after or change.before
    assert isinstance(state, DocumentState)
    assert trust.contains(role.state.trust, state.document) == (change.before is not None)
    edit = trust.without_statement if change.after is None else trust.with_statement
    role.state = replace(role.state, trust=edit(role.state.trust, state.document))


def _account(world: World, change: Change) -> None:
    namespace, name = change.target
    assert namespace in world.namespaces
    before, after = change.before, change.after
    if before is None:
        assert (namespace, name) not in world.accounts
        account = world.accounts[namespace, name] = Account()
    else:
        assert isinstance(before, ServiceAccountState)
        account = world.accounts[namespace, name]
        assert before.uid in ("", account.uid)
        assert all(account.annotations.get(key) == value for key, value in before.annotations.items())
        assert all(account.labels.get(key) == value for key, value in before.labels.items())
    if after is None:
        del world.accounts[namespace, name]
        return
    assert isinstance(after, ServiceAccountState)
    for there, wished in ((account.annotations, after.annotations), (account.labels, after.labels)):
        for key, value in wished.items():
            there.pop(key, None)
            if value is not None:
                there[key] = value
