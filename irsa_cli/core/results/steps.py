"""What was looked at in a verification, as values: steps, checks, permissions, each with its verdict.

What comes of them together is in `irsa_cli.core.results.verification`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from irsa_cli.core.trust.evaluation import StatementVerdict


class StepStatus(str, Enum):
    """A verdict. Nothing is `OK` that was not looked at."""

    OK = "ok"
    FAILED = "failed"
    NOT_CHECKED = "not-checked"


class Name(str, Enum):
    """The steps, in the order in which a pod's SDK, STS and IAM go through them."""

    TOKEN = "token"  # noqa: S105 - the name of a step
    CLAIMS = "claims"
    PROVIDER = "provider"
    TRUST = "trust"
    EXCHANGE = "exchange"
    IDENTITY = "identity"
    CHAIN = "chain"
    """A role that the application becomes with the first one's credentials; not one of the six."""
    COMPLETENESS = "completeness"
    """Whether the run that makes or deletes the role is over: there only where it is not. None of the six."""
    PODS = "pods"
    """What gives pods other credentials than these: there only where something does. None of the six."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at (or could not be): what, the verdict, and what was found.

    A step can be right without its checks that are not `needed`, when they could not be made.
    """

    what: str
    status: StepStatus
    text: str
    needed: bool = True

    def to_json(self) -> dict[str, Any]:
        """The check as `-o json` shows it."""
        return {"what": self.what, "status": self.status.value, "text": self.text}


@dataclass(frozen=True)
class VerificationStep:
    """One step: what was asked of whom, and its checks; `advice` is what may help where one failed.

    `statements` are those of a trust policy with their verdicts.
    """

    name: Name
    sent: str
    checks: tuple[Check, ...]
    advice: tuple[str, ...] = ()
    statements: tuple[StatementVerdict, ...] = ()

    @property
    def status(self) -> StepStatus:
        """Failed when a check did; not checked when a needed one was not made, or none at all."""
        if any(check.status is StepStatus.FAILED for check in self.checks):
            return StepStatus.FAILED
        made = [check for check in self.checks if check.status is StepStatus.OK]
        open_ones = [c for c in self.checks if c.needed and c.status is StepStatus.NOT_CHECKED]
        return StepStatus.OK if made and not open_ones else StepStatus.NOT_CHECKED

    def to_json(self) -> dict[str, Any]:
        """The step as `-o json` shows it."""
        return {
            "name": self.name.value,
            "status": self.status.value,
            "sent": self.sent,
            "checks": [check.to_json() for check in self.checks],
            "statements": [statement_json(item) for item in self.statements],
            "advice": list(self.advice),
        }


def statement_json(verdict: StatementVerdict) -> dict[str, Any]:
    """What a statement of a trust policy means for a token, as `-o json` shows it."""
    failure = verdict.failure
    return {
        "index": verdict.index,
        "sid": verdict.sid or None,
        "effect": verdict.effect,
        "applies": verdict.applies,
        "failure": None
        if failure is None
        else {
            "part": failure.part,
            "operator": failure.operator or None,
            "key": failure.key or None,
            "wanted": list(failure.wanted),
            "got": None if failure.got is None else list(failure.got),
            "unknown": failure.unknown,
            "excluding": failure.excluding,
        },
        "because": list(verdict.because),
    }


@dataclass(frozen=True)
class Permission:
    """Whether the role may do something. `kind`: `simulation` (IAM's own) or `call` (really made)."""

    kind: str
    what: str
    status: StepStatus
    text: str
    resource: str = ""

    def to_json(self) -> dict[str, Any]:
        """The permission as `-o json` shows it."""
        return {
            "kind": self.kind,
            "what": self.what,
            "resource": self.resource or None,
            "status": self.status.value,
            "text": self.text,
        }
