"""A cloud in memory for the properties of recovery without a journal: what runs make in it, with their marks.

No test lives here. `Cloud.seen` is what recovery would read of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone

from irsa_cli.core.binding.current import CurrentState
from irsa_cli.core.binding.spec import DesiredState, digest
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan.changes import Change, Kind, Plan
from irsa_cli.core.plan.states import (
    COMMIT_TAG,
    SPEC_HASH_TAG,
    TRANSACTION_TAG,
    CommitState,
    DocumentState,
    OwnerState,
    ProviderState,
    RoleState,
    ServiceAccountState,
)
from irsa_cli.core.planning.create import plan
from irsa_cli.core.policies.statements import names_provider
from irsa_cli.core.recovery.judge import Key
from irsa_cli.core.recovery.leftovers import SeenLeftovers, SeenNamespace, SeenProvider, SeenRole
from irsa_cli.usecases.read.observe import about
from tests.support.trusts import trust_of
from tests.unit.planning.desired_states import ACCOUNT, CLUSTER

NOW = datetime(2026, 6, 1, 12, 0, 0, tzinfo=timezone.utc)
OBJECTS = (
    Kind.PROVIDER,
    Kind.NAMESPACE,
    Kind.ROLE,
    Kind.ATTACHMENT,
    Kind.INLINE_POLICY,
    Kind.SERVICE_ACCOUNT,
)
"""Kinds of what bears a mark, or is on something that does."""


@dataclass
class Cloud:
    """An account and its cluster."""

    roles: dict[str, SeenRole] = field(default_factory=dict)
    accounts: dict[tuple[str, str], ServiceAccount] = field(default_factory=dict)
    namespaces: dict[str, SeenNamespace] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)
    """Namespaces that no run has made."""
    provider: SeenProvider | None = None
    trusting: set[str] = field(default_factory=set)
    """Roles of others that trust the provider."""
    existing: set[str] = field(default_factory=set)
    """ARNs of roles that no run has made."""
    made: dict[Key, str] = field(default_factory=dict)
    """What runs have made, and which run it was first."""

    def seen(self, now: datetime = NOW + timedelta(hours=1)) -> SeenLeftovers:
        """What recovery reads."""
        arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{CLUSTER.issuer.removeprefix('https://')}"
        own = {role.name for role in self.roles.values() if names_provider(role.state.trust, arn)}
        return SeenLeftovers(
            cluster=CLUSTER,
            now=now,
            roles=tuple(self.roles.values()),
            role_arns=frozenset(role.arn for role in self.roles.values()) | self.existing,
            trusting=frozenset(own | self.trusting),
            accounts=tuple(self.accounts.values()),
            namespaces=tuple(self.namespaces.values()),
            provider=self.provider,
        )

    def current(self, desired: DesiredState) -> CurrentState:
        """What the next run reads."""
        role = self.roles.get(desired.role_name)
        account = self.accounts.get((desired.namespace, desired.name))
        provider = self.provider
        namespace = self.namespaces.get(desired.namespace)
        seen_account = None
        if account and not desired.role_only:
            seen_account = replace(account, resource_version="1")
        seen_role = Role(role.arn, role.state, role.attached, role.inline) if role else _existing(desired)
        provider_state = provider.state if provider else None
        return CurrentState(
            replace(about(desired, seen_role), account=seen_account, provider=provider_state),
            namespace_exists=desired.role_only or namespace is not None or desired.namespace in self.others,
        )

    def plan(self, desired: DesiredState) -> Plan:
        """What the next run would do."""
        return plan(desired, self.current(desired))

    def perform(self, change: Change, transaction: str) -> None:
        """Do what a run does."""
        if change.before is None and change.kind in OBJECTS:
            self.made[change.kind, change.target] = transaction
        mark = {TRANSACTION_TAG: transaction}
        first, after = change.target[0], change.after
        if isinstance(after, RoleState):
            arn = f"arn:aws:iam::{ACCOUNT}:role{after.path}{first}"
            state = replace(after, tags={**after.tags, **mark})
            self.roles[first] = SeenRole(arn, state, role_id=f"id-{first}", created=NOW)
        elif isinstance(after, ProviderState):
            self.provider = SeenProvider(first, replace(after, tags={**after.tags, **mark}), NOW)
        elif isinstance(after, OwnerState):
            self._tag_role(change.target[0], mark)
        elif isinstance(after, CommitState):
            self._tag_role(first, {COMMIT_TAG: after.value})
        elif isinstance(after, ServiceAccountState):
            self._account(change, after, mark)
        elif change.kind is Kind.NAMESPACE:
            self.namespaces[first] = SeenNamespace(first, f"uid-{first}", mark, NOW)
        elif change.kind is Kind.ATTACHMENT:
            role = self.roles[first]
            self.roles[first] = replace(role, attached=role.attached | {change.target[1]})
        elif change.kind is Kind.INLINE_POLICY:
            assert isinstance(after, DocumentState)
            role = self.roles[first]
            inline = {**role.inline, change.target[1]: after.document}
            self.roles[first] = replace(role, inline=inline)

    def _tag_role(self, name: str, tags: dict[str, str]) -> None:
        role = self.roles[name]
        self.roles[name] = replace(role, state=replace(role.state, tags={**role.state.tags, **tags}))

    def _account(self, change: Change, after: ServiceAccountState, mark: dict[str, str]) -> None:
        namespace, name = change.target
        present = self.accounts.get((namespace, name))
        annotations = dict(present.annotations) if present else dict(mark)
        for key, value in after.annotations.items():
            annotations.pop(key, None)
            if value is not None:
                annotations[key] = value
        self.accounts[namespace, name] = ServiceAccount(
            namespace, name, annotations, uid=f"uid-{name}", created=NOW
        )


def _existing(desired: DesiredState) -> Role | None:
    """The role of somebody else that a wish without a role of its own counts on."""
    return None if desired.role else Role(desired.role_arn, RoleState("/", trust_of(desired.identity)))


def tagged(desired: DesiredState) -> DesiredState:
    """The wish as a command line means it, with its digest on the role."""
    if desired.role is None:
        return desired
    tags = {**desired.role.tags, SPEC_HASH_TAG: digest(desired)}
    return replace(desired, role=replace(desired.role, tags=tags))
