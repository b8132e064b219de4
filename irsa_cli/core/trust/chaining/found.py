"""What is there of a chain, as it was read: the target's trust policy, and the ConfigMap for SDKs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from irsa_cli.core.policies import policy
from irsa_cli.core.policies.policy import Document


@dataclass(frozen=True)
class FoundTarget:
    """The target role: its trust policy, None where there is no such role; or why it was not read."""

    trust: Document | None = None
    unread: str = ""
    trust_quota: int = policy.TRUST_LIMIT
    """Characters that its account allows a trust policy, without white space."""
    power: str = ""
    """What of its policies is much, or why that is not known; asked where it is to be given to somebody."""
    policies: tuple[str, ...] = ()
    """The policies that were read for that."""


@dataclass(frozen=True)
class FoundConfigMap:
    """A ConfigMap that is there; `service_account` (`namespace/name`) and `transaction` are irsa's marks."""

    data: Mapping[str, str]
    service_account: str = ""
    transaction: str = ""
    uid: str = ""

    def is_for(self, full_name: str) -> bool:
        """Whether irsa made it for this ServiceAccount."""
        return bool(self.transaction) and self.service_account == full_name
