"""docs/how-to/permissions: what is documented for migrate, repoint and retire suffices, and all is needed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from irsa_cli.cli.main import run
from irsa_cli.sandbox import ClusterSpec, Fault, Rule, Sandbox
from irsa_cli.sandbox.aws.clusters import issuer_of
from tests.docs import staging
from tests.support.eks_states import add_addon, describe_cluster_as
from tests.support.service_accounts import put_service_accounts
from tests.support.stage import ROLE_ARN

ACCOUNT = "111122223333"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
DOCUMENT = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sqs:ReceiveMessage", "Resource": "*"}],
}
WHERE = ("-r", "eu-west-1", "-q")
OLD, NEW = "blue", "green"
RULES = (
    Rule(("get", "list", "patch"), ("serviceaccounts",)),
    Rule(("list",), ("pods",)),
    Rule(("create",), ("pods",)),
    Rule(("get",), ("namespaces",)),
    Rule(("list",), ("cronjobs", "jobs"), groups=("batch",)),
    Rule(("list",), ("replicationcontrollers",)),
    Rule(("list",), ("deployments", "statefulsets", "daemonsets", "replicasets"), groups=("apps",)),
    Rule(
        ("get", "list", "create", "update", "delete"),
        ("leases",),
        "default",
        groups=("coordination.k8s.io",),
    ),
)
"""The rights in the clusters that the pages name."""


class Account:
    """A sandbox's account: prepared by the administrator, then used by the limited caller `ci`."""

    def __init__(self, sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sandbox, self._folder, self._monkeypatch = sandbox, folder, monkeypatch
        self._become("admin")

    def _become(self, user: str) -> None:
        state = str(self._folder / "state")
        for name, value in {**self.sandbox.env(user=user), "IRSA_STATE_DIR": state}.items():
            self._monkeypatch.setenv(name, value)

    @contextmanager
    def administrator(self) -> Iterator[None]:
        self._become("admin")
        yield
        self._become("ci")

    def admit(self, policy: dict[str, object], *clusters: str) -> None:
        self.sandbox.add_user("ci", policy=policy)
        for name in clusters:
            self.sandbox.grant(name, "ci", rules=RULES)
        self._become("ci")

    @property
    def iam(self) -> object:
        return staging.iam(self.sandbox)

    def create(self, cluster: str, name: str = "app", *arguments: str) -> None:
        """A binding of irsa's with a managed and an inline policy."""
        file = self._folder / "queue.json"
        file.write_text(json.dumps(DOCUMENT), encoding="utf-8")
        words = ("create-sa", name, "-n", "backend", "-c", cluster, "--attach-policy-arn", READ_ONLY)
        assert run([*words, "--inline-policy", str(file), *WHERE, *arguments]) == 0

    def trust(self, name: str) -> str:
        return json.dumps(self.sandbox.world()["roles"][name]["trust"])

    @property
    def own_role(self) -> str:
        (name,) = (name for name, it in self.sandbox.world()["roles"].items() if it["path"] != "/")
        return str(name)

    def use(self, *, used: bool) -> None:
        """All roles are a year old; `used`: IAM says that they were used a moment ago."""
        now = datetime.now(timezone.utc)
        for role in self.sandbox._front.cloud.iam(ACCOUNT, "aws").roles.values():
            role.create_date = now - timedelta(days=365)
            role.last_used = now if used else None


@pytest.fixture
def account(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    return Account(sandbox, tmp_path, monkeypatch)


Prepare = Callable[[Account], None]
Operation = Callable[[Account], bool]


def two_clusters(account: Account) -> None:
    """A role of irsa's, and `shared` with a policy of the account, both trusted by the old cluster."""
    sandbox = account.sandbox
    for name in (OLD, NEW):
        sandbox.add_cluster(ClusterSpec(name))
    assert run(["associate-oidc", "-c", OLD, *WHERE]) == 0
    account.create(OLD)
    (provider,) = sandbox.world()["oidc_providers"]
    iam = staging.iam(sandbox)
    trust = json.dumps(staging.trust_of(provider, "backend", "other"))
    iam.create_role(RoleName="shared", AssumeRolePolicyDocument=trust)
    made = iam.create_policy(PolicyName="queue", PolicyDocument=json.dumps(DOCUMENT))
    iam.attach_role_policy(RoleName="shared", PolicyArn=made["Policy"]["Arn"])
    annotations: dict[str, dict[str, str]] = {"app": {}, "other": {}}
    put_service_accounts(sandbox, NEW, "backend", annotations)


def repoint(step: str, *arguments: str, old: str = OLD) -> int:
    return run(["repoint", "--from", old, "--to", NEW, f"--{step}", *arguments, *WHERE])


def trusts(account: Account, cluster: str, *names: str) -> list[bool]:
    number = issuer_of(ClusterSpec(cluster)).rpartition("/")[2]
    return [number in account.trust(name) for name in names or (account.own_role, "shared")]


def add(account: Account) -> bool:
    """--add to both roles, and --verify's reading."""
    return repoint("add") == 0 and trusts(account, NEW) == [True, True] and repoint("status") == 0


def add_by_issuer(account: Account) -> bool:
    """The old cluster is given by the id of its issuer, and found: its ServiceAccounts count."""
    with account.administrator():
        annotations = {ROLE_ARN: f"arn:aws:iam::{ACCOUNT}:role/shared"}
        for cluster, found in ((OLD, annotations), (NEW, {})):
            metadata = {"namespace": "backend", "name": "more", "annotations": found}
            more = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
            account.sandbox.put_objects(cluster, [more])
    done = repoint("add", old=issuer_of(ClusterSpec(OLD)).rpartition("/")[2]) == 0
    objects = account.sandbox.world()["kubernetes"][NEW]["serviceaccounts"]
    return done and ROLE_ARN in objects["backend/more"]["annotations"]


def add_to_a_large_policy(account: Account) -> bool:
    """The account's quota is larger than IAM's default."""
    account.sandbox.quotas["AssumeRolePolicySizeQuota"] = 4096
    with account.administrator():
        found = json.loads(account.trust("shared"))
        service = {
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        document = json.dumps({**found, "Statement": [*found["Statement"], *[service] * 14]})
        staging.iam(account.sandbox).update_assume_role_policy(RoleName="shared", PolicyDocument=document)
    return repoint("add") == 0


def roll_audiences_back(account: Account) -> bool:
    """The provider of the new cluster lacks two audiences; the second can't be added."""
    with account.administrator():
        assert run(["associate-oidc", "-c", NEW, *WHERE]) == 0
        text = account.trust("shared")
        both = text.replace('"sts.amazonaws.com"', '["vault", "other"]')
        staging.iam(account.sandbox).update_assume_role_policy(RoleName="shared", PolicyDocument=both)
    before = account.sandbox.world()
    fault = Fault("iam", "AddClientIDToOpenIDConnectProvider", "error", skip=1, times=None)
    account.sandbox.faults.add(fault)
    failed = repoint("add") == 1
    account.sandbox.faults.clear()
    return failed and account.sandbox.world() == before and repoint("add") == 0


def retire_the_old(account: Account) -> bool:
    """--retire of roles that the new cluster uses, by what CloudTrail shows."""
    with account.administrator():
        assert repoint("add") == 0
        account.use(used=True)
    done = repoint("retire", "--unused-for", "89d") == 0
    return done and trusts(account, OLD) == [False, False]


def retire_and_roll_back(account: Account) -> bool:
    """The tag of irsa's role can't be changed: its trust policy is as before."""
    with account.administrator():
        assert repoint("add") == 0
    before = account.sandbox.world()
    account.sandbox.faults.add(Fault("iam", "TagRole", "error", times=None))
    name = account.own_role
    return repoint("retire", "--unused-for", "0s", name) == 1 and account.sandbox.world() == before


def add_of_a_deleted_cluster(account: Account) -> bool:
    """The old cluster is given by its name, and is gone."""
    account.sandbox.remove_cluster(OLD)
    return repoint("add") == 0


def a_dead_cluster(account: Account) -> None:
    """`old`: a role of irsa's, and a statement of irsa's in `shared`, which a service can use as well."""
    sandbox = account.sandbox
    sandbox.add_cluster(ClusterSpec("old"))
    for name in (staging.CLUSTER, "old"):
        assert run(["associate-oidc", "-c", name, *WHERE]) == 0
    account.create("old")
    ec2 = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    staging.iam(sandbox).create_role(
        RoleName="shared",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [ec2]}),
    )
    arn = f"arn:aws:iam::{ACCOUNT}:role/shared"
    words = ("create-sa", "user", "-n", "backend", "-c", "old", "--attach-role-arn", arn, "--update-trust")
    assert run([*words, *WHERE]) == 0
    sandbox.remove_cluster("old")
    account.use(used=False)


def retire(*arguments: str) -> int:
    return run(["retire", *arguments, *WHERE])


def left(account: Account) -> tuple[int, int, int]:
    """How many roles, statements of `shared` and providers there are."""
    world = account.sandbox.world()
    shared = world["roles"]["shared"]["trust"]["Statement"]
    return len(world["roles"]), len(shared), len(world["oidc_providers"])


def retire_a_cluster(account: Account) -> bool:
    """Its role, its statement and its provider go."""
    return retire("old", "--yes") == 0 and left(account) == (1, 1, 1)


def retire_what_is_used(account: Account) -> bool:
    """`shared` is used: CloudTrail shows that it is not by the dead cluster."""
    account.use(used=True)
    return retire("old", "--unused-for", "80d", "--yes") == 0 and left(account)[1] == 1


def retire_and_restore(account: Account) -> bool:
    """The role can't be deleted in the end: its policies are there again."""
    before = account.sandbox.world()["roles"][account.own_role]
    account.sandbox.faults.add(Fault("iam", "DeleteRole", "error", times=None))
    return retire("old", "--yes") == 1 and account.sandbox.world()["roles"][account.own_role] == before


def list_with_quotas(account: Account) -> bool:
    """--list with what the account uses of its quotas."""
    path = Path(os.environ["IRSA_STATE_DIR"]).parent / "list.json"
    done = run(["retire", "--list", "-r", "eu-west-1", "--json-file", str(path)]) == 0
    return done and "quota" in json.dumps([q for q in json.loads(path.read_text())["metadata"]["quotas"]
                                           if q["what"] == "roles"])  # fmt: skip


def retire_a_namespace(account: Account) -> bool:
    """A binding by EKS Pod Identity in a living cluster, whose namespace is gone: role and association go."""
    sandbox = account.sandbox
    with account.administrator():
        describe_cluster_as(sandbox, staging.CLUSTER, computeConfig={"enabled": True})
        account.create(staging.CLUSTER, "pod", "--pod-identity")
        staging.kube(sandbox).delete("/api/v1/namespaces/backend")
        account.use(used=False)
    done = retire("--namespace", "back*", "-c", staging.CLUSTER, "--yes") == 0
    return done and not sandbox.world()["associations"] and left(account)[0] == 2


def with_irsa(account: Account) -> None:
    """A binding by IRSA in a cluster that has the agent."""
    add_addon(account.sandbox, staging.CLUSTER, "eks-pod-identity-agent")
    assert run(["associate-oidc", "-c", staging.CLUSTER, *WHERE]) == 0
    account.create(staging.CLUSTER)


def migrate(way: str, *arguments: str, name: str = "app", namespace: str = "backend") -> int:
    words = ("migrate", name, "-n", namespace, "-c", staging.CLUSTER, "--to", way)
    return run([*words, *arguments, *WHERE])


def migrate_there(account: Account) -> bool:
    """To EKS Pod Identity, and IRSA's end."""
    done = migrate("pod-identity") == 0 and migrate("pod-identity", "--finish") == 0
    return done and "AssumeRoleWithWebIdentity" not in account.trust(account.own_role)


def migrate_back(account: Account) -> bool:
    """There and back."""
    done = migrate_there(account) and migrate("irsa") == 0 and migrate("irsa", "--finish") == 0
    return done and not account.sandbox.world()["associations"]


def migrate_a_binding_by_pod_identity(account: Account) -> bool:
    """One that irsa created for EKS Pod Identity: to IRSA and back."""
    with account.administrator():
        account.create(staging.CLUSTER, "pod", "--pod-identity", "--create-service-account")
    steps = (("irsa",), ("irsa", "--finish"), ("pod-identity",), ("pod-identity", "--finish"))
    return all(migrate(*step, name="pod") == 0 for step in steps)


def migrate_a_role_of_others(account: Account) -> bool:
    """A role and a ServiceAccount that a person created: there and back."""
    with account.administrator():
        (provider,) = account.sandbox.world()["oidc_providers"]
        trust = json.dumps(staging.trust_of(provider, "theirs", "app"))
        made = staging.iam(account.sandbox).create_role(RoleName="shared", AssumeRolePolicyDocument=trust)
        staging.account(account.sandbox, "theirs", "app", made["Role"]["Arn"])
    managed = ("--finish", "--include-managed")
    steps = (("pod-identity",), ("pod-identity", *managed), ("irsa",), ("irsa", *managed))
    return all(migrate(*step, namespace="theirs") == 0 for step in steps)


def migrate_and_roll_back(account: Account) -> bool:
    """The role can't be passed to EKS: nothing is left."""
    before = account.sandbox.world()
    account.sandbox.faults.add(Fault("eks", "CreatePodIdentityAssociation", "error", times=None))
    return migrate("pod-identity") == 1 and account.sandbox.world() == before


OPERATIONS: dict[str, tuple[Prepare, dict[Operation, tuple[str, ...]]]] = {
    "repoint": (
        two_clusters,
        {
            add: (
                "eks:DescribeCluster", "iam:ListRoles", "iam:GetRole", "iam:GetOpenIDConnectProvider",
                "iam:CreateOpenIDConnectProvider", "iam:TagOpenIDConnectProvider",
                "iam:UpdateAssumeRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies",
                "iam:GetRolePolicy", "iam:GetPolicy", "iam:GetPolicyVersion",
            ),
            add_by_issuer: ("eks:ListClusters",),
            add_to_a_large_policy: ("iam:GetAccountSummary",),
            roll_audiences_back: (
                "iam:AddClientIDToOpenIDConnectProvider", "iam:RemoveClientIDFromOpenIDConnectProvider",
            ),
            retire_the_old: ("cloudtrail:LookupEvents", "iam:TagRole"),
            retire_and_roll_back: (),
            add_of_a_deleted_cluster: ("iam:ListOpenIDConnectProviders",),
        },
    ),
    "retire": (
        a_dead_cluster,
        {
            retire_a_cluster: (
                "ec2:DescribeRegions", "eks:ListClusters", "eks:DescribeCluster",
                "iam:GetAccountAuthorizationDetails", "iam:ListOpenIDConnectProviders",
                "iam:GetOpenIDConnectProvider", "iam:GetRole", "iam:ListAttachedRolePolicies",
                "iam:ListRolePolicies", "iam:GetRolePolicy", "iam:ListRoles", "iam:TagRole",
                "iam:DetachRolePolicy", "iam:DeleteRolePolicy", "iam:DeleteRole",
                "iam:UpdateAssumeRolePolicy", "iam:DeleteOpenIDConnectProvider",
            ),
            retire_what_is_used: ("cloudtrail:LookupEvents",),
            retire_and_restore: ("iam:AttachRolePolicy", "iam:PutRolePolicy", "iam:UntagRole"),
            list_with_quotas: ("iam:GetAccountSummary",),
            retire_a_namespace: (
                "eks:ListPodIdentityAssociations", "eks:DescribePodIdentityAssociation",
                "eks:DeletePodIdentityAssociation",
            ),
        },
    ),
    "migrate": (
        with_irsa,
        {
            migrate_there: (
                "iam:TagRole",
                "eks:DescribeCluster", "iam:GetRole", "eks:CreatePodIdentityAssociation",
                "eks:ListPodIdentityAssociations", "eks:DescribePodIdentityAssociation", "eks:TagResource",
                "iam:PassRole", "iam:UpdateAssumeRolePolicy", "iam:ListAttachedRolePolicies",
                "iam:ListRolePolicies", "iam:GetRolePolicy", "iam:GetPolicy", "iam:GetPolicyVersion",
            ),
            migrate_back: ("eks:DeletePodIdentityAssociation", "iam:GetOpenIDConnectProvider"),
            migrate_a_binding_by_pod_identity: ("iam:UntagRole",),
            migrate_a_role_of_others: (),
            migrate_and_roll_back: (),
        },
    ),
}  # fmt: skip
ALL = [
    pytest.param(command, operation, id=f"{command}-{operation.__name__}")
    for command, (_, operations) in OPERATIONS.items()
    for operation in operations
]
ACTIONS = [
    pytest.param(command, operation, action, id=f"{command}-{action}")
    for command, (_, operations) in OPERATIONS.items()
    for operation, actions in operations.items()
    for action in actions
]


def prepared(account: Account, command: str, policy: dict[str, object]) -> None:
    OPERATIONS[command][0](account)
    account.admit(policy, *(name for name in (staging.CLUSTER, OLD, NEW) if name in _clusters(account)))


def _clusters(account: Account) -> list[str]:
    return list(account.sandbox.world()["kubernetes"])


def documented(command: str) -> dict[str, object]:
    """The command's file, with the issuer of the cluster that it is about in place of the example's."""
    cluster = {"repoint": NEW, "retire": "old"}.get(command, staging.CLUSTER)
    demo, number = (issuer_of(ClusterSpec(name)).rpartition("/")[2] for name in (staging.CLUSTER, cluster))
    found: dict[str, object] = json.loads(
        json.dumps(staging.joined(f"{command}-policy")).replace(demo, number)
    )
    return found


@pytest.mark.parametrize(("command", "operation"), ALL)
def test_the_documented_permissions_suffice(account: Account, command: str, operation: Operation) -> None:
    prepared(account, command, documented(command))
    assert operation(account)


@pytest.mark.parametrize(("command", "operation", "action"), ACTIONS)
def test_each_action_is_needed(account: Account, command: str, operation: Operation, action: str) -> None:
    prepared(account, command, staging.without(documented(command), action))
    assert not operation(account)


@pytest.mark.parametrize("command", OPERATIONS)
def test_every_documented_permission_is_tried(command: str) -> None:
    tried = {action for actions in OPERATIONS[command][1].values() for action in actions}
    assert set(staging.actions(staging.joined(f"{command}-policy"))) == tried
