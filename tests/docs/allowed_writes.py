"""What the documented permissions for creating, changing and deleting are for; see `limited`."""

from __future__ import annotations

import json
from collections.abc import Callable

from irsa_cli.core.objects.kinds import KINDS
from irsa_cli.sandbox import Fault
from irsa_cli.sandbox.worlds import put_other_account
from irsa_cli.usecases.verification import iam_steps
from tests.docs import staging
from tests.docs.limited import ACCOUNT, Caller, Page, Work, document
from tests.support.eks_states import describe_cluster_as
from tests.support.rows import WORDS

Given = Callable[[Caller], None]
ALL_RULES = staging.each(staging.rules())
LOCKS = staging.lock_rules()
CREATE = "create-sa $app --attach-policy-arn $S3 --inline-policy queue.json"
BARE = "create-sa app --attach-policy-arn $S3"
NO_ACCOUNT = Fault("kubernetes", "POST serviceaccounts", "error", skip=1, times=None)
NO_TOKENS = Fault("sts", "AssumeRoleWithWebIdentity", "error", times=None, code="RegionDisabledException")


def provider(caller: Caller) -> None:
    """The cluster's OIDC provider."""
    staging.associate(caller.sandbox)


def bound(caller: Caller) -> None:
    """A ServiceAccount with its role."""
    provider(caller)
    caller.make(BARE)


def theirs_comes_in_between(caller: Caller) -> None:
    """Somebody puts a ServiceAccount into the new namespace; then the policy can't be put."""
    provider(caller)
    theirs = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "theirs"}}

    def put() -> None:
        with staging.kube(caller.sandbox) as admin:
            assert admin.create("/api/v1/namespaces/backend/serviceaccounts", theirs).status == 201

    caller.sandbox.faults.add(Fault("iam", "AttachRolePolicy", "callback", run=put))


def theirs_is_left(caller: Caller) -> bool:
    return "backend/theirs" in caller.sandbox.world()["kubernetes"][staging.CLUSTER]["serviceaccounts"]


def role_of_another_name(caller: Caller) -> None:
    provider(caller)
    caller.make("create-sa app --role-only --role-name own --no-policy")


