"""A severity is what follows, times who can bring it about: of each rule, and in the case of a risk."""

from __future__ import annotations

import pytest

from irsa_cli.core.trust.rules.rule import ORDER, RULES, Consequence, Exposure, Severity, reaches_of, risk

BY_HAND = {
    "high": (
        "administrator-role can-become-administrator every-namespace every-subject everybody"
        " everybody-may-become no-condition no-subject only-negative pattern-crosses-colon wrong-issuer-key"
    ),
    "medium": (
        "admitted-not-annotated annotated-refused annotation-misplaced annotation-no-role"
        " annotation-placeholder association-refused changed-since-irsa default-service-account every-name"
        " literal-wildcard"
        " for-all-values issuer-can-be-had loose-beside-tight namespace-pattern other-services"
        " powerful-service-account role-gone service-account-missing several-stages subject-gone"
    ),
    "low": (
        "all-sts-actions dead-issuer extra-audience name-pattern no-audience node-role-fallback"
        " pod-identity-no-condition provider-gone provider-without-cluster shadowed-by-pod-identity"
        " unused-role"
    ),
    "note": "reads-all-data",
}
"""What a reviewer said of each rule, if no more is known than that it is broken."""


def test_each_rule_has_the_severity_that_a_reviewer_gave() -> None:
    derived = {name: rule.severity.value for name, rule in RULES.items()}
    assert derived == {name: level for level, names in BY_HAND.items() for name in names.split()}


def test_broken_credentials_follow_from_the_rules_that_break_them() -> None:
    """No rule about broken credentials is a matter of who can reach a role, and no other one is an outage."""
    for rule in RULES.values():
        assert rule.broken is (rule.consequence is Consequence.FAILURE)
    outage = reaches_of(Consequence.OUTAGE)[Exposure.OWNERS]
    failure = reaches_of(Consequence.FAILURE)[Exposure.OWNERS]
    assert ORDER.index(outage) > ORDER.index(failure)


@pytest.mark.parametrize("consequence", Consequence)
def test_whoever_needs_less_makes_it_no_better(consequence: Consequence) -> None:
    severities = reaches_of(consequence)
    levels = [ORDER.index(severities[reach]) for reach in Exposure if reach in severities]
    assert levels == sorted(levels, reverse=True)


def test_more_that_follows_makes_it_no_better() -> None:
    ranked = (Consequence.ACCOUNT, Consequence.ROLE, Consequence.DATA)
    for reach in Exposure:
        known = [reaches_of(consequence) for consequence in ranked if reach in reaches_of(consequence)]
        levels = [ORDER.index(severities[reach]) for severities in known]
        assert levels == sorted(levels, reverse=True)


def test_a_powerful_role_is_the_account() -> None:
    """One step higher is the line of the table for the account, wherever both have a cell."""
    for reach, severity in reaches_of(Consequence.ROLE).items():
        grown = ORDER[ORDER.index(severity) + 1]
        assert grown is reaches_of(Consequence.ACCOUNT)[reach]


def test_a_condition_lowers_a_severity_and_never_below_a_note() -> None:
    levels = {}
    for rule in RULES.values():
        broken = risk(rule, "statement 1", "is so")
        assert broken.less_sure(()) is broken
        levels[rule.severity] = broken.less_sure(("the caller's address",)).severity
    assert levels == {
        Severity.HIGH: Severity.MEDIUM,
        Severity.MEDIUM: Severity.LOW,
        Severity.LOW: Severity.NOTE,
        Severity.NOTE: Severity.NOTE,
    }
