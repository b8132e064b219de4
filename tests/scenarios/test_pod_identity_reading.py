"""ServiceAccounts with an EKS Pod Identity association: listed, described, verified, and used by `exec`."""

import json
import sys
from typing import Any

import pytest

from tests.support.eks_states import add_addon
from tests.support.sandbox_clients import administrator, policy, trust
from tests.support.stage import ACCOUNT, READ_ONLY, ROLE_ARN, Json, Ran, Stage

AGENT = "eks-pod-identity-agent"
SERVICE = "pods.eks.amazonaws.com"
ACTIONS = ["sts:AssumeRole", "sts:TagSession"]
WHO = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"


def make_role(stage: Stage, name: str, **changes: Any) -> str:
    """A role that trusts EKS Pod Identity; its ARN."""
    document = trust({"Service": SERVICE}, **{"action": ACTIONS, **changes})
    stage.iam().create_role(RoleName=name, AssumeRolePolicyDocument=document)
    stage.iam().attach_role_policy(RoleName=name, PolicyArn=READ_ONLY)
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def associate(stage: Stage, namespace: str, name: str, role: str, **more: Any) -> str:
    """An association; its id."""
    place = {"clusterName": stage.cluster, "namespace": namespace, "serviceAccount": name}
    eks = administrator(stage.sandbox, "eks")
    made = eks.create_pod_identity_association(**place, roleArn=role, **more)
    return str(made["association"]["associationId"])


def read(stage: Stage, command: str, *arguments: str, user: str = "admin") -> Ran:
    return stage.irsa(command, *arguments, "-c", stage.cluster, "-o", "json", user=user)


@pytest.fixture
def carted(stage: Stage, namespace: str, unique: str) -> str:
    """The association of the ServiceAccount `cart`, which has no annotation; with an agent."""
    add_addon(stage.sandbox, stage.cluster, AGENT)
    stage.make_account(namespace, "cart")
    return associate(stage, namespace, "cart", make_role(stage, f"cart-{unique}"), tags={"team": "shop"})


def test_listed_without_an_annotation(stage: Stage, namespace: str, unique: str, carted: str) -> None:
    before = stage.world()
    ran = read(stage, "get-sa", "-n", namespace)
    assert ran.code == 0, ran.err
    (item,) = ran.items
    assert (item["serviceAccount"]["name"], item["status"], item["reason"]) == ("cart", "ok", None)
    assert item["newPods"] == "pod-identity"
    assert (
        item["role"]["arn"]
        == item["podIdentity"]["role"]["arn"]
        == f"arn:aws:iam::{ACCOUNT}:role/cart-{unique}"
    )
    assert [found["name"] for found in item["role"]["policies"]] == ["AmazonS3ReadOnlyAccess"]
    rest = {key: item["podIdentity"][key] for key in ("association", "sessionTags", "sessionPolicy", "tags")}
    assert rest == {
        "association": carted,
        "sessionTags": True,
        "sessionPolicy": False,
        "tags": {"team": "shop"},
    }
    assert (item["podIdentity"]["agent"], item["podIdentity"]["owner"]) == (True, None)
    text = stage.irsa("get-sa", "-n", namespace, "-c", stage.cluster).out
    assert text.splitlines()[0].split()[:4] == ["NAMESPACE", "NAME", "ROLE", "BY"]
    assert text.splitlines()[1].split()[1:4] == ["cart", f"cart-{unique}", "pod-identity"]
    assert stage.world() == before


def test_one_list_and_a_call_for_each_association(
    stage: Stage, namespace: str, unique: str, carted: str
) -> None:
    assert carted
    role = f"arn:aws:iam::{ACCOUNT}:role/cart-{unique}"
    for name in ("pay", "ship"):
        stage.make_account(namespace, name)
        associate(stage, namespace, name, role)
    stage.sandbox.calls.clear()
    assert len(read(stage, "get-sa", "-n", namespace).items) == 3
    asked = [call.operation for call in stage.sandbox.calls if call.service == "eks"]
    assert asked.count("ListPodIdentityAssociations") == 1
    assert asked.count("DescribePodIdentityAssociation") == 3
    assert asked.count("ListAddons") == 1
    stage.sandbox.calls.clear()
    read(stage, "get-sa", "-n", "default")
    asked = [call.operation for call in stage.sandbox.calls if call.service == "eks"]
    assert sorted(asked) == ["DescribeCluster", "ListPodIdentityAssociations"]


def test_wrong_in_many_ways(stage: Stage, namespace: str, unique: str) -> None:
    """No agent, a trust policy without TagSession, a role and a ServiceAccount that are missing."""
    good = make_role(stage, f"good-{unique}")
    bare = make_role(stage, f"bare-{unique}", action="sts:AssumeRole")
    gone = make_role(stage, f"gone-{unique}")
    for name, role in (("good", good), ("bare", bare), ("gone", gone)):
        stage.make_account(namespace, name)
        associate(stage, namespace, name, role)
    associate(stage, namespace, "nobody", good)
    stage.iam().detach_role_policy(RoleName=f"gone-{unique}", PolicyArn=READ_ONLY)
    stage.iam().delete_role(RoleName=f"gone-{unique}")
    items = {it["serviceAccount"]["name"]: it for it in read(stage, "get-sa", "-n", namespace).items}
    assert {name: item["status"] for name, item in items.items()} == {
        "good": "no-agent",
        "bare": "not-admitted",
        "gone": "no-role",
        "nobody": "no-service-account",
    }
    assert "sts:TagSession" in items["bare"]["reason"]
    assert items["nobody"]["newPods"] is None