CREATING = (
    Work(
        "create",
        CREATE,
        given=provider,
        needs="eks:DescribeCluster, iam:GetOpenIDConnectProvider, iam:GetRole, iam:AttachRolePolicy,"
        " iam:CreateRole, iam:TagRole, iam:PutRolePolicy, get serviceaccounts, create serviceaccounts,"
        " create namespaces",
    ),
    Work(
        "find everything as desired",
        f"{CREATE}\n{CREATE}",
        given=provider,
        needs="iam:GetRolePolicy, iam:ListAttachedRolePolicies, iam:ListRolePolicies",
    ),
    Work(
        "verify",
        f"{CREATE} --verify",
        given=provider,
        needs="patch serviceaccounts, create serviceaccounts/token",
    ),
    Work(
        "roll back namespace, role and policies",
        CREATE,
        code=1,
        given=provider,
        failing=NO_ACCOUNT,
        unchanged=True,
        needs="iam:DeleteRole, iam:DeleteRolePolicy, iam:DetachRolePolicy, get namespaces, delete namespaces,"
        " list *",
    ),
    Work(
        "roll back the ServiceAccount",
        CREATE.replace("$app", "app -n default") + " --verify",
        code=5,
        given=provider,
        failing=NO_TOKENS,
        unchanged=True,
        needs="delete serviceaccounts",
    ),
    Work(
        "leave what others created",
        CREATE,
        code=3,
        given=theirs_comes_in_between,
        failing="iam PutRolePolicy",
        holds=theirs_is_left,
    ),
    Work(
        "delete",
        "delete-sa app",
        given=bound,
        needs=", ".join(["list pods", *(f"list {kind}" for kind in KINDS)]),
    ),
    Work(
        "roll a deletion back",
        "delete-sa app",
        code=1,
        given=bound,
        failing="iam DeleteRole",
        unchanged=True,
        needs="iam:UntagRole",
    ),
    Work("delete a role of another name", "delete-sa app", given=role_of_another_name),
    Work(
        "associate", "associate-oidc", needs="iam:TagOpenIDConnectProvider, iam:CreateOpenIDConnectProvider"
    ),
    Work("disassociate", "disassociate-oidc", given=provider, needs="iam:ListRoles"),
    Work(
        "add an audience",
        "associate-oidc --audience other",
        given=provider,
        needs="iam:AddClientIDToOpenIDConnectProvider",
    ),
    Work(
        "roll the provider back",
        f"{CREATE} --associate-oidc",
        code=1,
        failing="iam AttachRolePolicy",
        unchanged=True,
        needs="iam:DeleteOpenIDConnectProvider",
    ),
    Work(
        "roll the audience back",
        f"{CREATE} --associate-oidc --audience other",
        code=1,
        given=provider,
        failing="iam AttachRolePolicy",
        unchanged=True,
        needs="iam:RemoveClientIDFromOpenIDConnectProvider",
    ),
    Work(
        "find a missing policy early",
        "create-sa app --attach-policy-arn ${S3}x --dry-run",
        code=1,
        given=provider,
        needs="iam:GetPolicy",
    ),
    Work(
        "name similar policies",
        "create-sa app --attach-policy-arn ${S3}x -o json",
        code=1,
        given=provider,
        holds=lambda caller: WORDS["S3"] in caller.details,
        needs="iam:ListPolicies",
    ),
    Work(
        "name the clusters",
        "associate-oidc -c missing -o json",
        code=4,
        holds=lambda caller: staging.CLUSTER in caller.details,
        needs="eks:ListClusters",
    ),
    Work(
        "know what takes over",
        f"{BARE} --verify -o json",
        given=provider,
        says='"podIdentity"',
        needs="eks:ListPodIdentityAssociations",
    ),
)


BINDING = (
    "create-sa $app --attach-policy-arn $S3,$SQS --inline-policy queue.json --tags team=b,cost-center=d"
    " --permissions-boundary $S3"
)
TEXTS = "--tags team=c --remove-tag cost-center --description new --label a=b"
CHANGE = (
    "update-sa $app --attach-policy-arn $SNS --detach-policy-arn $SQS --inline-policy wide/queue.json"
    f" --permissions-boundary $SQS {TEXTS} --audience vault --associate-oidc"
)
WITHIN = (
    "update-sa $app --attach-policy-arn $SNS --detach-policy-arn $SQS --remove-inline-policy queue"
    f" --inline-policy topic.json {TEXTS}"
)
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/workload-boundary"


def binding(caller: Caller) -> None:
    """A binding of irsa's with something on it."""
    provider(caller)
    caller.make(BINDING)


def bounded_binding(caller: Caller) -> None:
    """One whose role has the boundary of the bounded variant."""
    binding(caller)
    caller.make(f"update-sa $app --permissions-boundary {staging.boundary(caller.sandbox)}")


def another_boundary(caller: Caller) -> None:
    bounded_binding(caller)
    iam = staging.iam(caller.sandbox)
    iam.put_role_permissions_boundary(RoleName=caller.role, PermissionsBoundary=WORDS["S3"])


def another_uses_the_role(caller: Caller) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/irsa/demo/{caller.role}"
    staging.account(caller.sandbox, "default", "guest", role)


def eleven_policies(caller: Caller) -> None:
    iam = staging.iam(caller.sandbox)
    made = [
        iam.create_policy(PolicyName=f"p{number}", PolicyDocument=document("sqs:*")) for number in range(11)
    ]
    caller.words["policies"] = ",".join(item["Policy"]["Arn"] for item in made)


