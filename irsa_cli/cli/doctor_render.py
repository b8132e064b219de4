"""A diagnosis as text: what is wrong with its evidence and its fix, what can't be told, what is in order."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from irsa_cli.core.causes.finding import Cause, Finding, Verdict
from irsa_cli.core.diagnosis import Diagnosis, Examined, having

_MARKS = {Verdict.OK: "✓", Verdict.PROBLEM: "✗", Verdict.UNKNOWN: "?"}
_PLAIN = {Verdict.OK: "=", Verdict.PROBLEM: "x", Verdict.UNKNOWN: "?"}
_WIDTH = 11
_FEW = 6
"""Causes that are named where the same keeps them from being judged; of more only the number is told."""


def _mark(verdict: Verdict) -> str:
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    return (_MARKS if encoding.startswith("utf") else _PLAIN)[verdict]


def lines(diagnosis: Diagnosis, *, everything: bool) -> Iterator[str]:
    """The diagnosis line by line; with `everything` also each check that found nothing."""
    if diagnosis.cluster is None:
        return
    if diagnosis.account is not None:
        yield _head(diagnosis.account)
    yield from _findings(diagnosis.findings, everything=everything)
    for account in diagnosis.accounts:
        yield from _summary(account)
    yield from (f"Note: {note}" for note in diagnosis.notes)
    yield _verdict(diagnosis)


def _head(account: Examined) -> str:
    return f"{account.full_name}: {account.role_arn or 'names no role'}"


def _findings(findings: Iterable[Finding], *, everything: bool) -> Iterator[str]:
    found = tuple(findings)
    for item in having(found, Verdict.PROBLEM):
        yield from _problem(item)
    yield from _unknown(having(found, Verdict.UNKNOWN), everything=everything)
    good = having(found, Verdict.OK)
    if everything:
        yield from (f"{_mark(Verdict.OK)} {item.cause.id}: {item.judgement.text}" for item in good)
    elif good:
        yield f"{_mark(Verdict.OK)} {len(good)} checks found nothing (-v shows them)"


def _problem(finding: Finding) -> Iterator[str]:
    cause, judgement = finding.cause, finding.judgement
    yield f"{_mark(Verdict.PROBLEM)} {cause.id}: {cause.title}"
    yield _row("why", judgement.text)
    for name, value in judgement.evidence:
        yield _row(name, value)
    yield _row("looked at", cause.looks_at)
    commands = judgement.fix.splitlines()
    yield from (_row("to fix" if number == 0 else "", text) for number, text in enumerate(commands))
    yield _row("source", cause.source)


def _row(name: str, value: str) -> str:
    return f"    {name:<{_WIDTH}} {value}".rstrip()


def _unknown(findings: tuple[Finding, ...], *, everything: bool) -> Iterator[str]:
    """What can't be told, the causes of one reason together."""
    by_reason: dict[str, list[Finding]] = {}
    for item in findings:
        by_reason.setdefault(item.judgement.text, []).append(item)
    for reason, items in by_reason.items():
        yield f"{_mark(Verdict.UNKNOWN)} can't tell: {reason}"
        few = everything or len(items) <= _FEW
        yield f"    {', '.join(item.cause.id for item in items) if few else f'{len(items)} checks'}"
        evidence = dict.fromkeys(pair for item in items for pair in item.judgement.evidence)
        yield from (_row(name, value) for name, value in evidence)


def _summary(account: Examined) -> Iterator[str]:
    """One of many ServiceAccounts: what is wrong with it on one line each."""
    problems = account.problems
    yield f"{_mark(Verdict.PROBLEM if problems else Verdict.OK)} {account.full_name}"
    for item in problems:
        yield f"    {item.cause.id}: {item.judgement.text}"


def _verdict(diagnosis: Diagnosis) -> str:
    count = len(diagnosis.problems)
    if not count:
        return "Nothing wrong was found."
    first = diagnosis.problems[0].cause.id
    more = "" if count == 1 else f" Begin with {first}."
    return f"{count} problem{'s' if count != 1 else ''} found (exit {diagnosis.exit_code}).{more}"


def explanation(cause: Cause) -> Iterator[str]:
    """One cause, as `--explain` shows it."""
    yield f"{cause.id}: {cause.title}"
    yield _row("symptom", cause.symptom)
    yield _row("looked at", cause.looks_at)
    yield _row("remedy", cause.remedy)
    yield _row("source", cause.source)


def overview(causes: Iterable[Cause]) -> Iterator[str]:
    """All causes, one a line, by group."""
    group = None
    for cause in causes:
        if cause.group is not group:
            group = cause.group
            yield f"{group.value}"
        yield f"  {cause.id:<26} {cause.title}"
