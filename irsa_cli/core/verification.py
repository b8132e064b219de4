"""What a verification found, as values: for each step what was sent, and for each check its verdict.

Checking is `irsa_cli.usecases.verify`'s business, showing it `irsa_cli.cli.verify_render`'s. The schema of
`to_json` is a promise: docs/reference/json-output.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from irsa_cli.core.errors import ExitCode, IrsaError
from irsa_cli.core.evaluation import StatementVerdict
from irsa_cli.core.result import error_json


class Status(str, Enum):
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


@dataclass(frozen=True)
class Check:
    """One thing that was looked at (or could not be): what, the verdict, and what was found.

    A step can be right without its checks that are not `needed`, when they could not be made.
    """

    what: str
    status: Status
    text: str
    needed: bool = True

    def to_json(self) -> dict[str, Any]:
        """The check as `-o json` shows it."""
        return {"what": self.what, "status": self.status.value, "text": self.text}


@dataclass(frozen=True)
class Step:
    """One step: what was asked of whom, and its checks; `advice` is what may help where one failed.

    `statements` are those of a trust policy with their verdicts.
    """

    name: Name
    sent: str
    checks: tuple[Check, ...]
    advice: tuple[str, ...] = ()
    statements: tuple[StatementVerdict, ...] = ()

    @property
    def status(self) -> Status:
        """Failed when a check did; not checked when a needed one was not made, or none at all."""
        if any(check.status is Status.FAILED for check in self.checks):
            return Status.FAILED
        made = [check for check in self.checks if check.status is Status.OK]
        open_ones = [c for c in self.checks if c.needed and c.status is Status.NOT_CHECKED]
        return Status.OK if made and not open_ones else Status.NOT_CHECKED

    def to_json(self) -> dict[str, Any]:
        """The step as `-o json` shows it."""
        return {
            "name": self.name.value,
            "status": self.status.value,
            "sent": self.sent,
            "checks": [check.to_json() for check in self.checks],
            "statements": [_statement_json(item) for item in self.statements],
            "advice": list(self.advice),
        }


def _statement_json(verdict: StatementVerdict) -> dict[str, Any]:
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
        },
    }


@dataclass(frozen=True)
class Permission:
    """Whether the role may do something. `kind`: `simulation` (IAM's own) or `call` (really made)."""

    kind: str
    what: str
    status: Status
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


class Outcome(str, Enum):
    """What comes of all steps together."""

    VERIFIED = "verified"
    """STS gave the role's credentials for the ServiceAccount's token, and all that was asked for is right."""
    FAILED = "failed"
    UNDETERMINED = "undetermined"
    """Nothing was found wrong, but not everything that matters could be looked at."""

    @property
    def exit_code(self) -> ExitCode:
        """The exit code for it."""
        return {
            Outcome.VERIFIED: ExitCode.DONE,
            Outcome.FAILED: ExitCode.UNVERIFIED,
            Outcome.UNDETERMINED: ExitCode.FAILED,
        }[self]


_DECISIVE = (Name.EXCHANGE, Name.IDENTITY, Name.CHAIN)


@dataclass(frozen=True)
class Verification:
    """One ServiceAccount. `error` is set when it could not even be begun, among many."""

    namespace: str
    name: str
    role_arn: str = ""
    audience: str = ""
    steps: tuple[Step, ...] = ()
    permissions: tuple[Permission, ...] = ()
    notes: tuple[str, ...] = ()
    error: IrsaError | None = None
    seconds: float = 0.0

    @property
    def full_name(self) -> str:
        """Namespace and name."""
        return f"{self.namespace}/{self.name}"

    @property
    def outcome(self) -> Outcome:
        """What comes of it: the exchange at STS proves the rest, where that could not be looked at."""
        asked = [permission.status for permission in self.permissions]
        if Status.FAILED in (*asked, *(step.status for step in self.steps)):
            return Outcome.FAILED
        if self.error is not None:
            refused = self.error.exit_code in (ExitCode.REFUSED, ExitCode.UNVERIFIED)
            return Outcome.FAILED if refused else Outcome.UNDETERMINED
        decisive = [step.status for step in self.steps if step.name in _DECISIVE]
        proven = bool(decisive) and all(status is Status.OK for status in (*decisive, *asked))
        return Outcome.VERIFIED if proven else Outcome.UNDETERMINED

    @property
    def problem(self) -> str:
        """The first thing that is wrong, or that stays open; '' when all is right."""
        for status in (Status.FAILED, Status.NOT_CHECKED):
            found = self._first(status)
            if found and self.outcome is not Outcome.VERIFIED:
                return found
        return str(self.error or "")

    def _first(self, status: Status) -> str:
        for step in self.steps:
            for check in step.checks:
                if check.status is status and (check.needed or status is Status.FAILED):
                    return f"{step.name.value}: {check.text}"
        return next((f"{p.what}: {p.text}" for p in self.permissions if p.status is status), "")

    def step(self, name: Name) -> Step:
        """The step of that name; raises `StopIteration` when there is none."""
        return next(step for step in self.steps if step.name is name)

    def to_json(self) -> dict[str, Any]:
        """The part of the document that is about this ServiceAccount."""
        return {
            "outcome": self.outcome.value,
            "serviceAccount": {"namespace": self.namespace, "name": self.name},
            "role": {"arn": self.role_arn} if self.role_arn else None,
            "audience": self.audience or None,
            "steps": [step.to_json() for step in self.steps],
            "permissions": [permission.to_json() for permission in self.permissions],
            "notes": list(self.notes),
            "error": None if self.error is None else error_json(self.error),
        }


def agreed(verification: Verification) -> Verification:
    """The verification with what contradicts STS taken back: STS decides, an evaluation explains.

    The role's trust policy can have changed between our reading of it and the exchange.
    """
    steps = {step.name: step for step in verification.steps}
    exchange, trust = steps.get(Name.EXCHANGE), steps.get(Name.TRUST)
    if exchange is None or trust is None or exchange.status is not Status.OK:
        return verification
    if trust.status is not Status.FAILED:
        return verification
    open_checks = tuple(
        replace(check, status=Status.NOT_CHECKED, text=f"{check.text}; STS accepted the token all the same")
        if check.status is Status.FAILED
        else check
        for check in trust.checks
    )
    steps[Name.TRUST] = replace(trust, checks=open_checks)
    return replace(verification, steps=tuple(steps[step.name] for step in verification.steps))
