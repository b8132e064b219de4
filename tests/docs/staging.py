"""What is in the sandbox before a page's commands run, for pages that need more than an empty one."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from irsa_cli.sandbox import ClusterSpec, RoleSpec, Rule, Sandbox
from irsa_cli.sandbox.aws.clusters import issuer_of
from tests.docs.console import ROOT
from tests.support.documents import doc
from tests.support.eks import bearer
from tests.support.eks_states import describe_cluster_as
from tests.support.kubeclient import KubeClient
from tests.support.sandbox_clients import administrator
from tests.support.service_accounts import put_service_accounts
from tests.support.stage import ROLE_ARN, made

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient


CLUSTER = "demo"
OTHER = "222222222222"
"""Another account than the cluster's."""
ISSUER_ID = "EXAMPLED539D4633E53DE1B71EXAMPLE"
"""What is in place of the issuer's id in the documented policies."""
PERMISSIONS = ROOT / "docs" / "how-to" / "permissions"


def policy_text(path: Path) -> str:
    """A documented policy with the sandbox' issuer in place of the example's."""
    return path.read_text("utf-8").replace(ISSUER_ID, number_of())


def number_of(cluster: str = CLUSTER) -> str:
    """The id of a cluster's issuer."""
    return issuer_of(ClusterSpec(cluster)).rpartition("/")[2]


def rbac(path: Path = PERMISSIONS / "rbac.yaml") -> list[dict[str, Any]]:
    """The documented Kubernetes objects."""
    return list(yaml.safe_load_all(path.read_text("utf-8")))


def rules(*paths: Path, kind: str = "ClusterRole") -> list[Rule]:
    """The rules of all documented ClusterRoles, for the whole cluster; names can't be told to the sandbox."""
    paths = paths or (PERMISSIONS / "rbac.yaml", PERMISSIONS / "rbac-namespaces.yaml")
    roles = [item for path in paths for item in rbac(path) if item["kind"] == kind]
    return [_rule(rule, role["metadata"].get("namespace")) for role in roles for rule in role["rules"]]


def _rule(rule: dict[str, Any], namespace: str | None) -> Rule:
    return Rule(tuple(rule["verbs"]), tuple(rule["resources"]), namespace, groups=tuple(rule["apiGroups"]))


def lock_rules(path: Path = PERMISSIONS / "rbac.yaml", namespace: str = "default") -> list[Rule]:
    """The rules about Leases of the documented Roles, where irsa locks if nothing is named."""
    roles = [item for item in rbac(path) if item["kind"] == "Role"]
    return [
        _rule(rule, namespace) for role in roles for rule in role["rules"] if "leases" in rule["resources"]
    ]


def each(found: Iterable[Rule]) -> tuple[Rule, ...]:
    """A rule for each verb and resource."""
    return tuple(
        Rule((verb,), (resource,), rule.namespace, groups=rule.groups)
        for rule in found
        for verb in rule.verbs
        for resource in rule.resources
    )


def single_rules(path: Path) -> tuple[Rule, ...]:
    """The rules of a file for who only looks. The sandbox' rules can't name the one ConfigMap."""
    return each([*rules(path), *rules(path, kind="Role")])


def look_at_aws_auth(sandbox: Sandbox) -> None:
    """Let the cluster look at access entries and at aws-auth, too."""
    describe_cluster_as(sandbox, CLUSTER, accessConfig={"authenticationMode": "API_AND_CONFIG_MAP"})


def listed(statement: dict[str, Any]) -> list[str]:
    """The actions that a statement allows."""
    found = statement["Action"] if statement["Effect"] == "Allow" else []
    return found if isinstance(found, list) else [found]


def without(policy: dict[str, Any], action: str) -> dict[str, Any]:
    """A policy that lacks one action; what it denies, it denies still."""
    statements = []
    for statement in policy["Statement"]:
        kept = [item for item in listed(statement) if item != action]
        if statement["Effect"] == "Deny":
            statements.append(statement)
        elif kept:
            statements.append({**statement, "Action": kept})
    return {**policy, "Statement": statements}


def actions(policy: dict[str, Any]) -> list[str]:
    """All actions that a policy allows, in its order."""
    return [action for statement in policy["Statement"] for action in listed(statement)]


