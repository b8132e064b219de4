"""What the documented permissions for looking and for audits are for; see `limited`."""

from __future__ import annotations

from typing import Any

from tests.docs import staging
from tests.docs.limited import Caller, Page, Work, document
from tests.support.rows import WORDS
from tests.support.sandbox_clients import trust
from tests.support.service_accounts import put_service_accounts

MANY = 6
"""Roles for which it pays to read all of the account's by pages."""
RULES = staging.single_rules(staging.PERMISSIONS / "reading-rbac.yaml")
AUDIT_RULES = staging.single_rules(staging.PERMISSIONS / "audit-rbac.yaml")


def associated(caller: Caller) -> None:
    """Bindings, and one by EKS Pod Identity; the agent is no add-on. The cluster looks at aws-auth, too."""
    sandbox = caller.sandbox
    staging.look_at_aws_auth(sandbox)
    staging.bind(sandbox, "backend", [f"app-{number}" for number in range(MANY)], WORDS["S3"])
    iam = staging.iam(sandbox)
    iam.put_role_policy(RoleName="app-0", PolicyName="queue", PolicyDocument=document("sqs:*"))
    served = trust({"Service": "pods.eks.amazonaws.com"}, action=["sts:AssumeRole", "sts:TagSession"])
    made = iam.create_role(RoleName="given", AssumeRolePolicyDocument=served)
    put_service_accounts(sandbox, staging.CLUSTER, "shop", {"paid": {}})
    agent = {"name": "eks-pod-identity-agent", "namespace": "kube-system"}
    sandbox.put_objects(staging.CLUSTER, [{"kind": "DaemonSet", "metadata": agent, "spec": {}}])
    staging.client(sandbox, "eks").create_pod_identity_association(
        clusterName=staging.CLUSTER, namespace="shop", serviceAccount="paid", roleArn=made["Role"]["Arn"]
    )


def lists(caller: Caller) -> bool:
    """All are all right, and nothing is left out."""
    found = caller.json["metadata"]
    return bool(found["summary"]["ok"] == MANY + 1 and not found["notes"] and found["scope"]["complete"])


def by_pages(caller: Caller) -> bool:
    """No role is asked for by itself."""
    return lists(caller) and "GetRole" not in {
        call.operation for call in caller.sandbox.calls[caller.since :]
    }


def described(caller: Caller) -> Any:
    (item,) = caller.json["items"]
    return item


def describes(caller: Caller) -> bool:
    item = described(caller)
    whole = item.get("pods") is not None and item["role"]["policies"] is not None
    return bool(whole and item["status"] == "ok" and caller.json["metadata"]["scope"]["complete"])


def has_documents(caller: Caller) -> bool:
    policies = described(caller)["role"]["policies"]
    return bool(policies) and all(policy["document"] for policy in policies)


DESCRIBE = "describe-sa app-0 -n backend -o json"
READING = (
    Work("list", "get-sa -o json", holds=lists,
         needs="eks:DescribeCluster, eks:DescribePodIdentityAssociation, eks:ListAddons,"
         " eks:ListPodIdentityAssociations, iam:GetOpenIDConnectProvider, iam:ListRoles,"
         " list serviceaccounts, list daemonsets"),
    Work("list by pages", "get-sa -o json", holds=by_pages,
         needs="iam:GetAccountAuthorizationDetails, iam:GetAccountSummary"),
    Work("export", "export -n backend",
         holds=lambda caller: caller.out.count("kind: ServiceAccount") == MANY),
    Work("export to Terraform", "export -n backend --to terraform",
         holds=lambda caller: caller.out.count("policy_arn = each.value") == MANY),
    Work("get", "get-sa app-0 -n backend -o json", needs="get serviceaccounts",
         holds=lambda caller: caller.json["metadata"]["summary"]["ok"] == 1),
    Work("describe", DESCRIBE, holds=describes,
         needs="iam:GetRole, iam:ListAttachedRolePolicies, iam:ListRolePolicies, list pods"),
    Work("describe with documents", f"{DESCRIBE} --policies", holds=has_documents,
         needs="iam:GetPolicy, iam:GetPolicyVersion, iam:GetRolePolicy"),
    Work("describe what is allowed in Kubernetes", DESCRIBE,
         holds=lambda caller: described(caller)["kubernetes"]["unseen"] == [],
         needs="eks:DescribeAccessEntry, eks:ListAccessEntries, eks:ListAssociatedAccessPolicies,"
         " list roles, list clusterroles, list rolebindings, list clusterrolebindings, get configmaps"),
)  # fmt: skip


def without_notes(caller: Caller) -> bool:
    return not caller.json["metadata"]["notes"] and bool(caller.json["metadata"]["scope"]["complete"])


AUDITING = (
    Work(
        "audit",
        "audit -o json",
        holds=without_notes,
        needs="eks:DescribeAccessEntry, eks:DescribeCluster, eks:DescribePodIdentityAssociation,"
        " eks:ListAccessEntries, eks:ListAssociatedAccessPolicies, eks:ListClusters,"
        " eks:ListPodIdentityAssociations, iam:GetAccountAuthorizationDetails, iam:GetOpenIDConnectProvider,"
        " iam:ListOpenIDConnectProviders, get configmaps, list clusterrolebindings, list clusterroles,"
        " list namespaces, list pods, list rolebindings, list roles, list serviceaccounts",
    ),
    Work("ask who can", "who-can s3:ListBucket -c demo -o json", holds=without_notes),
    Work("audit a ServiceAccount", "audit --service-account backend/app-0 -o json", holds=without_notes),
)
OBSERVED = staging.single_rules(staging.PERMISSIONS / "beside-terraform-rbac.yaml")


def complete(caller: Caller) -> bool:
    """Nothing was left out that could change the answer."""
    return bool(caller.json["metadata"]["scope"]["complete"])


def lacks_no_right(caller: Caller) -> bool:
    """No right is missing but those that the page leaves out; no pod runs, so it is not complete."""
    left_out = caller.json["metadata"]["scope"]["notExamined"]
    deciding = [entry["what"] for entry in left_out if entry["couldChangeAnswer"]]
    refused = [what for what in deciding if "missing" in what or "forbidden" in what]
    return bool(deciding) and all("/openid/v1/jwks" in what or "create pods" in what for what in refused)


BESIDE = (
    Work("list", "get-sa -o json", holds=lists, unchanged=True),
    Work("describe", f"{DESCRIBE} --policies", holds=describes, unchanged=True),
    Work("audit", "audit -o json --fail-on never", holds=complete, unchanged=True),
    Work("who can", "who-can s3:GetObject -o json", holds=complete, unchanged=True),
    Work("diagnose", "doctor app-0 -n backend -o json", code=1, holds=lacks_no_right, unchanged=True),
    Work("verify", "verify app-0 -n backend -o json", code=1, unchanged=True, says="serviceaccounts/token"),
)
PAGES = {
    "beside Terraform": Page(
        "beside-terraform-policy",
        BESIDE,
        OBSERVED,
        given=associated,
        untried=" ".join(staging.actions(staging.joined("beside-terraform-policy"))),
    ),
    "reading": Page("reading-policy", READING, RULES, RULES, given=associated),
    "audit": Page("audit-policy", AUDITING, AUDIT_RULES, AUDIT_RULES, given=associated),
}
