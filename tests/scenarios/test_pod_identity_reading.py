"""ServiceAccounts with an EKS Pod Identity association: listed, described, verified, and used by `exec`."""

import json
import sys
from collections import Counter
from typing import Any

import pytest

from tests.support.associated import ACTIONS, AGENT, SERVICE, associate, make_role
from tests.support.eks_states import add_addon
from tests.support.rows import at
from tests.support.sandbox_clients import EC2_TRUST, administrator, policy
from tests.support.stage import ACCOUNT, READ_ONLY, ROLE_ARN, Stage, made

WHO = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"


@pytest.fixture
def carted(stage: Stage, namespace: str, unique: str) -> str:
    """The association of the ServiceAccount `cart`, which has no annotation; with an agent."""
    add_addon(stage.sandbox, stage.cluster, AGENT)
    stage.make_account(namespace, "cart")
    stage.words["cart"] = f"cart-{unique}"
    return associate(stage, namespace, "cart", make_role(stage, f"cart-{unique}"), tags={"team": "shop"})


def trust_of_cart(stage: Stage, document: str) -> None:
    stage.iam().update_assume_role_policy(RoleName=stage.words["cart"], PolicyDocument=document)


def denied(stage: Stage, action: str) -> str:
    """A user who may read all, and get tokens, but not call this."""
    verbs = ((("get", "list"), ("serviceaccounts", "pods")), (("create",), ("serviceaccounts/token",)))
    user = stage.restricted(*verbs, locks=False)
    document = json.dumps(policy(action, Effect="Deny"))
    iam = administrator(stage.sandbox, "iam")
    iam.put_user_policy(UserName=user, PolicyName="deny", PolicyDocument=document)
    return user


def both(stage: Stage, namespace: str, unique: str) -> None:
    """An annotation and an association."""
    stage.run("create-sa app -n $ns --no-policy --associate-oidc")
    associate(stage, namespace, "app", make_role(stage, f"other-{unique}"))


def steps_of(item: Any) -> dict[str, str]:
    return {step["name"]: step["status"] for step in item["steps"]}


def test_listed_without_an_annotation(stage: Stage, namespace: str, unique: str, carted: str) -> None:
    item = stage.run("get-sa -n $ns -o json", changes="").item
    arn = f"arn:aws:iam::{ACCOUNT}:role/cart-{unique}"
    expected = {
        "serviceAccount.name": "cart",
        "status": "ok",
        "reason": None,
        "newPods": "pod-identity",
        "role.arn": arn,
        "role.policies.0.name": "AmazonS3ReadOnlyAccess",
        "podIdentity.role.arn": arn,
        "podIdentity.association": carted,
        "podIdentity.sessionTags": True,
        "podIdentity.sessionPolicy": False,
        "podIdentity.tags": {"team": "shop"},
        "podIdentity.agent": True,
        "podIdentity.owner": None,
    }
    assert {path: at(item, path) for path in expected} == expected
    head, row = (line.split() for line in stage.run("get-sa -n $ns").out.splitlines())
    assert (head[3], row[1:4]) == ("BY", ["cart", f"cart-{unique}", "pod-identity"])


def test_one_list_and_a_call_for_each_association(
    stage: Stage, namespace: str, unique: str, carted: str
) -> None:
    for name in ("pay", "ship"):
        stage.make_account(namespace, name)
        associate(stage, namespace, name, f"arn:aws:iam::{ACCOUNT}:role/cart-{unique}")
    for place, count in ((namespace, 3), ("default", 0)):
        stage.sandbox.calls.clear()
        stage.irsa("get-sa", "-n", place, "-c", stage.cluster)
        asked = Counter(call.operation for call in stage.sandbox.calls if call.service == "eks")
        assert asked["ListPodIdentityAssociations"] == 1
        assert (asked["DescribePodIdentityAssociation"], asked["ListAddons"]) == (count, min(count, 1))


def test_wrong_in_many_ways(stage: Stage, namespace: str, unique: str) -> None:
    """No agent, a trust policy without TagSession, a role and a ServiceAccount that are missing."""
    roles = {name: make_role(stage, f"{name}-{unique}") for name in ("good", "gone")}
    roles["bare"] = make_role(stage, f"bare-{unique}", action="sts:AssumeRole")
    for name, role in roles.items():
        stage.make_account(namespace, name)
        associate(stage, namespace, name, role)
    associate(stage, namespace, "nobody", roles["good"])
    stage.iam().detach_role_policy(RoleName=f"gone-{unique}", PolicyArn=READ_ONLY)
    stage.iam().delete_role(RoleName=f"gone-{unique}")
    ran = stage.run("get-sa -n $ns -o json", says="sts:TagSession")
    statuses = {item["serviceAccount"]["name"]: item["status"] for item in ran.items}
    expected = ["good", "no-agent", "bare", "not-admitted", "gone", "no-role", "nobody", "no-service-account"]
    assert statuses == dict(zip(expected[::2], expected[1::2], strict=True))
    assert ran.of(namespace, "nobody")["newPods"] is None
    steps = steps_of(stage.run("verify bare -n $ns -o json", code=5).item)
    assert [steps[name] for name in ("trust", "exchange", "pods")] == ["failed"] * 3


def test_with_both_a_new_pod_uses_the_association(stage: Stage, namespace: str, unique: str) -> None:
    both(stage, namespace, unique)
    add_addon(stage.sandbox, stage.cluster, AGENT)
    item = stage.run("describe-sa app -n $ns -o json").item
    assert (item["status"], item["newPods"]) == ("pod-identity", "pod-identity")
    assert item["role"]["arn"] == item["serviceAccount"]["annotations"][ROLE_ARN]
    assert item["podIdentity"]["role"]["arn"].endswith(f"other-{unique}")
    stage.run("describe-sa app -n $ns", says="  new pods       use EKS Pod Identity")
    stage.run("get-sa app -n $ns", says="both")


