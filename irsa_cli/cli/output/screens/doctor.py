"""A diagnosis as text: what is wrong with its evidence and its fix, what can't be told, what is in order."""

from __future__ import annotations

import sys
from collections.abc import Container, Iterable, Iterator

from irsa_cli.cli.terminal.screen import hanging
from irsa_cli.core.doctor.causes.uncreated import NO_RUNNING_POD
from irsa_cli.core.doctor.diagnosis import Diagnosis, Examined, having
from irsa_cli.core.doctor.finding import Cause, Finding, Verdict
from irsa_cli.core.doctor.subjects import listed
from irsa_cli.core.values.shown import shown, unspaced, visible

_MARKS = {Verdict.OK: "✓", Verdict.PROBLEM: "✗", Verdict.UNKNOWN: "?"}
_WIDTH = 11
_FEW = 6
"""Causes that are named where the same keeps them from being judged; of more only the number is told."""


def lines(diagnosis: Diagnosis, *, everything: bool) -> Iterator[str]:
    """The diagnosis line by line; with `everything` also each check that found nothing."""
    if diagnosis.cluster is None:
        return
    if diagnosis.account is not None:
        yield _head(diagnosis.account)
    yield from _findings(diagnosis.findings, everything=everything)
    said = _by_reason(diagnosis.undecided)
    for account in diagnosis.accounts:
        yield from _summary(account, said)
    yield from (f"Note: {visible(note)}" for note in diagnosis.notes)
    yield from _first_fix(diagnosis)
    yield diagnosis.scope.checked
    yield verdict_line(diagnosis)


def _head(account: Examined) -> str:
    """The ServiceAccount and its annotation, in quotes where that holds anything odd."""
    if account.exists is None:
        said = "could not be read"
    elif not account.exists:
        said = "does not exist"
    elif account.role_arn is None:
        said = "names no role"
    elif not account.role_arn:
        said = "the annotation is empty"
    else:
        plain = unspaced(account.role_arn) == account.role_arn
        said = account.role_arn if plain else shown(account.role_arn)
    return f"{account.full_name}: {said}"


def _findings(findings: Iterable[Finding], *, everything: bool) -> Iterator[str]:
    found = tuple(findings)
    for item in having(found, Verdict.PROBLEM):
        yield from _problem(item)
    untold = having(found, Verdict.UNKNOWN)
    waiting = _waiting(found) if not everything else ()
    yield from _unknown(tuple(item for item in untold if item not in waiting), everything=everything)
    if waiting:
        yield f"{_MARKS[Verdict.UNKNOWN]} {_checks(waiting)} wait for that to be fixed (-v shows them)"
    good = having(found, Verdict.OK)
    if everything:
        yield from (f"{_MARKS[Verdict.OK]} {item.cause.id}: {visible(item.judgement.text)}" for item in good)
    elif good:
        yield f"{_MARKS[Verdict.OK]} {len(good)} checks found nothing (-v shows them)"


