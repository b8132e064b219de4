"""Find what IAM refuses in a permissions policy, with the place of each problem.

A valid policy must pass. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
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
        statement = ""
        if len(self.way) > 1:
            step = self.way[1]
            statement = f"statement {step + 1}" if isinstance(step, int) else step
        element = ".".join(map(str, self.way[2:]))
        return ": ".join(filter(None, (statement, element, self.text)))


def check_identity_policy(document: Document, source: str) -> Document:
    """Raise `InvalidInput` with everything that IAM would refuse in this permissions policy."""
    texts = [str(problem) for problem in problems(document)]
    if len(texts) == 1:
        raise InvalidInput(f"{source} is not a valid policy", reason=texts[0])
    if texts:
        raise InvalidInput(f"{source} is not a valid policy: {len(texts)} problems", details=texts)
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
        yield from (((*way, number), element) for number, element in enumerate(value))
    else:
        yield way, value


def _unknown(elements: Document, known: tuple[str, ...], way: Way) -> Iterator[Problem]:
    for name in elements:
        if name in _PRINCIPALS and known is _STATEMENT:
            text = f"a permissions policy has no {name} (irsa writes the trust policy)"
        elif _is_function(name):
            text = f"{name} is CloudFormation syntax, which irsa does not resolve"
        elif name not in known:
            text = f"unknown element '{name}'{_hint(name, known)}"
        else:
            continue
        yield Problem((*way, name), text, at_key=True)


def _is_function(name: str) -> bool:
    return name.startswith("Fn::") or name == "Ref"


def _hint(name: str, known: Collection[str]) -> str:
    hint = did_you_mean(name, known)
    return f": {hint}" if hint else ""


def _statement(statement: Document, way: Way) -> Iterator[Problem]:
    yield from _unknown(statement, _STATEMENT, way)
    sid = statement.get("Sid", "")
    if not isinstance(sid, str):
        yield Problem((*way, "Sid"), "Sid must be a string")
    elif not _SID.fullmatch(sid):
        yield Problem((*way, "Sid"), f"the Sid '{_short(sid)}' has other characters than A-Z, a-z and 0-9")
    if "Effect" not in statement:
        yield Problem(way, "Effect must be Allow or Deny")
    elif statement["Effect"] not in ("Allow", "Deny"):
        yield Problem((*way, "Effect"), f"Effect must be Allow or Deny, not '{statement['Effect']}'")
    for name, check in (("Action", _action), ("Resource", _resource)):
        negated = f"Not{name}"
        elements = [element for element in (name, negated) if element in statement]
        if not elements:
            yield Problem(way, f"a statement needs one of {name} and {negated}")
        elif len(elements) == 2:
            yield Problem(way, f"a statement needs one of {name} and {negated}, not both")
        for element in elements:
            yield from _texts(statement[element], (*way, element), element, check)
    if "Condition" in statement:
        yield from _condition(statement["Condition"], (*way, "Condition"))


def _texts(value: Any, way: Way, element: str, check: Callable[[str], str]) -> Iterator[Problem]:
    if value == []:
        yield Problem(way, f"{element} is an empty list")
    for place, text in _each(way, value):
        if isinstance(text, dict) and text and all(map(_is_function, text)):
            syntax = f"{min(text)} is CloudFormation syntax, which irsa does not resolve"
            yield Problem(place, f"{syntax}: write the ARN out")
        elif not isinstance(text, str) or not text:
            yield Problem(place, f"{element} must be a string or a list of strings")
        else:
            problem = check(text)
            if problem:
                yield Problem(place, problem)


def _short(text: str) -> str:
    """A text of somebody's file, for a message."""
    if len(text) <= 200:
        return text
    return f"{text[:200]}..."


def _unfilled(text: str) -> str:
    word = placeholder_in_policy(text)
    return f"'{word}' {UNFILLED}" if word else ""


def _action(text: str) -> str:
    if text == "*":
        return ""
    return _unfilled(text) or _not_an_action(text)


def _not_an_action(text: str) -> str:
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
    return _unfilled(text) or _not_an_arn(text)


def _not_an_arn(text: str) -> str:
    # A variable may have colons of its own, and stand for anything.
    components = _VARIABLE.sub("*", text).split(":", 5)
    if components[0] != "arn" or len(components) < 3:
        return f"the resource '{_short(text)}' is neither an ARN nor *"
    if not _PARTITION.fullmatch(components[1]):
        return f"the resource '{_short(text)}' is in no partition: expected aws, aws-cn, ... or *"
    if not components[2] or (len(components) < 6 and "" in components):
        expected = "arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE"
        return f"the resource '{_short(text)}' is not an ARN: expected {expected}"
    if len(components) < 6:
        return ""
    _, _, service, region, account, _ = components
    if not _ACCOUNT.fullmatch(account):
        return f"the resource '{_short(text)}' has the account '{_short(account)}': expected 12 digits or *"
    if service == "iam" and region.strip("*?"):
        return f"the resource '{_short(text)}' has a region, and IAM is in none"
    return ""


def _condition(block: Any, way: Way) -> Iterator[Problem]:
    if not isinstance(block, dict):
        yield Problem(way, "Condition must be an object")
        return
    for operator, keys in block.items():
        if operator_of(operator) is None:
            text = f"IAM has no condition operator '{operator}'{_hint(operator, COMPARISONS)}"
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
    for place, element in _each(way, value):
        if isinstance(element, (dict, list)) or element is None:
            yield Problem(place, f"the value of {key} must be a string or a list of strings")
            continue
        text = str(element)
        unfilled = _unfilled(text) if "$" in text else ""
        if unfilled:
            yield Problem(place, unfilled)
        elif "Date" in operator and not _DATE.fullmatch(_VARIABLE.sub("1", text)):
            yield Problem(place, f"'{_short(text)}' is not a date: expected YYYY-MM-DDThh:mm:ssZ, or seconds")
