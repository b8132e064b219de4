"""A verification on standard output: text, JSON, YAML; the forms for pipelines are in `verify_reports`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from irsa_cli.cli.output.screens import verify_reports
from irsa_cli.cli.output.text import show_document
from irsa_cli.cli.terminal.screen import hanging, is_unicode
from irsa_cli.cli.terminal.wording import say
from irsa_cli.core.results.verification import (
    Name,
    Permission,
    StepStatus,
    Verification,
    VerificationOutcome,
    VerificationReport,
    VerificationStep,
    unseen,
)
from irsa_cli.core.values.shown import visible

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
_PLAIN = {StepStatus.OK: "=", StepStatus.FAILED: "x", StepStatus.NOT_CHECKED: "?"}
_AS_STATUS = {
    VerificationOutcome.VERIFIED: StepStatus.OK,
    VerificationOutcome.FAILED: StepStatus.FAILED,
    VerificationOutcome.UNDETERMINED: StepStatus.NOT_CHECKED,
}
_WIDTH = 14


def show(report: VerificationReport, output: str) -> None:
    """Print the report in the form that was asked for."""
    if output in ("junit", "sarif"):
        click.echo(getattr(verify_reports, output)(report), nl=False)
    elif output == "text":
        for line in _many(report) if report.many else _one(report):
            say(line)
    else:
        show_document(report.envelope(), output)


def _mark(status: StepStatus) -> str:
    return (_MARKS if is_unicode(sys.stdout) else _PLAIN)[status]


def _one(report: VerificationReport) -> Iterator[str]:
    for item in report.items:
        yield f"{item.full_name}: {item.role_arn}"
        for step in item.steps:
            yield from _step(step)
        if item.permissions:
            yield "  Permissions"
            yield from map(_permission, item.permissions)
        yield from (f"  Note: {note}" for note in item.notes)
        yield from (visible(f"  Warning: {risk.told}") for risk in item.warnings)
        yield _verdict(item)


def _step(step: VerificationStep) -> Iterator[str]:
    yield from _row(f"  {_mark(step.status)} {TITLES[step.name]:<{_WIDTH + 2}} ", step.sent)
    for check in step.checks:
        yield from _row(f"      {_mark(check.status)} {check.what:<{_WIDTH}} ", check.text)
    yield from (f"      > {line}" for line in step.advice)


def _row(head: str, text: str) -> list[str]:
    return hanging(head, visible(text), sys.stdout)


def _permission(item: Permission) -> str:
    where = f" on {item.resource}" if item.resource not in ("", "*") else ""
    return f"      {_mark(item.status)} {item.what}{where}: {item.text}"


def _verdict(item: Verification) -> str:
    took = f"({item.seconds:.1f} s)"
    if item.outcome is VerificationOutcome.VERIFIED:
        proved = f"Verified: {item.proved} {took}."
        return f"{proved} {_sentence(unseen(item.look))}"
    if item.outcome is VerificationOutcome.FAILED:
        return f"Failed: {item.problem} {took}"
    return f"Undetermined: nothing is wrong as far as it could be checked; {item.problem} {took}"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _many(report: VerificationReport) -> Iterator[str]:
    if report.error is not None:
        return
    width = max((len(item.full_name) for item in report.items), default=0)
    for item in report.items:
        tail = item.role_arn if item.outcome is VerificationOutcome.VERIFIED else item.problem
        mark = _mark(_AS_STATUS[item.outcome])
        yield from _row(f"  {mark} {item.full_name:<{width}}  {item.outcome.value:<12}  ", tail)
        yield from (f"      Note: {note}" for note in item.notes)
        yield from (visible(f"      Warning: {risk.told}") for risk in item.warnings)
    counts = ", ".join(f"{report.count(outcome)} {outcome.value}" for outcome in VerificationOutcome)
    total = len(report.items)
    plural = "" if total == 1 else "s"
    yield f"{total} ServiceAccount{plural} with a role: {counts} ({report.seconds:.1f} s)."
    if report.count(VerificationOutcome.VERIFIED):
        yield f"Verified: a token is exchanged for the role. {_sentence(unseen(report.look))}"