def _waiting(found: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """What can't be told for lack of what is wrong: it is no news beside that."""
    if not having(found, Verdict.PROBLEM):
        return ()
    return tuple(item for item in having(found, Verdict.UNKNOWN) if item.judgement.follows)


def _problem(finding: Finding) -> Iterator[str]:
    cause, judgement = finding.cause, finding.judgement
    yield f"{_MARKS[Verdict.PROBLEM]} {cause.id}: {cause.title}"
    yield from _prose("why", judgement.text)
    for name, value in judgement.evidence:
        yield _row(name, value)
    yield from _prose("checked", cause.looks_at)
    yield from _fix(finding)
    yield _row("source", cause.source)


def _fix(finding: Finding) -> Iterator[str]:
    judgement = finding.judgement
    label = judgement.proposal.label if judgement.proposal else ""
    for number, text in enumerate(judgement.fix.splitlines()):
        yield _row(label if number == 0 else "", text)
    yield from _prose("remedy", finding.cause.remedy)


def _row(name: str, value: str) -> str:
    """A line of a problem. What others wrote must not steer the terminal, or look like a line of its own."""
    return f"    {name:<{_WIDTH}} {visible(value)}".rstrip()


def _prose(name: str, value: str) -> list[str]:
    """A row whose text is nothing to be copied: on a terminal its words are in lines below each other."""
    return hanging(f"    {name:<{_WIDTH}} ", visible(value), sys.stdout)


def _unknown(findings: tuple[Finding, ...], *, everything: bool) -> Iterator[str]:
    """What can't be told, the causes of one reason together."""
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
    return ", ".join(item.cause.id for item in findings) if few else f"{len(findings)} checks"


def _summary(account: Examined, said: Container[str]) -> Iterator[str]:
    """One of many ServiceAccounts: what is wrong with it, or why that can't be told, on one line each.

    Reasons that the cluster's findings have `said` are not said again.
    """
    yield f"{_MARKS[account.verdict]} {account.full_name}"
    for item in account.problems:
        yield f"    {account.full_name}: {item.cause.id}: {visible(item.judgement.text)}"
    undecided = () if account.problems else account.undecided
    for reason, items in _by_reason(undecided).items():
        why = "as above" if reason in said else visible(reason)
        yield f"    {account.full_name}: unknown: {why} ({_named(items)})"


def _first_fix(diagnosis: Diagnosis) -> Iterator[str]:
    """How the first problem of many ServiceAccounts is put right; the cluster's own have theirs above."""
    wrong = next((item for item in diagnosis.accounts if item.problems), None)
    if wrong is None or having(diagnosis.findings, Verdict.PROBLEM):
        return
    first = wrong.problems[0]
    yield f"Begin with {wrong.full_name}: {first.cause.title}"
    yield from _fix(first)


def verdict_line(diagnosis: Diagnosis) -> str:
    """What is to be said of all of it, in one sentence."""
    count, hidden = len(diagnosis.problems), _hidden(diagnosis)
    if not count:
        if not hidden:
            return _hinted(diagnosis) or f"Nothing wrong was found{_without_roles(diagnosis)}."
        said = f"Nothing wrong was found in what could be checked; {hidden} (exit {diagnosis.exit_code})."
        return said + _look(diagnosis)
    first = diagnosis.problems[0].cause.id
    more = "" if count == 1 else f" Begin with {first}."
    found = f"{count} problem{'s' if count != 1 else ''} found (exit {diagnosis.exit_code}).{more}"
    return f"{found} Beside, {hidden}." if hidden and diagnosis.account is None else found


def _without_roles(diagnosis: Diagnosis) -> str:
    """What is said where only the cluster could be checked."""
    only_cluster = diagnosis.account is None and not diagnosis.accounts
    return " in the cluster itself; no ServiceAccount with a role is there to check" if only_cluster else ""


def _hinted(diagnosis: Diagnosis) -> str:
    """Where to look if the application fails all the same; '' where nothing hints at anything."""
    if diagnosis.account is None:
        named = [item.full_name for item in diagnosis.accounts if any(map(_is_hint, item.findings))]
        return f"No problem was found. There are hints of {listed(named)}: name one to see." if named else ""
    found = [item for item in diagnosis.findings if _is_hint(item)]
    if not found:
        return ""
    first, more = found[0], ", ".join(item.cause.id for item in found[1:])
    also = f", then at {more}" if more else ""
    why, where = visible(first.judgement.text), f"{first.cause.id} first{also}"
    return f"No problem was found, but {why}. If the application fails, look at {where}."


def _is_hint(finding: Finding) -> bool:
    return finding.verdict is Verdict.UNKNOWN and finding.judgement.hints


def _hidden(diagnosis: Diagnosis) -> str:
    """How much of what decides could not be looked at; '' when all of it could."""
    if diagnosis.is_complete:
        return ""
    if diagnosis.account is not None:
        undecided = diagnosis.account.undecided
        if {item.cause.id for item in undecided} == {NO_RUNNING_POD}:
            return f"{undecided[0].judgement.text}, so whether pods get the role was not seen"
        suspected = [item for item in undecided if item.judgement.decides]
        if suspected:
            return f"{visible(suspected[0].judgement.text)} ({suspected[0].cause.id})"
        return f"of what decides, {_checks(undecided)} could not be made"
    if not diagnosis.listed:
        return "the ServiceAccounts could not be listed"
    missed = sum(item.verdict is Verdict.UNKNOWN for item in diagnosis.accounts)
    if diagnosis.unread and not missed:
        return f"{diagnosis.unread[0]} is not known"
    if not diagnosis.accounts:
        return "the OIDC provider could not be read"
    return f"{missed} of {len(diagnosis.accounts)} ServiceAccounts could not be judged"


def _look(diagnosis: Diagnosis) -> str:
    """What shows more where no pod was seen."""
    undecided = () if diagnosis.account is None else diagnosis.account.undecided
    commands = [
        value
        for item in undecided
        for name, value in item.judgement.evidence
        if item.cause.id == NO_RUNNING_POD and name == "to see"
    ]
    return f" To see more: {visible(commands[0])}" if commands else ""


def _checks(findings: tuple[Finding, ...]) -> str:
    return f"{len(findings)} check{'s' if len(findings) != 1 else ''}"


def explanation(cause: Cause) -> Iterator[str]:
    """One cause, as `--explain` shows it."""
    yield f"{cause.id}: {cause.title}"
    yield from _prose("symptom", cause.symptom)
    yield from _prose("checked", cause.looks_at)
    yield from _prose("remedy", cause.remedy)
    yield _row("source", cause.source)


def overview(causes: Iterable[Cause]) -> Iterator[str]:
    """All causes, one a line, by group."""
    group = None
    for cause in causes:
        if cause.group is not group:
            group = cause.group
            yield f"{group.value}"
        yield f"  {cause.id:<26} {cause.title}"
