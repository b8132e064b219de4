"""The permissions for teams whose roles stay in Terraform can write nothing.

The access level of each action is the one of AWS's Service Authorization Reference:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
That the RBAC reaches nothing else is tried on a real API server: tests/e2e/test_rbac_reach.py.
"""

from __future__ import annotations

import json

from irsa_cli.core.policies.statements import covers
from tests.docs import escalation, staging
from tests.docs.staging import PERMISSIONS

POLICY = json.loads((PERMISSIONS / "beside-terraform-policy.json").read_text("utf-8"))
READ = [
    "cloudtrail:LookupEvents",
    "ec2:DescribeInstances",
    "ec2:DescribeVpcEndpoints",
    "eks:DescribeAccessEntry",
    "eks:DescribeCluster",
    "eks:DescribePodIdentityAssociation",
    "eks:ListAccessEntries",
    "eks:ListAddons",
    "eks:ListAssociatedAccessPolicies",
    "eks:ListClusters",
    "eks:ListPodIdentityAssociations",
    "iam:GetAccountAuthorizationDetails",
    "iam:GetAccountSummary",
    "iam:GetOpenIDConnectProvider",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListOpenIDConnectProviders",
    "iam:ListRolePolicies",
    "iam:ListRoles",
]
"""The actions whose access level is Read or List."""


def test_each_action_is_a_read_and_none_is_a_pattern() -> None:
    assert sorted(staging.actions(POLICY)) == sorted(READ)
    assert {statement["Effect"] for statement in POLICY["Statement"]} == {"Allow"}
    assert not any({"NotAction", "NotResource"} & statement.keys() for statement in POLICY["Statement"])


def test_no_write_of_iam_is_allowed() -> None:
    writes = [f"iam:{operation}" for operation in escalation.writes()]
    assert len(writes) > 80
    assert [action for action in writes if covers(tuple(staging.actions(POLICY)), action)] == []


def test_nothing_in_the_cluster_is_written_or_secret() -> None:
    rules = staging.single_rules(PERMISSIONS / "beside-terraform-rbac.yaml")
    assert {verb for rule in rules for verb in rule.verbs} == {"get", "list"}
    resources = {resource for rule in rules for resource in rule.resources}
    assert not {"secrets", "*", "serviceaccounts/token", "pods/exec", "pods/log"} & resources
