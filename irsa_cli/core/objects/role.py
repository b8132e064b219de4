"""IAM roles as they were seen, however deep they were read.

A plan goes by what it wrote or will write, a `RoleState`; this is what is there, with what only IAM knows.
The readers are in `irsa_cli.aws.iam` and `irsa_cli.aws.details`: a list, one role, one with its policies, all
of an account. Each leaves out something, and what it leaves out is said here, so that "none" is not taken for
"not read".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from irsa_cli.core.plan.changes import NOT_SEEN
from irsa_cli.core.plan.states import CLUSTER_TAG, SERVICE_ACCOUNT_TAG, RoleState
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.values.arn import Arn
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import Unreadable

LISTED = frozenset({"permissions_boundary", "tags", "unknown"})
"""The fields that ListRoles leaves out."""
DETAILED = frozenset({"description", "max_session_duration", "unknown"})
"""The fields that GetAccountAuthorizationDetails leaves out."""


TRACKED = timedelta(days=400)
"""How far back IAM knows the last use of a role."""


def path_of(arn: str) -> str:
    """The path in the ARN of a role."""
    return arn.partition(":role")[2].rpartition("/")[0] + "/"


@dataclass(frozen=True)
class Role:
    """A role that exists; when it was created and used does not count in comparisons.

    `left_out` are the fields of `state` that the call does not answer, which have their defaults then.
    `last_used` is None if IAM knows of no use in the last 400 days, `used_in` is the region of that use.
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_RoleLastUsed.html
    """

    arn: str
    state: RoleState
    attached: frozenset[str] = frozenset()
    """The ARNs of its managed policies."""
    inline: Mapping[str, Document] = field(default_factory=dict)
    listed_inline: frozenset[str] = frozenset()
    """The names of the inline policies whose documents nobody has asked for."""
    role_id: str = ""
    """Its unique id in IAM; another role of the same name has another one. '' if it was not read."""
    created: datetime | None = field(default=None, compare=False, metadata=NOT_SEEN)
    last_used: datetime | None = field(default=None, compare=False, metadata=NOT_SEEN)
    used_in: str = field(default="", compare=False, metadata=NOT_SEEN)
    profiles: tuple[str, ...] = field(default=(), compare=False, metadata=NOT_SEEN)
    """The instance profiles that have it."""
    documents: Mapping[str, Document | Unreadable] = field(
        default_factory=dict, compare=False, metadata=NOT_SEEN
    )
    """The documents of its managed policies and of its boundary by ARN, those that were asked for. Of AWS's
    own policies the ARN is enough: their document may be empty."""
    unread: str = field(default="", compare=False, metadata=NOT_SEEN)
    """Why its policies are not known; '' if they are, or if nobody has asked."""
    left_out: frozenset[str] = field(default=frozenset(), compare=False, metadata=NOT_SEEN)

    @property
    def name(self) -> str:
        """The name without the path."""
        return self.arn.rsplit("/", 1)[-1]

    @property
    def path(self) -> str:
        return self.state.path

    @property
    def trust(self) -> Document:
        return self.state.trust

    @property
    def boundary(self) -> str:
        """The ARN of its permissions boundary, '' for none."""
        return self.state.permissions_boundary

    @property
    def tags(self) -> Mapping[str, str]:
        return self.state.tags

    @property
    def is_described(self) -> bool:
        """Whether it was read, and not only listed."""
        return self.left_out != LISTED

    @property
    def account(self) -> str:
        return Arn.parse(self.arn).account

    @property
    def max_session_duration(self) -> int | None:
        """In seconds, None if it was not read."""
        return None if "max_session_duration" in self.left_out else self.state.max_session_duration

    @property
    def policies(self) -> tuple[str, ...]:
        """The ARNs of its managed policies, and the names of its inline ones."""
        return (*sorted(self.attached), *self.inline_names)

    @property
    def inline_names(self) -> tuple[str, ...]:
        return tuple(sorted({*self.inline, *self.listed_inline}))

    @property
    def policy_names(self) -> tuple[str, ...]:
        """The names of all its policies, the managed ones first."""
        return tuple(policy.rsplit("/", 1)[-1] for policy in self.policies)

    @property
    def policy_documents(self) -> Mapping[str, Document] | Unreadable:
        """The documents of its policies by ARN or name, empty if that of a managed one is not known."""
        if self.unread:
            return Unreadable(self.unread)
        managed = {arn: self.documents.get(arn, {}) for arn in sorted(self.attached)}
        known = {arn: {} if isinstance(it, Unreadable) else it for arn, it in managed.items()}
        return {**known, **self.inline}

    @property
    def unread_documents(self) -> str:
        """Why the documents of some managed policies are not known; '' if all are."""
        managed = (self.documents.get(arn) for arn in sorted(self.attached))
        return ", ".join(dict.fromkeys(it.why for it in managed if isinstance(it, Unreadable)))

    @property
    def boundary_policy(self) -> Document | Unreadable | None:
        """The document of its permissions boundary, None without one."""
        if not self.boundary:
            return None
        return self.documents.get(self.boundary, Unreadable("its permissions boundary was not read"))

    @property
    def owner(self) -> str:
        """The ARN of the cluster that irsa created or adopted it for; '' for a role of somebody else."""
        return self.tags.get(CLUSTER_TAG, "")

    def is_for(self, cluster: Cluster, full_name: str) -> bool:
        """Whether irsa created it, or took it over, for this ServiceAccount (`namespace/name`)."""
        return (self.owner, self.tags.get(SERVICE_ACCOUNT_TAG)) == (cluster.arn, full_name)

    def with_trust(self, document: Document) -> Role:
        """The role with another trust policy."""
        return replace(self, state=replace(self.state, trust=document))

    def is_younger(self, moment: datetime) -> bool:
        """Whether it was created after a moment, as far as that is known."""
        return self.created is not None and self.created > moment

    def unused(self, now: datetime | None) -> str:
        """Since when IAM knows of no use, in words: never for longer than the role exists."""
        if self.created is None or now is None:
            return "as far as IAM knows"
        if self.is_younger(now - TRACKED):
            return f"since it was created on {self.created:%Y-%m-%d}"
        return f"in {TRACKED.days} days"

    def unused_since(self, now: datetime | None, days: int) -> str:
        """The last use in words if nobody used it for so many days; '' if somebody did, or it is unknown."""
        if now is None:
            return ""
        since = now - timedelta(days=days)
        if self.is_younger(since) or (self.last_used is not None and self.last_used > since):
            return ""
        return f"last used on {self.last_used:%Y-%m-%d}" if self.last_used else f"not used {self.unused(now)}"
