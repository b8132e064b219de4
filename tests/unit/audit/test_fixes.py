"""The fixes of an account's risks: one document for a role, and who loses access by it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from irsa_cli.core.audit.auditing import Audit
from irsa_cli.core.audit.estate import AuditedAccount, AuditedAssociation
from irsa_cli.core.audit.trusts import Fixes
from irsa_cli.core.trust.rules.rule import Risk
from tests.support.estates import PODS, SA, account, admits, arn_of, cluster, estate, issuer_of, role


def fixed(*statements: Any, **more: Any) -> list[Risk]:
    accounts = [account("app", "r"), account("web"), account("other")]
    audit = Audit(estate([role("r", *statements)], [cluster("c", *accounts, **more)]))
    return [item for item in Fixes(audit.trusts).of(audit.risks) if item.role == arn_of("r")]


def test_all_risks_of_a_role_get_the_same_document_without_all_of_them() -> None:
    found = fixed(
        admits("c", f"{SA}prod:app", audience=None),
        admits("c", f"{SA}prod:*", operator="StringLike"),
        admits("c", f"{SA}prod:gone"),
    )
    documents = [item.corrected for item in found if item.corrected is not None]
    assert {item.rule.id for item in found} >= {"no-audience", "every-name", "subject-gone"}
    assert len(documents) >= 3
    assert all(item == documents[0] for item in documents)
    assert documents[0] is not None
    again = Audit(estate([role("r", *documents[0]["Statement"])], [cluster("c", account("app", "r"))]))
    assert [item.rule.id for item in again.risks] == []


@pytest.mark.parametrize("accounts", [(), (account("app"),)], ids=["missing", "without annotation"])
def test_a_role_that_waits_for_git_keeps_its_subject(accounts: tuple[AuditedAccount, ...]) -> None:
    where = cluster("c", *accounts)
    tags = {"irsa/cluster": where.arn, "irsa/service-account": "prod/app", "irsa/commit": "done"}
    waiting = role("r", admits("c", f"{SA}prod:app", audience=None), tags=tags)
    audit = Audit(estate([waiting], [where]))
    found = {risk.rule.id: risk for risk in Fixes(audit.trusts).of(audit.risks)}
    risk = found["admitted-not-annotated" if accounts else "subject-gone"]
    assert risk.reason.endswith(": it waits for Git")
    assert risk.suggestion == (
        f"add to the annotations of prod/app in Git: eks.amazonaws.com/role-arn: {arn_of('r')}"
    )
    document = found["no-audience"].corrected
    assert document is not None
    assert f"{SA}prod:app" in str(document)
    # With irsa's mark, irsa wrote the annotation: Git has no part in it.
    undone = replace(where, accounts=(account("app", lost_role=arn_of("r")),))
    others = Audit(estate([waiting], [undone])).risks
    assert [risk.reason for risk in others if "Git" in risk.reason] == []


def test_who_loses_access_is_said() -> None:
    (risk,) = fixed(admits("c", f"{SA}prod:*", operator="StringLike"))
    assert risk.evidence[-1] == (
        "the corrected trust policy excludes prod/other of cluster c, prod/web of cluster c,"
        " as far as is known"
    )
    (risk,) = fixed(admits("c", f"{SA}prod:app", audience=None))
    assert "excludes nobody who can assume the role today" in risk.evidence[-1]


def test_a_trust_for_pod_identity_is_corrected_for_the_pods_of_its_associations() -> None:
    bare = {key: value for key, value in PODS.items() if key != "Condition"}
    mine = AuditedAssociation("prod", "app", "a-1", arn_of("r"))
    (risk,) = (item for item in fixed(bare, associations=(mine,)) if item.path)
    assert risk.corrected is not None
    (statement,) = risk.corrected["Statement"]
    assert statement["Condition"]["StringEquals"] == {
        "aws:RequestTag/kubernetes-namespace": "prod",
        "aws:RequestTag/kubernetes-service-account": "app",
    }
    assert "excludes nobody" in risk.evidence[-1]
    unknown = AuditedAssociation("prod", "web", "a-2")
    found = fixed(bare, associations=(mine, unknown))
    assert [item.corrected for item in found if item.path] == [None]


def test_what_a_person_has_to_decide_gets_no_document() -> None:
    found = fixed(admits("c", f"{SA}prod:default"), admits("c", f"{SA}prod:app", audience=None))
    documents = {item.rule.id: item.corrected for item in found}
    assert documents["default-service-account"] is None
    assert documents["no-audience"] is not None
    assert issuer_of("c") in str(documents["no-audience"])
