"""The steps of a verification with their checks and verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from irsa_cli.core.trust.evaluation import StatementVerdict


class StepStatus(str, Enum):
    """A verdict; OK only after a check."""

    OK = "ok"
    FAILED = "failed"
    NOT_CHECKED = "not-checked"


class Name(str, Enum):
    """The steps, in the order of a pod's SDK, STS and IAM."""

    TOKEN = "token"  # noqa: S105 - the name of a step
    CLAIMS = "claims"
    PROVIDER = "provider"
    TRUST = "trust"
    EXCHANGE = "exchange"
    IDENTITY = "identity"
    CHAIN = "chain"
    """A further role that the application assumes; not one of the six."""
    COMPLETENESS = "completeness"
    """Whether the run that creates or deletes the role has ended: only if not. Not one of the six."""
    PODS = "pods"
    """Another source of the pods' credentials, if there is one. Not one of the six."""


@dataclass(frozen=True)
class Check:
    """One check and its verdict; `needed`: the step needs it to be OK."""

    what: str
    status: StepStatus
    text: str
    needed: bool = True

    def to_json(self) -> dict[str, Any]:
        return {"what": self.what, "status": self.status.value, "text": self.text}


@dataclass(frozen=True)
class VerificationStep:
    """One step: the request, its checks, and `advice` if one failed."""

    name: Name
    sent: str
    checks: tuple[Check, ...]
    advice: tuple[str, ...] = ()
    statements: tuple[StatementVerdict, ...] = ()

    @property
    def status(self) -> StepStatus:
        """Failed if a check failed; not checked if a needed one, or all, could not run."""
        if any(check.status is StepStatus.FAILED for check in self.checks):
            return StepStatus.FAILED
        made = [check for check in self.checks if check.status is StepStatus.OK]
        open_ones = [c for c in self.checks if c.needed and c.status is StepStatus.NOT_CHECKED]
        return StepStatus.OK if made and not open_ones else StepStatus.NOT_CHECKED

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name.value,
            "status": self.status.value,
            "sent": self.sent,
            "checks": [check.to_json() for check in self.checks],
            "statements": [statement_json(item) for item in self.statements],
            "advice": list(self.advice),
        }


def statement_json(verdict: StatementVerdict) -> dict[str, Any]:
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
