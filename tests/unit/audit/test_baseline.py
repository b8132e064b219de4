"""What a baseline hides: what is as it was, not what has got worse or wider; also one of irsa 0.1.0."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from irsa_cli.core.audit.auditing import Audit
from irsa_cli.core.audit.report import fingerprint, read_baseline, risk_json, select
from irsa_cli.core.trust.rules.rule import ORDER, Risk, Severity
from tests.support.estates import ADMIN, SA, account, admits, cluster, estate, role

TODAY = date(2026, 6, 1)


def risk_of(subject: str, **more: Any) -> Risk:
    found = role("r", admits("c", subject, operator="StringLike"), **more)
    audit = Audit(estate([found], [cluster("c", account("app", "r"))]))
    (risk,) = (
        item for item in audit.risks if item.rule.id not in ("administrator-role", "annotated-refused")
    )
    return risk


def baseline(*risks: Risk) -> str:
    return json.dumps({"kind": "RiskList", "items": [risk_json(item, {}) for item in risks]})


def old_baseline(risk: Risk, **more: Any) -> str:
    """As irsa 0.1.0 wrote it."""
    parts = (risk.rule.id, risk.role, risk.cluster, risk.account, risk.statement)
    mark = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    item = {**risk_json(risk, {}), "fingerprint": mark, **more}
    return json.dumps({"kind": "RiskList", "items": [item]})


def shown(risk: Risk, text: str) -> bool:
    return bool(select([risk], baseline=read_baseline(text, "b"), today=TODAY).shown)


BEFORE = risk_of(f"{SA}prod:a*")


def test_what_is_as_it_was_is_hidden() -> None:
    assert not shown(BEFORE, baseline(BEFORE))
    assert fingerprint(replace(BEFORE, reason="other words")) == fingerprint(BEFORE)


@pytest.mark.parametrize("write", [baseline, old_baseline])
def test_what_got_worse_is_shown_and_what_got_better_is_not(write: Any) -> None:
    worse = risk_of(f"{SA}prod:a*", attached=(ADMIN,))
    assert (BEFORE.severity, worse.severity) == (Severity.LOW, Severity.MEDIUM)
    assert shown(worse, write(BEFORE))
    assert not shown(BEFORE, write(worse))
    for place, level in enumerate(ORDER):
        for other, later in enumerate(ORDER):
            told = shown(replace(BEFORE, severity=later), write(replace(BEFORE, severity=level)))
            assert told is (other > place)


def test_a_wider_pattern_of_the_same_rule_is_shown() -> None:
    wider = risk_of(f"{SA}prod:*p*")
    assert wider.rule is BEFORE.rule
    assert shown(wider, baseline(BEFORE))
    assert shown(negative("x"), baseline(negative("x", "y")))


def negative(*names: str) -> Risk:
    """What admits all but these."""
    subjects = [f"{SA}prod:{name}" for name in names]
    found = role("r", admits("c", subjects, operator="StringNotLike"))
    (risk,) = Audit(estate([found], [cluster("c")])).risks
    assert risk.rule.id == "only-negative"
    return risk


def test_an_old_baseline_without_severities_counts_as_the_rules_own() -> None:
    text = old_baseline(BEFORE)
    document = json.loads(text)
    del document["items"][0]["severity"]
    bare = json.dumps(document)
    assert not shown(BEFORE, bare)
    assert shown(replace(BEFORE, severity=Severity.MEDIUM), bare)
