"""JUnit XML and SARIF 2.1.0 around what a command has found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from irsa_cli import __version__
from irsa_cli.core.results.envelope import error_json
from irsa_cli.core.results.scope import Reading
from irsa_cli.core.values.shown import json_text, visible

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


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


def location(uri: str, name: str, region: Mapping[str, int] | None = None) -> dict[str, Any]:
    """The place of a result: code scanning shows only results with a file."""
    return {
        "physicalLocation": {"artifactLocation": {"uri": uri}, "region": region or {"startLine": 1}},
        "logicalLocations": [{"fullyQualifiedName": name, "kind": "resource"}],
    }


def sarif_text(
    full_name: str,
    rules: Iterable[dict[str, Any]],
    results: Iterable[dict[str, Any]],
    report: Reading,
    notes: Iterable[str],
    properties: dict[str, Any],
) -> str:
    """SARIF of one run (https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html)."""
    notifications = [{"level": "warning", "message": {"text": visible(text)}} for text in notes]
    driver = {"name": "irsa", "fullName": full_name, "version": __version__, "rules": list(rules)}
    invocation = {
        "executionSuccessful": report.error is None,
        "exitCode": int(report.exit_code),
        **({"toolExecutionNotifications": notifications} if notifications else {}),
        "properties": properties,
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [invocation],
        "results": list(results),
        **({"properties": {"error": error_json(report.error)}} if report.error is not None else {}),
    }
    return json_text({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}) + "\n"
