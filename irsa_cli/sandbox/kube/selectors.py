"""labelSelector: which objects of a list are answered.

`key>1` and `key<1` are not served.
https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#api
"""

import re
from collections.abc import Callable, Mapping

from irsa_cli.sandbox.kube import status
from irsa_cli.sandbox.kube.objects import names

Labels = Mapping[str, str]
Test = Callable[[Labels], bool]

_KEY = r"\s*(?P<key>[-./\w]+)\s*"
_EQUAL = re.compile(rf"{_KEY}(?P<operator>!=|==?)\s*(?P<value>[-.\w]*)\s*")
_AMONG = re.compile(rf"{_KEY}(?<=\s)(?P<operator>in|notin)\s*\((?P<values>[-.,\s\w]*)\)\s*")
_THERE = re.compile(rf"\s*(?P<operator>!?){_KEY}")
_COMMA = re.compile(r",(?![^(]*\))")
"""Between requirements; not one between values in brackets."""


def label_test(selector: str) -> Test:
    """What tells whether labels fit; 400 for what is no selector."""
    tests = [_requirement(term, selector) for term in _COMMA.split(selector)] if selector.strip() else []
    return lambda labels: all(test(labels) for test in tests)


def _requirement(term: str, selector: str) -> Test:
    if found := _EQUAL.fullmatch(term):
        wanted = {found["value"]}
    elif found := _AMONG.fullmatch(term):
        wanted = {value.strip() for value in found["values"].split(",")}
    elif found := _THERE.fullmatch(term):
        wanted = set()
    else:
        raise status.bad_request(f"unable to parse requirement: '{term}' of '{selector}'")
    key, operator = found["key"], found["operator"]
    for problem in names.key_problems(key):
        raise status.bad_request(f'unable to parse requirement: <nil>: Invalid value: "{key}": {problem}')
    if operator in ("", "!"):
        return lambda labels: (key in labels) is (operator == "")
    if operator in ("!=", "notin"):
        return lambda labels: labels.get(key) not in wanted
    return lambda labels: labels.get(key) in wanted