def joined(*names: str) -> dict[str, Any]:
    """Several documented policies, by their files' names, as one."""
    documents = [json.loads(policy_text(PERMISSIONS / f"{name}.json")) for name in names]
    return {
        "Version": "2012-10-17",
        "Statement": [statement for document in documents for statement in document["Statement"]],
    }


def boundary(sandbox: Sandbox) -> str:
    """Make the documented boundary; returns its ARN."""
    document = policy_text(PERMISSIONS / "workload-boundary.json")
    made = iam(sandbox).create_policy(PolicyName="workload-boundary", PolicyDocument=document)
    return made["Policy"]["Arn"]


def associate(sandbox: Sandbox) -> str:
    """Make the cluster's OIDC provider; returns its ARN."""
    made = iam(sandbox).create_open_id_connect_provider(
        Url=issuer(sandbox),
        ClientIDList=["sts.amazonaws.com"],
        Tags=[{"Key": "irsa/cluster", "Value": "made-by-irsa"}],
    )
    return made["OpenIDConnectProviderArn"]


def issuer(sandbox: Sandbox) -> str:
    """The cluster's issuer."""
    cluster = client(sandbox, "eks").describe_cluster(name=CLUSTER)["cluster"]
    return str(cluster["identity"]["oidc"]["issuer"])


def iam(sandbox: Sandbox) -> IAMClient:
    """IAM, as the administrator."""
    made: IAMClient = client(sandbox, "iam")
    return made


def client(sandbox: Sandbox, service: str) -> Any:
    """A service of the sandbox, as the administrator."""
    return administrator(sandbox, service)


def shared_role(sandbox: Sandbox) -> None:
    """A role `shared` that admits another ServiceAccount of the cluster."""
    trust = json.dumps(trust_of(associate(sandbox), "backend", "other"))
    iam(sandbox).create_role(RoleName="shared", AssumeRolePolicyDocument=trust)


def kube(sandbox: Sandbox) -> KubeClient:
    """The cluster's API, as the administrator."""
    cluster = client(sandbox, "eks").describe_cluster(name=CLUSTER)["cluster"]
    ca = base64.b64decode(cluster["certificateAuthority"]["data"]).decode()
    return KubeClient(cluster["endpoint"], ca, bearer(sandbox.env(), CLUSTER))


def account(sandbox: Sandbox, namespace: str, name: str, role_arn: str) -> None:
    """Make a ServiceAccount that names a role, and its namespace where it is missing."""
    admin, path = kube(sandbox), f"/api/v1/namespaces/{namespace}/serviceaccounts"
    if namespace not in sandbox.world()["kubernetes"][CLUSTER]["namespaces"]:
        made(admin.create("/api/v1/namespaces", {"metadata": {"name": namespace}}))
    made(admin.create(path, {"metadata": {"name": name, "annotations": {ROLE_ARN: role_arn}}}))


def trust_of(provider: str, namespace: str, name: str) -> dict[str, Any]:
    """A trust policy that admits a ServiceAccount of the provider's cluster."""
    issuer = provider.partition("oidc-provider/")[2]
    return doc(
        """{"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"Federated": "<provider>"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {
                "<issuer>:sub": "system:serviceaccount:<name>", "<issuer>:aud": "sts.amazonaws.com"}}}]}""",
        provider=provider,
        issuer=issuer,
        name=f"{namespace}:{name}",
    )


def bind(sandbox: Sandbox, namespace: str, names: Sequence[str], policy: str) -> None:
    """A new namespace with ServiceAccounts, each with a role of its name, as made by hand."""
    provider = associate(sandbox)
    sandbox.put_roles(
        RoleSpec(name, trust_of(provider, namespace, name), policies=(policy,)) for name in names
    )
    arns = {name: {ROLE_ARN: f"arn:aws:iam::111122223333:role/{name}"} for name in names}
    put_service_accounts(sandbox, CLUSTER, namespace, arns)


def other_iam(sandbox: Sandbox) -> IAMClient:
    """IAM of the other account, as its administrator."""
    made_client: IAMClient = administrator(sandbox, "iam", OTHER)
    return made_client
