"""What a baseline hides: what is as it was, not what has got worse or wider; also one of irsa 0.1.0."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from irsa_cli.core.audit.auditing import Audit
from irsa_cli.core.audit.report import read_baseline, risk_json, select
from irsa_cli.core.config.project import AuditIgnore
from irsa_cli.core.trust.rules.fingerprint import fingerprint
from irsa_cli.core.trust.rules.rule import ORDER, Risk, Severity
from tests.support.estates import ADMIN, READ_ALL, SA, account, admits, cluster, estate, role

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


def outage(pods: int = 0) -> Risk:
    """A ServiceAccount that its role does not trust, with so many running pods."""
    refusing = role("r", admits("c", f"{SA}prod:other"))
    account_of = cluster("c", account("app", "r"), account("other", "r"), pods={"prod/app": pods})
    (risk,) = (each for each in Audit(estate([refusing], [account_of])).risks if each.rule.broken)
    return risk


def as_before(risk: Risk) -> Risk:
    """The risk as irsa 0.1 judged it: low, whether pods run or not."""
    return replace(risk, severity=Severity.LOW, pattern="")


@pytest.mark.parametrize("write", [baseline, old_baseline])
@pytest.mark.parametrize("pods", [0, 3])
def test_an_outage_that_an_old_baseline_has_stays_hidden(write: Any, pods: int) -> None:
    """Judged otherwise is not got worse."""
    assert not shown(outage(pods), write(as_before(outage(pods))))


def test_an_outage_that_was_accepted_without_pods_is_shown_when_pods_run() -> None:
    assert (outage().severity, outage(3).severity) == (Severity.MEDIUM, Severity.HIGH)
    assert shown(outage(3), baseline(outage()))
    assert not shown(outage(), baseline(outage(3)))
    assert not shown(outage(3), baseline(outage(3)))


def test_an_outage_of_one_cluster_hides_none_of_another() -> None:
    elsewhere = replace(outage(3), cluster="d", role="arn:aws:iam::111122223333:role/other")
    assert shown(elsewhere, baseline(outage(3)))
    assert risk_json(outage(3), {})["subjectFingerprint"] is None


def of_addon(cluster_name: str, **more: Any) -> Risk:
    """What an add-on has in a cluster, by a role that is called after the cluster."""
    addon = role(f"{cluster_name}-addon", admits(cluster_name, f"{SA}kube-system:addon"), **more)
    where = cluster(cluster_name, account("addon", addon.name, "kube-system"))
    (risk,) = Audit(estate([addon], [where])).risks
    return risk


READS = {"attached": (READ_ALL,)}


def test_the_same_of_an_add_on_is_accepted_in_each_cluster() -> None:
    first, second = of_addon("one", **READS), of_addon("two", **READS)
    assert fingerprint(first) != fingerprint(second)
    assert not shown(second, baseline(first))
    selection = select([second], baseline=read_baseline(baseline(first), "b"), today=TODAY)
    assert (selection.known, selection.elsewhere) == (1, (second,))
    assert "kube-system/addon" in " ".join(selection.notes)
    # What is in the baseline as it is needs no note.
    own = select([first], baseline=read_baseline(baseline(first), "b"), today=TODAY)
    assert (own.known, own.elsewhere, own.notes) == (1, (), ())


@pytest.mark.parametrize(
    "more",
    [
        {"attached": (ADMIN,)},
        {"attached": (READ_ALL,), "last_used": None},
        {"inline": {"p": {"Statement": {"Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*"}}}},
    ],
    ids=["administrator", "more severe", "other data"],
)
def test_more_than_an_add_on_has_elsewhere_is_shown(more: Any) -> None:
    text = baseline(of_addon("one", **READS))
    addon = role("two-addon", admits("two", f"{SA}kube-system:addon"), **more)
    audit = Audit(estate([addon], [cluster("two", account("addon", addon.name, "kube-system"))]))
    selection = select(audit.risks, baseline=read_baseline(text, "b"), today=TODAY)
    assert {"administrator-role", "reads-all-data"} & {risk.rule.id for risk in selection.shown}


def test_another_service_account_is_another_subject() -> None:
    other = replace(of_addon("two", **READS), subject="kube-system/other")
    assert shown(other, baseline(of_addon("one", **READS)))


def test_an_old_baseline_says_nothing_about_other_clusters() -> None:
    document = json.loads(baseline(of_addon("one", **READS)))
    for risk in document["items"]:
        del risk["subjectFingerprint"], risk["subject"]
    assert shown(of_addon("two", **READS), json.dumps(document))
    assert not shown(of_addon("one", **READS), json.dumps(document))


def test_an_acceptance_by_service_account_is_about_its_roles() -> None:
    until = TODAY.replace(month=12)
    mine = AuditIgnore("reads-all-data", "it reads secrets", until, account="kube-system/*")
    other = replace(mine, account="prod/*")
    risk = of_addon("one", **READS)
    assert mine.matches(risk)
    assert not other.matches(risk)
    # Each ServiceAccount has to be meant.
    assert not mine.matches(replace(risk, subject="kube-system/addon, prod/app"))
