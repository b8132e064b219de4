"""A change is a value, its inverse is the same value backwards, and a plan is stages of changes.

How changes are carried out is in `irsa_cli.changes`, in which order and with what safety in
`irsa_cli.transaction`, the traits of each kind in `irsa_cli.core.plan.kinds`, how they are written
into a journal in `irsa_cli.core.plan.written`. Here is also how several plans become one, for one transaction
over many ServiceAccounts (`apply --atomic`), what stays as it is in a rollback, and a short record of a plan
and its current state, by which it is known again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from typing import Any

from irsa_cli.core.plan.kinds import Kind as Kind
from irsa_cli.core.plan.states import TRANSACTION_TAG, State, TagsState


@dataclass(frozen=True)
class Change:
    """One reversible write of `target` (names within its kind) from `before` to `after` (None: missing)."""

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
        return (self.kind, self.target) if self.kind.is_whole else (self.kind.whole, self.target[:1])

    @property
    def roles(self) -> frozenset[str]:
        """The names of the roles that it is about; of a ServiceAccount, those that it loses and gets."""
        return self.kind.traits.roles(self)

    @property
    def description(self) -> str:
        """The object of the change, in words."""
        return self.kind.traits.described(self)

    @property
    def name(self) -> str:
        """The target as one text."""
        return "/".join(self.target)


@dataclass(frozen=True)
class Plan:
    """Stages of changes: those of one stage are independent of each other, stages run in order.

    The last stage is the commit point; the gate of a run, if it has one, is before it. It is empty if
    nothing is left to do after the gate.
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
    def transacted(self) -> Plan:
        """The plan without what its command carries out outside of the transaction."""
        return Plan.of(*([it for it in stage if not it.kind.traits.outside] for stage in self.stages))

    @property
    def inverse(self) -> Plan:
        """The plan that takes this one back, stages in reverse order."""
        return Plan(tuple(tuple(change.inverse for change in stage) for stage in reversed(self.stages)))


def _is_for_good(change: Change) -> bool:
    return change.kind.traits.recreated and change.after is None


def waits(change: Change, plan: Iterable[Change], left: Iterable[Change]) -> bool:
    """Whether a change has to stay as it is, because something that it led up to could not be rolled back.

    Before a role is deleted it is marked so, and its ServiceAccount loses its annotation. Both say truly what
    the role is, as long as a part of it has not come back: so the deletion can be finished, either way.
    """
    left = list(left)
    if isinstance(change.after, TagsState) and change.after.marks_completeness:
        # A role that no annotation names says itself that it is complete.
        return any(change.roles & item.roles for item in left if item.kind is Kind.SERVICE_ACCOUNT)
    if change.before is None and (change.kind is Kind.ROLE or change.kind is Kind.INLINE_POLICY):
        return _tells_alone(change, left)
    roles = {item.target[0] for item in plan if item.kind is Kind.ROLE and item.after is None}
    mine = change.roles & roles
    return change.kind.traits.waits_for_whole and any(mine & item.roles for item in left)


def _tells_alone(change: Change, left: Iterable[Change]) -> bool:
    """Whether a role, or its inline policy, must stay because only it shows what was not rolled back."""
    mine = [item for item in left if change.roles & item.roles]
    recorded = any(item.kind.traits.recorded_by_role for item in mine)
    has_policy = change.kind is Kind.INLINE_POLICY or any(item.kind is Kind.INLINE_POLICY for item in mine)
    return recorded and has_policy


def not_again(changes: Iterable[Change]) -> list[str]:
    """Warn of losses with deleted or recreated roles: no rollback restores a role's unique id.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    """
    names = [item.name for item in changes if item.kind is Kind.ROLE and item.after is None]
    if not names:
        return []
    return [
        f"policies of buckets, keys and other roles that have role {', '.join(names)} as a principal keep its"
        " unique id: save them again if the role is recreated, even by a rollback"
    ]


Seen = Mapping[str, str]
"""A current state: what its parts are called, and a digest of each value. No value can be read of it."""

