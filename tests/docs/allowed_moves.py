"""What the documented permissions for migrate, repoint and retire are for; see `limited`."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

from irsa_cli.sandbox import ClusterSpec, Fault, Rule
from tests.docs import staging
from tests.docs.limited import ACCOUNT, Caller, Page, Work, document
from tests.support.eks_states import add_addon, describe_cluster_as
from tests.support.sandbox_clients import trust
from tests.support.service_accounts import put_service_accounts
from tests.support.stage import ROLE_ARN

CREATE = "create-sa $app --attach-policy-arn $S3 --inline-policy queue.json"
SHARED = f"arn:aws:iam::{ACCOUNT}:role/shared"
OLD, NEW = "blue", "green"
RULES = (
    Rule(("get", "list", "patch"), ("serviceaccounts",)),
    Rule(("list", "create"), ("pods",)),
    Rule(("get",), ("namespaces",)),
    Rule(("list",), ("cronjobs", "jobs"), groups=("batch",)),
    Rule(("list",), ("replicationcontrollers",)),
    Rule(("list",), ("deployments", "statefulsets", "daemonsets", "replicasets"), groups=("apps",)),
    *staging.lock_rules(),
)
"""The rights in the clusters that the pages name."""


def use(caller: Caller, *, used: bool) -> None:
    """All roles are a year old; `used`: IAM says that they were used a moment ago."""
    now = datetime.now(timezone.utc)
    for role in caller.sandbox._front.cloud.iam(ACCOUNT, "aws").roles.values():
        role.create_date = now - timedelta(days=365)
        role.last_used = now if used else None


def trust_of(caller: Caller, name: str) -> Any:
    return caller.sandbox.world()["roles"][name]["trust"]


def put_trust(caller: Caller, found: Any) -> None:
    staging.iam(caller.sandbox).update_assume_role_policy(RoleName="shared", PolicyDocument=json.dumps(found))


def two_clusters(caller: Caller) -> None:
    """A role of irsa's, and `shared` with a policy of the account, both trusted by the old cluster."""
    sandbox = caller.sandbox
    for name in (OLD, NEW):
        sandbox.add_cluster(ClusterSpec(name))
    caller.make(f"associate-oidc -c {OLD}\n{CREATE} -c {OLD}")
    (provider,) = sandbox.world()["oidc_providers"]
    iam = staging.iam(sandbox)
    admits = json.dumps(staging.trust_of(provider, "backend", "other"))
    iam.create_role(RoleName="shared", AssumeRolePolicyDocument=admits)
    made = iam.create_policy(PolicyName="queue", PolicyDocument=document("sqs:*"))
    iam.attach_role_policy(RoleName="shared", PolicyArn=made["Policy"]["Arn"])
    put_service_accounts(sandbox, NEW, "backend", {"app": {}, "other": {}})
    caller.words.update(id=staging.number_of(OLD), role=caller.role)


ADD = f"repoint --from {OLD} --to {NEW} --add"
RETIRE = ADD.replace("--add", "--retire --unused-for")


def trusted(caller: Caller, cluster: str) -> list[bool]:
    number = staging.number_of(cluster)
    return [number in json.dumps(trust_of(caller, name)) for name in (caller.role, "shared")]


def more_accounts(caller: Caller) -> None:
    for cluster, marks in ((OLD, {ROLE_ARN: SHARED}), (NEW, {})):
        metadata = {"namespace": "backend", "name": "more", "annotations": marks}
        caller.sandbox.put_objects(cluster, [{"kind": "ServiceAccount", "metadata": metadata}])


def annotated(caller: Caller) -> bool:
    accounts = caller.sandbox.world()["kubernetes"][NEW]["serviceaccounts"]
    return ROLE_ARN in accounts["backend/more"]["annotations"]


def a_large_policy(caller: Caller) -> None:
    """The account's quota is larger than IAM's default."""
    caller.sandbox.quotas["AssumeRolePolicySizeQuota"] = 4096
    found = trust_of(caller, "shared")
    service = json.loads(trust({"Service": "s3.amazonaws.com"}))["Statement"]
    put_trust(caller, {**found, "Statement": [*found["Statement"], *service * 14]})


