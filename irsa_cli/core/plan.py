"""A change is a value, its inverse is the same value backwards, and a plan is stages of changes.

How changes are carried out is in `irsa_cli.changes`, in which order and with what safety in
`irsa_cli.transaction`, how they are written into a journal in `irsa_cli.core.written`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from irsa_cli.core import states
from irsa_cli.core.states import State


class Kind(str, Enum):
    """What a change is about; the value is what `-o json` and the journal show."""

    PROVIDER = "OIDCProvider"
    AUDIENCE = "OIDCProviderAudience"
    NAMESPACE = "Namespace"
    ROLE = "Role"
    ATTACHMENT = "PolicyAttachment"
    INLINE_POLICY = "InlinePolicy"
    TRUST_STATEMENT = "TrustStatement"
    SERVICE_ACCOUNT = "ServiceAccount"
    ROLE_OWNER = "RoleOwner"
    PROVIDER_OWNER = "ProviderOwner"
    NAMESPACE_OWNER = "NamespaceOwner"
    ROLE_COMMIT = "RoleCommit"
    ROLE_SETTINGS = "RoleSettings"
    BOUNDARY = "RoleBoundary"
    ROLE_TAGS = "RoleTags"
    TRUST_POLICY = "TrustPolicy"


STATE_OF_KIND: Mapping[Kind, type[State]] = {
    Kind.PROVIDER: states.ProviderState,
    Kind.AUDIENCE: states.Present,
    Kind.NAMESPACE: states.NamespaceState,
    Kind.ROLE: states.RoleState,
    Kind.ATTACHMENT: states.Present,
    Kind.INLINE_POLICY: states.DocumentState,
    Kind.TRUST_STATEMENT: states.DocumentState,
    Kind.SERVICE_ACCOUNT: states.ServiceAccountState,
    Kind.ROLE_OWNER: states.OwnerState,
    Kind.PROVIDER_OWNER: states.OwnerState,
    Kind.NAMESPACE_OWNER: states.OwnerState,
    Kind.ROLE_COMMIT: states.CommitState,
    Kind.ROLE_SETTINGS: states.SettingsState,
    Kind.BOUNDARY: states.BoundaryState,
    Kind.ROLE_TAGS: states.TagsState,
    Kind.TRUST_POLICY: states.DocumentState,
}


_WHOLE: Mapping[Kind, Kind] = {
    **dict.fromkeys(
        (
            Kind.ATTACHMENT,
            Kind.INLINE_POLICY,
            Kind.TRUST_STATEMENT,
            Kind.ROLE_OWNER,
            Kind.ROLE_COMMIT,
            Kind.ROLE_SETTINGS,
            Kind.BOUNDARY,
            Kind.ROLE_TAGS,
            Kind.TRUST_POLICY,
        ),
        Kind.ROLE,
    ),
    Kind.AUDIENCE: Kind.PROVIDER,
    Kind.PROVIDER_OWNER: Kind.PROVIDER,
    Kind.NAMESPACE_OWNER: Kind.NAMESPACE,
}
"""Of which object a part is."""


@dataclass(frozen=True)
class Change:
    """One reversible write: `target` goes from `before` to `after`; None means that it is not there.

    `target` names the object within its kind: `(role,)`, `(role, policy)`, `(namespace, name)`, ...
    """

    kind: Kind
    target: tuple[str, ...]
    before: State | None
    after: State | None

    @property
    def inverse(self) -> Change:
        """The change that takes this one back."""
        return Change(self.kind, self.target, self.after, self.before)

    @property
    def action(self) -> str:
        """`create`, `update` or `delete`."""
        if self.before is None:
            return "create"
        return "delete" if self.after is None else "update"

    @property
    def object(self) -> tuple[Kind, tuple[str, ...]]:
        """The object that the change is about: a role for its parts, a provider for its audiences."""
        whole = _WHOLE.get(self.kind)
        return (self.kind, self.target) if whole is None else (whole, self.target[:1])

    @property
    def name(self) -> str:
        """The target as one text."""
        return "/".join(self.target)


@dataclass(frozen=True)
class Plan:
    """Stages of changes: those of one stage are independent of each other, stages run in order.

    The last stage is the commit point; a gate, where a run has one, stands before it. It is empty where
    there is nothing left to do behind the gate.
    """

    stages: tuple[tuple[Change, ...], ...] = ()

    @classmethod
    def of(cls, *stages: list[Change]) -> Plan:
        """A plan of these stages, the empty ones left out."""
        return cls(tuple(tuple(stage) for stage in stages if stage))

    def __iter__(self) -> Iterator[Change]:
        return (change for stage in self.stages for change in stage)

    def __len__(self) -> int:
        return sum(len(stage) for stage in self.stages)

    @property
    def inverse(self) -> Plan:
        """The plan that takes this one back, stages in reverse order."""
        return Plan(tuple(tuple(change.inverse for change in stage) for stage in reversed(self.stages)))
