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
from irsa_cli.core.results.steps import Check, Name, StepStatus, VerificationStep
from irsa_cli.core.trust.evaluation import Failure, StatementVerdict
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
        permissions = [permission.status for permission in self.permissions]
        if StepStatus.FAILED in (*permissions, *(step.status for step in self.steps)):
            return VerificationOutcome.FAILED
        if self.error is not None:
            if self.error.exit_code in (ExitCode.REFUSED, ExitCode.UNVERIFIED):
                return VerificationOutcome.FAILED
            return VerificationOutcome.UNDETERMINED
        decisive = [step.status for step in self.steps if step.name in _DECISIVE]
        if decisive and {*decisive, *permissions} == {StepStatus.OK}:
            return VerificationOutcome.VERIFIED
        return VerificationOutcome.UNDETERMINED

    @property
    def proved(self) -> str:
        """The proof, '' for none."""
        if self.outcome is not VerificationOutcome.VERIFIED:
            return ""
        return f"a token of {self.full_name} is exchanged for {self.role_arn}"

    @property
    def problem(self) -> str:
        """The first failure, or the first unknown; '' if all is right."""
        if self.outcome is VerificationOutcome.VERIFIED:
            return str(self.error or "")
        return self._first(StepStatus.FAILED) or self._first(StepStatus.NOT_CHECKED) or str(self.error or "")

    @property
    def left_open(self) -> tuple[str, ...]:
        """The checks that could not run."""
        texts: list[str] = []
        for step in self.steps:
            checks = [check for check in step.checks if check.status is StepStatus.NOT_CHECKED]
            texts += [f"{step.name.value}: {check.text}" for check in checks]
        texts += self._permissions(StepStatus.NOT_CHECKED)
        if not texts and self.outcome is VerificationOutcome.UNDETERMINED:
            return (self.problem,)
        return tuple(texts)

    def _permissions(self, status: StepStatus) -> list[str]:
        permissions = [permission for permission in self.permissions if permission.status is status]
        return [f"{permission.what}: {permission.text}" for permission in permissions]

    def _first(self, status: StepStatus) -> str:
        for step in self.steps:
            # It stays open by what decides: the provider, say, may stay unread when STS gave the credentials.
            if status is StepStatus.NOT_CHECKED and step.name not in DECIDING:
                continue
            for check in step.checks:
                if check.status is status and (check.needed or status is StepStatus.FAILED):
                    return f"{step.name.value}: {check.text}"
        return next(iter(self._permissions(status)), "")

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
            "warnings": list(map(warning_json, self.warnings)),
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
    steps[Name.TRUST] = replace(trust, checks=tuple(map(_withdrawn, trust.checks)))
    return replace(verification, steps=tuple(steps[step.name] for step in verification.steps))


def _withdrawn(check: Check) -> Check:
    if check.status is not StepStatus.FAILED:
        return check
    text = f"{check.text}; STS accepted the token all the same"
    return replace(check, status=StepStatus.NOT_CHECKED, text=text)


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
    def own_scope(self) -> AnswerScope:
        """The ServiceAccounts that were verified, and what no verification looks at."""
        question = "Does STS exchange tokens of the ServiceAccounts for credentials of their roles?"
        if self.error is not None:
            return unanswered(question, self.error)
        nothing = ""
        if self.many and not self.items:
            accounts = accounts_asked(self.asked[1], self.selector)
            nothing = f"No ServiceAccount{accounts} of {self.cluster_name} has a role annotation."
        gaps: list[NotExamined] = []
        for verification in self.items:
            # A part that follows from a failure, or that STS has proven, is no gap unless a read failed.
            matters = verification.outcome is _UNDETERMINED
            texts = [f"{verification.full_name}: {text}" for text in verification.left_open]
            gaps += not_read(texts, matters=matters)
        alone = ("roles without a ServiceAccount",) if self.many else ()
        gaps += (*not_read(self.notes), *by_design(*UNCHECKED, *alone))
        examined = {
            "ServiceAccount": self.accounts if self.many else len(self.items),
            "role": len(self.items),
        }
        return AnswerScope(question, examined, tuple(gaps), nothing)

    @property
    def gaps_decide(self) -> bool:
        """Credentials of STS are a proof, whatever else was not read; the list of all is needed."""
        return bool(self.notes)

    @property
    def cluster_name(self) -> str:
        """The cluster's name, also where the cluster was not found."""
        return self.cluster.name if self.cluster else self.asked[0]

    def count(self, outcome: VerificationOutcome) -> int:
        return sum(verification.outcome is outcome for verification in self.items)

    @property
    def outcome(self) -> VerificationOutcome:
        """The worst of all."""
        if self.count(VerificationOutcome.FAILED):
            return VerificationOutcome.FAILED
        if not self.items or self.error is not None or self.count(_UNDETERMINED):
            return _UNDETERMINED
        return VerificationOutcome.VERIFIED

    @property
    def found_code(self) -> int:
        return ExitCode.DONE if self.scope.nothing else self.outcome.exit_code

    def envelope(self) -> Envelope:
        errors: list[ItemError] = []
        for index, verification in enumerate(self.items):
            if verification.error is not None:
                errors.append(ItemError(verification.error, index))
        return self.document(
            DocumentKind.VERIFICATIONS,
            outcome=self.outcome,
            cluster=self.cluster,
            items=[verification.to_json() for verification in self.items],
            summary={outcome.value: self.count(outcome) for outcome in VerificationOutcome},
            notes=(*self.notes, *self.recorded_notes),
            errors=(*whole(self.error), *errors),
        )


def step_json(step: VerificationStep) -> dict[str, Any]:
    return {
        "name": step.name.value,
        "status": step.status.value,
        "sent": step.sent,
        "checks": [
            {"what": check.what, "status": check.status.value, "text": check.text} for check in step.checks
        ],
        "statements": list(map(statement_json, step.statements)),
        "advice": list(step.advice),
    }


def statement_json(verdict: StatementVerdict) -> dict[str, Any]:
    return {
        "index": verdict.index,
        "sid": verdict.sid or None,
        "effect": verdict.effect,
        "applies": verdict.applies,
        "failure": None if verdict.failure is None else _failure_json(verdict.failure),
        "because": list(verdict.because),
    }


def _failure_json(failure: Failure) -> dict[str, Any]:
    return {
        "part": failure.part,
        "operator": failure.operator or None,
        "key": failure.key or None,
        "wanted": list(failure.wanted),
        "got": None if failure.got is None else list(failure.got),
        "unknown": failure.unknown,
        "excluding": failure.excluding,
    }
