"""A world in memory for the properties of the plan: IAM and Kubernetes as dictionaries, and pure writes.

`apply` refuses what the real services refuse (a role with policies on it is not deleted, a namespace
with something in it neither), so that a plan in a wrong order fails. Observing it is `observe`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import TypeVar

from irsa_cli.core.binding.current import CurrentRole, CurrentServiceAccount, CurrentState
from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import (
    COMMIT_TAG,
    NOBODY,
    TRANSACTION_TAG,
    AssociationState,
    BoundaryState,
    CommitState,
    ConfigMapState,
    DocumentState,
    OwnerState,
    ProviderState,
    RoleState,
    ServiceAccountState,
    SettingsState,
    TagsState,
)
from irsa_cli.core.policies import policy
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.trust import trust_policy


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
    makers: dict[str, str] = field(default_factory=dict)
    """The runs that have made namespaces a short while ago."""
    config_maps: dict[tuple[str, str], ConfigMapState] = field(default_factory=dict)
    """Those of irsa, with the runs that made them."""
    associations: dict[tuple[str, str], AssociationState] = field(default_factory=dict)
    """By namespace and ServiceAccount; the run that made one is among its tags."""


def observe(world: World, desired: DesiredState) -> CurrentState:
    """What a run would read of this world."""
    role = world.roles.get(desired.role_name)
    account = None if desired.role_only else world.accounts.get((desired.namespace, desired.name))
    provider = world.providers.get(desired.identity.provider_arn)
    return CurrentState(
        provider=provider,
        role=None if role is None else CurrentRole(role.state, frozenset(role.attached), role.inline),
        service_account=None
        if account is None
        else CurrentServiceAccount(account.uid, "1", account.annotations, account.labels),
        namespace_exists=desired.role_only or desired.namespace in world.namespaces,
    )


def apply(world: World, change: Change) -> World:
    """The world after a change; the change must find exactly what it expects."""
    world = _copied(world)
    {
        Kind.PROVIDER: _provider,
        Kind.AUDIENCE: _audience,
        Kind.NAMESPACE: _namespace,
        Kind.ROLE: _role,
        Kind.ATTACHMENT: _attachment,
        Kind.INLINE_POLICY: _inline,
        Kind.TRUST_STATEMENT: _statement,
        Kind.SERVICE_ACCOUNT: _account,
        Kind.ROLE_OWNER: _role_owner,
        Kind.ROLE_COMMIT: _role_commit,
        Kind.ROLE_SETTINGS: _settings,
        Kind.BOUNDARY: _boundary,
        Kind.ROLE_TAGS: _tags,
        Kind.TRUST_POLICY: _trust,
        Kind.TARGET_TRUST: _admission,
        Kind.CONFIG_MAP: _config_map,
        Kind.ASSOCIATION: _association,
    }[change.kind](world, change)
    return world


def after(world: World, changes: Iterable[Change]) -> World:
    """The world after some changes, one after the other."""
    return reduce(apply, changes, world)


def _copied(world: World) -> World:
    """A world of its own; states and documents are values, which nothing here changes in place."""
    return World(
        dict(world.providers),
        set(world.namespaces),
        {name: Role(role.state, set(role.attached), dict(role.inline)) for name, role in world.roles.items()},
        {key: Account(dict(a.annotations), dict(a.labels), a.uid) for key, a in world.accounts.items()},
        dict(world.makers),
        dict(world.config_maps),
        dict(world.associations),
    )


THIS_RUN = "this run"


def _role_owner(world: World, change: Change) -> None:
    role = world.roles[change.target[0]]
    role.state = _tagged(role.state, TRANSACTION_TAG, *_owners(change))


def _role_commit(world: World, change: Change) -> None:
    role = world.roles[change.target[0]]
    one, other = (
        state.value if isinstance(state, CommitState) else NOBODY for state in (change.before, change.after)
    )
    role.state = _tagged(role.state, COMMIT_TAG, one, other)


def _settings(world: World, change: Change) -> None:
    role = world.roles[change.target[0]]
    assert SettingsState(role.state.description, role.state.max_session_duration) == change.before
    assert isinstance(change.after, SettingsState)
    role.state = replace(
        role.state,
        description=change.after.description,
        max_session_duration=change.after.max_session_duration,
    )


def _boundary(world: World, change: Change) -> None:
    role = world.roles[change.target[0]]
    one, other = (
        state.arn if isinstance(state, BoundaryState) else "" for state in (change.before, change.after)
    )
    assert role.state.permissions_boundary == one
    role.state = replace(role.state, permissions_boundary=other)


def _tags(world: World, change: Change) -> None:
    role = world.roles[change.target[0]]
    assert isinstance(change.before, TagsState)
    assert isinstance(change.after, TagsState)
    assert {key: role.state.tags.get(key) for key in change.before.values} == change.before.values
    put, gone = change.after.put, change.after.gone
    # As IAM has it, a key is replaced by one that differs in case only, and removed by one.
    replaced, removed = ({key.lower() for key in keys} for keys in (put, gone))
    tags = {**{key: value for key, value in role.state.tags.items() if key.lower() not in replaced}, **put}
    role.state = replace(
        role.state, tags={key: value for key, value in tags.items() if key.lower() not in removed}
    )


def _trust(world: World, change: Change) -> None:
    role = world.roles[change.target[0]]
    assert isinstance(change.before, DocumentState)
    assert isinstance(change.after, DocumentState)
    assert policy.equal(role.state.trust, change.before.document)
    role.state = replace(role.state, trust=change.after.document)


def _owners(change: Change) -> tuple[str, str]:
    assert isinstance(change.before, OwnerState)
    assert isinstance(change.after, OwnerState)
    return change.before.transaction or THIS_RUN, change.after.transaction or THIS_RUN


Tagged = TypeVar("Tagged", RoleState, ProviderState)


def marked(state: Tagged) -> Tagged:
    """As a run makes it: with its mark."""
    return replace(state, tags={**state.tags, TRANSACTION_TAG: THIS_RUN})


def unmarked(state: Tagged) -> Tagged:
    """Without what tells which run made it, and whether it has ended."""
    marks = (TRANSACTION_TAG, COMMIT_TAG)
    return replace(state, tags={key: value for key, value in state.tags.items() if key not in marks})


def _tagged(state: Tagged, key: str, before: str, after: str) -> Tagged:
    assert state.tags.get(key, NOBODY) == before
    rest = {name: value for name, value in state.tags.items() if name != key}
    return replace(state, tags=rest if after == NOBODY else {**rest, key: after})


def _provider(world: World, change: Change) -> None:
    (arn,) = change.target
    present = world.providers.get(arn)
    assert (None if present is None else unmarked(present)) == change.before
    if change.after is None:
        del world.providers[arn]
    else:
        assert isinstance(change.after, ProviderState)
        world.providers[arn] = marked(change.after)


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
    if change.after is None:
        world.namespaces.remove(name)
        del world.makers[name]
    else:
        world.namespaces.add(name)
        world.makers[name] = THIS_RUN


def _role(world: World, change: Change) -> None:
    (name,) = change.target
    if change.after is None:
        role = world.roles.pop(name)
        assert isinstance(change.before, RoleState)
        assert unmarked(role.state) == unmarked(change.before)
        assert not role.attached
        assert not role.inline, "IAM keeps a role that has policies"
    else:
        assert name not in world.roles
        assert isinstance(change.after, RoleState)
        world.roles[name] = Role(marked(change.after))


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
    if isinstance(change.before, DocumentState) and isinstance(change.after, DocumentState):
        assert trust_policy.contains(role.state.trust, change.before.document)
        replaced = trust_policy.with_replaced(role.state.trust, change.before.document, change.after.document)
        role.state = replace(role.state, trust=replaced)
        return
    assert trust_policy.contains(role.state.trust, state.document) == (change.before is not None)
    edit = trust_policy.without_statement if change.after is None else trust_policy.with_statement
    role.state = replace(role.state, trust=edit(role.state.trust, state.document))


def _admission(world: World, change: Change) -> None:
    """A statement of a target role, which is in the same world here."""
    name = change.target[0].rsplit("/", 1)[-1]
    _statement(world, replace(change, target=(name, *change.target[1:])))


def _config_map(world: World, change: Change) -> None:
    namespace, name = change.target
    assert namespace in world.namespaces
    present = world.config_maps.get((namespace, name))
    before, after = change.before, change.after
    assert (present is None) == (before is None)
    if present is not None:
        assert isinstance(before, ConfigMapState)
        assert (present.data, present.service_account) == (before.data, before.service_account)
    if after is None:
        del world.config_maps[namespace, name]
        return
    assert isinstance(after, ConfigMapState)
    maker = present.transaction if present is not None else after.transaction or THIS_RUN
    world.config_maps[namespace, name] = replace(after, transaction=maker)


def _association(world: World, change: Change) -> None:
    _, namespace, name = change.target
    place = namespace, name
    present, before = world.associations.pop(place, None), change.before
    assert (present is None) == (before is None)
    if present is not None:
        assert isinstance(before, AssociationState)
        assert (present.role_arn, present.target_role_arn) == (before.role_arn, before.target_role_arn)
    if change.after is not None:
        assert isinstance(change.after, AssociationState)
        maker = (present or change.after).tags.get(TRANSACTION_TAG, THIS_RUN)
        state = replace(change.after, tags={**change.after.tags, TRANSACTION_TAG: maker}, association_id="")
        world.associations[place] = state


def _made(state: object) -> Account:
    """A new one; what it has besides irsa's keys is in its manifest."""
    assert isinstance(state, ServiceAccountState)
    metadata = state.manifest.get("metadata", {})
    return Account(
        dict(metadata.get("annotations", {})), dict(metadata.get("labels", {})), state.uid or "made"
    )


def _account(world: World, change: Change) -> None:
    namespace, name = change.target
    assert namespace in world.namespaces
    before, after = change.before, change.after
    if before is None:
        assert (namespace, name) not in world.accounts
        account = world.accounts[namespace, name] = _made(after)
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
    for there, desired_value in ((account.annotations, after.annotations), (account.labels, after.labels)):
        for key, value in desired_value.items():
            there.pop(key, None)
            if value is not None:
                there[key] = value