REMOVE = "update-sa $app --no-permissions-boundary --allow-boundary-removal --remove-inline-policy queue"
FINDING = (
    Work(
        "find a missing policy early",
        "update-sa $app --attach-policy-arn ${S3}x --dry-run",
        code=1,
        needs="iam:GetPolicy",
    ),
    Work(
        "find too many policies early",
        "update-sa $app --set-policy-arns $policies --dry-run",
        code=4,
        given=eleven_policies,
        needs="iam:GetAccountSummary",
    ),
    Work(
        "know what takes over", "adopt $app", silent="did not check", needs="eks:ListPodIdentityAssociations"
    ),
)
EVERY_CHANGE = (
    "eks:DescribeCluster, iam:GetRole, iam:GetRolePolicy, iam:ListAttachedRolePolicies, iam:ListRolePolicies,"
    " iam:AttachRolePolicy, iam:DetachRolePolicy, iam:PutRolePolicy, iam:TagRole, iam:UntagRole,"
    " iam:UpdateRole"
)
CHANGING = (
    Work(
        "change all",
        CHANGE,
        needs=f"{EVERY_CHANGE}, iam:GetOpenIDConnectProvider, iam:PutRolePermissionsBoundary,"
        " iam:AddClientIDToOpenIDConnectProvider, iam:UpdateAssumeRolePolicy, get serviceaccounts,"
        " patch serviceaccounts",
    ),
    Work("remove", REMOVE, needs="iam:DeleteRolePolicy, iam:DeleteRolePermissionsBoundary"),
    Work("verify", f"{CHANGE} --verify", needs="create serviceaccounts/token"),
    Work(
        "roll back",
        CHANGE,
        code=1,
        failing="kubernetes PATCH serviceaccounts",
        unchanged=True,
        needs="iam:RemoveClientIDFromOpenIDConnectProvider, iam:ListRoles",
    ),
    Work(
        "refuse a shared role",
        "update-sa $app --description new",
        code=4,
        given=another_uses_the_role,
        needs="list serviceaccounts",
    ),
    Work("adopt all", "adopt --all -n backend"),
    Work("release", "release $app"),
    *FINDING,
)
CHANGING_BOUNDED = (Work("change", WITHIN, needs=f"{EVERY_CHANGE}, iam:DeleteRolePolicy"), *FINDING)

PODS = "create-sa $app --pod-identity --attach-policy-arn $S3"


def automode(caller: Caller) -> None:
    """A cluster that has the agent, and files that change an association."""
    describe_cluster_as(caller.sandbox, staging.CLUSTER, computeConfig={"enabled": True})
    entry = {"namespace": "backend", "serviceAccountName": "app", "permissionPolicyARNs": [WORDS["S3"]]}
    for name, more in (("one", {}), ("two", {"policy": document("s3:GetObject")})):
        associations = [{**entry, **more, "disableSessionTags": True}]
        config = {
            "apiVersion": "eksctl.io/v1alpha5",
            "kind": "ClusterConfig",
            "metadata": {"name": staging.CLUSTER},
            "iam": {"podIdentityAssociations": associations},
        }
        (caller.folder / f"{name}.json").write_text(json.dumps(config), "utf-8")


def association_of_nobody(caller: Caller) -> None:
    """An association, and its role, that are irsa's no more."""
    caller.make(PODS)
    tags = ["irsa/service-account"]
    staging.iam(caller.sandbox).untag_role(RoleName=caller.role, TagKeys=tags)
    ((association,),) = (found.values() for found in caller.sandbox._front.clusters.associations._of.values())
    association["tags"] = {}


