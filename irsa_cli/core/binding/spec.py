"""What a user wishes for one ServiceAccount, and what is there of it: the two sides that a plan connects.

The plan is made in `irsa_cli.core.planning.create`; reading what is there is in `irsa_cli.usecases`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from irsa_cli.core.marks import lifecycle
from irsa_cli.core.marks.lifecycle import Lifecycle
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION, ProviderState, RoleState
from irsa_cli.core.policies import policy
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.trust.trust_policy import WebIdentity
from irsa_cli.core.values.arn import iam_arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.issuer import provider_arn
from irsa_cli.core.values.names import subject


@dataclass(frozen=True)
class DesiredState:
    """What is to be true afterwards.

    `role` is None when an existing role is used (`--attach-role-arn`). `annotations` are all those
    the ServiceAccount is to have, the role's ARN included; a value of None means it must not be there.
    """

    cluster: Cluster
    namespace: str
    name: str
    role_arn: str
    audience: str
    role: RoleState | None = None
    policies: tuple[str, ...] = ()
    inline: Mapping[str, Document] = field(default_factory=dict)
    annotations: Mapping[str, str | None] = field(default_factory=dict)
    labels: Mapping[str, str | None] = field(default_factory=dict)
    subject_pattern: str = ""
    create_namespace: bool = True
    role_only: bool = False
    override: bool = False
    update_trust: bool = False
    force: bool = False
    """Whether a statement may be written that makes a restriction of one that is there worthless."""
    associate: bool = False
    gated: bool = False
    """Whether the token is proven to be accepted before the ServiceAccount gets its annotation."""

    @property
    def role_name(self) -> str:
        """The role's name without its path."""
        return self.role_arn.rsplit("/", 1)[-1]

    @property
    def role_account(self) -> str:
        """The account the role lives in; the provider must exist there, too."""
        return self.role_arn.split(":")[4]

    @property
    def identity(self) -> WebIdentity:
        """The token of this ServiceAccount, as STS will see it."""
        return WebIdentity(
            provider_arn=provider_arn(self.cluster.partition, self.role_account, self.cluster.issuer),
            issuer=self.cluster.issuer,
            subject=subject(self.namespace, self.name),
            audience=self.audience,
        )


@dataclass(frozen=True)
class CurrentRole:
    """A role that exists, with what is attached to it. `state.tags` hold irsa's tags, too."""

    state: RoleState
    attached: frozenset[str] = frozenset()
    inline: Mapping[str, Document] = field(default_factory=dict)


@dataclass(frozen=True)
class CurrentServiceAccount:
    """A ServiceAccount that exists. `manifest` is the whole object, without what the API server adds."""

    uid: str
    resource_version: str
    annotations: Mapping[str, str]
    labels: Mapping[str, str]
    manifest: Document = field(default_factory=dict)
    managers: tuple[str, ...] = field(default=(), compare=False)
    """Who has written it, as its managedFields tell."""


@dataclass(frozen=True)
class CurrentState:
    """What is there. `role_unreadable` says why a role of somebody else's could not be read.

    Of a wish with `role_only`, the ServiceAccount is no part, and is there as evidence only: None where the
    cluster is not asked.

    `provider_maker` and `namespace_maker` name the transaction that has made the provider or the
    namespace so short a while ago that it may still take it back; empty otherwise.
    """

    provider: ProviderState | None
    role: CurrentRole | None
    service_account: CurrentServiceAccount | None
    namespace_exists: bool = True
    role_unreadable: str = ""
    provider_maker: str = ""
    namespace_maker: str = ""
    bound_role: CurrentRole | None = None
    """The role that the ServiceAccount has, where that is another one than is wished, and can be read."""
    trust_quota: int = policy.TRUST_LIMIT
    """Characters that the account allows a trust policy, without white space."""


def life_of(desired: DesiredState, current: CurrentState) -> Lifecycle:
    """How far the role has come that is there under the wished one's name."""
    tags = current.role.state.tags if current.role is not None else {}
    return lifecycle.of(tags, named=is_annotated(desired, current))


def is_annotated(desired: DesiredState, current: CurrentState) -> bool:
    """Whether the ServiceAccount bears the ARN that the role has, or is to have where there is none yet."""
    account, arn = current.service_account, desired.role_arn
    if desired.role is not None and current.role is not None:
        resource = f"role{current.role.state.path}{desired.role_name}"
        arn = iam_arn(desired.cluster.partition, desired.cluster.account, resource)
    return account is not None and account.annotations.get(ROLE_ARN_ANNOTATION) == arn


def is_incomplete(desired: DesiredState, current: CurrentState) -> bool:
    """Whether the role is there, and no run for it has ended yet."""
    return desired.role is not None and current.role is not None and not life_of(desired, current).is_over


def digest(desired: DesiredState) -> str:
    """What tells this wish from others for the same role: a digest of all that the run is to make."""
    assert desired.role is not None
    parts = {
        "role": [desired.role.path, desired.role.description, desired.role.max_session_duration],
        "boundary": desired.role.permissions_boundary,
        "trust": policy.normalized(desired.role.trust),
        "policies": sorted(desired.policies),
        "inline": {name: policy.normalized(document) for name, document in desired.inline.items()},
        "tags": dict(desired.role.tags),
        "annotations": dict(desired.annotations),
        "labels": dict(desired.labels),
        "audience": desired.audience,
        "roleOnly": desired.role_only,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
