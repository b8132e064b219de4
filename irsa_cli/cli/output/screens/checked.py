"""Reports of commands that only read: verifications, diagnoses, risks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from irsa_cli.cli.output.of_results import facts_of, warning_lines
from irsa_cli.cli.output.reports.model import Document, Entry, Level, Line, PipelineReport, Rank, SourcePlace
from irsa_cli.cli.output.screens.audit import facts, summary
from irsa_cli.cli.output.screens.doctor import verdict_line
from irsa_cli.cli.output.text import error_lines, next_lines
from irsa_cli.core.audit.report import RiskReport
from irsa_cli.core.doctor.diagnosis import Diagnosis, Examined
from irsa_cli.core.doctor.finding import Finding, Verdict
from irsa_cli.core.results.steps import StepStatus
from irsa_cli.core.results.verification import (
    Verification,
    VerificationOutcome,
    VerificationReport,
    unchecked,
)
from irsa_cli.core.trust.rules.rule import Risk, Severity
from irsa_cli.core.values.shown import plural

_OUTCOMES = {
    VerificationOutcome.VERIFIED: (Rank.GOOD, None),
    VerificationOutcome.FAILED: (Rank.FAILED, Level.ERROR),
    VerificationOutcome.UNDETERMINED: (Rank.OPEN, Level.WARNING),
}
_STATUS = {
    StepStatus.OK: (Rank.GOOD, "ok"),
    StepStatus.FAILED: (Rank.FAILED, "failed"),
    StepStatus.NOT_CHECKED: (Rank.OPEN, "not checked"),
}
_SEVERITIES = {
    Severity.CRITICAL: (Rank.FAILED, Level.ERROR),
    Severity.HIGH: (Rank.REFUSED, Level.ERROR),
    Severity.MEDIUM: (Rank.WARNING, Level.WARNING),
    Severity.LOW: (Rank.OPEN, Level.NOTICE),
}


def of_verification(report: VerificationReport, title: str) -> PipelineReport:
    """The report of `verify`: all steps of one ServiceAccount, or the problems of many."""
    counts = [f"{number} {it.value}" for it in VerificationOutcome if (number := report.count(it))]
    entries = [_verified(item, all_steps=not report.many) for item in report.items]
    good = report.count(VerificationOutcome.VERIFIED) if report.many else 0
    if report.many:
        entries = [entry for entry in entries if entry.rank is not Rank.GOOD or entry.lines]
    looked = [unchecked(report.look)] if report.look and report.count(VerificationOutcome.VERIFIED) else []
    notes = [*report.notes, *(f"{it.full_name}: {note}" for it in report.items for note in it.notes), *looked]
    return PipelineReport(
        title,
        ", ".join(counts) or ("not begun" if report.error else "no ServiceAccount has a role"),
        {VerificationOutcome.VERIFIED: True, VerificationOutcome.FAILED: False}.get(report.outcome),
        int(report.exit_code),
        facts_of(report.cluster),
        (*_failure(report.error, "/".join(filter(None, report.asked)) or title), *entries),
        (f"{good} verified",) if good else (),
        tuple(notes),
    )


def _verified(item: Verification, *, all_steps: bool) -> Entry:
    rank, level = _OUTCOMES[item.outcome]
    lines = [
        _line(check.text, check.status, f"{step.name.value}: {check.what}")
        for step in item.steps
        for check in step.checks
        if all_steps
        or (check.status is not StepStatus.OK and item.outcome is not VerificationOutcome.VERIFIED)
    ]
    lines += [
        _line(found.text, found.status, f"{found.what} {found.resource}".strip())
        for found in item.permissions
        if all_steps or found.status is not StepStatus.OK
    ]
    lines += warning_lines(item.warnings)
    advice = tuple(dict.fromkeys(text for step in item.steps for text in step.advice))
    sentence = item.problem or item.proved
    message = (*((sentence,) if sentence else ()), *(f"> {text}" for text in advice))
    return Entry(item.full_name, item.outcome.value, rank, tuple(lines), message, level)


def _line(text: str, status: StepStatus, about: str) -> Line:
    return Line(text, *_STATUS[status], about)


def of_diagnosis(diagnosis: Diagnosis, title: str) -> PipelineReport:
    """The report of `doctor`: problems with evidence and fix, then unknowns."""
    entries = list(_failure(diagnosis.error, title))
    good = 0
    if diagnosis.account is not None:
        entries.append(_examined(diagnosis.account, diagnosis.findings))
    elif diagnosis.error is None:
        entries.append(_examined(Examined("", "", findings=diagnosis.findings), diagnosis.findings))
        found = [_examined(item, item.findings) for item in diagnosis.accounts]
        entries += [entry for entry in found if entry.rank is not Rank.GOOD]
        good = sum(entry.rank is Rank.GOOD for entry in found)
    verdict = verdict_line(diagnosis) if diagnosis.error is None else "nothing could be read"
    return PipelineReport(
        title,
        verdict.removesuffix("."),
        {Verdict.OK: True, Verdict.PROBLEM: False}.get(diagnosis.verdict),
        int(diagnosis.exit_code),
        facts_of(diagnosis.cluster),
        tuple(entry for entry in entries if entry.lines or entry.message),
        (f"{plural(good, 'ServiceAccount')} without problems",) if good else (),
        diagnosis.notes,
        diagnosis.unread,
    )


def _examined(account: Examined, findings: Iterable[Finding]) -> Entry:
    named = account.full_name if account.name else "cluster"
    wrong = [item for item in findings if item.verdict is Verdict.PROBLEM]
    untold: dict[str, list[str]] = {}
    for item in findings:
        if item.verdict is Verdict.UNKNOWN:
            untold.setdefault(item.judgement.text, []).append(item.cause.id)
    lines = [
        *map(_problem, wrong),
        *(Line(f"{reason} ({', '.join(names)})", Rank.OPEN, "unknown") for reason, names in untold.items()),
    ]
    problems = [line for line in lines if line.rank is Rank.FAILED]
    rank = Rank.FAILED if problems else Rank.OPEN if account.undecided else Rank.GOOD
    state = {Rank.FAILED: "problem", Rank.OPEN: "unknown"}.get(rank, "in order")
    return Entry(named, state, rank, tuple(lines))


def _problem(item: Finding) -> Line:
    judgement, cause = item.judgement, item.cause
    evidence = [f"{name}: {value}" for name, value in judgement.evidence]
    label = judgement.proposal.label if judgement.proposal else ""
    fix = [f"{label}: {line}" for line in judgement.fix.splitlines()]
    more = Document(
        f"{cause.id}: evidence and fix",
        (*evidence, f"checked: {cause.looks_at}", *fix, f"remedy: {cause.remedy}", f"source: {cause.source}"),
    )
    text = f"{cause.title.removesuffix('.')}: {judgement.text}"
    return Line(text, Rank.FAILED, "problem", cause.id, documents=(more,), level=Level.ERROR)


def of_risks(report: RiskReport, _title: str = "") -> PipelineReport:
    """The report of `audit` and `lint`: the risks by file or role."""
    shown = report.selection.shown
    groups: dict[str, list[Risk]] = {}
    for item in shown:
        groups.setdefault(
            item.place.file if item.place else item.role or item.cluster or "account", []
        ).append(item)
    entries = []
    for title, items in groups.items():
        lines = tuple(map(_risk, items))
        worst = min(lines, key=lambda line: line.rank)
        state = f"{worst.word} {'risk' if len(lines) == 1 else 'risks'}"
        entries.append(Entry(title, state, worst.rank, lines))
    return PipelineReport(
        report.title,
        summary(report),
        None if (report.unchecked or report.scope.nothing or report.error) and not shown else not shown,
        int(report.exit_code),
        tuple((name.lower(), text) for name, text in facts(report)),
        (*_failure(report.error, report.title), *entries),
        notes=(report.scope.sentence, *(note for note in report.notes if note not in report.unchecked)),
        warnings=report.unchecked,
    )


def _risk(item: Risk) -> Line:
    rank, level = _SEVERITIES[item.severity]
    place, subject = None, ""
    if item.place is not None:
        place = SourcePlace(item.place.file, item.place.line, item.place.column)
        subject = f"{item.place.subject}: " if item.place.subject else ""
    more = [*item.evidence, f"to fix: {item.suggestion}"]
    if item.command:
        more.append(f"command: {item.command}")
    documents = [Document(f"{item.rule.id}: evidence and fix", (*more, f"source: {item.rule.source}"))]
    if item.corrected is not None:
        lines = tuple(json.dumps(item.corrected, indent=2).splitlines())
        documents.append(Document(f"{item.rule.id}: the corrected trust policy", lines, "json"))
    text = f"{subject}{item.sentence}"
    return Line(
        text, rank, item.severity.value, item.rule.id, documents=tuple(documents), level=level, place=place
    )


def _failure(error: Exception | None, title: str) -> Iterator[Entry]:
    """The error that ended a command as a whole."""
    if error is not None:
        lines = (*error_lines(error), *next_lines(error))
        yield Entry(title, "failed", Rank.FAILED, message=lines, level=Level.ERROR)
