"""The current state of one ServiceAccount and its roles, before a run creates, changes or deletes them.

And the changes from it to another state. Pure; permits nothing.
It is read in `irsa_cli.usecases.read`; `irsa_cli.core.binding.spec` has the desired state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.marks import lifecycle
from irsa_cli.core.marks.lifecycle import Lifecycle, with_marks, wrote
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan import states
from irsa_cli.core.plan.changes import Change, Kind
from irsa_cli.core.policies import policy
from irsa_cli.core.trust.chain import FoundConfigMap, FoundTarget
from irsa_cli.core.values import arn

if TYPE_CHECKING:
    from irsa_cli.core.binding.pod_identity_support import PodIdentitySupport


@dataclass(frozen=True)
class PolicyVersions:
    """Id and version in force of each policy of the account, by ARN; AWS changes its own as it likes."""

    versions: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, found: Mapping[str, str | None]) -> PolicyVersions:
        """Of all that were asked for; None is the version of one that may not be read."""
        own = {arn: version for arn, version in found.items() if ":iam::aws:" not in arn}
        return cls({arn: version or "unreadable" for arn, version in own.items()})


@dataclass(frozen=True)
class CurrentState:
    """All that `create-sa` and `apply` read before they plan.

    `role_unreadable` is why somebody else's role could not be read.
    With `role_only` the ServiceAccount is no part of the desired state, only evidence: None where the
    cluster is not asked.
    """

    provider: states.ProviderState | None
    role: Role | None
    service_account: ServiceAccount | None
    namespace_exists: bool = True
    similar_namespaces: tuple[str, ...] = ()
    similar_roles: tuple[str, ...] = ()
    """Similar names if it does not exist, as far as they can be listed."""
    role_unreadable: str = ""
    bound_role: Role | None = None
    """The ServiceAccount's current role, if that is not the desired one and can be read."""
    association: Association | None = None
    """The EKS Pod Identity association of the ServiceAccount, if one is desired."""
    support: PodIdentitySupport | None = None
    """The cluster's facts about EKS Pod Identity, if it has no association for the ServiceAccount."""
    target: FoundTarget | None = None
    """The target role of the desired role."""
    former_targets: Mapping[str, FoundTarget] = field(default_factory=dict)
    """Other current target roles, by ARN."""
    config_maps: Mapping[str, FoundConfigMap] = field(default_factory=dict)
    """By name: the ConfigMap that is desired, and the one that the ServiceAccount had before."""
    trust_quota: int = policy.TRUST_LIMIT
    """Characters that the account allows a trust policy, without white space."""
    policies: PolicyVersions = field(default_factory=PolicyVersions, compare=False)
    """The policies for the role."""

    @property
    def has_parts(self) -> bool:
        """Whether a part of the binding is there already."""
        return any((self.role, self.service_account, self.association))


def life_of(desired: DesiredState, current: CurrentState) -> Lifecycle:
    """How far the role has come that is there under the desired one's name."""
    tags = current.role.state.tags if current.role is not None else {}
    return lifecycle.of(
        tags,
        named=is_annotated(desired, current),
        recorded=is_recorded(desired, current),
        marked=is_marked(desired, current),
    )


def is_recorded(desired: DesiredState, current: CurrentState) -> bool:
    """Whether irsa wrote that annotation, a run's last step; a role for something else does not count."""
    tags = current.role.state.tags if current.role is not None else {}
    wanted = (desired.role.tags if desired.role is not None else tags).get(states.SPEC_HASH_TAG)
    if tags.get(states.SPEC_HASH_TAG) != wanted or wanted is None:
        return is_annotated(desired, current)
    account = current.service_account
    marked = account is not None and wrote(account.annotations, states.ROLE_ARN_ANNOTATION)
    return marked and is_annotated(desired, current)


def is_annotated(desired: DesiredState, current: CurrentState) -> bool:
    """Whether the ServiceAccount's annotation is the ARN of the role, or of the role to create."""
    account, named = current.service_account, _arn_of_role(desired, current)
    return account is not None and account.annotations.get(states.ROLE_ARN_ANNOTATION) == named


def is_marked(desired: DesiredState, current: CurrentState) -> bool:
    """Whether the ServiceAccount bears irsa's mark that a run bound it to a role of this ARN."""
    account = current.service_account
    return account is not None and lifecycle.was_bound(account.annotations, _arn_of_role(desired, current))


def _arn_of_role(desired: DesiredState, current: CurrentState) -> str:
    """The ARN of the role that is there, or of the role to create."""
    if desired.role is None or current.role is None:
        return desired.role_arn
    resource = f"role{current.role.state.path}{desired.role_name}"
    return arn.iam_arn(desired.cluster.partition, desired.cluster.home, resource)


def is_incomplete(desired: DesiredState, current: CurrentState) -> bool:
    """Whether the role is there, and no run for it has ended yet."""
    return desired.role is not None and current.role is not None and not life_of(desired, current).is_over


def check_whole(desired: DesiredState, current: CurrentState) -> None:
    """Raise `Refused` for a role to be used that irsa makes for this ServiceAccount, and is not whole."""
    life = life_of(desired, current)
    tags = current.role.state.tags if current.role is not None else {}
    if tags.get(states.CLUSTER_TAG, desired.cluster.arn) != desired.cluster.arn:
        return  # Of another cluster's, nothing is known here.
    if life.account == desired.full_name:
        life.check(desired.role_arn, desired.cluster.options)


@dataclass(frozen=True)
class RoleChanges:
    """The changes from one role to another: additions first, so that no pod lacks anything in between."""

    gains: tuple[Change, ...] = ()
    losses: tuple[Change, ...] = ()

    def __iter__(self) -> Iterator[Change]:
        return iter((*self.gains, *self.losses))


def account_changes(
    target: tuple[str, str],
    account: ServiceAccount | None,
    annotations: Mapping[str, str | None],
    labels: Mapping[str, str | None],
    *,
    own: bool = True,
) -> list[Change]:
    """Sets the keys that have another value, removes those whose value is None; empty when all agree.

    Also empty without a ServiceAccount.

    Bound to the object that was read, by uid and resourceVersion. The webhook's
    annotations that irsa writes are marked as irsa's; one that has the desired value keeps its owner.
    Not `own`: they are again what somebody else had written, without a mark.
    """
    if account is None:
        return []
    differing = {key: value for key, value in annotations.items() if account.annotations.get(key) != value}
    marked = with_marks(differing) if own else differing
    annotated = {key: value for key, value in marked.items() if account.annotations.get(key) != value}
    labelled = {key: value for key, value in labels.items() if account.labels.get(key) != value}
    if not annotated and not labelled:
        return []
    before = states.ServiceAccountState(
        annotations={key: account.annotations.get(key) for key in annotated},
        labels={key: account.labels.get(key) for key in labelled},
        uid=account.uid,
        resource_version=account.resource_version,
    )
    after = states.ServiceAccountState(annotations=annotated, labels=labelled, uid=account.uid)
    return [Change(Kind.SERVICE_ACCOUNT, target, before, after)]
