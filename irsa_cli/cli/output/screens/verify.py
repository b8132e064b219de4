"""A verification as text, JSON, YAML and JUnit XML."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

import click

from irsa_cli.cli.output.reports.junit_sarif import JunitCase, add_suite, xml_text
from irsa_cli.cli.output.text import show_document, warnings
from irsa_cli.cli.terminal.wording import say
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
_AS_STATUS = {
    VerificationOutcome.VERIFIED: StepStatus.OK,
    VerificationOutcome.FAILED: StepStatus.FAILED,
    VerificationOutcome.UNDETERMINED: StepStatus.NOT_CHECKED,
}
_WIDTH = 13


def show(report: VerificationReport, output: str) -> None:
    if output == "junit":
        click.echo(junit(report), nl=False)
    elif output == "text":
        for line in _many(report) if report.many else _one(report):
            say(line)
    else:
        show_document(report.envelope(), output)


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
        mark = _MARKS[_AS_STATUS[item.outcome]]
        yield f"  {mark} {item.full_name:<{width}}  {item.outcome.value:<12}  {tail}"
        yield from (f"      Note: {note}" for note in item.notes)
        yield from warnings(item.warnings, "      ")
    counts = ", ".join(f"{report.count(outcome)} {outcome.value}" for outcome in VerificationOutcome)
    total = plural(len(report.items), "ServiceAccount with a role")
    yield f"{total}: {counts} ({report.seconds:.1f} s)."
    yield from filter(None, (report.scope.nothing,))
    if report.count(VerificationOutcome.VERIFIED):
        yield f"Verified: a token is exchanged for the role. {_sentence(unchecked(report.look))}"


def junit(report: VerificationReport) -> str:
    """JUnit XML: a suite for each ServiceAccount, a case for each step and permission.

    A deciding step that could not run is an error: readers take a suite of skipped cases for a good one.
    Elements are those that CI systems read: https://github.com/testmoapp/junitxml
    """
    root = ElementTree.Element("testsuites", name="irsa verify")
    for item in report.items:
        suite = add_suite(root, item.full_name, list(_cases(item, f"{report.cluster_name}.{item.full_name}")))
        suite.set("time", f"{item.seconds:.3f}")
        if summary := list(_summary_lines(item)):
            ElementTree.SubElement(suite, "system-out").text = "\n".join(map(visible, summary))
    if problem := str(report.error or report.scope.nothing):
        name = report.asked[1] or report.cluster_name or "irsa verify"
        classname = f"{report.cluster_name or 'irsa'}.{name}"
        add_suite(root, name, [JunitCase(classname, "run", "error", problem)])
    return xml_text(root)


def _summary_lines(item: Verification) -> Iterator[str]:
    """Proofs, parts that were not checked, and notes."""
    if item.proved:
        yield item.proved
        yield unchecked(item.look)
    yield from item.notes


_ELEMENTS = {StepStatus.OK: "", StepStatus.FAILED: "failure", StepStatus.NOT_CHECKED: "skipped"}


def _cases(item: Verification, classname: str) -> Iterator[JunitCase]:
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


def _case(classname: str, name: str, element: str, text: str) -> JunitCase:
    return JunitCase(classname, name, element, text, visible(text) if element == "failure" else None)
