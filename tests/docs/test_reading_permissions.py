"""docs/how-to/permissions/reading-*: what is documented for looking suffices, and none of it is too much."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from irsa_cli.cli.main import run
from irsa_cli.sandbox import Rule, Sandbox
from tests.docs import staging
from tests.support.sandbox_clients import trust
from tests.support.service_accounts import put_service_accounts

READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
DOCUMENT = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}}
POLICY = staging.iam_policy(staging.PERMISSIONS / "reading-policy.json")
RBAC = staging.PERMISSIONS / "reading-rbac.yaml"
RULES = staging.single_rules(RBAC)
MANY = 6
"""Roles for which it pays to read all of the account's by pages."""


class Caller:
    """Runs irsa as the limited caller, in this process, and reads its document."""

    def __init__(self, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
        self.sandbox = sandbox
        self._capsys = capsys

    def json(self, *arguments: str) -> dict[str, Any]:
        """The document of a command."""
        self._capsys.readouterr()
        run([*arguments, "-c", staging.CLUSTER, "-q", "-o", "json"])
        found: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        return found

    def describe(self, *arguments: str) -> dict[str, Any]:
        """The description of the ServiceAccount."""
        (found,) = self.json("describe-sa", "app-0", "-n", "backend", *arguments)["items"]
        return dict(found)


Operation = Callable[[Caller], bool]


def list_all(caller: Caller) -> bool:
    """get-sa says of all that they are all right, and nothing is left out."""
    found = caller.json("get-sa")["metadata"]
    return found["exitCode"] == 0 and found["summary"]["ok"] == MANY + 1 and not found["notes"]


def list_by_pages(caller: Caller) -> bool:
    """get-sa asks for no role by itself."""
    caller.sandbox.calls.clear()
    return list_all(caller) and "GetRole" not in {call.operation for call in caller.sandbox.calls}


def get_one(caller: Caller) -> bool:
    """get-sa with a name."""
    found = caller.json("get-sa", "app-0", "-n", "backend")["metadata"]
    return bool(found["exitCode"] == 0 and found["summary"]["ok"] == 1)


def describe(caller: Caller) -> bool:
    """describe-sa shows the role with its policies, and the pods."""
    found = caller.describe()
    complete = found.get("pods") is not None and found["role"]["policies"] is not None
    return bool(complete and found["status"] == "ok")


def describe_with_documents(caller: Caller) -> bool:
    """describe-sa --policies shows all documents."""
    policies = caller.describe("--policies")["role"]["policies"]
    return policies is not None and all(policy["document"] for policy in policies)


def describe_in_kubernetes(caller: Caller) -> bool:
    """describe-sa tells all of what it may do in Kubernetes, and who may become it."""
    return bool(caller.describe()["kubernetes"]["unseen"] == [])


OPERATIONS: Sequence[Operation] = (
    list_all,
    list_by_pages,
    get_one,
    describe,
    describe_with_documents,
    describe_in_kubernetes,
)
ACTIONS: dict[str, Operation] = {
    "eks:DescribeAccessEntry": describe_in_kubernetes,
    "eks:DescribeCluster": list_all,
    "eks:DescribePodIdentityAssociation": list_all,
    "eks:ListAccessEntries": describe_in_kubernetes,
    "eks:ListAddons": list_all,
    "eks:ListAssociatedAccessPolicies": describe_in_kubernetes,
    "eks:ListPodIdentityAssociations": list_all,
    "iam:GetAccountAuthorizationDetails": list_by_pages,
    "iam:GetAccountSummary": list_by_pages,
    "iam:GetOpenIDConnectProvider": list_all,
    "iam:GetPolicy": describe_with_documents,
    "iam:GetPolicyVersion": describe_with_documents,
    "iam:GetRole": describe,
    "iam:GetRolePolicy": describe_with_documents,
    "iam:ListAttachedRolePolicies": describe,
    "iam:ListRolePolicies": describe,
    "iam:ListRoles": list_all,
}
"""Which operation fails without an action."""
VERBS: dict[tuple[str, str], Operation] = {
    ("get", "serviceaccounts"): get_one,
    ("list", "serviceaccounts"): list_all,
    ("list", "daemonsets"): list_all,
    ("list", "pods"): describe,
    ("list", "roles"): describe_in_kubernetes,
    ("list", "clusterroles"): describe_in_kubernetes,
    ("list", "rolebindings"): describe_in_kubernetes,
    ("list", "clusterrolebindings"): describe_in_kubernetes,
    ("get", "configmaps"): describe_in_kubernetes,
}
"""Which operation fails without a verb."""


def associate(sandbox: Sandbox) -> None:
    """A ServiceAccount with its role by EKS Pod Identity, in a cluster whose agent is not an add-on."""
    document = trust({"Service": "pods.eks.amazonaws.com"}, action=["sts:AssumeRole", "sts:TagSession"])
    made = staging.iam(sandbox).create_role(RoleName="given", AssumeRolePolicyDocument=document)
    put_service_accounts(sandbox, staging.CLUSTER, "shop", {"paid": {}})
    agent = {"name": "eks-pod-identity-agent", "namespace": "kube-system"}
    sandbox.put_objects(staging.CLUSTER, [{"kind": "DaemonSet", "metadata": agent, "spec": {}}])
    staging.client(sandbox, "eks").create_pod_identity_association(
        clusterName=staging.CLUSTER,
        namespace="shop",
        serviceAccount="paid",
        roleArn=made["Role"]["Arn"],
    )


@pytest.fixture
def caller(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Caller:
    """A cluster with some bindings, and who looks at them."""
    staging.look_at_aws_auth(sandbox)
    staging.bind(sandbox, "backend", [f"app-{number}" for number in range(MANY)], READ_ONLY)
    staging.iam(sandbox).put_role_policy(
        RoleName="app-0", PolicyName="queue", PolicyDocument=json.dumps(DOCUMENT)
    )
    associate(sandbox)
    for name, value in {**sandbox.env(user="viewer"), "IRSA_STATE_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    return Caller(sandbox, capsys)


def _admit(sandbox: Sandbox, policy: dict[str, Any], rules: Sequence[Rule]) -> None:
    sandbox.add_user("viewer", policy=policy)
    sandbox.grant(staging.CLUSTER, "viewer", rules=rules)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
def test_the_documented_permissions_suffice(operation: Operation, sandbox: Sandbox, caller: Caller) -> None:
    _admit(sandbox, POLICY, RULES)
    assert operation(caller)


@pytest.mark.parametrize("action", ACTIONS)
def test_each_action_is_needed(action: str, sandbox: Sandbox, caller: Caller) -> None:
    _admit(sandbox, staging.without(POLICY, action), RULES)
    assert not ACTIONS[action](caller)


@pytest.mark.parametrize("permission", VERBS, ids=" ".join)
def test_each_verb_is_needed(permission: tuple[str, str], sandbox: Sandbox, caller: Caller) -> None:
    kept = [rule for rule in RULES if (rule.verbs[0], rule.resources[0]) != permission]
    _admit(sandbox, POLICY, kept)
    assert not VERBS[permission](caller)


def test_every_documented_permission_is_tried() -> None:
    assert sorted(staging.actions(POLICY)) == sorted(ACTIONS)
    assert sorted((rule.verbs[0], rule.resources[0]) for rule in RULES) == sorted(VERBS)


def test_the_roles_are_bound_to_the_documented_group() -> None:
    found = staging.rbac(RBAC)
    group = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "irsa-readers"}
    for role, binding in zip(found[::2], found[1::2], strict=True):
        assert binding["roleRef"] | {"name": ""} == {
            "apiGroup": group["apiGroup"],
            "kind": role["kind"],
            "name": "",
        }
        assert binding["roleRef"]["name"] == role["metadata"]["name"]
        assert binding["subjects"] == [group]
    names = found[2]["rules"][0]["resourceNames"]
    assert (found[2]["metadata"]["namespace"], names) == ("kube-system", ["aws-auth"])