def deny(stage: Stage, user: str, action: str) -> None:
    document = policy(action, Effect="Deny")
    iam = administrator(stage.sandbox, "iam")
    iam.put_user_policy(UserName=user, PolicyName="deny", PolicyDocument=json.dumps(document))


def both(stage: Stage, namespace: str, unique: str) -> None:
    assert stage.associate("-q").code == 0
    assert stage.create_sa("app", namespace, "-q").code == 0
    associate(stage, namespace, "app", make_role(stage, f"other-{unique}"))


def test_with_both_a_new_pod_uses_the_association(stage: Stage, namespace: str, unique: str) -> None:
    both(stage, namespace, unique)
    add_addon(stage.sandbox, stage.cluster, AGENT)
    item = read(stage, "describe-sa", "app", "-n", namespace).item
    assert (item["status"], item["newPods"]) == ("pod-identity", "pod-identity")
    assert item["role"]["arn"] == item["serviceAccount"]["annotations"][ROLE_ARN]
    assert item["podIdentity"]["role"]["arn"].endswith(f"other-{unique}")
    text = stage.irsa("describe-sa", "app", "-n", namespace, "-c", stage.cluster).out
    assert "  new pods       use EKS Pod Identity" in text
    assert "  agent          runs" in text
    assert "both" in stage.irsa("get-sa", "app", "-n", namespace, "-c", stage.cluster).out


def test_described_with_the_identity_of_each_pod(stage: Stage, namespace: str, carted: str) -> None:
    container: Json = {"name": "app", "image": "app"}
    env = [{"name": "AWS_CONTAINER_CREDENTIALS_FULL_URI", "value": "http://169.254.170.23/v1/credentials"}]
    for name, more in (("old", {}), ("new", {"env": env})):
        labels = {"eks.amazonaws.com/skip-pod-identity-webhook": "true"}
        spec = {"serviceAccountName": "cart", "containers": [{**container, **more}]}
        body = {"metadata": {"name": name, "labels": labels}, "spec": spec}
        assert stage.kube.create(f"/api/v1/namespaces/{namespace}/pods", body).status == 201
    item = read(stage, "describe-sa", "cart", "-n", namespace).item
    assert {pod["name"]: pod["identity"] for pod in item["pods"]} == {
        "old": "opted-out",
        "new": "pod-identity",
    }
    text = stage.irsa("describe-sa", "cart", "-n", namespace, "-c", stage.cluster).out
    assert f"  association    {carted}" in text
    assert "tags           team=shop" in text
    assert "Trust\n" not in text


def test_what_can_not_be_listed_is_unknown(stage: Stage, namespace: str, unique: str) -> None:
    both(stage, namespace, unique)
    user = stage.restricted((("get", "list"), ("serviceaccounts", "pods")), locks=False)
    deny(stage, user, "eks:ListPodIdentityAssociations")
    ran = read(stage, "get-sa", "-n", namespace, user=user)
    assert ran.code == 1
    (item,) = ran.items
    assert "podIdentity" not in item
    assert item["newPods"] is None
    assert any("Pod Identity" in note for note in ran.metadata["notes"])
    assert not ran.metadata["scope"]["complete"]


def test_verified_by_eks_auth(stage: Stage, namespace: str, unique: str, carted: str) -> None:
    ran = read(stage, "verify", "cart", "-n", namespace)
    assert ran.code == 0, ran.err
    steps = {step["name"]: step for step in ran.item["steps"]}
    assert list(steps) == ["token", "claims", "trust", "exchange", "identity"]
    assert {step["status"] for step in steps.values()} == {"ok"}
    assert carted in steps["exchange"]["checks"][0]["text"]
    assert (ran.item["audience"], ran.item["role"]["arn"]) == (
        SERVICE,
        f"arn:aws:iam::{ACCOUNT}:role/cart-{unique}",
    )
    many = [it for it in read(stage, "verify", "-A").items if it["serviceAccount"]["namespace"] == namespace]
    assert [item["outcome"] for item in many] == ["verified"]


def test_not_verified_without_tag_session(stage: Stage, namespace: str, unique: str) -> None:
    stage.make_account(namespace, "cart")
    associate(stage, namespace, "cart", make_role(stage, f"cart-{unique}", action="sts:AssumeRole"))
    ran = read(stage, "verify", "cart", "-n", namespace)
    assert ran.code == 5
    failed = {step["name"] for step in ran.item["steps"] if step["status"] == "failed"}
    assert {"trust", "exchange", "pods"} <= failed, ran.out