def test_described_with_the_identity_of_each_pod(stage: Stage, namespace: str, carted: str) -> None:
    env = [{"name": "AWS_CONTAINER_CREDENTIALS_FULL_URI", "value": "http://169.254.170.23/v1/credentials"}]
    labels = {"eks.amazonaws.com/skip-pod-identity-webhook": "true"}
    for name, variables in (("old", []), ("new", env)):
        container = {"name": "app", "image": "app", "env": variables}
        spec = {"serviceAccountName": "cart", "containers": [container]}
        body = {"metadata": {"name": name, "labels": labels}, "spec": spec}
        made(stage.kube.create(f"/api/v1/namespaces/{namespace}/pods", body))
    pods = stage.run("describe-sa cart -n $ns -o json").item["pods"]
    identities = {pod["name"]: pod["identity"] for pod in pods}
    assert identities == {"old": "opted-out", "new": "pod-identity"}
    said = (f"  association    {carted}", "tags           team=shop")
    stage.run("describe-sa cart -n $ns", says=said, silent="Trust\n")


HIDDEN = {
    "verify": ("eks-auth:*", "verify cart -n $ns", 1, "eks-auth:AssumeRoleForPodIdentity"),
    "credentials": ("eks-auth:*", "credentials cart -n $ns", 1, "eks-auth:AssumeRoleForPodIdentity"),
    "token": (
        "eks:ListPodIdentityAssociations",
        "token cart -n $ns --decode",
        0,
        ("did not check whether EKS Pod Identity takes precedence", "sts.amazonaws.com"),
    ),
}


@pytest.mark.parametrize("command", HIDDEN)
def test_what_the_caller_may_not_ask_is_said(stage: Stage, carted: str, command: str) -> None:
    action, line, code, said = HIDDEN[command]
    stage.run(line, code=code, says=said, user=denied(stage, action))


def test_what_can_not_be_listed_is_unknown(stage: Stage, namespace: str, unique: str) -> None:
    both(stage, namespace, unique)
    ran = stage.run("get-sa -n $ns -o json", code=1, user=denied(stage, "eks:ListPodIdentityAssociations"))
    assert ("podIdentity" in ran.item, ran.item["newPods"]) == (False, None)
    assert not ran.metadata["scope"]["complete"]


def test_verified_by_eks_auth(stage: Stage, namespace: str, unique: str, carted: str) -> None:
    item = stage.run("verify cart -n $ns -o json").item
    assert list(steps_of(item)) == ["token", "claims", "trust", "exchange", "identity"]
    assert set(steps_of(item).values()) == {"ok"}
    assert carted in item["steps"][3]["checks"][0]["text"]
    assert item["audience"] == SERVICE
    assert item["role"]["arn"].endswith(f"cart-{unique}")
    ran = stage.irsa("verify", "-A", "-c", stage.cluster, "-o", "json")
    assert ran.of(namespace, "cart")["outcome"] == "verified"


def test_a_deny_for_everybody_may_mean_eks(stage: Stage, carted: str) -> None:
    """AWS does not say whether it means its services: irsa does not promise that it doesn't."""
    admit = {"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": ACTIONS}
    deny = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    trust_of_cart(stage, json.dumps({"Version": "2012-10-17", "Statement": [admit, deny]}))
    item = stage.run("get-sa -n $ns -o json", code=1).item
    assert (item["status"], "does not document" in item["reason"]) == ("uncertain", True)
    steps = steps_of(stage.run("verify cart -n $ns -o json", code=5).item)
    assert (steps["trust"], steps["exchange"]) == ("not-checked", "failed")
    stage.run("doctor cart -n $ns -v", code=1, says="AWS does not document whether the principal")


def test_exec_and_credentials_have_those_of_the_association(stage: Stage, carted: str) -> None:
    role = f":assumed-role/{stage.words['cart']}/eks-"
    ran = stage.irsa("exec", "cart", "-n", stage.words["ns"], "-c", "demo", "--", sys.executable, "-c", WHO)
    assert (ran.code, role in ran.out) == (0, True), ran.err
    env = "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:"
    stage.run("exec cart -n $ns -c $cluster -- env", says=env, silent="AWS_ROLE_ARN")
    item = stage.run("credentials cart -n $ns -o json").item
    assert item["role"] == {"arn": f"arn:aws:iam::{ACCOUNT}:role/{stage.words['cart']}"}
    assert role in item["roleSession"]
    stage.run("credentials cart -n $ns", says=f"export AWS_ACCESS_KEY_ID={item['accessKeyId'][:4]}")
    said = (f"by EKS Pod Identity ({carted})", "without --duration")
    stage.run("credentials cart -n $ns --duration 1h", code=4, says=said)
    trust_of_cart(stage, EC2_TRUST)
    said = ("EKS denies $ns/cart the credentials of", "irsa verify cart")
    stage.run("credentials cart -n $ns", code=5, says=said)


def test_a_token_of_an_association_is_for_its_agent(stage: Stage, carted: str) -> None:
    stage.run("token cart -n $ns --decode", says=SERVICE, silent="sts.amazonaws.com")


def test_exec_without_any_role_is_refused(stage: Stage, namespace: str) -> None:
    stage.make_account(namespace, "cart")
    stage.run("exec cart -n $ns -c $cluster -- true", code=4, says="has no role")
