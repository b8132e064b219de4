"""A diagnosis as text and as a report: problems with evidence and fix, unknowns, passed checks."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from itertools import chain

from irsa_cli.cli.output.report import Document, Entry, Level, Line, Rank, Report
from irsa_cli.cli.output.result import facts_of, failure, messages_of_reading
from irsa_cli.core.doctor.causes.service_account import NO_RUNNING_POD
from irsa_cli.core.doctor.diagnosis import Diagnosis, Examined, having
from irsa_cli.core.doctor.finding import Cause, Finding, Verdict
from irsa_cli.core.doctor.subjects import listed
from irsa_cli.core.values.shown import plural, shown, unspaced, visible

_MARKS = {Verdict.OK: "✓", Verdict.PROBLEM: "✗", Verdict.UNKNOWN: "?"}
_WIDTH = 10
_FEW = 6
"""Causes named for one reason; of more, only the number is shown."""


def lines(diagnosis: Diagnosis, *, everything: bool) -> Iterator[str]:
    """The diagnosis line by line; `everything`: also each passed check."""
    if diagnosis.cluster is None:
        return
    yield diagnosis.cluster.head
    if diagnosis.account is not None:
        yield _head(diagnosis.account)
    yield from _findings(diagnosis.findings, everything=everything)
    reported = _by_reason(diagnosis.undecided)
    for account in diagnosis.accounts:
        yield from _summary(account, reported)
    notes = (*diagnosis.notes, *diagnosis.recorded_notes, *diagnosis.optional_notes)
    yield from (f"Note: {visible(note)}" for note in notes)
    wrong = next((account for account in diagnosis.accounts if account.problems), None)
    if wrong is not None and not having(diagnosis.findings, Verdict.PROBLEM):
        yield f"Begin with {wrong.full_name}: {wrong.problems[0].cause.title}"
        yield from (_row(*fact) for fact in _fix(wrong.problems[0]))
    yield diagnosis.scope.checked
    yield verdict_line(diagnosis)


def _head(account: Examined) -> str:
    """The ServiceAccount and its annotation, in quotes if that has anything odd."""
    if account.exists is None:
        annotation = "could not be read"
    elif not account.exists:
        annotation = "does not exist"
    elif account.role_arn is None:
        annotation = "has no role annotation"
    elif not account.role_arn:
        annotation = "the annotation is empty"
    else:
        plain = unspaced(account.role_arn) == account.role_arn
        annotation = account.role_arn if plain else shown(account.role_arn)
    return f"{account.full_name}: {annotation}"


def _findings(findings: Iterable[Finding], *, everything: bool) -> Iterator[str]:
    all_findings = tuple(findings)
    for finding in having(all_findings, Verdict.PROBLEM):
        yield f"{_MARKS[Verdict.PROBLEM]} {finding.cause.id}: {finding.cause.title}"
        yield from (_row(*fact) for fact in (("why", finding.judgement.text), *_facts(finding)))
    untold = having(all_findings, Verdict.UNKNOWN)
    waiting: tuple[Finding, ...] = ()
    if not everything and having(all_findings, Verdict.PROBLEM):
        # Unknowns that follow from a problem are no news.
        waiting = tuple(finding for finding in untold if finding.judgement.follows)
    yield from _unknown(tuple(finding for finding in untold if finding not in waiting), everything=everything)
    if waiting:
        checks = plural(len(waiting), "check")
        yield f"{_MARKS[Verdict.UNKNOWN]} {checks} not possible until that is fixed (-v shows them)"
    good = having(all_findings, Verdict.OK)
    if everything:
        yield from (
            f"{_MARKS[Verdict.OK]} {finding.cause.id}: {visible(finding.judgement.text)}" for finding in good
        )
    elif good:
        yield f"{_MARKS[Verdict.OK]} {plural(len(good), 'check')} passed (-v shows them)"


def _facts(finding: Finding) -> Iterator[tuple[str, str]]:
    """The evidence and the fix, by name."""
    yield from finding.judgement.evidence
    yield "checked", finding.cause.looks_at
    yield from _fix(finding)
    yield "source", finding.cause.source


def _fix(finding: Finding) -> Iterator[tuple[str, str]]:
    """The fix, under a label with its first line; then what else to do."""
    label = _label(finding)
    for text in finding.judgement.fix.splitlines():
        yield label, text
        label = ""
    yield "remedy", finding.cause.remedy


def _label(finding: Finding) -> str:
    return finding.judgement.proposal.label if finding.judgement.proposal else ""


def _row(name: str, value: str) -> str:
    """Format a line of a problem; control characters in texts of others are shown as their code points."""
    return f"    {name:<{_WIDTH}}  {visible(value)}".rstrip()


def _unknown(findings: tuple[Finding, ...], *, everything: bool) -> Iterator[str]:
    for reason, alike in _by_reason(findings).items():
        yield f"{_MARKS[Verdict.UNKNOWN]} unknown: {visible(reason)}"
        yield f"    {_named(alike, everything=everything)}"
        evidence = dict.fromkeys(chain.from_iterable(finding.judgement.evidence for finding in alike))
        yield from (_row(name, value) for name, value in evidence)


def _by_reason(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    by_reason: dict[str, list[Finding]] = {}
    for finding in findings:
        by_reason.setdefault(finding.judgement.text, []).append(finding)
    return by_reason


def _named(findings: list[Finding], *, everything: bool = False) -> str:
    if not everything and len(findings) > _FEW:
        return plural(len(findings), "check")
    return ", ".join(finding.cause.id for finding in findings)


def _summary(account: Examined, reported: Container[str]) -> Iterator[str]:
    """One of many ServiceAccounts: its problems, or why it is unknown, less the `reported` reasons."""
    yield f"{_MARKS[account.verdict]} {account.full_name}"
    for finding in account.problems:
        yield f"    {account.full_name}: {finding.cause.id}: {finding.cause.title}"
    undecided = () if account.problems else account.undecided
    for reason, alike in _by_reason(undecided).items():
        why = "as above" if reason in reported else visible(reason)
        yield f"    {account.full_name}: unknown: {why} ({_named(alike)})"


def verdict_line(diagnosis: Diagnosis) -> str:
    hidden = _hidden(diagnosis)
    if diagnosis.problems:
        number = plural(len(diagnosis.problems), "problem")
        verdict = f"{number} found (exit {diagnosis.exit_code})."
        if len(diagnosis.problems) > 1:
            verdict += f" Begin with {diagnosis.problems[0].cause.id}."
        if hidden and diagnosis.account is None:
            verdict += f" {hidden[0].upper()}{hidden[1:]}."
        return verdict
    if hidden:
        return f"No problem was found, but {hidden} (exit {diagnosis.exit_code}).{_look(diagnosis)}"
    hints = _hinted(diagnosis)
    if hints:
        return hints
    if diagnosis.account is None and not diagnosis.accounts:
        return "No problem was found in the cluster itself; it has no ServiceAccount with a role."
    return "No problem was found."


def _hinted(diagnosis: Diagnosis) -> str:
    """Where to look if the application fails nevertheless; '' without hints."""
    if diagnosis.account is None:
        names = [account.full_name for account in diagnosis.accounts if any(map(_is_hint, account.findings))]
        if not names:
            return ""
        return f"No problem was found. There are hints for {listed(names)}: run irsa doctor NAME."
    hints = [finding for finding in diagnosis.findings if _is_hint(finding)]
    if not hints:
        return ""
    first = hints[0]
    where = f"{first.cause.id} first"
    if len(hints) > 1:
        where += f", then at {', '.join(finding.cause.id for finding in hints[1:])}"
    why = visible(first.judgement.text)
    return f"No problem was found, but {why}. If the application fails, check {where}."


def _is_hint(finding: Finding) -> bool:
    return finding.verdict is Verdict.UNKNOWN and finding.judgement.hints


def _hidden(diagnosis: Diagnosis) -> str:
    """How much of the deciding checks irsa could not make; '' if none."""
    if diagnosis.is_complete:
        failed = [gap.text for gap in diagnosis.scope.not_examined if gap.matters and gap.decides]
        return f"{plural(len(failed), 'item')} could not be read" if failed else ""
    if diagnosis.account is not None:
        undecided = diagnosis.account.undecided
        if {finding.cause.id for finding in undecided} == {NO_RUNNING_POD}:
            return f"{undecided[0].judgement.text}, so whether pods get the role was not seen"
        suspected = [finding for finding in undecided if finding.judgement.decides]
        if suspected:
            return f"{visible(suspected[0].judgement.text)} ({suspected[0].cause.id})"
        return f"{plural(len(undecided), 'deciding check')} could not run"
    if not diagnosis.listed:
        return "the ServiceAccounts could not be listed"
    missed = sum(finding.verdict is Verdict.UNKNOWN for finding in diagnosis.accounts)
    if diagnosis.unread and not missed:
        return f"{diagnosis.unread[0]} is not known"
    if not diagnosis.accounts:
        return "the OIDC provider could not be read"
    return f"{missed} of {plural(len(diagnosis.accounts), 'ServiceAccount')} could not be checked"


def _look(diagnosis: Diagnosis) -> str:
    """The command that shows more if irsa saw no pod."""
    undecided = () if diagnosis.account is None else diagnosis.account.undecided
    for finding in undecided:
        for name, command in finding.judgement.evidence:
            if finding.cause.id == NO_RUNNING_POD and name == "to see":
                return f" To see more: {visible(command)}"
    return ""


def of_diagnosis(diagnosis: Diagnosis, *, everything: bool = False) -> Report:
    """The report of `doctor`: problems with evidence and fix, then unknowns."""
    verdict = verdict_line(diagnosis) if diagnosis.error is None else "nothing could be read"
    good = sum(account.verdict is Verdict.OK for account in diagnosis.accounts)
    return Report(
        diagnosis,
        lines(diagnosis, everything=everything),
        messages_of_reading(diagnosis.error),
        verdict.removesuffix("."),
        {Verdict.OK: True, Verdict.PROBLEM: False}.get(diagnosis.verdict),
        facts_of(diagnosis.cluster),
        filter(lambda entry: entry.lines or entry.message, _entries(diagnosis)),
        (f"{plural(good, 'ServiceAccount')} without problems",) if good else (),
        diagnosis.notes,
        diagnosis.unread,
    )


def _entries(diagnosis: Diagnosis) -> Iterator[Entry]:
    yield from failure(diagnosis.error)
    if diagnosis.account is not None:
        yield _examined(diagnosis.account, diagnosis.findings)
    elif diagnosis.error is None:
        yield _examined(Examined("", "", findings=diagnosis.findings), diagnosis.findings)
        wrong = (account for account in diagnosis.accounts if account.verdict is not Verdict.OK)
        yield from (_examined(account, account.findings) for account in wrong)


def _examined(account: Examined, findings: tuple[Finding, ...]) -> Entry:
    problems = [*map(_line, having(findings, Verdict.PROBLEM))]
    unknown = _by_reason(having(findings, Verdict.UNKNOWN))
    lines = problems + [
        Line(f"{reason} ({_named(alike, everything=True)})", Rank.OPEN, "unknown")
        for reason, alike in unknown.items()
    ]
    title = account.full_name if account.name else "cluster"
    if problems:
        return Entry(title, "problem", Rank.FAILED, tuple(lines))
    if account.undecided:
        return Entry(title, "unknown", Rank.OPEN, tuple(lines))
    return Entry(title, "in order", Rank.GOOD, tuple(lines))


def _line(finding: Finding) -> Line:
    facts = tuple(f"{name or _label(finding)}: {value}" for name, value in _facts(finding))
    more = Document(f"{finding.cause.id}: evidence and fix", facts)
    text = f"{finding.cause.title.removesuffix('.')}: {finding.judgement.text}"
    return Line(text, Rank.FAILED, "problem", finding.cause.id, documents=(more,), level=Level.ERROR)


def explanation(cause: Cause) -> Iterator[str]:
    yield f"{cause.id}: {cause.title}"
    yield _row("symptom", cause.symptom)
    yield _row("checked", cause.looks_at)
    yield _row("remedy", cause.remedy)
    yield _row("source", cause.source)


def overview(causes: Iterable[Cause]) -> Iterator[str]:
    group = None
    for cause in causes:
        if cause.group is not group:
            group = cause.group
            yield f"{group.value}"
        yield f"  {cause.id:<26} {cause.title}"
