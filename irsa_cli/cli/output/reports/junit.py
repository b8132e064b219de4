"""JUnit XML around what a command has found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from irsa_cli.core.values.shown import visible


@dataclass(frozen=True)
class JunitCase:
    """A JUnit case. `element`: failure, error, skipped, or '' if it passed; `kind` is its type."""

    classname: str
    name: str
    element: str = ""
    message: str = ""
    text: str | None = None
    kind: str = ""


def add_suite(root: ElementTree.Element, name: str, cases: Sequence[JunitCase]) -> ElementTree.Element:
    suite = ElementTree.SubElement(root, "testsuite", name=name)
    for case in cases:
        element = ElementTree.SubElement(suite, "testcase", classname=case.classname, name=visible(case.name))
        if case.element:
            facts = {"message": visible(case.message), **({"type": case.kind} if case.kind else {})}
            found = ElementTree.SubElement(element, case.element, facts)
            found.text = case.text
    elements = [case.element for case in cases]
    suite.set("tests", str(len(cases)))
    for attribute, word in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(elements.count(word)))
    return suite


def xml_text(root: ElementTree.Element) -> str:
    """The document in ASCII: other characters are references."""
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="us-ascii").decode("ascii")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'
