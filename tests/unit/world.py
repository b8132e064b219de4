"""A world in memory for the properties of the plan: IAM and Kubernetes as dictionaries, and pure writes.

`apply` refuses what the real services refuse (a role with policies on it is not deleted, a namespace
with something in it neither), so that a plan in a wrong order fails. Observing it is `observe`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, TypeVar

from irsa_cli.core.binding.current import CurrentState
from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.objects import role as objects
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.plan.states import (
    COMMIT_TAG,
    NOBODY,
    TRANSACTION_TAG,
    AssociationState,
    ConfigMapState,
    ProviderState,
    RoleState,
    SettingsState,
)
from irsa_cli.core.policies import policy
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.trust import trust_policy
from irsa_cli.usecases.read.observe import about


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


def role_arn(name: str, path: str = "/irsa/demo/") -> str:
    return f"arn:aws:iam::111122223333:role{path}{name}"


def seen_role(name: str, role: Role) -> objects.Role:
    """The role as it would be read."""
    arn = role_arn(name, role.state.path)
    return objects.Role(arn, role.state, frozenset(role.attached), dict(role.inline))


def observe(world: World, desired: DesiredState) -> CurrentState:
    """What a run would read of this world."""
    role, account_key = world.roles.get(desired.role_name), (desired.namespace, desired.name)
    account = None if desired.role_only else world.accounts.get(account_key)
    provider = world.providers.get(desired.identity.provider_arn)
    seen_account = None
    if account is not None:
        seen_account = ServiceAccount(
            *account_key, account.annotations, account.labels, uid=account.uid, resource_version="1"
        )
    binding = about(desired, None if role is None else seen_role(desired.role_name, role))
    return CurrentState(
        replace(binding, account=seen_account, provider=provider),
        namespace_exists=desired.role_only or desired.namespace in world.namespaces,
    )


def apply(world: World, change: Change) -> World:
    """The world after a change; the change must find exactly what it expects."""
    world = _copied(world)
    known: Any = (world, change.target, change.before, change.after)
    if change.kind is Kind.TARGET_TRUST:
        _statement(world, (change.target[0].rsplit("/", 1)[-1],), *known[2:])
    else:
        _APPLIED[change.kind](*known)
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


Target = tuple[str, ...]


def _role_owner(world: World, target: Target, before: Any, after: Any) -> None:
    role = world.roles[target[0]]
    one, other = (state.transaction or THIS_RUN for state in (before, after))
    role.state = _tagged(role.state, TRANSACTION_TAG, one, other)


def _role_commit(world: World, target: Target, before: Any, after: Any) -> None:
    role = world.roles[target[0]]
    one, other = (NOBODY if state is None else state.value for state in (before, after))
    role.state = _tagged(role.state, COMMIT_TAG, one, other)


def _settings(world: World, target: Target, before: Any, after: Any) -> None:
    role = world.roles[target[0]]
    assert SettingsState(role.state.description, role.state.max_session_duration) == before
    role.state = replace(role.state, **vars(after))


def _boundary(world: World, target: Target, before: Any, after: Any) -> None:
    role = world.roles[target[0]]
    one, other = ("" if state is None else state.arn for state in (before, after))
    assert role.state.permissions_boundary == one
    role.state = replace(role.state, permissions_boundary=other)


def _tags(world: World, target: Target, before: Any, after: Any) -> None:
    role = world.roles[target[0]]
    assert {key: role.state.tags.get(key) for key in before.values} == before.values
    put, gone = after.put, after.gone
    # As IAM has it, a key is replaced by one that differs in case only, and removed by one.
    replaced, removed = ({key.lower() for key in keys} for keys in (put, gone))
    tags = {key: value for key, value in role.state.tags.items() if key.lower() not in replaced} | put
    role.state = replace(
        role.state, tags={key: value for key, value in tags.items() if key.lower() not in removed}
    )


def _trust(world: World, target: Target, before: Any, after: Any) -> None:
    role = world.roles[target[0]]
    assert policy.equal(role.state.trust, before.document)
    role.state = replace(role.state, trust=after.document)


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


def _provider(world: World, target: Target, before: Any, after: Any) -> None:
    (arn,) = target
    present = world.providers.pop(arn, None)
    assert (None if present is None else unmarked(present)) == before
    if after is not None:
        world.providers[arn] = marked(after)


def _audience(world: World, target: Target, before: Any, after: Any) -> None:
    arn, audience = target
    provider = world.providers[arn]
    assert (audience in provider.audiences) == (before is not None)
    kept = [item for item in provider.audiences if item != audience]
    world.providers[arn] = replace(provider, audiences=kept if after is None else [*kept, audience])


def _namespace(world: World, target: Target, before: Any, after: Any) -> None:
    (name,) = target
    assert (name in world.namespaces) == (before is not None)
    assert not any(namespace == name for namespace, _ in world.accounts)
    if after is None:
        world.namespaces.remove(name)
        del world.makers[name]
    else:
        world.namespaces.add(name)
        world.makers[name] = THIS_RUN


def _role(world: World, target: Target, before: Any, after: Any) -> None:
    (name,) = target
    if after is not None:
        assert name not in world.roles
        world.roles[name] = Role(marked(after))
        return
    role = world.roles.pop(name)
    assert unmarked(role.state) == unmarked(before)
    assert not role.attached
    assert not role.inline, "IAM keeps a role that has policies"


def _attachment(world: World, target: Target, before: Any, after: Any) -> None:
    name, arn = target
    attached = world.roles[name].attached
    assert (arn in attached) == (before is not None)
    (attached.remove if after is None else attached.add)(arn)


def _inline(world: World, target: Target, before: Any, after: Any) -> None:
    name, policy = target
    inline = world.roles[name].inline
    assert inline.pop(policy, None) == (None if before is None else before.document)
    if after is not None:
        inline[policy] = after.document


def _statement(world: World, target: Target, before: Any, after: Any) -> None:
    role = world.roles[target[0]]
    trust, document = role.state.trust, (before or after).document
    assert trust_policy.contains(trust, document) == (before is not None)
    if before is None:
        trust = trust_policy.with_statement(trust, document)
    elif after is None:
        trust = trust_policy.without_statement(trust, document)
    else:
        trust = trust_policy.with_replaced(trust, document, after.document)
    role.state = replace(role.state, trust=trust)


def _config_map(world: World, target: Target, before: Any, after: Any) -> None:
    namespace, name = target
    assert namespace in world.namespaces
    present = world.config_maps.pop((namespace, name), None)
    assert (present is None) == (before is None)
    if present is not None:
        assert (present.data, present.service_account) == (before.data, before.service_account)
    if after is not None:
        maker = present.transaction if present is not None else after.transaction or THIS_RUN
        world.config_maps[namespace, name] = replace(after, transaction=maker)


def _association(world: World, target: Target, before: Any, after: Any) -> None:
    _, namespace, name = target
    present = world.associations.pop((namespace, name), None)
    assert (present is None) == (before is None)
    if present is not None:
        assert (present.role_arn, present.target_role_arn) == (before.role_arn, before.target_role_arn)
    if after is not None:
        maker = (present or after).tags.get(TRANSACTION_TAG, THIS_RUN)
        state = replace(after, tags={**after.tags, TRANSACTION_TAG: maker}, association_id="")
        world.associations[namespace, name] = state


def _made(state: Any) -> Account:
    """A new one; what it has besides irsa's keys is in its manifest."""
    metadata = state.manifest.get("metadata", {})
    annotations, labels = (dict(metadata.get(key, {})) for key in ("annotations", "labels"))
    return Account(annotations, labels, state.uid or "made")


def _account(world: World, target: Target, before: Any, after: Any) -> None:
    namespace, name = target
    assert namespace in world.namespaces
    account = world.accounts.pop((namespace, name), None)
    assert (account is None) == (before is None)
    if before is not None and account is not None:
        assert before.uid in ("", account.uid)
        assert all(account.annotations.get(key) == value for key, value in before.annotations.items())
        assert all(account.labels.get(key) == value for key, value in before.labels.items())
    if after is None:
        return
    account = world.accounts[namespace, name] = account or _made(after)
    for there, desired_value in ((account.annotations, after.annotations), (account.labels, after.labels)):
        for key, value in desired_value.items():
            there.pop(key, None)
            if value is not None:
                there[key] = value


_APPLIED: dict[Kind, Callable[..., None]] = {
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
    Kind.CONFIG_MAP: _config_map,
    Kind.ASSOCIATION: _association,
}
