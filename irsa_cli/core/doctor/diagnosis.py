"""All findings about one observation: problems first, in the order in which to fix them.

A ServiceAccount is only called right if irsa could check all that `irsa verify` proves, saw a running pod
with this identity, and no check is suspicious. docs/reference/output.schema.json describes the JSON.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from irsa_cli.core.doctor.causes import CAUSES, Cause
from irsa_cli.core.doctor.causes.answers import INSIDE
from irsa_cli.core.doctor.causes.role import TRUST_CAUSES
from irsa_cli.core.doctor.causes.service_account import NO_RUNNING_POD
from irsa_cli.core.doctor.facts import Facts
from irsa_cli.core.doctor.finding import Finding, Group, Verdict
from irsa_cli.core.doctor.subjects import annotations_of
from irsa_cli.core.objects.service_accounts import ServiceAccount
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION
from irsa_cli.core.results.envelope import DocumentKind, Envelope, ReadOutcome, whole
from irsa_cli.core.results.scope import AnswerScope, NotExamined, Reading, by_design, not_read, unanswered
from irsa_cli.core.results.unread import UnreadCall
from irsa_cli.core.values.cluster import Cluster
from irsa_cli.core.values.errors import ExitCode, Unreadable
from irsa_cli.core.values.names import Namespaced

OF_CLUSTER = frozenset({"provider-audience"})
"""This cause also shows whether the provider exists, in whichever account."""
_WEB_IDENTITY = OF_CLUSTER | {"service-account-missing", "role-missing", *TRUST_CAUSES, NO_RUNNING_POD}
_POD_IDENTITY = frozenset({"pod-identity-trust", "pod-identity-target", "pod-own-token", NO_RUNNING_POD})


def undecided(facts: Facts, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings that are unknown although the result depends on them."""
    deciding = OF_CLUSTER
    subject = facts.subject
    if subject is not None:
        # Without the annotation it is a Pod Identity association that gives the role, or a problem anyway.
        account = subject.account
        if not isinstance(account, ServiceAccount) or ROLE_ARN_ANNOTATION in account.annotations:
            deciding = _WEB_IDENTITY
        elif facts.within is not None and subject.association is None:
            # Among many, one without a role is looked at for what may be wrong with that.
            deciding = frozenset()
        else:
            deciding = _POD_IDENTITY
    unknown = having(findings, Verdict.UNKNOWN)
    return tuple(finding for finding in unknown if finding.cause.id in deciding or finding.judgement.decides)


_GIVES_IDENTITY = (Group.SERVICE_ACCOUNT, Group.WEBHOOK, Group.PODS)
"""The groups that decide if a pod runs with the identity."""
_VERDICTS = (Verdict.PROBLEM, Verdict.UNKNOWN, Verdict.OK)


@dataclass(frozen=True)
class Examined(Namespaced):
    """A ServiceAccount and its findings. `role_arn` is the annotation; `exists` is None if unreadable."""

    namespace: str
    name: str
    role_arn: str | None = None
    findings: tuple[Finding, ...] = ()
    exists: bool | None = True
    undecided: tuple[Finding, ...] = ()

    @property
    def problems(self) -> tuple[Finding, ...]:
        return having(self.findings, Verdict.PROBLEM)

    @property
    def verdict(self) -> Verdict:
        return _verdict(self.findings, self.undecided)


