"""Checks as JUnit XML, with the elements that CI systems read: https://github.com/testmoapp/junitxml."""

from __future__ import annotations

from xml.etree import ElementTree

from irsa_cli.cli.output.report import Report, Suite
from irsa_cli.core.values.shown import visible


def as_junit(report: Report, _most: int | None = None) -> str:
    """The document in ASCII: other characters are references."""
    root = ElementTree.Element("testsuites", name=report.title)
    for suite in report.suites:
        _add(root, suite, report.title)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="us-ascii").decode("ascii")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _add(root: ElementTree.Element, suite: Suite, title: str) -> None:
    added = ElementTree.SubElement(root, "testsuite", name=suite.name or title)
    cases = list(suite.cases)
    for case in cases:
        element = ElementTree.SubElement(added, "testcase", classname=case.classname, name=visible(case.name))
        if case.element:
            facts = {"message": visible(case.message), **({"type": case.kind} if case.kind else {})}
            ElementTree.SubElement(element, case.element, facts).text = case.text
    elements = [case.element for case in cases]
    added.set("tests", str(len(cases)))
    for attribute, word in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        added.set(attribute, str(elements.count(word)))
    if suite.seconds is not None:
        added.set("time", f"{suite.seconds:.3f}")
    if suite.lines:
        ElementTree.SubElement(added, "system-out").text = "\n".join(map(visible, suite.lines))
