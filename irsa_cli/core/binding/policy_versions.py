"""Which versions of an account's own policies are in force: what a role may do changes with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class PolicyVersions:
    """Id and version in force of each policy of the account, by ARN; AWS changes its own as it likes."""

    versions: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, found: Mapping[str, str | None]) -> PolicyVersions:
        """Of all that were asked for; None is the version of one that may not be read."""
        own = {arn: version for arn, version in found.items() if ":iam::aws:" not in arn}
        return cls({arn: version or "unreadable" for arn, version in own.items()})