@dataclass(frozen=True)
class Diagnosis(Reading):
    """The result.

    For one ServiceAccount (`account`), `findings` has everything. For a cluster, `findings` has the cluster's
    own, `accounts` the ServiceAccounts with a role; `listed` tells if irsa could list them, `unread` is what
    it could not read of others. With an `error`, irsa could not check anything.
    """

    cluster: Cluster | None
    findings: tuple[Finding, ...] = ()
    account: Examined | None = None
    accounts: tuple[Examined, ...] = ()
    undecided: tuple[Finding, ...] = ()
    listed: bool = True
    unread: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def with_unread(self, calls: tuple[UnreadCall, ...]) -> Diagnosis:
        """The result; if it looked complete, checks that lacked a read on the record are undecided."""
        whole = super().with_unread(calls)
        if not self.is_complete:
            return whole
        deciding = [call for call in calls if not call.is_optional]

        def with_undecided(examined: Examined) -> Examined:
            more = unread_findings(examined.findings, deciding)
            return replace(examined, undecided=examined.undecided or more)

        account = None if self.account is None else with_undecided(self.account)
        return replace(whole, account=account, accounts=tuple(map(with_undecided, self.accounts)))

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The problems, the cluster's before the ServiceAccounts'."""
        of_accounts = chain.from_iterable(account.problems for account in self.accounts)
        return (*having(self.findings, Verdict.PROBLEM), *of_accounts)

    @property
    def is_complete(self) -> bool:
        """Whether all that decides could be looked at; of hints it does not matter."""
        if self.account is not None:
            return not self.account.undecided
        # Each ServiceAccount that needs the cluster's provider reports on it.
        if self.error is not None or self.unread:
            return False
        if not self.accounts:
            return self.listed and not self.undecided
        return all(account.verdict is not Verdict.UNKNOWN for account in self.accounts)

    @property
    def own_scope(self) -> AnswerScope:
        """The ServiceAccounts and checks, and what is not known: of each of many only what decides."""
        question = "Can pods assume the roles of their ServiceAccounts?"
        if self.error is not None or self.signal:
            return unanswered(question, self.error)
        accounts = self.accounts if self.account is None else (self.account,)
        findings = [*self.findings]
        for account in self.accounts:
            findings += account.findings
        checks = len(findings) - len(having(findings, Verdict.UNKNOWN))
        counts = {"ServiceAccount": len(accounts), "check": checks}
        if any(finding.cause.id == INSIDE and finding.judgement.evidence for finding in findings):
            counts["pod seen from inside"] = 1
        left_out = by_design("files in containers", "organization policies (SCPs, RCPs)")
        unknown = self._unknown(accounts)
        return AnswerScope(
            question, counts, (*not_read(map(self._with_reason, self.unread)), *unknown, *left_out)
        )

    def _with_reason(self, unread: str) -> str:
        """The facts that were not read, with the note that says why."""
        notes = (note for note in self.notes if note.startswith(f"{unread} is not known"))
        return next(notes, unread)

    def _unknown(self, accounts: Iterable[Examined]) -> Iterator[NotExamined]:
        """The questions that no check could answer; they matter if the diagnosis depends on it."""
        deciding = [*self.undecided]
        for account in accounts:
            deciding += account.undecided
        matters: dict[str, bool] = {}
        for finding in having(self.findings, Verdict.UNKNOWN):
            if not finding.judgement.follows:
                matters[f"{finding.cause.id}: {finding.judgement.text}"] = False
        for finding in deciding:
            matters[f"{finding.cause.id}: {finding.judgement.text}"] = not self.is_complete
        if not (self.is_complete or self.unread or any(matters.values())):
            matters["the list of ServiceAccounts"] = True
        return (NotExamined(text, matters=matter) for text, matter in matters.items())

    @property
    def found_code(self) -> int:
        """5 with a problem."""
        return ExitCode.UNVERIFIED if self.problems else ExitCode.DONE

    @property
    def verdict(self) -> Verdict:
        if self.problems:
            return Verdict.PROBLEM
        if self.error is None and self.scope.is_decided:
            return Verdict.OK
        return Verdict.UNKNOWN

    def envelope(self) -> Envelope:
        of_cluster = {"serviceAccount": None, "role": None, **_verdict_json(self.findings, self.undecided)}
        items = [of_cluster, *map(_account_json, self.accounts)]
        if self.account is not None:
            items = [{**_account_json(self.account), "findings": [*map(finding_json, self.findings)]}]
        if self.error is not None:
            items = []
        counts = Counter(item["verdict"] for item in items)
        return Envelope(
            DocumentKind.DIAGNOSES,
            self.verdict,
            self.exit_code,
            self.cluster,
            items,
            {verdict.value: counts[verdict.value] for verdict in _VERDICTS},
            (*self.notes, *self.recorded_notes),
            whole(self.error),
            {"scope": self.scope.to_json(), "complete": self.scope.is_complete},
        )


def _verdict(findings: Iterable[Finding], undecided: tuple[Finding, ...]) -> Verdict:
    if having(findings, Verdict.PROBLEM):
        return Verdict.PROBLEM
    return Verdict.UNKNOWN if undecided else Verdict.OK


def unread_findings(findings: Iterable[Finding], calls: Iterable[UnreadCall]) -> tuple[Finding, ...]:
    """The unknown findings that one of these reads would have decided."""
    calls = tuple(calls)
    return tuple(
        finding
        for finding in having(findings, Verdict.UNKNOWN)
        if any(call.is_named_in(finding.judgement.text) for call in calls)
    )


def having(findings: Iterable[Finding], verdict: Verdict) -> tuple[Finding, ...]:
    return tuple(finding for finding in findings if finding.verdict is verdict)


def judge(facts: Facts) -> tuple[Finding, ...]:
    """Run every check that these facts allow; problems first, then unknown, then ok, each by weight."""
    causes = [cause for cause in CAUSES.values() if cause.of_cluster or facts.subject is not None]
    if facts.subject is not None and facts.subject.inside is None:
        causes.remove(CAUSES[INSIDE])  # It was not asked for.
    findings = [Finding(cause, cause.judge(facts)) for cause in causes]
    wrong = having(findings, Verdict.PROBLEM)
    judged = []
    for finding in findings:
        follows = finding.judgement.follows or _follows(finding, wrong, facts)
        judged.append(replace(finding, judgement=replace(finding.judgement, follows=follows)))
    return in_order(judged)


def _follows(finding: Finding, wrong: tuple[Finding, ...], facts: Facts) -> bool:
    if finding.verdict is not Verdict.UNKNOWN or not wrong:
        return False
    if finding.cause.id == NO_RUNNING_POD:
        return any(problem.cause.group in _GIVES_IDENTITY for problem in wrong)
    causes = {problem.cause.id for problem in wrong}
    unread: list[object] = []
    if "issuer-documents" in causes:
        unread.append(facts.published_keys)
    if "annotation-account" in causes and facts.subject is not None:
        # irsa reads nothing in an account that is in the annotation by mistake.
        unread += (facts.subject.role, facts.subject.provider, facts.subject.events)
    text = finding.judgement.text
    return any(isinstance(value, Unreadable) and text.endswith(value.why) for value in unread)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings by verdict, step and weight; equal ones stay in the order of the causes."""
    return tuple(sorted(findings, key=_place))


