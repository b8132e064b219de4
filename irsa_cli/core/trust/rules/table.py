"""All rules: a maintained list, `rules.json`, and names for those that other modules refer to.

An example about trust policies is a list of statements; one without a field has that of `statement`.
In examples, `{issuer}` and the like stand for the texts in `values`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from irsa_cli.core.trust.rules.rule import Area, Rule, Severity, worst_first

_TABLE = json.loads((files(__package__) / "rules.json").read_text(encoding="utf-8"))
EXAMPLES: dict[str, str] = _TABLE["values"]


def _example(area: Area, example: Any) -> Any:
    if area is Area.TRUST:
        statements = [{**_TABLE["statement"], **statement} for statement in example]
        example = {"Version": "2012-10-17", "Statement": statements}
    text = json.dumps(example)
    for name, value in EXAMPLES.items():
        text = text.replace(f"{{{name}}}", value)
    return json.loads(text)


def _rules(area: Area) -> Iterator[Rule]:
    table = _TABLE[area.value]
    for row in table["rules"]:
        examples = {side: _example(area, row.get(side) or table[side]) for side in ("before", "after")}
        yield Rule(**{**row, **examples, "severity": Severity(row["severity"])}, area=area)


RULES: dict[str, Rule] = {rule.id: rule for area in Area for rule in worst_first(_rules(area))}
TRUST_RULES = tuple(rule for rule in RULES.values() if rule.area is Area.TRUST)

NAME_THEM = RULES["no-subject"].fix
"""The fix of rules about subjects."""