PASSED_OVER = frozenset(
    {
        "arn",
        "cluster",
        "managers",
        "manifest",
        "resource_version",
        "similar_namespaces",
        "similar_roles",
        "thumbprints",
    }
)
"""Changes without a meaning (IAM fills in thumbprints), or already in the target."""
NOT_SEEN = {"seen": False}
"""Metadata of a field that no plan depends on."""
_MAKER = ("provider", "tags", TRANSACTION_TAG)
"""The run that created the provider: for its dependents that may be another part of the same plan."""
_DOCUMENTS = frozenset({"trust", "document"})
_SILENT = frozenset({"state", "role", "account"})
_WORDS: Mapping[str, str] = {
    "account": "ServiceAccount",
    "provider": "OIDC provider",
    "attached": "attached policy",
    "inline": "inline policy",
    "trust": "trust policy",
    "tags": "tag",
    "labels": "label",
    "annotations": "annotation",
    "audiences": "audience",
    "max_session_duration": "maximum session duration",
    "others": "role",
    "targets": "target role",
    "config_maps": "ConfigMap",
    "policies": "policy",
    "versions": "version",
    "associations": "EKS Pod Identity association",
    "uid": "uid (deleted and recreated)",
    "role_id": "id (deleted and recreated)",
}
"""The names of the fields of states, for users."""
THERE = "is there"


@dataclass(frozen=True)
class ServedAccounts:
    """Which ServiceAccounts (`namespace/name`) EKS Pod Identity serves: the association, or why unknown."""

    associations: Mapping[str, str] = field(default_factory=dict)


def seen_of(*parts: Any) -> Seen:
    """A current state in brief: of values of `irsa_cli.core.binding`, or any other dataclass."""
    found: dict[str, str] = {}
    for number, part in enumerate(parts, 1):
        # Of several the number tells which: what is there of one is not what is there of another.
        about = f"{number}: " if sum(type(one) is type(part) for one in parts) > 1 else ""
        found.update({f"{about}{name}": value for name, value in _leaves(part, ())})
    return dict(sorted(found.items()))


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if value is None or value == "":
        return
    if is_dataclass(value) and not isinstance(value, type):
        if path:
            yield _name(path), THERE
        for name in _seen_fields(value):
            yield from _leaves(getattr(value, name), (*path, name))
    elif isinstance(value, Mapping) and not (path and path[-1] in _DOCUMENTS):
        # A document stands under its name; anything else is a text.
        for key, one in value.items():
            if (*path[-2:], key) != _MAKER:
                yield from _entry(one, (*path, str(key)), _digest)
    elif isinstance(value, Sequence | frozenset | set) and not isinstance(value, str):
        for number, one in enumerate(value):
            own_name = getattr(one, "name", number) if is_dataclass(one) else one
            yield from _entry(one, (*path, str(own_name)), lambda _text: THERE)
    else:
        yield _name(path), _digest(value)


def _seen_fields(value: Any) -> list[str]:
    """The fields of an object that plans depend on."""
    return [
        field.name
        for field in fields(value)
        if field.name not in PASSED_OVER and field.metadata.get("seen", True)
    ]


def _entry(value: Any, path: tuple[str, ...], digest: Callable[[Any], str]) -> Iterator[tuple[str, str]]:
    """A value of a mapping or a list: the parts of an object, or the `digest` of anything else."""
    if is_dataclass(value):
        yield from _leaves(value, path)
    else:
        yield _name(path), digest(value)


def _name(path: tuple[str, ...]) -> str:
    first = [_WORDS.get(part, part.replace("_", " ")) for part in path[:1]]
    rest = [_WORDS.get(part, part.replace("_", " ") if part.islower() else part) for part in path[1:]]
    return " ".join(
        [*first, *(word for word, part in zip(rest, path[1:], strict=True) if part not in _SILENT)]
    )


def _digest(value: Any) -> str:
    plain = value.value if isinstance(value, Enum) else value
    text = json.dumps(plain, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class PlannedWork:
    """One planned transaction: object, plan, and state then; `cluster` is an ARN; the rest as in journals."""

    cluster: str
    command: str
    service_account: str
    plan: Plan = field(default_factory=Plan)
    seen: Seen = field(default_factory=dict)
    access: Any = None
    """An `AccessChange` of `irsa_cli.core.access`; None: not known."""

    @property
    def key(self) -> tuple[str, str, str]:
        """The object it is about."""
        return (self.cluster, self.command, self.service_account)