def two_audiences(caller: Caller) -> None:
    """The provider of the new cluster lacks two audiences."""
    caller.make(f"associate-oidc -c {NEW}")
    text = json.dumps(trust_of(caller, "shared"))
    put_trust(caller, json.loads(text.replace('"sts.amazonaws.com"', '["vault", "other"]')))


def added(caller: Caller) -> None:
    caller.make(ADD)


def added_and_used(caller: Caller) -> None:
    caller.make(ADD)
    use(caller, used=True)


REPOINTING = (
    Work(
        "add", f"{ADD}\n{ADD.replace('add', 'status')}",
        holds=lambda caller: trusted(caller, NEW) == [True, True],
        needs="eks:DescribeCluster, iam:ListRoles, iam:GetRole, iam:GetOpenIDConnectProvider,"
        " iam:CreateOpenIDConnectProvider, iam:TagOpenIDConnectProvider, iam:UpdateAssumeRolePolicy,"
        " iam:ListAttachedRolePolicies, iam:ListRolePolicies, iam:GetRolePolicy, iam:GetPolicy,"
        " iam:GetPolicyVersion",
    ),
    Work("add by the id of the issuer", ADD.replace(OLD, "$id"), given=more_accounts, holds=annotated,
         needs="eks:ListClusters"),
    Work("add to a large policy", ADD, given=a_large_policy, needs="iam:GetAccountSummary"),
    Work("add audiences", ADD, given=two_audiences, needs="iam:AddClientIDToOpenIDConnectProvider"),
    Work("roll audiences back", ADD, code=1, given=two_audiences, unchanged=True,
         failing=Fault("iam", "AddClientIDToOpenIDConnectProvider", "error", skip=1, times=None),
         needs="iam:RemoveClientIDFromOpenIDConnectProvider"),
    Work("retire what is used by the new cluster", f"{RETIRE} 89d", given=added_and_used,
         holds=lambda caller: trusted(caller, OLD) == [False, False],
         needs="cloudtrail:LookupEvents, iam:TagRole"),
    Work("roll back", f"{RETIRE} 0s $role", code=1, given=added, failing="iam TagRole", unchanged=True),
    Work("add of a deleted cluster", ADD, given=lambda caller: caller.sandbox.remove_cluster(OLD),
         needs="iam:ListOpenIDConnectProviders"),
)  # fmt: skip


def dead_cluster(caller: Caller) -> None:
    """`old`: a role of irsa's, and a statement of irsa's in `shared`, which a service can use as well."""
    sandbox = caller.sandbox
    sandbox.add_cluster(ClusterSpec("old"))
    service = trust({"Service": "ec2.amazonaws.com"})
    staging.iam(sandbox).create_role(RoleName="shared", AssumeRolePolicyDocument=service)
    caller.make(
        f"associate-oidc\nassociate-oidc -c old\n{CREATE} -c old\n"
        f"create-sa user -n backend -c old --attach-role-arn {SHARED} --update-trust"
    )
    sandbox.remove_cluster("old")
    use(caller, used=False)


def left(caller: Caller) -> tuple[int, int, int]:
    """How many roles, statements of `shared` and providers there are."""
    world = caller.sandbox.world()
    return len(world["roles"]), len(trust_of(caller, "shared")["Statement"]), len(world["oidc_providers"])


def namespace_gone(caller: Caller) -> None:
    """A binding by EKS Pod Identity in a living cluster, whose namespace is gone."""
    describe_cluster_as(caller.sandbox, staging.CLUSTER, computeConfig={"enabled": True})
    caller.make("create-sa pod -n backend --pod-identity --attach-policy-arn $S3")
    staging.kube(caller.sandbox).delete("/api/v1/namespaces/backend")
    use(caller, used=False)


def has_quotas(caller: Caller) -> bool:
    quotas = caller.json["metadata"]["quotas"]
    return "quota" in json.dumps([item for item in quotas if item["what"] == "roles"])


def is_restored(caller: Caller) -> bool:
    before, after = (world["roles"][caller.role] for world in (caller.before[0], caller.sandbox.world()))
    return bool(before == after)


