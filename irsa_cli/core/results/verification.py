"""Verifications as values. Their JSON is a promise: docs/reference/json-output.md."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from irsa_cli.core.results.envelope import DocumentKind, Envelope, ItemError, whole
from irsa_cli.core.results.result_document import warning_json
from irsa_cli.core.results.scope import (
    AnswerScope,
    NotExamined,
    Reading,
    accounts_asked,
    by_design,
    not_read,
    unanswered,
)
from irsa_cli.core.results.steps import Name, StepStatus, VerificationStep
from irsa_cli.core.trust.evaluation import StatementVerdict
from irsa_cli.core.trust.rules.rule import Risk
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import ExitCode, IrsaError
from irsa_cli.core.values.names import Namespaced


@dataclass(frozen=True)
class Permission:
    """Whether the role is allowed to do something, by IAM's `simulation` or a real `call`."""

    kind: str
    what: str
    status: StepStatus
    text: str
    resource: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "what": self.what,
            "resource": self.resource or None,
            "status": self.status.value,
            "text": self.text,
        }


class VerificationOutcome(str, Enum):
    """The verdict of all steps."""

    VERIFIED = "verified"
    """STS issued the role's credentials for the token, and all other checks passed."""
    FAILED = "failed"
    UNDETERMINED = "undetermined"
    """No failure, but not everything that matters could be checked."""

    @property
    def exit_code(self) -> ExitCode:
        return {
            VerificationOutcome.VERIFIED: ExitCode.DONE,
            VerificationOutcome.FAILED: ExitCode.UNVERIFIED,
            VerificationOutcome.UNDETERMINED: ExitCode.FAILED,
        }[self]


_UNDETERMINED = VerificationOutcome.UNDETERMINED
UNCHECKED = ("webhook", "pods", "their token's file")
"""Parts between the exchange and a pod's credentials, which `irsa doctor` checks."""
_DECISIVE = (Name.EXCHANGE, Name.IDENTITY, Name.CHAIN, Name.PODS)
"""The steps that prove it; `pods` exists only if EKS Pod Identity takes over."""
DECIDING = (Name.TOKEN, *_DECISIVE)
"""The steps that a verdict needs: the proving ones, and the token."""


@dataclass(frozen=True)
class Verification(Namespaced):
    """One ServiceAccount; `error` is set if its verification did not start, among many."""

    namespace: str
    name: str
    role_arn: str = ""
    audience: str = ""
    steps: tuple[VerificationStep, ...] = ()
    permissions: tuple[Permission, ...] = ()
    notes: tuple[str, ...] = ()
    error: IrsaError | None = None
    seconds: float = 0.0
    look: str = ""
    """The command that checks the rest of the way to the pods."""
    warnings: tuple[Risk, ...] = ()
    """Broad statements of the role's trust policy; they do not stop the pods."""

    @property
    def outcome(self) -> VerificationOutcome:
        """The verdict: the exchange at STS proves what could not be read."""
        asked = [permission.status for permission in self.permissions]
        if StepStatus.FAILED in (*asked, *(step.status for step in self.steps)):
            return VerificationOutcome.FAILED
        if self.error is not None:
            refused = self.error.exit_code in (ExitCode.REFUSED, ExitCode.UNVERIFIED)
            return VerificationOutcome.FAILED if refused else VerificationOutcome.UNDETERMINED
        decisive = [step.status for step in self.steps if step.name in _DECISIVE]
        proven = bool(decisive) and all(status is StepStatus.OK for status in (*decisive, *asked))
        return VerificationOutcome.VERIFIED if proven else VerificationOutcome.UNDETERMINED

    @property
    def proved(self) -> str:
        """The proof, '' for none."""
        if self.outcome is not VerificationOutcome.VERIFIED:
            return ""
        return f"a token of {self.full_name} is exchanged for {self.role_arn}"

    @property
    def problem(self) -> str:
        """The first failure, or the first unknown; '' if all is right."""
        for status in (StepStatus.FAILED, StepStatus.NOT_CHECKED):
            found = self._first(status)
            if found and self.outcome is not VerificationOutcome.VERIFIED:
                return found
        return str(self.error or "")

    @property
    def left_open(self) -> tuple[str, ...]:
        """The checks that could not run."""
        checks = [(step.name.value, check) for step in self.steps for check in step.checks]
        found = [f"{name}: {it.text}" for name, it in checks if it.status is StepStatus.NOT_CHECKED]
        found += [f"{it.what}: {it.text}" for it in self.permissions if it.status is StepStatus.NOT_CHECKED]
        return tuple(found or ([self.problem] if self.outcome is VerificationOutcome.UNDETERMINED else []))

    def _first(self, status: StepStatus) -> str:
        # It stays open by what decides: the provider, say, may stay unread when STS gave the credentials.
        deciding = DECIDING if status is StepStatus.NOT_CHECKED else tuple(Name)
        for step in (step for step in self.steps if step.name in deciding):
            for check in step.checks:
                if check.status is status and (check.needed or status is StepStatus.FAILED):
                    return f"{step.name.value}: {check.text}"
        return next((f"{p.what}: {p.text}" for p in self.permissions if p.status is status), "")

    def to_json(self) -> dict[str, Any]:
        return {
            "outcome": self.outcome.value,
            "serviceAccount": {"namespace": self.namespace, "name": self.name},
            "role": {"arn": self.role_arn} if self.role_arn else None,
            "audience": self.audience or None,
            "steps": [step_json(step) for step in self.steps],
            "permissions": [permission.to_json() for permission in self.permissions],
            "proved": self.proved or None,
            "notChecked": {"what": list(UNCHECKED), "command": self.look} if self.look else None,
            "notes": list(self.notes),
            "warnings": [warning_json(item) for item in self.warnings],
        }


