"""Everybody in a cluster who may become ServiceAccounts with roles: the rule everybody-may-become."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from irsa_cli.core.audit.auditing import Audit, AuditScope
from irsa_cli.core.audit.estate import Estate
from irsa_cli.core.rbac.objects import RBAC_GROUP, rbac_objects
from irsa_cli.core.trust.rules.rule import Risk
from irsa_cli.core.values.errors import Unreadable
from tests.support.documents import Json
from tests.support.estates import ADMIN, SA, account, admits, arn_of, cluster, estate, role

ACCOUNTS = (
    account("a", "ra"),
    account("b", "rb"),
    account("c", "rc", "dev"),
    account("plain"),
)
ROLES = (
    role("ra", admits("one", f"{SA}prod:a")),
    role("rb", admits("one", f"{SA}prod:b"), attached=(ADMIN,)),
    role("rc", admits("one", f"{SA}dev:c")),
)


def broad(
    text: str, place: str = "prod", subject: str = "system:authenticated", more: str = "{}", **lists: Any
) -> Estate:
    """The account, with a binding of a rule (`verb,verb resource`) to a group, here or everywhere."""
    verbs, _, resource = text.partition(" ")
    rule = {"verbs": verbs.split(","), "apiGroups": [""], "resources": [resource], **json.loads(more)}
    binding = {
        "metadata": {"name": "all", **({"namespace": place} if place else {})},
        "roleRef": {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": "r"},
        "subjects": [{"kind": "Group", "name": subject}],
    }
    whole: Json = {"Role": [], "RoleBinding": [], "ClusterRoleBinding": []}
    whole["ClusterRole"] = [{"metadata": {"name": "r"}, "rules": [rule] if text else []}]
    whole["RoleBinding" if place else "ClusterRoleBinding"] = [binding]
    return estate(ROLES, [cluster("one", *ACCOUNTS, rbac=rbac_objects({**whole, **lists}))])


def risks(found: Estate, scope: AuditScope | None = None) -> list[Risk]:
    audit = Audit(found, scope or AuditScope())
    return [item for item in audit.risks if item.rule.id == "everybody-may-become"]


@pytest.mark.parametrize(
    ("scope", "accounts", "severity"),
    [
        ({}, "dev/c, prod/a, prod/b", "critical"),
        ({"account": "prod/a"}, "prod/a", "high"),
        ({"role": arn_of("rb")}, "prod/b", "critical"),
    ],
)
def test_it_is_about_what_is_asked(scope: Json, accounts: str, severity: str) -> None:
    found = broad("create pods", "")
    (item,) = risks(found, AuditScope(**scope))
    assert (f"as {accounts} (" in item.reason, item.severity.value) == (True, severity)
    assert risks(found, AuditScope(account="prod/plain")) == []


def test_it_says_whom_they_become() -> None:
    for text, more, expected in (
        ("create serviceaccounts/token", '{"resourceNames": ["a"]}', "prod/a"),
        ("create serviceaccounts/token", "{}", "prod/a, prod/b"),
        ("create pods/exec", "{}", "prod/b"),
        ("patch serviceaccounts", "{}", ""),
        ("get,list pods", "{}", ""),
        ("", "{}", ""),
    ):
        found = broad(text, more=more)
        only = replace(found.clusters[0], pods={"prod/b": 2})
        told = [item.reason for item in risks(replace(found, clusters=(only,)))]
        named = [reason.partition(" act as ")[2].partition(" (")[0] for reason in told]
        assert named == ([expected] if expected else []), text


def test_only_groups_that_are_everybody_count() -> None:
    for subject, many in (
        ("system:unauthenticated", True),
        ("system:serviceaccounts", True),
        ("system:serviceaccounts:prod", False),
        ("developers", False),
    ):
        assert bool(risks(broad("create pods", subject=subject))) is many, subject


def test_what_was_not_read_is_told_and_breaks_nothing() -> None:
    found = broad("create pods", ClusterRole=Unreadable("forbidden"))
    assert risks(found) == []
    assert "cluster one: ClusterRoles were not read: forbidden" in Audit(found).unread
    # A role that is not there gives nothing.
    gone = broad("create pods", ClusterRole=[])
    assert risks(gone) == []
    assert Audit(gone).unread == ()
