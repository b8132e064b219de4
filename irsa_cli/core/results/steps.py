"""The steps of a verification with their checks and verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

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
        if any(check.needed and check.status is StepStatus.NOT_CHECKED for check in self.checks):
            return StepStatus.NOT_CHECKED
        if any(check.status is StepStatus.OK for check in self.checks):
            return StepStatus.OK
        return StepStatus.NOT_CHECKED
