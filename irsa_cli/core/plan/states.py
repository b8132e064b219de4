"""States of changes: one small class for each kind of object that irsa writes.

A state holds only what irsa manages of the object: two states are equal when there is nothing for
irsa to do. How a state is read and written is in `irsa_cli.changes`; what stands of it in a journal, and in
`-o json`, is in `irsa_cli.core.plan.written`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from irsa_cli.core.policies.policy import Document

CLUSTER_TAG = "irsa/cluster"
SERVICE_ACCOUNT_TAG = "irsa/service-account"
TRANSACTION_TAG = "irsa/transaction"
"""The tag or annotation of the run that created an object; it identifies our own lost creates."""

SPEC_HASH_TAG = "irsa/spec-hash"
"""Tag of a role: a digest of its desired state. An incomplete one for another desired state is refused."""
COMMIT_TAG = "irsa/commit"
"""Tag of a role whose ServiceAccount does not show whether the run that created it is over (`--role-only`, or
the ServiceAccount bore the role's ARN before): `pending` until all is done, then `done`. Other roles lack it:
the annotation of their ServiceAccount tells. `deleting` from when a deletion begins: what the ServiceAccount
does not name any more is then half deleted.
"""
TRUST_TAG = "irsa/trust"
"""Tag of a role, and the beginning of further ones: digests of the subjects and providers that a file has
asked for on it beyond its own ServiceAccount and cluster, so that one that no file lists any more is known to
be irsa's."""
TRUST_KEY = rf"{TRUST_TAG}(-[0-9]{{1,2}})?"
"""The names of these tags, as a regular expression; of another name (`irsa/trusted`) they are not irsa's."""
TAGS_TAG = "irsa/tags"
"""Tag of a role: digests of the keys of the tags that a file has set, so that only these go with the file."""
THEIRS_TAG = "irsa/annotated-by"
"""Tag of an association that was created next to an annotation which irsa had not written."""
PENDING = "pending"
DONE = "done"
DELETING = "deleting"
NOBODY = "nobody"
"""The owner of an object that bears no transaction's mark."""

ROLE_ARN_ANNOTATION = "eks.amazonaws.com/role-arn"
AUDIENCE_ANNOTATION = "eks.amazonaws.com/audience"
STS_REGIONAL_ANNOTATION = "eks.amazonaws.com/sts-regional-endpoints"
TOKEN_EXPIRATION_ANNOTATION = "eks.amazonaws.com/token-expiration"  # noqa: S105 - a name, not a token
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"

WEBHOOK_ANNOTATIONS = (
    ROLE_ARN_ANNOTATION,
    AUDIENCE_ANNOTATION,
    STS_REGIONAL_ANNOTATION,
    TOKEN_EXPIRATION_ANNOTATION,
)
"""The annotations that the EKS pod identity webhook reads. Anybody may have written them: which ones irsa
has, and with which value, the marks of `irsa_cli.core.marks.lifecycle` tell."""
MARKS: Mapping[str, str] = {key: f"irsa/{key.partition('/')[2]}" for key in WEBHOOK_ANNOTATIONS}
"""The mark of each of the webhook's annotations."""
ROLE_MARK = MARKS[ROLE_ARN_ANNOTATION]
"""The mark that tells that irsa bound the ServiceAccount; its value is the role's ARN that irsa wrote."""

TARGET_ANNOTATION = "irsa/target-role-arn"
EXTERNAL_ID_ANNOTATION = "irsa/target-external-id"
CONFIG_MAP_ANNOTATION = "irsa/aws-config-map"
CHAIN_ANNOTATIONS = (TARGET_ANNOTATION, EXTERNAL_ID_ANNOTATION, CONFIG_MAP_ANNOTATION)
"""The annotations of a ServiceAccount for its role's target role, for later readers."""


@dataclass(frozen=True)
class State:
    """The state of an object of one kind."""


@dataclass(frozen=True)
class ProviderState(State):
    """An IAM OIDC provider."""

    url: str
    audiences: list[str]
    thumbprints: list[str] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    """Its fields in AWS that irsa could not restore."""


@dataclass(frozen=True)
class Present(State):
    """The state of what is either there or not: an attachment, a provider's audience."""


@dataclass(frozen=True)
class RoleState(State):
    """An IAM role as a change writes it, without its policies; tags without the transaction's.

    It is a value of plans and journals, and what an earlier irsa wrote is read into it; a role that was read,
    with what only IAM knows of it, is a `irsa_cli.core.objects.role.Role`. `max_session_duration` in seconds.
    """

    path: str
    trust: Document
    description: str = ""
    max_session_duration: int = 3600
    permissions_boundary: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    """Its fields in AWS that irsa could not restore."""


@dataclass(frozen=True)
class DocumentState(State):
    """An inline policy, or one statement of a shared role's trust policy."""

    document: Document


@dataclass(frozen=True)
class NamespaceState(State):
    """A namespace that irsa makes."""

    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ConfigMapState(State):
    """A ConfigMap of irsa's for one ServiceAccount (`namespace/name`).

    `transaction` is the run that created it and `uid` its own, for a deletion; empty for one that this
    run makes. `role` is the name of the role that its pods begin with.
    """

    data: dict[str, str]
    service_account: str
    transaction: str = ""
    role: str = ""
    uid: str = ""


@dataclass(frozen=True)
class AssociationState(State):
    """An EKS Pod Identity association: the role that EKS assumes for the ServiceAccount's pods.

    `session_policy` limits the role's permissions, {} for none. `without_session_tags`: EKS adds no session
    tags. `association_id` is EKS's, '' for one that this run creates; `tags` are without the run's mark.
    """

    role_arn: str
    target_role_arn: str = ""
    session_policy: Document = field(default_factory=dict)
    without_session_tags: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    association_id: str = ""


@dataclass(frozen=True)
class ServiceAccountState(State):
    """The part of a ServiceAccount that irsa manages; a value of None means that the key is not there.

    `uid` and `resource_version` are those of the object that was read, empty for one that irsa makes.
    `manifest` is the object as a rollback recreates it, for a deletion.
    """

    annotations: dict[str, str | None]
    labels: dict[str, str | None] = field(default_factory=dict)
    uid: str = ""
    resource_version: str = ""
    manifest: Document = field(default_factory=dict)


@dataclass(frozen=True)
class OwnerState(State):
    """The transaction in an object's mark; empty for the run of the change itself."""

    transaction: str


@dataclass(frozen=True)
class CommitState(State):
    """The value of a role's `irsa/commit` tag."""

    value: str


@dataclass(frozen=True)
class SettingsState(State):
    """The settings that UpdateRole changes, both at once; `max_session_duration` in seconds."""

    description: str
    max_session_duration: int


@dataclass(frozen=True)
class BoundaryState(State):
    """The permissions boundary of a role: the ARN of a managed policy."""

    arn: str


@dataclass(frozen=True)
class TagsState(State):
    """Some tags of a role; a value of None means that the key is not there."""

    values: dict[str, str | None]

    @property
    def marks_completeness(self) -> bool:
        """Whether the state says how far irsa's run with the role has come."""
        return COMMIT_TAG in self.values

    @property
    def put(self) -> dict[str, str]:
        """The tags that are there."""
        return {key: value for key, value in self.values.items() if value is not None}

    @property
    def gone(self) -> list[str]:
        """The keys that have to be removed for this state.

        IAM keeps the case of keys, and compares them without it: a tag that is put replaces one whose key
        differs in case only, and to remove the old key would remove the new one
        (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html).
        """
        put = {key.lower() for key in self.put}
        return [key for key, value in self.values.items() if value is None and key.lower() not in put]


@dataclass(frozen=True)
class RestartState(State):
    """The pods of a ServiceAccount before or after a restart: the way that gives them credentials.

    `workloads` are those that are restarted, each as `kind/name`.
    """

    way: str
    workloads: list[str] = field(default_factory=list)


class Transition(Protocol):
    """The object of a change: its names, and its state before and after."""

    @property
    def target(self) -> tuple[str, ...]:
        """The names."""

    @property
    def before(self) -> State | None:
        """None when it is not there."""

    @property
    def after(self) -> State | None:
        """None when it is not there any more."""


def state_of(change: Transition) -> State | None:
    """The state that a change makes; of a deletion, the one that it ends."""
    return change.after if change.after is not None else change.before
