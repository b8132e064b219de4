"""Everybody in a cluster who may become ServiceAccounts with roles: the rule everybody-may-become."""

from __future__ import annotations

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
    rules: list[Json], place: str = "prod", subject: str = "system:authenticated", **more: Any
) -> Estate:
    """The account, with a binding of these rules to a group in a namespace ('': everywhere)."""
    kind = "RoleBinding" if place else "ClusterRoleBinding"
    metadata = {"name": "all", **({"namespace": place} if place else {})}
    ref = {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": "r"}
    subjects = [{"kind": "Group", "name": subject}]
    lists: Json = {"Role": [], "RoleBinding": [], "ClusterRoleBinding": []}
    lists["ClusterRole"] = [{"metadata": {"name": "r"}, "rules": rules}]
    lists[kind] = [{"metadata": metadata, "roleRef": ref, "subjects": subjects}]
    return estate(ROLES, [cluster("one", *ACCOUNTS, rbac=rbac_objects({**lists, **more}))])


def rule(verbs: str, resource: str, **more: Any) -> list[Json]:
    return [{"verbs": verbs.split(), "apiGroups": [""], "resources": [resource], **more}]


def risks(found: Estate, scope: AuditScope | None = None) -> list[Risk]:
    audit = Audit(found, scope or AuditScope())
    return [item for item in audit.risks if item.rule.id == "everybody-may-become"]


def test_one_risk_for_a_binding_as_bad_as_the_worst_role() -> None:
    (item,) = risks(broad(rule("create", "pods")))
    assert (item.severity.value, item.cluster) == ("critical", "one")
    assert item.statement == "RoleBinding prod/all of cluster one"
    assert "Group system:authenticated" in item.reason
    assert "as prod/a, prod/b (" in item.reason
    assert f"AdministratorAccess ({arn_of('rb')}" in item.reason
    (item,) = risks(broad(rule("create", "pods"), "dev"))
    assert (item.severity.value, "as dev/c (" in item.reason) == ("high", True)


def test_it_is_about_what_is_asked() -> None:
    found = broad(rule("create", "pods"), "")
    (item,) = risks(found)
    assert "as dev/c, prod/a, prod/b (" in item.reason
    (item,) = risks(found, AuditScope(account="prod/a"))
    assert ("as prod/a (" in item.reason, item.severity.value) == (True, "high")
    (item,) = risks(found, AuditScope(role=arn_of("rb")))
    assert ("as prod/b (" in item.reason, item.severity.value) == (True, "critical")
    assert risks(found, AuditScope(account="prod/plain")) == []


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (rule("create", "serviceaccounts/token", resourceNames=["a"]), ["prod/a"]),
        (rule("create", "serviceaccounts/token"), ["prod/a", "prod/b"]),
        (rule("create", "pods/exec"), ["prod/b"]),
        (rule("patch", "serviceaccounts"), []),
        (rule("get list", "pods"), []),
        ([], []),
    ],
)
def test_it_says_whom_they_become(rules: list[Json], expected: list[str]) -> None:
    found = broad(rules)
    (only,) = found.clusters
    object.__setattr__(only, "pods", {"prod/b": 2})
    assert [item.reason.partition(" act as ")[2].partition(" (")[0] for item in risks(found)] == (
        [", ".join(expected)] if expected else []
    )


@pytest.mark.parametrize(
    ("subject", "many"),
    [
        ("system:unauthenticated", True),
        ("system:serviceaccounts", True),
        ("system:serviceaccounts:prod", False),
        ("developers", False),
    ],
)
def test_only_groups_that_are_everybody_count(subject: str, many: bool) -> None:
    assert bool(risks(broad(rule("create", "pods"), subject=subject))) == many


def test_what_was_not_read_is_told_and_breaks_nothing() -> None:
    found = broad(rule("create", "pods"), ClusterRole=Unreadable("forbidden"))
    assert risks(found) == []
    assert "cluster one: ClusterRoles were not read: forbidden" in Audit(found).unread
    # A role that is not there gives nothing.
    gone = broad(rule("create", "pods"), ClusterRole=[])
    assert risks(gone) == []
    assert Audit(gone).unread == ()


def test_the_worst_role_is_named_and_not_the_first() -> None:
    lesser = {"p": {"Statement": {"Effect": "Allow", "Action": "iam:PutRolePolicy", "Resource": "*"}}}
    first = role("aa", admits("one", f"{SA}prod:a"), attached=(), inline=("p",), documents=lesser)
    found = broad(rule("create", "pods"))
    (item,) = risks(replace(found, roles=(first, *ROLES)))
    assert f"AdministratorAccess ({arn_of('rb')}" in item.reason


def test_a_trust_policy_with_a_condition_is_not_left_out() -> None:
    statement = admits("one", f"{SA}prod:b")
    block = {**statement["Condition"], "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    admin = role("rb", {**statement, "Condition": block}, attached=(ADMIN,))
    (item,) = risks(replace(broad(rule("create", "pods")), roles=(ROLES[0], admin)))
    assert "as prod/a, prod/b (" in item.reason