SESSION = "--session-policy wide/queue.json --disable-session-tags"
BY_POD_IDENTITY = (
    Work(
        "create",
        PODS,
        holds=lambda caller: bool(caller.sandbox.world()["associations"]),
        needs="eks:CreatePodIdentityAssociation, eks:ListPodIdentityAssociations, eks:TagResource,"
        " iam:PassRole",
    ),
    Work("find everything as desired", f"{PODS}\n{PODS}", needs="eks:DescribePodIdentityAssociation"),
    Work("roll back", PODS, code=1, failing="iam TagRole", unchanged=True),
    Work("delete", f"{PODS}\ndelete-sa $app", unchanged=True, needs="eks:DeletePodIdentityAssociation"),
    Work("apply changes", "apply -f one.json\napply -f two.json"),
    Work(
        "update",
        f"{PODS} {SESSION}\nupdate-sa $app --remove-session-policy",
        needs="eks:UpdatePodIdentityAssociation",
    ),
    Work(
        "roll an adoption back",
        "adopt $app",
        code=1,
        given=association_of_nobody,
        unchanged=True,
        failing=Fault("iam", "TagRole", "error", status=403, code="AccessDenied"),
        needs="eks:UntagResource",
    ),
)

DEPLOYER = f"arn:aws:iam::{staging.OTHER}:role/deployer"
THERE = f"--role-account {staging.OTHER} --role-assume-role {DEPLOYER}"
ASSOCIATED = f"{CREATE} {THERE} --associate-oidc"
TARGET = f"--target-assume-role {DEPLOYER}"
CHAIN = (
    f"--target-role arn:aws:iam::{staging.OTHER}:role/data --update-target-trust --aws-config-map reports-aws"
)
UPDATE_TARGET = (
    f"update-sa $app --external-id abc --update-target-trust --aws-config-map reports-aws {TARGET}"
)
CHAINED = f"{CREATE} {CHAIN} {TARGET} --verify"


def two_accounts(caller: Caller) -> None:
    put_other_account(caller.sandbox, ACCOUNT)
    provider(caller)
    # A refusal by STS that lasts is one after this time, too: here nobody's role appears later.
    caller.monkeypatch.setattr(iam_steps, "PROPAGATION_SECONDS", 1.0)


def bound_there(caller: Caller) -> None:
    caller.make(ASSOCIATED)


def left_chained(caller: Caller) -> None:
    """A run whose changes could not be rolled back; its journal is elsewhere."""
    failing = ("iam", "DeleteRole"), ("kubernetes", "DELETE configmaps")
    faults = [Fault(service, operation, "error", times=None) for service, operation in failing]
    refused = Fault("sts", "AssumeRoleWithWebIdentity", "error", code="AccessDenied", status=403, times=None)
    for fault in (*faults, refused):
        caller.sandbox.faults.add(fault)
    assert caller.run(CHAINED) == 3, caller.said
    caller.sandbox.faults.clear()
    assert not nothing_is_left(caller)


def target_as_before(caller: Caller) -> bool:
    return bool(caller.world()[1] == caller.before[1])


def nothing_is_left(caller: Caller) -> bool:
    maps = caller.sandbox.world()["kubernetes"][staging.CLUSTER]["configmaps"]
    return not maps and "irsa/demo/" not in json.dumps(caller.world())


