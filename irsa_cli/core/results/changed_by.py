"""Who has changed what a plan changes back, as CloudTrail tells it.

Reading that is `irsa_cli.aws.trail`'s business.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from irsa_cli.core.plan.changes import Change
from irsa_cli.core.plan.traits import Service


@dataclass(frozen=True)
class Changed:
    """One write that somebody has done: `time` in ISO 8601, `who` an ARN, `agent` the client's own name."""

    what: str
    operation: str
    time: str
    who: str
    agent: str

    def __str__(self) -> str:
        agent = f" ({self.agent})" if self.agent else ""
        return f"{self.what}: {self.operation} by {self.who} at {self.time}{agent}"

    def to_json(self) -> dict[str, str]:
        """One of `changedBy`."""
        return {
            "object": self.what,
            "operation": self.operation,
            "time": self.time,
            "who": self.who,
            "agent": self.agent,
        }


def objects_of(changes: Iterable[Change]) -> list[str]:
    """The roles and providers of IAM that a plan changes, as CloudTrail calls them, each once."""
    in_iam = (change for change in changes if change.kind.traits.service is Service.IAM)
    names = dict.fromkeys(change.object[1][0] for change in in_iam)
    return [name for name in names if ":role/" not in name]  # A target role is another account's.
