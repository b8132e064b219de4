"""Verifications: their text, and their report."""

from __future__ import annotations

from collections.abc import Iterator

from irsa_cli.cli.output.report import Case, Entry, Level, Line, Rank, Report, Suite
from irsa_cli.cli.output.result import facts_of, failure, messages_of_reading, warning_lines, warnings
from irsa_cli.core.results.steps import Name, StepStatus
from irsa_cli.core.results.verification import (
    DECIDING,
    Verification,
    VerificationOutcome,
    VerificationReport,
    unchecked,
)
from irsa_cli.core.values.shown import plural, visible

TITLES = {
    Name.TOKEN: "1 Token",
    Name.CLAIMS: "2 Claims",
    Name.PROVIDER: "3 Provider",
    Name.TRUST: "4 Trust policy",
    Name.EXCHANGE: "5 Exchange",
    Name.IDENTITY: "6 Identity",
    Name.CHAIN: "+ Chain",
    Name.COMPLETENESS: "+ Completeness",
    Name.PODS: "+ Pods",
}
_MARKS = {StepStatus.OK: "✓", StepStatus.FAILED: "✗", StepStatus.NOT_CHECKED: "?"}
_OUTCOMES = {
    VerificationOutcome.VERIFIED: ("✓", Rank.GOOD, None),
    VerificationOutcome.FAILED: ("✗", Rank.FAILED, Level.ERROR),
    VerificationOutcome.UNDETERMINED: ("?", Rank.OPEN, Level.WARNING),
}
_STATUS = {
    StepStatus.OK: (Rank.GOOD, "ok"),
    StepStatus.FAILED: (Rank.FAILED, "failed"),
    StepStatus.NOT_CHECKED: (Rank.OPEN, "not checked"),
}
_WIDTH = 13


def _one(report: VerificationReport) -> Iterator[str]:
    for account in report.items:
        yield f"{account.full_name}: {account.role_arn}"
        for step in account.steps:
            yield f"  {_MARKS[step.status]} {TITLES[step.name]:<{_WIDTH + 2}}  {step.sent}"
            for check in step.checks:
                yield f"      {_MARKS[check.status]} {check.what:<{_WIDTH}}  {check.text}"
            yield from (f"      > {line}" for line in step.advice)
        if account.permissions:
            yield "  Permissions"
        for permission in account.permissions:
            where = f" on {permission.resource}" if permission.resource not in ("", "*") else ""
            yield f"      {_MARKS[permission.status]} {permission.what}{where}: {permission.text}"
        yield from (f"  Note: {note}" for note in account.notes)
        yield from warnings(account.warnings, "  ")
        yield from _verdict(account)


def _verdict(account: Verification) -> Iterator[str]:
    took = f"({account.seconds:.1f} s)"
    failed = [step for step in account.steps if step.status is StepStatus.FAILED]
    if account.outcome is VerificationOutcome.VERIFIED:
        yield f"Verified: {account.proved} {took}. {_sentence(unchecked(account.look))}"
    elif failed:
        yield f"Failed: {TITLES[failed[0].name].lstrip('+ ')} {took}"
        if not any(step.advice for step in failed):
            yield f"Next: {account.look}"
    elif account.outcome is VerificationOutcome.FAILED:
        yield f"Failed: {account.problem} {took}"
    else:
        yield f"Undetermined: no problem was found, but {account.problem} {took}"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _many(report: VerificationReport) -> Iterator[str]:
    if report.error is not None:
        return
    width = max((len(account.full_name) for account in report.items), default=0)
    for account in report.items:
        tail = account.role_arn if account.outcome is VerificationOutcome.VERIFIED else account.problem
        mark = _OUTCOMES[account.outcome][0]
        yield f"  {mark} {account.full_name:<{width}}  {account.outcome.value:<12}  {tail}"
        if account.proved:
            yield from (f"      Not checked: {text}" for text in account.left_open)
        yield from (f"      Note: {note}" for note in account.notes)
        yield from warnings(account.warnings, "      ")
    counts = ", ".join(f"{report.count(outcome)} {outcome.value}" for outcome in VerificationOutcome)
    total = plural(len(report.items), "ServiceAccount with a role")
    yield f"{total}: {counts} ({report.seconds:.1f} s)."
    yield from filter(None, (report.scope.nothing,))
    if report.count(VerificationOutcome.VERIFIED):
        yield f"Verified: a token is exchanged for the role. {_sentence(unchecked(report.look))}"


