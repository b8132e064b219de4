"""An audit of a planted account: its order, its evidence, and what it is about.

That each risk is found, and nothing else, is tried in a large account: `test_audit_large.py`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from irsa_cli.core.audit.auditing import Audit, AuditScope
from irsa_cli.core.audit.estate import AuditedAccount
from irsa_cli.core.values.errors import Unreadable
from tests.support import estates
from tests.support.estates import account_with_risks, arn_of

ESTATE = account_with_risks()
AUDIT = Audit(ESTATE)


def test_the_worst_comes_first() -> None:
    order = [risk.severity.value for risk in AUDIT.risks]
    assert order == sorted(order, key=["critical", "high", "medium", "low", "note"].index)
    assert AUDIT.risks[0].role == arn_of("w3")
    assert "AdministratorAccess" in AUDIT.risks[0].reason


def test_who_gets_the_role_is_evidence() -> None:
    (risk,) = [item for item in AUDIT.risks if item.role == arn_of("w9")]
    assert risk.evidence == ("the pattern is 'system:serviceaccount:prod:a*'",)
    (wide,) = [item for item in AUDIT.risks if item.role == arn_of("w8")]
    assert "statement 1 allows prod/by-association, prod/default, prod/lost and" in "\n".join(wide.evidence)


def test_one_role_and_one_service_account() -> None:
    one = Audit(ESTATE, AuditScope(role=arn_of("w8")))
    assert [item.rule.id for item in one.risks] == ["every-name"]
    mine = Audit(ESTATE, AuditScope(account="prod/silent"))
    counts = Counter(item.rule.id for item in mine.risks)
    assert counts["admitted-not-annotated"] == 1
    assert counts["no-condition"] == 2
    assert counts["name-pattern"] == 0


def test_what_was_not_read_is_not_called_fine() -> None:
    first, *rest = ESTATE.clusters
    blind = replace(first, accounts=Unreadable("no"), associations=Unreadable("why"), pods=Unreadable("not"))
    audit = Audit(replace(ESTATE, clusters=(blind, *rest), providers=None))
    found = {item.rule.id for item in audit.risks if item.role != arn_of("w27")}
    assert not found & {"subject-gone", "role-gone", "annotated-refused", "provider-gone", "dead-issuer"}
    assert "no-subject" in found
    assert len(audit.unread) == 4
    assert all("not read" in line for line in audit.unread)


def test_a_role_of_an_account_that_was_not_read_is_not_gone() -> None:
    other = AuditedAccount("prod", "app", "arn:aws:iam::999999999999:role/x")
    found = Audit(estates.estate((), [estates.cluster("shop-prod", other)]))
    assert found.risks == ()


def test_a_document_that_is_larger_than_iam_takes_costs_nothing() -> None:
    large = estates.role(
        "large", estates.admits("shop-prod", [f"{estates.SA}a*{number}" for number in range(100_000)])
    )
    found = Audit(estates.estate([large], [estates.cluster("shop-prod", estates.account("app"))]))
    assert found.risks == ()
    why = "is larger than IAM allows, so it was not checked"
    assert found.unread == (f"the trust policy of {large.arn} {why}",)
