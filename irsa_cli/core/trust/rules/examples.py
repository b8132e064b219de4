"""The examples of rules: one that breaks the rule (`before`), and one that does not (`after`).

An example about trust policies is a list of statements; one without a field has that of `statement`.
In examples, `{issuer}` and the like stand for the texts in `values`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from irsa_cli.core.trust.rules.rule import Area, Rule

_TABLE = json.loads((files(__package__) / "rules.json").read_text(encoding="utf-8"))
EXAMPLES: dict[str, str] = _TABLE["values"]


def before(rule: Rule) -> Mapping[str, Any]:
    return _example(rule, "before")


def after(rule: Rule) -> Mapping[str, Any]:
    return _example(rule, "after")


def _example(rule: Rule, side: str) -> Mapping[str, Any]:
    table = _TABLE[rule.area.value]
    row = next(row for row in table["rules"] if row["id"] == rule.id)
    example = row.get(side) or table[side]
    if rule.area is Area.TRUST:
        statements = [{**_TABLE["statement"], **statement} for statement in example]
        example = {"Version": "2012-10-17", "Statement": statements}
    text = json.dumps(example)
    for name, value in EXAMPLES.items():
        text = text.replace(f"{{{name}}}", value)
    found: dict[str, Any] = json.loads(text)
    return found