_IN_AWS = re.compile(r"^(?:# )?(?:aws|irsa) ", re.MULTILINE)
_RESTARTS = re.compile(r"^(?:# )?kubectl .*(?:rollout restart|delete pod|rollouts restart) ", re.MULTILINE)


def _place(finding: Finding) -> tuple[int, int, int]:
    """By verdict, by what is fixed first (AWS, then the ServiceAccount, then pods), by weight."""
    fix = finding.judgement.fix
    cause = finding.cause
    step = 0
    in_aws = cause.of_cluster or (_IN_AWS.search(fix) and not _RESTARTS.search(fix))
    if finding.verdict is Verdict.PROBLEM and not in_aws:
        step = 2 if cause.group in (Group.PODS, Group.STS) else 1
    return _VERDICTS.index(finding.verdict), step, -cause.weight


def examined(facts: Facts, findings: tuple[Finding, ...]) -> Examined:
    subject = facts.named
    account = facts.named.account
    return Examined(
        subject.namespace,
        subject.name,
        annotations_of(subject).get(ROLE_ARN_ANNOTATION),
        findings,
        exists=None if isinstance(account, Unreadable) else account is not None,
        undecided=undecided(facts, findings),
    )


def finding_json(finding: Finding) -> dict[str, Any]:
    judgement = finding.judgement
    return {
        **_cause_json(finding.cause),
        "verdict": finding.verdict.value,
        "text": judgement.text,
        "hint": judgement.hints,
        "evidence": [{"name": name, "value": value} for name, value in judgement.evidence],
        "fix": judgement.fix,
        "fixKind": judgement.proposal and judgement.proposal.value,
    }


def _account_json(account: Examined) -> dict[str, Any]:
    return {
        "serviceAccount": {"namespace": account.namespace, "name": account.name},
        "role": None if account.role_arn is None else {"arn": account.role_arn},
        **_verdict_json(account.findings, account.undecided),
    }


def _verdict_json(findings: tuple[Finding, ...], undecided: tuple[Finding, ...]) -> dict[str, Any]:
    verdict = _verdict(findings, undecided)
    return {"verdict": verdict.value, "findings": [*map(finding_json, findings)]}


def causes_envelope(causes: Iterable[Cause]) -> Envelope:
    items = [{**_cause_json(cause), "symptom": cause.symptom} for cause in causes]
    return Envelope(DocumentKind.CAUSES, ReadOutcome.OK, items=items)


def _cause_json(cause: Cause) -> dict[str, Any]:
    return {
        "id": cause.id,
        "group": cause.group.value,
        "weight": cause.weight,
        "title": cause.title,
        "checked": cause.looks_at,
        "remedy": cause.remedy,
        "source": cause.source,
    }
