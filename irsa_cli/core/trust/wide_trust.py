"""Findings of a trust policy that is wide, as values: the rule, how bad it is, what makes it tight.

The rules are in `irsa_cli.core.trust.width`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum


class Severity(str, Enum):
    """How bad it is. The role's permissions raise it by one: see `WideTrust.behind`."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Rule(str, Enum):
    """What is wide; the value is what `-o json` shows."""

    EVERYBODY = "everybody"
    """The principal is `*`, or all but some."""
    NO_CONDITION = "no-condition"
    NO_SUBJECT = "no-subject"
    ONLY_NEGATIVE = "only-negative"
    """The subject is tested only by what it must not be."""
    EVERY_SUBJECT = "every-subject"
    EVERY_NAMESPACE = "every-namespace"
    NAMESPACE_PATTERN = "namespace-pattern"
    EVERY_NAME = "every-name"
    NAME_PATTERN = "name-pattern"
    NO_AUDIENCE = "no-audience"


_SEVERITY: Mapping[Rule, Severity] = {
    Rule.EVERYBODY: Severity.HIGH,
    Rule.NO_CONDITION: Severity.HIGH,
    Rule.NO_SUBJECT: Severity.HIGH,
    Rule.ONLY_NEGATIVE: Severity.HIGH,
    Rule.EVERY_SUBJECT: Severity.HIGH,
    Rule.EVERY_NAMESPACE: Severity.HIGH,
    Rule.NAMESPACE_PATTERN: Severity.MEDIUM,
    Rule.EVERY_NAME: Severity.MEDIUM,
    Rule.NAME_PATTERN: Severity.LOW,
    Rule.NO_AUDIENCE: Severity.LOW,
}


ORDER = tuple(Severity)


SHOWN = 3


@dataclass(frozen=True)
class WideTrust:
    """One finding: the rule, the statement, the reason in one sentence, and what makes it tight.

    `role` is the ARN of the role whose trust policy it is, '' where that is not known.
    """

    rule: Rule
    severity: Severity
    statement: str
    reason: str
    suggestion: str
    role: str = ""

    def behind(self, power: str) -> WideTrust:
        """The same with what the role may do, where that is much: then it is worse."""
        if not power:
            return self
        worse = ORDER[min(ORDER.index(self.severity) + 1, len(ORDER) - 1)]
        return replace(self, severity=worse, reason=f"{self.reason}, and behind it is {power}")

    @property
    def text(self) -> str:
        """The finding for people."""
        return f"{self.severity.value}: {self.statement} {self.reason}"

    @property
    def told(self) -> str:
        """The finding with the role that it is about, and what to do."""
        whose = f"the trust policy of {self.role}" if self.role else "the trust policy"
        return f"{whose} is wide ({self.text}); {self.suggestion}"

    def to_json(self) -> dict[str, str]:
        """The finding as `-o json` shows it."""
        return {
            "id": self.rule.value,
            "severity": self.severity.value,
            "role": self.role,
            "statement": self.statement,
            "reason": self.reason,
            "suggestion": self.suggestion,
        }


def in_one_line(found: Sequence[WideTrust]) -> str:
    """The findings for a line of a list: the worst ones, and how many more there are; '' for none."""
    more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return "; ".join([*(item.text for item in found[:SHOWN]), *more])


def finding(rule: Rule, statement: str, reason: str, suggestion: str) -> WideTrust:
    """A finding, as bad as its rule says."""
    return WideTrust(rule, _SEVERITY[rule], statement, reason, suggestion)
