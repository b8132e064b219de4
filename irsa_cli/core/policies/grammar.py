"""Find what IAM refuses in a permissions policy, with the place of each problem.

A valid policy must pass. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from irsa_cli.core.policies.operators import COMPARISONS, operator_of
from irsa_cli.core.policies.policy import Document
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.names import did_you_mean
from irsa_cli.core.values.placeholders import UNFILLED, placeholder_in_policy

Way = tuple[str | int, ...]
"""The keys and numbers that lead to a part of a document."""

VERSIONS = ("2012-10-17", "2008-10-17")
_TOP = ("Version", "Id", "Statement")
_STATEMENT = ("Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition")
_PRINCIPALS = ("Principal", "NotPrincipal")
_SID = re.compile(r"[A-Za-z0-9]*")
_VENDOR = re.compile(r"\*|[A-Za-z0-9.-]+")
_VARIABLE = re.compile(r"\$\{[^{}]*\}")
_PARTITION = re.compile(r"[a-z*?-]+")
# Some ARNs have a word for the account: aws, amazon, cloudfront.
_ACCOUNT = re.compile(r"[0-9a-z*?$-]*")
_DATE = re.compile(r"-?\d+(-\d+(-\d+)?)?([tT][\d:.+zZ-]*)?")


@dataclass(frozen=True)
class Problem:
    """A problem and its place: the value, or with `at_key` its key."""

    way: Way
    text: str
    at_key: bool = False

    def __str__(self) -> str:
        """The problem where no file tells its place."""
        steps = [f"statement {step + 1}" if isinstance(step, int) else step for step in self.way[1:2]]
        rest = ".".join(str(step) for step in self.way[2:])
        return ": ".join(filter(None, (*steps, rest, self.text)))


def check_identity_policy(document: Document, source: str) -> Document:
    """Raise `InvalidInput` with everything that IAM would refuse in this permissions policy."""
    found = [str(problem) for problem in problems(document)]
    if len(found) == 1:
        raise InvalidInput(f"{source} is not a valid policy", reason=found[0])
    if found:
        raise InvalidInput(f"{source} is not a valid policy: {len(found)} problems", details=found)
    return document


def problems(document: Document) -> Iterator[Problem]:
    """Everything that IAM would refuse in this permissions policy."""
    yield from _unknown(document, _TOP, ())
    version = document.get("Version", VERSIONS[0])
    if version not in VERSIONS:
        yield Problem(("Version",), f"Version is '{version}', expected {' or '.join(VERSIONS)}")
    if not isinstance(document.get("Id", ""), str):
        yield Problem(("Id",), "Id must be a string")
    if "Statement" not in document:
        yield Problem((), "it has no Statement")
        return
    statements = document["Statement"]
    if not isinstance(statements, (dict, list)) or not statements:
        yield Problem(("Statement",), "it has no Statement: expected an object, or a list of objects")
        return
    sids: set[str] = set()
    for way, statement in _each(("Statement",), statements):
        if not isinstance(statement, dict):
            yield Problem(way, "a statement is an object")
            continue
        yield from _statement(statement, way)
        sid = statement.get("Sid")
        if isinstance(sid, str) and sid:
            if sid in sids:
                yield Problem((*way, "Sid"), f"the Sid {sid} is given twice: each may stand once in a policy")
            sids.add(sid)


def _each(way: Way, value: Any) -> Iterator[tuple[Way, Any]]:
    """The elements of a list, or the one that stands without its brackets."""
    if isinstance(value, list):
        yield from (((*way, number), item) for number, item in enumerate(value))
    else:
        yield way, value


def _unknown(found: Document, known: tuple[str, ...], way: Way) -> Iterator[Problem]:
    for name in found:
        if name in _PRINCIPALS and known is _STATEMENT:
            text = f"a permissions policy has no {name} (irsa writes the trust policy)"
            yield Problem((*way, name), text, at_key=True)
        elif name.startswith("Fn::") or name == "Ref":
            yield Problem(
                (*way, name), f"{name} is CloudFormation syntax, which irsa does not resolve", at_key=True
            )
        elif name not in known:
            hint = did_you_mean(name, known)
            yield Problem((*way, name), f"unknown element '{name}'{hint and ': ' + hint}", at_key=True)


def _statement(statement: Document, way: Way) -> Iterator[Problem]:
    yield from _unknown(statement, _STATEMENT, way)
    sid = statement.get("Sid", "")
    if not isinstance(sid, str):
        yield Problem((*way, "Sid"), "Sid must be a string")
    elif not _SID.fullmatch(sid):
        yield Problem((*way, "Sid"), f"the Sid '{_short(sid)}' has other characters than A-Z, a-z and 0-9")
    if statement.get("Effect") not in ("Allow", "Deny"):
        there = f", not '{statement['Effect']}'" if "Effect" in statement else ""
        yield Problem(
            (*way, "Effect") if "Effect" in statement else way, f"Effect must be Allow or Deny{there}"
        )
    for name, check in (("Action", _action), ("Resource", _resource)):
        other = f"Not{name}"
        if (name in statement) == (other in statement):
            yield Problem(
                way, f"a statement needs one of {name} and {other}{', not both' * (name in statement)}"
            )
        for element in (name, other):
            if element in statement:
                yield from _texts(statement[element], (*way, element), element, check)
    if "Condition" in statement:
        yield from _condition(statement["Condition"], (*way, "Condition"))


def _texts(value: Any, way: Way, element: str, check: Any) -> Iterator[Problem]:
    if value == []:
        yield Problem(way, f"{element} is an empty list")
    for place, item in _each(way, value):
        if isinstance(item, dict) and item and all(key.startswith("Fn::") or key == "Ref" for key in item):
            yield Problem(
                place, f"{min(item)} is CloudFormation syntax, which irsa does not resolve: write the ARN out"
            )
        elif not isinstance(item, str) or not item:
            yield Problem(place, f"{element} must be a string or a list of strings")
        elif text := check(item):
            yield Problem(place, text)


def _short(text: str) -> str:
    """A text of somebody's file, for a message."""
    return text if len(text) <= 200 else f"{text[:200]}..."