@pytest.mark.parametrize("everybody", ["*", ["*"]])
def test_a_deny_for_everybody_may_mean_eks(
    stage: Stage, namespace: str, unique: str, carted: str, everybody: Any
) -> None:
    """AWS does not say whether it means its services: irsa does not promise that it doesn't."""
    assert carted
    document = json.loads(trust({"Service": SERVICE}, action=ACTIONS))
    denial = {"Effect": "Deny", "Principal": {"AWS": everybody}, "Action": "sts:AssumeRole"}
    document["Statement"].append(denial)
    stage.iam().update_assume_role_policy(RoleName=f"cart-{unique}", PolicyDocument=json.dumps(document))
    (item,) = read(stage, "get-sa", "-n", namespace).items
    assert item["status"] == "uncertain"
    assert "does not document" in item["reason"]
    ran = read(stage, "verify", "cart", "-n", namespace)
    assert ran.code == 5, ran.err
    steps = {step["name"]: step["status"] for step in ran.item["steps"]}
    assert (steps["trust"], steps["exchange"]) == ("not-checked", "failed")
    text = stage.irsa("doctor", "cart", "-n", namespace, "-c", stage.cluster, "-v").out
    assert "AWS does not document whether the principal" in text


def test_verify_says_what_the_caller_may_not_ask(stage: Stage, namespace: str, carted: str) -> None:
    assert carted
    user = stage.restricted(
        (("get", "list"), ("serviceaccounts", "pods")), (("create",), ("serviceaccounts/token",)), locks=False
    )
    deny(stage, user, "eks-auth:*")
    ran = read(stage, "verify", "cart", "-n", namespace, user=user)
    assert ran.code == 1, ran.err
    exchange = next(step for step in ran.item["steps"] if step["name"] == "exchange")
    assert exchange["status"] == "not-checked"
    assert "eks-auth:AssumeRoleForPodIdentity" in exchange["checks"][0]["text"]


def test_exec_has_the_credentials_of_the_association(
    stage: Stage, namespace: str, unique: str, carted: str
) -> None:
    assert carted
    where = ("cart", "-n", namespace, "-c", stage.cluster)
    ran = stage.irsa("exec", *where, "--", sys.executable, "-c", WHO)
    assert ran.code == 0, ran.err
    assert f":assumed-role/cart-{unique}/eks-" in ran.out
    names = stage.irsa("exec", *where, "--", "env").out
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:" in names
    assert "AWS_ROLE_ARN" not in names


def test_credentials_are_those_of_the_association(
    stage: Stage, namespace: str, unique: str, carted: str
) -> None:
    where = ("credentials", "cart", "-n", namespace, "-c", stage.cluster)
    ran = stage.irsa(*where, "-o", "json")
    assert ran.code == 0, ran.err
    assert ran.item["role"] == {"arn": f"arn:aws:iam::{ACCOUNT}:role/cart-{unique}"}
    assert f":assumed-role/cart-{unique}/eks-" in ran.item["roleSession"]
    assert f"export AWS_ACCESS_KEY_ID={ran.item['accessKeyId'][:4]}" in stage.irsa(*where).out
    refused = stage.irsa(*where, "--duration", "1h")
    assert refused.code == 4
    assert f"by EKS Pod Identity ({carted})" in refused.err
    assert "without --duration" in refused.err


def test_credentials_that_eks_denies(stage: Stage, namespace: str, unique: str, carted: str) -> None:
    assert carted
    other = trust({"Service": "ec2.amazonaws.com"})
    stage.iam().update_assume_role_policy(RoleName=f"cart-{unique}", PolicyDocument=other)
    where = ("credentials", "cart", "-n", namespace, "-c", stage.cluster)
    ran = stage.irsa(*where)
    assert ran.code == 5, ran.err
    assert f"EKS denies {namespace}/cart the credentials of" in ran.err
    assert "irsa verify cart" in ran.err
    user = stage.restricted(
        (("get",), ("serviceaccounts",)), (("create",), ("serviceaccounts/token",)), locks=False
    )
    deny(stage, user, "eks-auth:*")
    ran = stage.irsa(*where, user=user)
    assert ran.code == 1, ran.err
    assert "eks-auth:AssumeRoleForPodIdentity" in ran.err


def test_a_token_of_an_association_is_for_its_agent(stage: Stage, namespace: str, carted: str) -> None:
    assert carted
    where = ("token", "cart", "-n", namespace, "-c", stage.cluster, "--decode", "-o", "json")
    assert stage.irsa(*where).item["claims"]["aud"] == ["pods.eks.amazonaws.com"]
    user = stage.restricted(
        (("get",), ("serviceaccounts",)), (("create",), ("serviceaccounts/token",)), locks=False
    )
    deny(stage, user, "eks:ListPodIdentityAssociations")
    ran = stage.irsa(*where, user=user)
    assert ran.item["claims"]["aud"] == ["sts.amazonaws.com"]
    assert "did not check whether EKS Pod Identity takes precedence" in ran.err


def test_exec_without_any_role_is_refused(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, "cart")
    ran = stage.irsa("exec", "cart", "-n", namespace, "-c", stage.cluster, "--", "true")
    assert ran.code == 4
    assert "has no role" in ran.err
