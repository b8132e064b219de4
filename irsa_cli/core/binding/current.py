"""The current state before `create-sa` and `apply` plan: a binding, and what only they need to know.

And the changes of a ServiceAccount from one state to another. Pure; permits nothing.
It is read in `irsa_cli.usecases.read`; `irsa_cli.core.binding.spec` has the desired state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from irsa_cli.core.binding.binding import Binding
from irsa_cli.core.binding.field_owner import NO_OVERRIDE, Override, check_role_owner
from irsa_cli.core.binding.spec import DesiredState
from irsa_cli.core.marks.lifecycle import Lifecycle, Stage, with_marks, wrote
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan import states
from irsa_cli.core.plan.changes import NOT_SEEN, Change, Kind
from irsa_cli.core.policies import policy
from irsa_cli.core.values.names import Namespaced

if TYPE_CHECKING:
    from irsa_cli.core.binding.pod_identity_support import PodIdentitySupport


@dataclass(frozen=True)
class PolicyVersions:
    """Id and version in force of each policy of the account, by ARN; AWS changes its own as it likes."""

    versions: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, versions_by_arn: Mapping[str, str | None]) -> PolicyVersions:
        """Of all that were asked for; None is the version of one that may not be read."""
        own = {arn: version for arn, version in versions_by_arn.items() if ":iam::aws:" not in arn}
        return cls({arn: version or "unreadable" for arn, version in own.items()})


@dataclass(frozen=True)
class CurrentState:
    """All that `create-sa` and `apply` read before they plan: the binding, and what only they need to know.

    The binding is about the desired role: `others` has the ServiceAccount's current role, if that is another
    one. With `role_only` the ServiceAccount is no part of the desired state, only evidence: None where the
    cluster is not asked.
    """

    binding: Binding = field(metadata=NOT_SEEN)
    namespace_exists: bool = True
    similar_namespaces: tuple[str, ...] = ()
    similar_roles: tuple[str, ...] = ()
    """Similar names if it does not exist, as far as they can be listed."""
    support: PodIdentitySupport | None = None
    """The cluster's facts about EKS Pod Identity, if it has no association for the ServiceAccount."""
    trust_quota: int = policy.TRUST_LIMIT
    """Characters that the account allows a trust policy, without white space."""
    target_quota: int = policy.TRUST_LIMIT
    """The same in the account of the target role."""
    policies: PolicyVersions = field(default_factory=PolicyVersions, compare=False)
    """The policies for the role."""

    @property
    def seen(self) -> tuple[Binding, CurrentState]:
        """All that a plan depends on."""
        return self.binding, self

    @property
    def has_parts(self) -> bool:
        """Whether a part of the binding is there already."""
        return any((self.binding.seen_role, self.binding.existing, self.binding.known_association))


def life_of(desired: DesiredState, current: CurrentState) -> Lifecycle:
    """How far the role has come that is there under the desired one's name."""
    role = current.binding.seen_role
    if role is None:
        return Lifecycle(Stage.FOREIGN)
    return current.binding.life_of(role, recorded=is_recorded(desired, current))


def is_recorded(desired: DesiredState, current: CurrentState) -> bool:
    """Whether irsa wrote that annotation, a run's last step; a role for something else does not count."""
    binding = current.binding
    role = current.binding.seen_role
    if role is None or not binding.is_annotated:
        return binding.is_annotated
    spec_hash = role.tags.get(states.SPEC_HASH_TAG)
    if desired.role is not None and spec_hash != desired.role.tags.get(states.SPEC_HASH_TAG):
        return True
    return spec_hash is None or wrote(binding.annotations, states.ROLE_ARN_ANNOTATION)


def is_incomplete(desired: DesiredState, current: CurrentState) -> bool:
    """Whether the role is there, and no run for it has ended yet."""
    if desired.role is None or current.binding.seen_role is None:
        return False
    return not life_of(desired, current).is_over


def check_whole(desired: DesiredState, current: CurrentState) -> None:
    """Raise `Refused` for a role to be used that irsa makes for this ServiceAccount, and is not whole."""
    life = life_of(desired, current)
    role = current.binding.seen_role
    if role is None or role.owner not in ("", desired.cluster.arn):
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
    ref: Namespaced,
    account: ServiceAccount | None,
    annotations: Mapping[str, str | None],
    labels: Mapping[str, str | None],
    *,
    own: bool = True,
    override: Override = NO_OVERRIDE,
) -> list[Change]:
    """Sets the keys that have another value, removes those whose value is None; empty when all agree.

    Also empty without a ServiceAccount.

    Bound to the object that was read, by uid and resourceVersion. The webhook's
    annotations that irsa writes are marked as irsa's; one that has the desired value keeps its owner.
    Not `own`: they are again what somebody else had written, without a mark. Raises `Refused` if a tool owns
    the role annotation with another role, and the user does not want it overwritten (`override`).
    """
    if account is None:
        return []
    role_arn = annotations.get(states.ROLE_ARN_ANNOTATION)
    check_role_owner(ref.full_name, account, role_arn, override)
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
    return [Change(Kind.SERVICE_ACCOUNT, (ref.namespace, ref.name), before, after)]