RETIRING = (
    Work(
        "retire", "retire old --yes", holds=lambda caller: left(caller) == (1, 1, 1),
        needs="ec2:DescribeRegions, eks:ListClusters, eks:DescribeCluster,"
        " iam:GetAccountAuthorizationDetails, iam:ListOpenIDConnectProviders, iam:GetOpenIDConnectProvider,"
        " iam:GetRole, iam:ListAttachedRolePolicies, iam:ListRolePolicies, iam:GetRolePolicy, iam:ListRoles,"
        " iam:TagRole, iam:DetachRolePolicy, iam:DeleteRolePolicy, iam:DeleteRole,"
        " iam:UpdateAssumeRolePolicy, iam:DeleteOpenIDConnectProvider",
    ),
    Work("retire what others use", "retire old --unused-for 80d --yes",
         given=lambda caller: use(caller, used=True), holds=lambda caller: left(caller)[1] == 1,
         needs="cloudtrail:LookupEvents"),
    Work("restore", "retire old --yes", code=1, failing="iam DeleteRole", holds=is_restored,
         needs="iam:AttachRolePolicy, iam:PutRolePolicy, iam:UntagRole"),
    Work("list with quotas", "retire --list -o json", holds=has_quotas, needs="iam:GetAccountSummary"),
    Work(
        "retire a namespace", f"retire --namespace back* -c {staging.CLUSTER} --yes", given=namespace_gone,
        holds=lambda caller: not caller.sandbox.world()["associations"] and left(caller)[0] == 2,
        needs="eks:ListPodIdentityAssociations, eks:DescribePodIdentityAssociation,"
        " eks:DeletePodIdentityAssociation",
    ),
)  # fmt: skip


def with_irsa(caller: Caller) -> None:
    """A binding by IRSA in a cluster that has the agent."""
    add_addon(caller.sandbox, staging.CLUSTER, "eks-pod-identity-agent")
    caller.make(f"associate-oidc\n{CREATE}")


def role_of_others(caller: Caller) -> None:
    """A role and a ServiceAccount that a person created."""
    (provider,) = caller.sandbox.world()["oidc_providers"]
    admits = json.dumps(staging.trust_of(provider, "theirs", "app"))
    staging.iam(caller.sandbox).create_role(RoleName="shared", AssumeRolePolicyDocument=admits)
    staging.account(caller.sandbox, "theirs", "app", SHARED)


def migrate(ways: str, name: str = "app -n backend", finish: str = "--finish") -> str:
    """Lines that migrate to each way, and finish."""
    return "\n".join(f"migrate {name} --to {way} {end}" for way in ways.split() for end in ("", finish))


MIGRATING = (
    Work(
        "there", migrate("pod-identity"),
        holds=lambda caller: "AssumeRoleWithWebIdentity" not in json.dumps(trust_of(caller, caller.role)),
        needs="iam:TagRole, eks:DescribeCluster, iam:GetRole, eks:CreatePodIdentityAssociation,"
        " eks:ListPodIdentityAssociations, eks:DescribePodIdentityAssociation, eks:TagResource, iam:PassRole,"
        " iam:UpdateAssumeRolePolicy, iam:ListAttachedRolePolicies, iam:ListRolePolicies, iam:GetRolePolicy,"
        " iam:GetPolicy, iam:GetPolicyVersion",
    ),
    Work("there and back", migrate("pod-identity irsa"),
         holds=lambda caller: not caller.sandbox.world()["associations"],
         needs="eks:DeletePodIdentityAssociation, iam:GetOpenIDConnectProvider"),
    Work(
        "what irsa created for EKS Pod Identity", migrate("irsa pod-identity", "pod -n backend"),
        given="create-sa pod -n backend --pod-identity --create-service-account --attach-policy-arn $S3",
        needs="iam:UntagRole",
    ),
    Work("a role of others", migrate("pod-identity irsa", "app -n theirs", "--finish --include-managed"),
         given=role_of_others),
    Work("roll back", "migrate $app --to pod-identity", code=1, failing="eks CreatePodIdentityAssociation",
         unchanged=True),
)  # fmt: skip
PAGES = {
    "repoint": Page("repoint-policy", REPOINTING, RULES, given=two_clusters, issuer_of=NEW),
    "retire": Page("retire-policy", RETIRING, RULES, given=dead_cluster, issuer_of="old"),
    "migrate": Page("migrate-policy", MIGRATING, RULES, given=with_irsa),
}
