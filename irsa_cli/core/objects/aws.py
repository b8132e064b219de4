"""The credentials of roles, and EKS Pod Identity associations as EKS shows them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from irsa_cli.core.plan.states import CLUSTER_TAG, SERVICE_ACCOUNT_TAG, TRANSACTION_TAG, AssociationState
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.values.cluster import Cluster


@dataclass(frozen=True)
class Association:
    """An EKS Pod Identity association as EKS shows it; `role_arn` is '' if only its id is known.

    EKS assumes `target_role_arn` with the first role's credentials, and sends `external_id`. `without_tags`:
    its sessions have no tags. `owner` is the ARN of the add-on that manages it, '' for none.
    https://docs.aws.amazon.com/eks/latest/APIReference/API_PodIdentityAssociation.html
    """

    id: str
    role_arn: str = ""
    created: datetime | None = None
    target_role_arn: str = ""
    external_id: str = ""
    without_tags: bool = False
    session_policy: Document = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""
    arn: str = ""

    @classmethod
    def read(cls, item: Mapping[str, Any]) -> Association:
        """The association of EKS's JSON: from a list, which has no roles, or described."""
        return cls(
            str(item.get("associationId", "")),
            item.get("roleArn", ""),
            item.get("createdAt"),
            item.get("targetRoleArn") or "",
            item.get("externalId") or "",
            bool(item.get("disableSessionTags")),
            json.loads(item.get("policy") or "{}"),
            item.get("tags") or {},
            item.get("ownerArn") or "",
            item.get("associationArn") or "",
        )

    @property
    def last_role(self) -> str:
        """The role whose credentials pods get; '' if it is not known."""
        return self.target_role_arn or self.role_arn

    @property
    def effect(self) -> str:
        """The effect on the pods of an annotated ServiceAccount: the webhook ignores the annotation."""
        role = f", role {self.last_role}" if self.role_arn else ""
        return f"pods get the credentials of EKS Pod Identity ({self.id}{role}), not the annotation's"

    def to_json(self) -> dict[str, Any]:
        """The association as `-o json` shows it; all but its id is null if EKS did not describe it."""
        known = bool(self.role_arn)
        return {
            "association": self.id,
            "role": {"arn": self.role_arn} if known else None,
            "targetRole": {"arn": self.target_role_arn} if self.target_role_arn else None,
            "externalID": self.external_id or None,
            "sessionPolicy": bool(self.session_policy) if known else None,
            "sessionTags": not self.without_tags if known else None,
            "owner": self.owner or None,
            "tags": dict(self.tags) if known else None,
        }

    def is_of(self, cluster: Cluster, full_name: str) -> bool:
        """Whether irsa created it, or took it over, for this ServiceAccount (`namespace/name`)."""
        marks = (self.tags.get(CLUSTER_TAG), self.tags.get(SERVICE_ACCOUNT_TAG))
        return marks == (cluster.arn, full_name)

    @property
    def transaction(self) -> str:
        """The run of irsa that created it, by its tag; '' for none."""
        return self.tags.get(TRANSACTION_TAG, "")

    @property
    def state(self) -> AssociationState:
        """The association as irsa plans one."""
        tags = {key: value for key, value in self.tags.items() if key != TRANSACTION_TAG}
        return AssociationState(
            self.role_arn, self.target_role_arn, self.session_policy, self.without_tags, tags, self.id
        )

    def is_like(self, wanted: AssociationState) -> bool:
        """Whether it gives pods the same credentials; its tags and its id are not compared."""
        return replace(self.state, tags={}, association_id="") == replace(wanted, tags={}, association_id="")


@dataclass(frozen=True)
class RoleCredentials:
    """Temporary credentials and whose they are. No secret is shown by repr."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expires: datetime
    role_session: str
    """The ARN of the role's session: what AWS knows their user by."""

    @property
    def expiration(self) -> str:
        """Their end in the format of RFC 3339.

        botocore has the times of EKS in the time zone of this machine.
        """
        return self.expires.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


SESSION_PREFIX = "irsa"


AGENT = "irsa"
"""The product in the user agent of irsa's calls, before its version."""
VERIFY_SESSION = f"{SESSION_PREFIX}-verify"
"""The role sessions that irsa opens for looking; CloudTrail shows it."""
