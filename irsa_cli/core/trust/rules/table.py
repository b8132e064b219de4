"""All rules by their ids: trust policies, bindings, drift; each of these the most severe first."""

from __future__ import annotations

from irsa_cli.core.trust.rules.binding_rules import BINDING_RULES
from irsa_cli.core.trust.rules.rule import ORDER, Area, Rule
from irsa_cli.core.trust.rules.trust_rules import TRUST_RULES

_AREAS = tuple(Area)

RULES: dict[str, Rule] = {
    rule.id: rule
    for rule in sorted(
        (*TRUST_RULES, *BINDING_RULES),
        key=lambda rule: (_AREAS.index(rule.area), -ORDER.index(rule.severity)),
    )
}