def agreed(verification: Verification) -> Verification:
    """Withdraw failures that contradict STS: the trust policy may have changed between read and exchange."""
    steps = {step.name: step for step in verification.steps}
    exchange = steps.get(Name.EXCHANGE)
    trust = steps.get(Name.TRUST)
    if exchange is None or trust is None or exchange.status is not StepStatus.OK:
        return verification
    if trust.status is not StepStatus.FAILED:
        return verification
    open_checks = tuple(
        replace(
            check, status=StepStatus.NOT_CHECKED, text=f"{check.text}; STS accepted the token all the same"
        )
        if check.status is StepStatus.FAILED
        else check
        for check in trust.checks
    )
    steps[Name.TRUST] = replace(trust, checks=open_checks)
    return replace(verification, steps=tuple(steps[step.name] for step in verification.steps))


def unchecked(look: str) -> str:
    """The parts that were not checked, and the command that does."""
    return f"{', '.join(UNCHECKED[:-1])} and {UNCHECKED[-1]} were not checked: {look}"


@dataclass(frozen=True)
class VerificationReport(Reading):
    """The result for one ServiceAccount or (`many`) all; `look` checks the rest."""

    cluster: Cluster | None
    items: tuple[Verification, ...] = ()
    many: bool = False
    notes: tuple[str, ...] = ()
    seconds: float = field(default=0.0, compare=False)
    asked: tuple[str, str] = ("", "")
    look: str = ""
    accounts: int = 0
    """ServiceAccounts that were read, with or without a role."""
    selector: str = ""

    @property
    def scope(self) -> AnswerScope:
        """The ServiceAccounts that were verified, and what no verification looks at."""
        question = "Does STS exchange tokens of the ServiceAccounts for credentials of their roles?"
        if self.error is not None:
            return unanswered(question, self.error)
        asked = accounts_asked(self.asked[1], self.selector)
        is_empty = self.many and not self.items
        left_open = [(it, text) for it in self.items for text in it.left_open]
        return AnswerScope(
            question,
            {"ServiceAccount": self.accounts if self.many else len(self.items), "role": len(self.items)},
            (
                *(
                    NotExamined(f"{it.full_name}: {x}", matters=it.outcome is _UNDETERMINED)
                    for it, x in left_open
                ),
                *not_read(self.notes),
                *by_design(*UNCHECKED),
            ),
            f"No ServiceAccount{asked} of {self.cluster_name} has a role annotation." if is_empty else "",
        )

    @property
    def cluster_name(self) -> str:
        """The cluster's name, also where the cluster was not found."""
        return self.cluster.name if self.cluster else self.asked[0]

    def count(self, outcome: VerificationOutcome) -> int:
        return sum(item.outcome is outcome for item in self.items)

    @property
    def outcome(self) -> VerificationOutcome:
        """The worst of all."""
        if self.count(VerificationOutcome.FAILED):
            return VerificationOutcome.FAILED
        verified = self.items and self.error is None and not self.count(_UNDETERMINED)
        return VerificationOutcome.VERIFIED if verified else _UNDETERMINED

    @property
    def found_code(self) -> int:
        return ExitCode.DONE if self.scope.nothing else self.outcome.exit_code

    def envelope(self) -> Envelope:
        errors = [
            ItemError(item.error, index) for index, item in enumerate(self.items) if item.error is not None
        ]
        return self.document(
            DocumentKind.VERIFICATIONS,
            outcome=self.outcome,
            cluster=self.cluster,
            items=[item.to_json() for item in self.items],
            summary={outcome.value: self.count(outcome) for outcome in VerificationOutcome},
            notes=self.notes,
            errors=(*whole(self.error), *errors),
        )


def step_json(step: VerificationStep) -> dict[str, Any]:
    return {
        "name": step.name.value,
        "status": step.status.value,
        "sent": step.sent,
        "checks": [{"what": it.what, "status": it.status.value, "text": it.text} for it in step.checks],
        "statements": [statement_json(item) for item in step.statements],
        "advice": list(step.advice),
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