def _action(text: str) -> str:
    if text == "*":
        return ""
    if found := placeholder_in_policy(text):
        return f"'{found}' {UNFILLED}"
    vendor, colon, name = text.partition(":")
    if not colon:
        return f"the action '{_short(text)}' names no service: expected SERVICE:ACTION, like s3:GetObject"
    if ":" in name:
        return f"the action '{_short(text)}' has two colons: expected SERVICE:ACTION"
    if not _VENDOR.fullmatch(vendor):
        return f"'{_short(text)}' is not an action: expected SERVICE:ACTION, like s3:GetObject"
    return ""


def _resource(text: str) -> str:
    if not text.strip("*"):
        return ""
    if found := placeholder_in_policy(text):
        return f"'{found}' {UNFILLED}"
    # A variable may have colons of its own, and stand for anything.
    parts = _VARIABLE.sub("*", text).split(":", 5)
    if parts[0] != "arn" or len(parts) < 3:
        return f"the resource '{_short(text)}' is neither an ARN nor *"
    if not _PARTITION.fullmatch(parts[1]):
        return f"the resource '{_short(text)}' is in no partition: expected aws, aws-cn, ... or *"
    if not parts[2] or (len(parts) < 6 and "" in parts):
        expected = "arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE"
        return f"the resource '{_short(text)}' is not an ARN: expected {expected}"
    if len(parts) == 6 and not _ACCOUNT.fullmatch(parts[4]):
        return f"the resource '{_short(text)}' has the account '{_short(parts[4])}': expected 12 digits or *"
    if len(parts) == 6 and parts[2] == "iam" and parts[3].strip("*?"):
        return f"the resource '{_short(text)}' has a region, and IAM is in none"
    return ""


def _condition(block: Any, way: Way) -> Iterator[Problem]:
    if not isinstance(block, dict):
        yield Problem(way, "Condition must be an object")
        return
    for operator, keys in block.items():
        if operator_of(operator) is None:
            hint = did_you_mean(operator, COMPARISONS)
            text = f"IAM has no condition operator '{operator}'{hint and ': ' + hint}"
            yield Problem((*way, operator), text, at_key=True)
        if not isinstance(keys, dict):
            yield Problem((*way, operator), f"{operator} must be an object of condition keys and values")
            continue
        for key, value in keys.items():
            yield from _condition_key(operator, key, value, (*way, operator, key))


def _condition_key(operator: str, key: str, value: Any, way: Way) -> Iterator[Problem]:
    if ":" not in key:
        text = f"the condition key '{key}' names no service: expected SERVICE:KEY, like aws:SourceIp"
        yield Problem(way, text, at_key=True)
    for place, item in _each(way, value):
        if isinstance(item, (dict, list)) or item is None:
            yield Problem(place, f"the value of {key} must be a string or a list of strings")
        elif found := placeholder_in_policy(str(item)) if isinstance(item, str) and "$" in item else "":
            yield Problem(place, f"'{found}' {UNFILLED}")
        elif "Date" in operator and not _DATE.fullmatch(_VARIABLE.sub("1", str(item))):
            yield Problem(
                place, f"'{_short(str(item))}' is not a date: expected YYYY-MM-DDThh:mm:ssZ, or seconds"
            )
