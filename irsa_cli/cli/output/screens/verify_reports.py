"""A verification in the forms that pipelines read: JUnit XML and SARIF.

What the steps are called for people is `irsa_cli.cli.output.screens.verify`'s business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from xml.etree import ElementTree

from irsa_cli import __version__
from irsa_cli.core.results.envelope import error_json
from irsa_cli.core.results.verification import (
    DECIDING,
    StepStatus,
    Verification,
    VerificationOutcome,
    VerificationReport,
    unseen,
)
from irsa_cli.core.values.shown import json_text, visible

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_RULES = {
    "token": "The cluster gives the ServiceAccount a token.",
    "claims": "The token's claims and signature are those that STS has to see.",
    "provider": "IAM has the issuer as an OIDC provider that accepts the audience.",
    "trust": "A statement of the role's trust policy admits the token.",
    "exchange": "STS gives the role's credentials for the token.",
    "identity": "AWS knows the credentials as the role's.",
    "chain": "The credentials become the further roles of the chain.",
    "completeness": "The run that makes the role, or deletes it, is over.",
    "pods": "No EKS Pod Identity association gives pods another role.",
    "permission": "The role may do what was asked for.",
    "run": "The verification could be begun.",
}


def junit(report: VerificationReport) -> str:
    """JUnit XML: a suite for each ServiceAccount, a case for each step and permission.

    A step without which there is no verdict is an error when it could not be tried, and not skipped: readers
    take a suite with nothing but skipped cases for a good one. The form has no schema of its own; elements
    and attributes are those that CI systems read: https://github.com/testmoapp/junitxml
    Characters that XML can't have are written as their code points, as on a terminal:
    https://www.w3.org/TR/xml/#charsets
    """
    root = ElementTree.Element("testsuites", name="irsa verify")
    for item in report.items:
        _suite(root, item.full_name, report.cluster_name, list(_cases(item)))
        root[-1].set("time", f"{item.seconds:.3f}")
        if told := list(_told(item)):
            ElementTree.SubElement(root[-1], "system-out").text = "\n".join(map(visible, told))
    if report.error is not None:
        name = report.asked[1] or report.cluster_name or "irsa verify"
        _suite(root, name, report.cluster_name or "irsa", [("run", "error", str(report.error))])
    ElementTree.indent(root)
    # In ASCII, whatever encoding the stream has: other characters are references.
    text = ElementTree.tostring(root, encoding="us-ascii").decode("ascii")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _told(item: Verification) -> Iterator[str]:
    """What is proven and what was not looked at, with what is worth knowing beside."""
    if item.proved:
        yield item.proved
        yield unseen(item.look)
    yield from item.notes


_ELEMENTS = {StepStatus.OK: "", StepStatus.FAILED: "failure", StepStatus.NOT_CHECKED: "skipped"}


def _cases(item: Verification) -> Iterator[tuple[str, str, str]]:
    """Name, what became of it as the element that says so ('': passed), and what is told of it."""
    # Where nothing is wrong: what keeps the verdict from being given.
    deciding = (
        {**_ELEMENTS, StepStatus.NOT_CHECKED: "error"}
        if item.outcome is VerificationOutcome.UNDETERMINED
        else _ELEMENTS
    )
    if item.error is not None:
        yield (
            "run",
            "error" if item.outcome is VerificationOutcome.UNDETERMINED else "failure",
            str(item.error),
        )
    for step in item.steps:
        open_ones = [c.text for c in step.checks if c.status is step.status and c.status is not StepStatus.OK]
        elements = deciding if step.name in DECIDING else _ELEMENTS
        yield step.name.value, elements[step.status], "; ".join(open_ones)
    for permission in item.permissions:
        name = f"{permission.kind}: {permission.what} {permission.resource}".strip()
        yield name, deciding[permission.status], permission.text


def _suite(root: ElementTree.Element, name: str, cluster: str, cases: Sequence[tuple[str, str, str]]) -> None:
    suite = ElementTree.SubElement(root, "testsuite", name=name)
    for what, element, text in cases:
        case = ElementTree.SubElement(suite, "testcase", classname=f"{cluster}.{name}", name=visible(what))
        if element:
            found = ElementTree.SubElement(case, element, message=visible(text))
            found.text = visible(text) if element == "failure" else None
    elements = [element for _, element, _ in cases]
    suite.set("tests", str(len(cases)))
    for attribute, element in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(elements.count(element)))


def sarif(report: VerificationReport) -> str:
    """SARIF 2.1.0: a result for everything that is wrong (`error`) or stays open (`warning`).

    https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
    """
    cluster = report.cluster_name
    results = [result for item in report.items for result in _results(item, cluster)]
    if report.error is not None:
        place = "/".join(name for name in (cluster, report.asked[1]) if name)
        results.append(_result("run", "error", str(report.error), place))
    driver = {
        "name": "irsa",
        "version": __version__,
        "rules": [{"id": key, "shortDescription": {"text": text}} for key, text in _RULES.items()],
    }
    invocation: dict[str, Any] = {
        "executionSuccessful": report.error is None,
        "exitCode": int(report.exit_code),
    }
    # What is no result: that something is proven, and how much.
    if told := [line for item in report.items for line in _told(item)]:
        invocation["toolExecutionNotifications"] = [
            {"level": "note", "message": {"text": text}} for text in dict.fromkeys(told)
        ]
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "invocations": [invocation],
        "results": results,
    }
    if report.error is not None:
        run["properties"] = {"error": error_json(report.error)}
    return json_text({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}) + "\n"


def _results(item: Verification, cluster: str) -> Iterator[dict[str, Any]]:
    place = f"{cluster}/{item.full_name}"
    if item.outcome is VerificationOutcome.VERIFIED:
        return
    levels = {StepStatus.FAILED: "error", StepStatus.NOT_CHECKED: "warning"}
    if item.error is not None:
        yield _result("run", "error", f"{item.full_name}: {item.error}", place)
    for step in item.steps:
        for check in step.checks:
            if check.status in levels and (check.needed or check.status is StepStatus.FAILED):
                yield _result(step.name.value, levels[check.status], f"{item.full_name}: {check.text}", place)
    for permission in item.permissions:
        if permission.status in levels:
            text = f"{item.full_name}: {permission.what}: {permission.text}"
            yield _result("permission", levels[permission.status], text, place)


def _result(rule: str, level: str, text: str, place: str) -> dict[str, Any]:
    # Code scanning shows only what is at a place in some file; there is none, so the object's name has to do.
    # https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
    file = {"artifactLocation": {"uri": f"serviceaccounts/{place}"}, "region": {"startLine": 1}}
    location = {
        "physicalLocation": file,
        "logicalLocations": [{"fullyQualifiedName": place, "kind": "resource"}],
    }
    return {
        "ruleId": rule,
        "ruleIndex": list(_RULES).index(rule),
        "level": level,
        "message": {"text": text},
        "locations": [location],
    }
