"""A verification in the forms that pipelines read: JUnit XML and SARIF.

What the steps are called for people is `irsa_cli.cli.verify_render`'s business.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from irsa_cli import __version__
from irsa_cli.cli.wording import visible
from irsa_cli.core.result import error_json
from irsa_cli.core.verification import Outcome, Report, Status, Verification

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_RULES = {
    "token": "The cluster gives the ServiceAccount a token.",
    "claims": "The token's claims and signature are those that STS has to see.",
    "provider": "IAM has the issuer as an OIDC provider that accepts the audience.",
    "trust": "A statement of the role's trust policy admits the token.",
    "exchange": "STS gives the role's credentials for the token.",
    "identity": "AWS knows the credentials as the role's.",
    "chain": "The credentials become the further roles of the chain.",
    "permission": "The role may do what was asked for.",
    "run": "The verification could be begun.",
}


def junit(report: Report) -> str:
    """JUnit XML: a suite for each ServiceAccount, a case for each step and permission.

    The form has no schema of its own; elements and attributes are those that CI systems read:
    https://github.com/testmoapp/junitxml
    Characters that XML can't have are written as their code points, as on a terminal:
    https://www.w3.org/TR/xml/#charsets
    """
    root = ElementTree.Element("testsuites", name="irsa verify")
    for item in report.items:
        suite = ElementTree.SubElement(root, "testsuite", name=item.full_name)
        cases = list(_cases(item))
        for name, status, text in cases:
            _case(
                suite, f"{report.cluster.name if report.cluster else ''}.{item.full_name}", name, status, text
            )
        _count(suite, [status for _, status, _ in cases])
        suite.set("time", f"{item.seconds:.3f}")
    if report.error is not None:
        suite = ElementTree.SubElement(root, "testsuite", name="irsa verify")
        case = ElementTree.SubElement(suite, "testcase", classname="irsa", name="run")
        ElementTree.SubElement(case, "error", message=visible(str(report.error)))
        _count(suite, [])
        suite.set("tests", "1")
        suite.set("errors", "1")
    ElementTree.indent(root)
    # In ASCII, whatever encoding the stream has: other characters are references.
    text = ElementTree.tostring(root, encoding="us-ascii").decode("ascii")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _cases(item: Verification) -> Iterator[tuple[str, Status, str]]:
    if item.error is not None:
        yield "run", Status.FAILED, str(item.error)
    for step in item.steps:
        open_ones = [c.text for c in step.checks if c.status is step.status and c.status is not Status.OK]
        yield step.name.value, step.status, "; ".join(open_ones)
    for permission in item.permissions:
        yield (
            f"{permission.kind}: {permission.what} {permission.resource}".strip(),
            permission.status,
            permission.text,
        )


def _case(suite: ElementTree.Element, place: str, name: str, status: Status, text: str) -> None:
    text = visible(text)
    case = ElementTree.SubElement(suite, "testcase", classname=place, name=visible(name))
    if status is Status.FAILED:
        ElementTree.SubElement(case, "failure", message=text).text = text
    elif status is Status.NOT_CHECKED:
        ElementTree.SubElement(case, "skipped", message=text)


def _count(suite: ElementTree.Element, statuses: list[Status]) -> None:
    suite.set("tests", str(len(statuses)))
    suite.set("failures", str(statuses.count(Status.FAILED)))
    suite.set("errors", "0")
    suite.set("skipped", str(statuses.count(Status.NOT_CHECKED)))


def sarif(report: Report) -> str:
    """SARIF 2.1.0: a result for everything that is wrong (`error`) or stays open (`warning`).

    https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
    """
    cluster = report.cluster.name if report.cluster else ""
    results = [result for item in report.items for result in _results(item, cluster)]
    if report.error is not None:
        results.append(_result("run", "error", str(report.error), cluster))
    driver = {
        "name": "irsa",
        "version": __version__,
        "rules": [{"id": key, "shortDescription": {"text": text}} for key, text in _RULES.items()],
    }
    failed = report.error is not None
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": not failed, "exitCode": int(report.exit_code)}],
        "results": results,
    }
    if report.error is not None:
        run["properties"] = {"error": error_json(report.error)}
    return json.dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _results(item: Verification, cluster: str) -> Iterator[dict[str, Any]]:
    place = f"{cluster}/{item.full_name}"
    if item.outcome is Outcome.VERIFIED:
        return
    levels = {Status.FAILED: "error", Status.NOT_CHECKED: "warning"}
    if item.error is not None:
        yield _result("run", "error", f"{item.full_name}: {item.error}", place)
    for step in item.steps:
        for check in step.checks:
            if check.status in levels and (check.needed or check.status is Status.FAILED):
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
