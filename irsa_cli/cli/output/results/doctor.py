"""A diagnosis as text and as a report: problems with evidence and fix, unknowns, passed checks."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

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
    said = _by_reason(diagnosis.undecided)
    for account in diagnosis.accounts:
        yield from _summary(account, said)
    yield from (f"Note: {visible(note)}" for note in diagnosis.notes)
    wrong = next((item for item in diagnosis.accounts if item.problems), None)
    if wrong is not None and not having(diagnosis.findings, Verdict.PROBLEM):
        yield f"Begin with {wrong.full_name}: {wrong.problems[0].cause.title}"
        yield from (_row(*fact) for fact in _fix(wrong.problems[0]))
    yield diagnosis.scope.checked
    yield verdict_line(diagnosis)


def _head(account: Examined) -> str:
    """The ServiceAccount and its annotation, in quotes if that has anything odd."""
    if account.exists is None:
        said = "could not be read"
    elif not account.exists:
        said = "does not exist"
    elif account.role_arn is None:
        said = "has no role annotation"
    elif not account.role_arn:
        said = "the annotation is empty"
    else:
        plain = unspaced(account.role_arn) == account.role_arn
        said = account.role_arn if plain else shown(account.role_arn)
    return f"{account.full_name}: {said}"


def _findings(findings: Iterable[Finding], *, everything: bool) -> Iterator[str]:
    found = tuple(findings)
    for item in having(found, Verdict.PROBLEM):
        yield f"{_MARKS[Verdict.PROBLEM]} {item.cause.id}: {item.cause.title}"
        yield from (_row(*fact) for fact in (("why", item.judgement.text), *_facts(item)))
    untold = having(found, Verdict.UNKNOWN)
    # Unknowns that follow from a problem are no news.
    has_problems = bool(having(found, Verdict.PROBLEM)) and not everything
    waiting = tuple(item for item in untold if has_problems and item.judgement.follows)
    yield from _unknown(tuple(item for item in untold if item not in waiting), everything=everything)
    if waiting:
        checks = plural(len(waiting), "check")
        yield f"{_MARKS[Verdict.UNKNOWN]} {checks} not possible until that is fixed (-v shows them)"
    good = having(found, Verdict.OK)
    if everything:
        yield from (f"{_MARKS[Verdict.OK]} {item.cause.id}: {visible(item.judgement.text)}" for item in good)
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
    for number, text in enumerate(finding.judgement.fix.splitlines()):
        yield _label(finding) if number == 0 else "", text
    yield "remedy", finding.cause.remedy


def _label(finding: Finding) -> str:
    return finding.judgement.proposal.label if finding.judgement.proposal else ""


def _row(name: str, value: str) -> str:
    """Format a line of a problem; control characters in texts of others are shown as their code points."""
    return f"    {name:<{_WIDTH}}  {visible(value)}".rstrip()


def _unknown(findings: tuple[Finding, ...], *, everything: bool) -> Iterator[str]:
    for reason, items in _by_reason(findings).items():
        yield f"{_MARKS[Verdict.UNKNOWN]} unknown: {visible(reason)}"
        yield f"    {_named(items, everything=everything)}"
        evidence = dict.fromkeys(pair for item in items for pair in item.judgement.evidence)
        yield from (_row(name, value) for name, value in evidence)


def _by_reason(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for item in findings:
        found.setdefault(item.judgement.text, []).append(item)
    return found


def _named(findings: list[Finding], *, everything: bool = False) -> str:
    few = everything or len(findings) <= _FEW
    return ", ".join(item.cause.id for item in findings) if few else plural(len(findings), "check")


def _summary(account: Examined, said: Container[str]) -> Iterator[str]:
    """One of many ServiceAccounts: its problems, or why it is unknown; reasons in `said` are not repeated."""
    yield f"{_MARKS[account.verdict]} {account.full_name}"
    for item in account.problems:
        yield f"    {account.full_name}: {item.cause.id}: {item.cause.title}"
    undecided = () if account.problems else account.undecided
    for reason, items in _by_reason(undecided).items():
        why = "as above" if reason in said else visible(reason)
        yield f"    {account.full_name}: unknown: {why} ({_named(items)})"


def verdict_line(diagnosis: Diagnosis) -> str:
    count = len(diagnosis.problems)
    hidden = _hidden(diagnosis)
    if not count:
        if not hidden:
            only_cluster = diagnosis.account is None and not diagnosis.accounts
            more = " in the cluster itself; it has no ServiceAccount with a role" if only_cluster else ""
            return _hinted(diagnosis) or f"No problem was found{more}."
        said = f"No problem was found, but {hidden} (exit {diagnosis.exit_code})."
        return said + _look(diagnosis)
    first = diagnosis.problems[0].cause.id
    more = "" if count == 1 else f" Begin with {first}."
    found = f"{plural(count, 'problem')} found (exit {diagnosis.exit_code}).{more}"
    if not hidden or diagnosis.account is not None:
        return found
    return f"{found} {hidden[0].upper()}{hidden[1:]}."


def _hinted(diagnosis: Diagnosis) -> str:
    """Where to look if the application fails nevertheless; '' without hints."""
    if diagnosis.account is None:
        named = [item.full_name for item in diagnosis.accounts if any(map(_is_hint, item.findings))]
        return (
            f"No problem was found. There are hints for {listed(named)}: run irsa doctor NAME."
            if named
            else ""
        )
    found = [item for item in diagnosis.findings if _is_hint(item)]
    if not found:
        return ""
    first = found[0]
    more = ", ".join(item.cause.id for item in found[1:])
    also = f", then at {more}" if more else ""
    why = visible(first.judgement.text)
    where = f"{first.cause.id} first{also}"
    return f"No problem was found, but {why}. If the application fails, check {where}."


def _is_hint(finding: Finding) -> bool:
    return finding.verdict is Verdict.UNKNOWN and finding.judgement.hints


def _hidden(diagnosis: Diagnosis) -> str:
    """How much of the deciding checks irsa could not make; '' if none."""
    if diagnosis.is_complete:
        return ""
    if diagnosis.account is not None:
        undecided = diagnosis.account.undecided
        if {item.cause.id for item in undecided} == {NO_RUNNING_POD}:
            return f"{undecided[0].judgement.text}, so whether pods get the role was not seen"
        suspected = [item for item in undecided if item.judgement.decides]
        if suspected:
            return f"{visible(suspected[0].judgement.text)} ({suspected[0].cause.id})"
        return f"{plural(len(undecided), 'deciding check')} could not run"
    if not diagnosis.listed:
        return "the ServiceAccounts could not be listed"
    missed = sum(item.verdict is Verdict.UNKNOWN for item in diagnosis.accounts)
    if diagnosis.unread and not missed:
        return f"{diagnosis.unread[0]} is not known"
    if not diagnosis.accounts:
        return "the OIDC provider could not be read"
    return f"{missed} of {plural(len(diagnosis.accounts), 'ServiceAccount')} could not be checked"


def _look(diagnosis: Diagnosis) -> str:
    """The command that shows more if irsa saw no pod."""
    undecided = () if diagnosis.account is None else diagnosis.account.undecided
    commands = [
        value
        for item in undecided
        for name, value in item.judgement.evidence
        if item.cause.id == NO_RUNNING_POD and name == "to see"
    ]
    return f" To see more: {visible(commands[0])}" if commands else ""


def of_diagnosis(diagnosis: Diagnosis, *, everything: bool = False) -> Report:
    """The report of `doctor`: problems with evidence and fix, then unknowns."""
    verdict = verdict_line(diagnosis) if diagnosis.error is None else "nothing could be read"
    good = sum(item.verdict is Verdict.OK for item in diagnosis.accounts)
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
        yield from (_examined(it, it.findings) for it in diagnosis.accounts if it.verdict is not Verdict.OK)


def _examined(account: Examined, findings: tuple[Finding, ...]) -> Entry:
    unknown = _by_reason(having(findings, Verdict.UNKNOWN))
    lines = [
        *map(_line, having(findings, Verdict.PROBLEM)),
        *(
            Line(f"{reason} ({_named(items, everything=True)})", Rank.OPEN, "unknown")
            for reason, items in unknown.items()
        ),
    ]
    problems = any(line.rank is Rank.FAILED for line in lines)
    rank = Rank.FAILED if problems else Rank.OPEN if account.undecided else Rank.GOOD
    state = {Rank.FAILED: "problem", Rank.OPEN: "unknown"}.get(rank, "in order")
    return Entry(account.full_name if account.name else "cluster", state, rank, tuple(lines))


def _line(item: Finding) -> Line:
    facts = tuple(f"{name or _label(item)}: {value}" for name, value in _facts(item))
    more = Document(f"{item.cause.id}: evidence and fix", facts)
    text = f"{item.cause.title.removesuffix('.')}: {item.judgement.text}"
    return Line(text, Rank.FAILED, "problem", item.cause.id, documents=(more,), level=Level.ERROR)


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
