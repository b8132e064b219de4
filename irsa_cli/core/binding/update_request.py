"""The requested changes of a binding and its current state, for `irsa update-sa` and `irsa adopt`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from irsa_cli.core.binding.spec import ServiceAccountRef
from irsa_cli.core.objects.aws import Association
from irsa_cli.core.objects.kinds import Injection
from irsa_cli.core.objects.role import Role
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION, ProviderState
from irsa_cli.core.policies.web_identity import WebIdentity
from irsa_cli.core.values import checked
from irsa_cli.core.values.cluster import Cluster

Edits = Mapping[str, str | None]
"""Keys to be set, or (None) to be removed."""


@dataclass(frozen=True)
class Update:
    """The requested changes; None or empty means no change.

    `policies` are all policies to attach. An inline document of None removes the policy, a boundary of
    '' the boundary. Durations in seconds.
    """

    attach: tuple[checked.PolicyArnOrName, ...] = ()
    detach: tuple[checked.PolicyArnOrName, ...] = ()
    policies: tuple[checked.PolicyArnOrName, ...] | None = None
    inline: checked.InlineEdits = field(default_factory=dict)
    boundary: checked.PolicyArn | None = None
    tags: checked.TagEdits = field(default_factory=dict)
    description: checked.Description | None = None
    max_session_duration: checked.SessionDuration | None = None
    labels: checked.LabelEdits = field(default_factory=dict)
    annotations: checked.AnnotationEdits = field(default_factory=dict)
    audience: checked.Audience | None = None
    sts_regional_endpoints: bool | None = None
    token_expiration: checked.TokenExpiration | None = None
    target_role: checked.TargetArn | None = None
    """The ARN of the target role; '' removes it, as for the external id and the ConfigMap."""
    external_id: checked.ExternalId | None = None
    target_tag_session: bool | None = None
    aws_config_map: checked.ConfigMapName | None = None
    update_target_trust: bool = False
    """Whether the statement that the target's trust policy lacks is added to it."""
    also_pod_identity: bool = False
    """Whether pods also get the role by EKS Pod Identity."""
    session_policy: checked.PolicyDocument | None = None
    """The policy that limits the role's permissions by EKS Pod Identity; {} removes it."""

    @property
    def concerns_role(self) -> bool:
        own = replace(self, labels={}, annotations={}, session_policy=None)
        return replace(own, sts_regional_endpoints=None, token_expiration=None) != Update()

    @property
    def is_empty(self) -> bool:
        return self == Update()

    @property
    def new_policies(self) -> tuple[str, ...]:
        """The policies, and the boundary, that the role is to have afterwards and may not have now."""
        boundary = (self.boundary,) if self.boundary else ()
        return tuple(dict.fromkeys((*self.attach, *(self.policies or ()), *boundary)))


@dataclass(frozen=True)
class Pairing(ServiceAccountRef):
    """A ServiceAccount and its role in their current state; the role is None if it was not read."""

    cluster: Cluster
    namespace: str
    name: str
    account: ServiceAccount
    role: Role | None = None
    provider: ProviderState | None = None
    named_role: str = ""
    """The ARN of a role that the user names, or that the association alone gives."""
    association: Association | None = None
    """The EKS Pod Identity association, if it alone gives pods a role, or if it is needed."""

    @property
    def has_association_only(self) -> bool:
        """Whether pods get the role by the association, and not by an annotation."""
        return self.association is not None and not self.account.annotations.get(ROLE_ARN_ANNOTATION)

    @property
    def is_annotated(self) -> bool:
        """Whether the ServiceAccount names the role that this is about."""
        return self.account.annotations.get(ROLE_ARN_ANNOTATION) == self.role_arn

    @property
    def role_arn(self) -> str:
        """The role that the user names, else the one that the annotation does."""
        return self.named_role or self.account.annotations.get(ROLE_ARN_ANNOTATION, "")

    @property
    def role_name(self) -> str:
        """The role's name without its path."""
        return self.role_arn.rsplit("/", 1)[-1]

    @property
    def audience(self) -> str:
        return Injection.read(self.account.annotations).audience

    def identity(self, audience: str) -> WebIdentity:
        """The token of the ServiceAccount's pods, with an audience of one's choice."""
        return self.token(self.role_arn.split(":")[4], audience)