def of_verification(report: VerificationReport) -> Report:
    """The report of `verify`: all steps of one ServiceAccount, or the problems of many."""
    numbers = {outcome.value: report.count(outcome) for outcome in VerificationOutcome}
    counts = [f"{number} {outcome}" for outcome, number in numbers.items() if number]
    verified = report.count(VerificationOutcome.VERIFIED)
    notes = [*report.notes, *report.recorded_notes]
    for account in report.items:
        notes += [f"{account.full_name}: {note}" for note in account.notes]
    if report.look and verified:
        notes.append(unchecked(report.look))
    nothing = "not begun" if report.error else "no ServiceAccount has a role"
    return Report(
        report,
        map(visible, _many(report) if report.many else _one(report)),
        messages_of_reading(report.error, report.recorded_notes),
        ", ".join(counts) or nothing,
        {VerificationOutcome.VERIFIED: True, VerificationOutcome.FAILED: False}.get(report.outcome),
        facts_of(report.cluster),
        _entries(report),
        (f"{verified} verified",) if verified and report.many else (),
        tuple(notes),
        suites=_suites(report),
    )


def _entries(report: VerificationReport) -> Iterator[Entry]:
    yield from failure(report.error, "/".join(filter(None, report.asked)))
    for account in report.items:
        entry = _verified(account, all_steps=not report.many)
        if not report.many or entry.rank is not Rank.GOOD or entry.lines:
            yield entry


def _verified(account: Verification, *, all_steps: bool) -> Entry:
    _, rank, level = _OUTCOMES[account.outcome]
    has_proof = account.outcome is VerificationOutcome.VERIFIED
    lines: list[Line] = []
    advice: dict[str, None] = {}
    for step in account.steps:
        advice.update(dict.fromkeys(step.advice))
        for check in step.checks:
            is_shown = all_steps or (check.status is not StepStatus.OK and not has_proof)
            if is_shown:
                lines.append(_line(check.text, check.status, f"{step.name.value}: {check.what}"))
    for permission in account.permissions:
        if all_steps or permission.status is not StepStatus.OK:
            about = f"{permission.what} {permission.resource}".strip()
            lines.append(_line(permission.text, permission.status, about))
    lines += warning_lines(account.warnings)
    message = [f"> {text}" for text in advice]
    sentence = account.problem or account.proved
    if sentence:
        message.insert(0, sentence)
    return Entry(account.full_name, account.outcome.value, rank, tuple(lines), tuple(message), level)


def _line(text: str, status: StepStatus, about: str) -> Line:
    return Line(text, *_STATUS[status], about)


def _suites(report: VerificationReport) -> Iterator[Suite]:
    """A suite for each ServiceAccount, a case for each step and permission.

    A deciding step that could not run is an error: readers take a suite of skipped cases for a good one.
    """
    for account in report.items:
        proofs = [account.proved, unchecked(account.look)] if account.proved else []
        cases = _cases(account, f"{report.cluster_name}.{account.full_name}")
        yield Suite(account.full_name, cases, account.seconds, (*proofs, *account.notes))
    problem = str(report.error or report.scope.nothing)
    if problem:
        name = report.asked[1] or report.cluster_name or "irsa verify"
        yield Suite(name, [Case(f"{report.cluster_name or 'irsa'}.{name}", "run", "error", problem)])


_ELEMENTS = {StepStatus.OK: "", StepStatus.FAILED: "failure", StepStatus.NOT_CHECKED: "skipped"}


def _cases(account: Verification, classname: str) -> Iterator[Case]:
    # Without a failure: the step that prevents a verdict.
    undetermined = account.outcome is VerificationOutcome.UNDETERMINED
    deciding = {**_ELEMENTS, StepStatus.NOT_CHECKED: "error"} if undetermined else _ELEMENTS
    if account.error is not None:
        yield _case(classname, "run", "error" if undetermined else "failure", str(account.error))
    for step in account.steps:
        open_ones = [c.text for c in step.checks if c.status is step.status and c.status is not StepStatus.OK]
        elements = deciding if step.name in DECIDING else _ELEMENTS
        yield _case(classname, step.name.value, elements[step.status], "; ".join(open_ones))
    for permission in account.permissions:
        name = f"{permission.kind}: {permission.what} {permission.resource}".strip()
        yield _case(classname, name, deciding[permission.status], permission.text)


def _case(classname: str, name: str, element: str, text: str) -> Case:
    return Case(classname, name, element, text, visible(text) if element == "failure" else None)