THERE_AND_GONE = Work(
    "create roles there, and delete them",
    f"{ASSOCIATED} --verify\n{CREATE} {THERE}\nassociate-oidc --audience vault {THERE}\n"
    f"delete-sa $app {THERE}\ndisassociate-oidc {THERE}",
    needs="eks:DescribeCluster, sts:AssumeRole, iam:AddClientIDToOpenIDConnectProvider, iam:AttachRolePolicy,"
    " iam:CreateOpenIDConnectProvider, iam:CreateRole, iam:DeleteOpenIDConnectProvider, iam:DeleteRole,"
    " iam:DeleteRolePolicy, iam:DetachRolePolicy, iam:GetOpenIDConnectProvider, iam:GetRole,"
    " iam:GetRolePolicy, iam:ListAttachedRolePolicies, iam:ListRolePolicies, iam:ListRoles,"
    " iam:PutRolePolicy, iam:TagOpenIDConnectProvider, iam:TagRole",
)
ROLLED_BACK_THERE = (
    Work("roll back", ASSOCIATED, code=1, failing=NO_ACCOUNT, unchanged=True),
    Work(
        "roll a deletion back",
        f"delete-sa $app {THERE}",
        code=1,
        given=bound_there,
        failing="iam DeleteRole",
        unchanged=True,
        needs="iam:UntagRole",
    ),
    Work(
        "roll an audience back",
        f"create-sa other -n backend --attach-policy-arn $S3 --associate-oidc --audience vault {THERE}",
        code=1,
        given=bound_there,
        failing="iam AttachRolePolicy",
        unchanged=True,
        needs="iam:RemoveClientIDFromOpenIDConnectProvider",
    ),
)
ON_TARGETS = (
    Work(
        "chain",
        f"{CHAINED}\n{UPDATE_TARGET}\ndelete-sa $app {TARGET}",
        holds=target_as_before,
        needs="iam:GetRole, iam:ListAttachedRolePolicies, iam:ListRolePolicies, iam:UpdateAssumeRolePolicy,"
        " create configmaps, delete configmaps, get configmaps, patch configmaps",
    ),
    Work(
        "recover",
        f"recover --all --min-age 0s --yes --state-dir $folder/elsewhere {TARGET}",
        given=left_chained,
        holds=nothing_is_left,
    ),
)
CHANGE_RULES = staging.each(staging.rules(staging.PERMISSIONS / "change-rbac.yaml"))
CHANGE_LOCKS = staging.lock_rules(staging.PERMISSIONS / "change-rbac.yaml")
MAPS = staging.each(staging.rules(staging.PERMISSIONS / "chaining-rbac.yaml", kind="Role"))
ALL, CHANGES = (*ALL_RULES, *LOCKS), (*CHANGE_RULES, *CHANGE_LOCKS)
HERE, OTHERS = "cluster-account-policy", "role-account-policy"


def bounded(caller: Caller) -> None:
    """What the bounded variant demands."""
    caller.env["IRSA_PERMISSIONS_BOUNDARY"] = staging.boundary(caller.sandbox)


def bounded_automode(caller: Caller) -> None:
    bounded(caller)
    provider(caller)
    automode(caller)


PAGES = {
    "create": Page("iam-policy", CREATING, ALL, ALL_RULES),
    "create bounded": Page("iam-policy-bounded", CREATING, ALL, given=bounded),
    "change": Page("change-policy", CHANGING, CHANGES, CHANGE_RULES, given=binding),
    "change bounded": Page(
        "change-policy-bounded",
        CHANGING_BOUNDED,
        CHANGES,
        given=bounded_binding,
        # Audiences are for who has ChangeTrust, too: see permissions.md.
        untried="iam:GetOpenIDConnectProvider iam:AddClientIDToOpenIDConnectProvider iam:ListRoles"
        " iam:RemoveClientIDFromOpenIDConnectProvider",
    ),
    "pod identity": Page(
        "iam-policy pod-identity-policy", BY_POD_IDENTITY, ALL, given=automode, tried="pod-identity-policy"
    ),
    "pod identity bounded": Page(
        "iam-policy-bounded pod-identity-policy",
        BY_POD_IDENTITY,
        ALL,
        given=bounded_automode,
        tried="pod-identity-policy",
    ),
    "two accounts": Page(HERE, (THERE_AND_GONE,), ALL, given=two_accounts, elsewhere=OTHERS),
    "roles there": Page(
        HERE, (THERE_AND_GONE, *ROLLED_BACK_THERE), ALL, given=two_accounts, elsewhere=OTHERS, tried=OTHERS
    ),
    "targets": Page(
        f"iam-policy {HERE}",
        ON_TARGETS,
        (*ALL, *MAPS),
        MAPS,
        given=two_accounts,
        elsewhere="target-policy",
        tried="target-policy",
        # By these the target's policies are read before its trust policy is changed: here it has none.
        untried="iam:GetRolePolicy iam:GetPolicy iam:GetPolicyVersion",
    ),
}
