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
    for item in report.items:
        yield f"{item.full_name}: {item.role_arn}"
        for step in item.steps:
            yield f"  {_MARKS[step.status]} {TITLES[step.name]:<{_WIDTH + 2}}  {step.sent}"
            for check in step.checks:
                yield f"      {_MARKS[check.status]} {check.what:<{_WIDTH}}  {check.text}"
            yield from (f"      > {line}" for line in step.advice)
        if item.permissions:
            yield "  Permissions"
        for found in item.permissions:
            where = f" on {found.resource}" if found.resource not in ("", "*") else ""
            yield f"      {_MARKS[found.status]} {found.what}{where}: {found.text}"
        yield from (f"  Note: {note}" for note in item.notes)
        yield from warnings(item.warnings, "  ")
        yield from _verdict(item)


def _verdict(item: Verification) -> Iterator[str]:
    took = f"({item.seconds:.1f} s)"
    failed = [step for step in item.steps if step.status is StepStatus.FAILED]
    if item.outcome is VerificationOutcome.VERIFIED:
        yield f"Verified: {item.proved} {took}. {_sentence(unchecked(item.look))}"
    elif failed:
        yield f"Failed: {TITLES[failed[0].name].lstrip('+ ')} {took}"
        if not any(step.advice for step in failed):
            yield f"Next: {item.look}"
    elif item.outcome is VerificationOutcome.FAILED:
        yield f"Failed: {item.problem} {took}"
    else:
        yield f"Undetermined: no problem was found, but {item.problem} {took}"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _many(report: VerificationReport) -> Iterator[str]:
    if report.error is not None:
        return
    width = max((len(item.full_name) for item in report.items), default=0)
    for item in report.items:
        tail = item.role_arn if item.outcome is VerificationOutcome.VERIFIED else item.problem
        mark = _OUTCOMES[item.outcome][0]
        yield f"  {mark} {item.full_name:<{width}}  {item.outcome.value:<12}  {tail}"
        yield from (f"      Note: {note}" for note in item.notes)
        yield from warnings(item.warnings, "      ")
    counts = ", ".join(f"{report.count(outcome)} {outcome.value}" for outcome in VerificationOutcome)
    total = plural(len(report.items), "ServiceAccount with a role")
    yield f"{total}: {counts} ({report.seconds:.1f} s)."
    yield from filter(None, (report.scope.nothing,))
    if report.count(VerificationOutcome.VERIFIED):
        yield f"Verified: a token is exchanged for the role. {_sentence(unchecked(report.look))}"


def of_verification(report: VerificationReport) -> Report:
    """The report of `verify`: all steps of one ServiceAccount, or the problems of many."""
    counts = [f"{number} {it.value}" for it in VerificationOutcome if (number := report.count(it))]
    verified = report.count(VerificationOutcome.VERIFIED)
    good = verified if report.many else 0
    looked = [unchecked(report.look)] if report.look and verified else []
    notes = (f"{it.full_name}: {note}" for it in report.items for note in it.notes)
    return Report(
        report,
        map(visible, _many(report) if report.many else _one(report)),
        messages_of_reading(report.error),
        ", ".join(counts) or ("not begun" if report.error else "no ServiceAccount has a role"),
        {VerificationOutcome.VERIFIED: True, VerificationOutcome.FAILED: False}.get(report.outcome),
        facts_of(report.cluster),
        _entries(report),
        (f"{good} verified",) if good else (),
        (*report.notes, *notes, *looked),
        suites=_suites(report),
    )


def _entries(report: VerificationReport) -> Iterator[Entry]:
    yield from failure(report.error, "/".join(filter(None, report.asked)))
    for item in report.items:
        entry = _verified(item, all_steps=not report.many)
        if not report.many or entry.rank is not Rank.GOOD or entry.lines:
            yield entry


def _verified(item: Verification, *, all_steps: bool) -> Entry:
    _, rank, level = _OUTCOMES[item.outcome]
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


def _suites(report: VerificationReport) -> Iterator[Suite]:
    """A suite for each ServiceAccount, a case for each step and permission.

    A deciding step that could not run is an error: readers take a suite of skipped cases for a good one.
    """
    for item in report.items:
        proofs = [item.proved, unchecked(item.look)] if item.proved else []
        cases = _cases(item, f"{report.cluster_name}.{item.full_name}")
        yield Suite(item.full_name, cases, item.seconds, (*proofs, *item.notes))
    if problem := str(report.error or report.scope.nothing):
        name = report.asked[1] or report.cluster_name or "irsa verify"
        yield Suite(name, [Case(f"{report.cluster_name or 'irsa'}.{name}", "run", "error", problem)])


_ELEMENTS = {StepStatus.OK: "", StepStatus.FAILED: "failure", StepStatus.NOT_CHECKED: "skipped"}


def _cases(item: Verification, classname: str) -> Iterator[Case]:
    # Without a failure: the step that prevents a verdict.
    undetermined = item.outcome is VerificationOutcome.UNDETERMINED
    deciding = {**_ELEMENTS, StepStatus.NOT_CHECKED: "error"} if undetermined else _ELEMENTS
    if item.error is not None:
        yield _case(classname, "run", "error" if undetermined else "failure", str(item.error))
    for step in item.steps:
        open_ones = [c.text for c in step.checks if c.status is step.status and c.status is not StepStatus.OK]
        elements = deciding if step.name in DECIDING else _ELEMENTS
        yield _case(classname, step.name.value, elements[step.status], "; ".join(open_ones))
    for permission in item.permissions:
        name = f"{permission.kind}: {permission.what} {permission.resource}".strip()
        yield _case(classname, name, deciding[permission.status], permission.text)


def _case(classname: str, name: str, element: str, text: str) -> Case:
    return Case(classname, name, element, text, visible(text) if element == "failure" else None)
