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

NO_CONDITION = RULES["no-condition"]
NO_SUBJECT = RULES["no-subject"]
ONLY_NEGATIVE = RULES["only-negative"]
EVERY_SUBJECT = RULES["every-subject"]
EVERY_NAMESPACE = RULES["every-namespace"]
CROSSES_COLON = RULES["pattern-crosses-colon"]
NAMESPACE_PATTERN = RULES["namespace-pattern"]
EVERY_NAME = RULES["every-name"]
NAME_PATTERN = RULES["name-pattern"]
NO_AUDIENCE = RULES["no-audience"]
EXTRA_AUDIENCE = RULES["extra-audience"]
FOR_ALL_VALUES = RULES["for-all-values"]
OTHER_ISSUERS_KEY = RULES["wrong-issuer-key"]
LOOSE_STATEMENT = RULES["loose-beside-tight"]
ALL_ACTIONS = RULES["all-sts-actions"]
DEFAULT_ACCOUNT = RULES["default-service-account"]
SEVERAL_STAGES = RULES["several-stages"]
PROVIDER_GONE = RULES["provider-gone"]
ISSUER_CAN_BE_HAD = RULES["issuer-can-be-had"]
OTHER_SERVICES = RULES["other-services"]
POD_IDENTITY_OPEN = RULES["pod-identity-no-condition"]
ADMITTED_NOT_ANNOTATED = RULES["admitted-not-annotated"]
ANNOTATED_REFUSED = RULES["annotated-refused"]
ASSOCIATION_REFUSED = RULES["association-refused"]
BROAD_GROUP = RULES["everybody-may-become"]
POWERFUL_ACCOUNT = RULES["powerful-service-account"]
ROLE_GONE = RULES["role-gone"]
SUBJECT_GONE = RULES["subject-gone"]
NO_ROLE_NAMED = RULES["annotation-no-role"]
SHADOWED = RULES["shadowed-by-pod-identity"]
ESCALATION = RULES["can-become-administrator"]
DEAD_ISSUER = RULES["dead-issuer"]
CHANGED = RULES["changed-since-irsa"]
UNUSED = RULES["unused-role"]
NAME_THEM = NO_SUBJECT.fix
"""The fix of rules about subjects."""
