"""The large planted account: each risk is found once, and nothing on what tools make."""

from __future__ import annotations

from irsa_cli.core.audit.auditing import Audit
from irsa_cli.core.trust.rules.rule import RULES, Area
from tests.support.estates import BESIDE, ONLY_IN_FILES, planted
from tests.support.large_account import EKS_CLUSTERS, large_account, tight, variants

ESTATE = large_account()
AUDIT = Audit(ESTATE)
PLANTED = [*planted(), *variants()]


def test_it_is_large() -> None:
    assert sum(len(item.breaks) for item in PLANTED) >= 40
    assert len(ESTATE.roles) >= 1000
    assert {role.arn.split(":")[4] for role in ESTATE.roles} == ESTATE.accounts
    assert len(ESTATE.accounts) == 2
    assert {cluster.name for cluster in ESTATE.clusters} == {*EKS_CLUSTERS}


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


def test_who_has_the_tight_ones_is_known() -> None:
    for where, role, account in tight(100):
        if account is not None:
            (way,) = AUDIT.reach.ways[role.arn]
            assert (way.cluster, way.accounts) == (where, frozenset((account.full_name,)))
