"""The large planted account: each risk is found once, and nothing on what tools make."""

from __future__ import annotations

from irsa_cli.core.audit.auditing import Audit
from irsa_cli.core.trust.rules.rule import RULES, Area
from tests.support.estates import BESIDE, ONLY_IN_FILES, planted
from tests.support.large_account import large_account, tight, variants

ESTATE = large_account()
AUDIT = Audit(ESTATE)
PLANTED = [*planted(), *variants()]


def test_every_rule_about_trust_policies_is_planted() -> None:
    known = {rule for item in PLANTED for rule, _ in item.breaks}
    assert {rule.id for rule in RULES.values() if rule.area is Area.TRUST} <= known
    assert set(RULES) - known == {*BESIDE, *ONLY_IN_FILES}


def test_each_planted_risk_is_found_once() -> None:
    found: dict[str, list[tuple[str, str]]] = {}
    for risk in AUDIT.risks:
        found.setdefault(risk.role, []).append((risk.rule.id, risk.severity.value))
    for item in PLANTED:
        assert sorted(found.get(item.role.arn, [])) == sorted(item.breaks), item.role.name


def test_nothing_is_found_on_what_tools_make() -> None:
    made = {role.arn for _, role, _ in tight(1000)}
    assert len(made) == 1000
    assert [(risk.role, risk.sentence) for risk in AUDIT.risks if risk.role in made] == []
    roles = {item.role.arn for item in PLANTED}
    rest = [risk.rule.id for risk in AUDIT.risks if risk.role not in roles]
    assert sorted(rest) == sorted(BESIDE)
    assert AUDIT.unread == ()
