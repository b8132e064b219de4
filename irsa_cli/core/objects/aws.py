"""Roles and EKS Pod Identity associations as AWS shows them, with unreadable parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from irsa_cli.core.objects.unreadable import Unreadable
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.values.arn import Arn


@dataclass(frozen=True)
class Role:
    """A role as in IAM; `policies` are documents by name or ARN, or the reason why they can't be read.

    `max_session_duration` is in seconds, None if it was not read.
    """

    arn: str
    trust: Document
    max_session_duration: int | None = 3600
    created: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    policies: Mapping[str, Document] | Unreadable = field(default_factory=dict)
    boundary: str = ""
    boundary_policy: Document | Unreadable | None = None
    unread: str = ""
    """Why documents of its managed policies are not known, which are empty then; '' when they are."""

    @property
    def name(self) -> str:
        """The name without the path."""
        return self.arn.rsplit("/", 1)[-1]

    @property
    def account(self) -> str:
        """The account that it lives in."""
        return Arn.parse(self.arn).account


@dataclass(frozen=True)
class Association:
    """An EKS Pod Identity association; `role_arn` is empty if it could not be read.

    The first role assumes `target_role_arn` with `external_id`; `without_tags`: sessions have no tags.
    """

    id: str
    role_arn: str = ""
    created: datetime | None = None
    target_role_arn: str = ""
    external_id: str = ""
    without_tags: bool = False
