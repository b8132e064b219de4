"""The requested changes of a binding, for `irsa update-sa`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from irsa_cli.core.values import checked

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
