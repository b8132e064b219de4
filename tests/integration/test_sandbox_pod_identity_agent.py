"""The agent of EKS Pod Identity, and EKS Auth behind it: a real SDK gets what the association gives.

Judged by https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html and aws/eks-pod-identity-agent.
"""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, CredentialRetrievalError

from irsa_cli.sandbox import ClusterSpec, Sandbox
from tests.docs.staging import CLUSTER
from tests.support.eks import bearer
from tests.support.kubeclient import KubeClient
from tests.support.sandbox_clients import ACCOUNT, client, policy, refusal, trust

AUDIENCE = "pods.eks.amazonaws.com"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/reader"
ARN = f"arn:aws:eks:eu-west-1:{ACCOUNT}:cluster/{CLUSTER}"
PLACE: dict[str, Any] = {"clusterName": CLUSTER, "namespace": "default", "serviceAccount": "cart"}
ACTIONS = ["sts:AssumeRole", "sts:TagSession"]
LIMITED = {
    "StringEquals": {
        "aws:SourceAccount": ACCOUNT,
        "aws:RequestTag/kubernetes-namespace": "default",
        "aws:RequestTag/kubernetes-service-account": "cart",
    },
    "ArnEquals": {"aws:SourceArn": ARN},
}
Tokens = Callable[..., str]


@pytest.fixture
def tokens(sandbox: Sandbox) -> Tokens:
    """Tokens of default/cart; `pod` is bound to one."""
    found = client(sandbox, "eks").describe_cluster(name=CLUSTER)["cluster"]
    ca = base64.b64decode(found["certificateAuthority"]["data"]).decode()
    admin = KubeClient(found["endpoint"], ca, bearer(sandbox.env(), CLUSTER))
    path = "/api/v1/namespaces/default"
    admin.create(f"{path}/serviceaccounts", {"metadata": {"name": "cart"}})

    def token(audience: str = AUDIENCE, *, pod: str = "") -> str:
        spec: dict[str, Any] = {"audiences": [audience], "expirationSeconds": 600}
        if pod:
            inside = {"serviceAccountName": "cart", "containers": [{"name": "a", "image": "a"}]}
            made = admin.create(f"{path}/pods", {"metadata": {"name": pod}, "spec": inside}).body
            uid = made["metadata"]["uid"]
            spec["boundObjectRef"] = {"kind": "Pod", "apiVersion": "v1", "name": pod, "uid": uid}
        answer = admin.create(f"{path}/serviceaccounts/cart/token", {"metadata": {}, "spec": spec})
        return str(answer.body["status"]["token"])

    return token


def make_role(sandbox: Sandbox, name: str = "reader", **changes: Any) -> None:
    document = trust({"Service": AUDIENCE}, **{"action": ACTIONS, "condition": LIMITED, **changes})
    iam = client(sandbox, "iam")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
    iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")


def associate(sandbox: Sandbox, **more: Any) -> str:
    made = client(sandbox, "eks").create_pod_identity_association(**PLACE, roleArn=ROLE, **more)
    return str(made["association"]["associationId"])


def sdk(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, folder: Path, token: str, service: str = "sts"
) -> Any:
    """A client of an SDK in a pod: it has the variables of the webhook, and no others of an identity."""
    file = folder / "token"
    file.write_text(token)
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")
    for name, value in sandbox.env().items():
        monkeypatch.setenv(name, value)
    for name in keys:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", sandbox.agent_url)
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(file))
    make: Any = boto3.Session().client
    return make(service)


def error_of(sandbox: Sandbox, token: str) -> tuple[int, str]:
    request = urllib.request.Request(sandbox.agent_url, headers={"Authorization": token} if token else {})
    with pytest.raises(urllib.error.HTTPError) as failed:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request)
    with failed.value as answer:
        return answer.code, answer.read().decode()


def test_an_sdk_gets_the_role_of_the_association(
    sandbox: Sandbox, tokens: Tokens, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_role(sandbox)
    associate(sandbox)
    identity = sdk(sandbox, monkeypatch, tmp_path, tokens(pod="web")).get_caller_identity()
    assert identity["Arn"].startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/eks-{CLUSTER}-web-")
    s3 = sdk(sandbox, monkeypatch, tmp_path, tokens(), "s3")
    assert s3.list_buckets()["Buckets"]
    assert client(sandbox, "iam").get_role(RoleName="reader")["Role"]["RoleLastUsed"]


def test_session_tags_reach_policies(
    sandbox: Sandbox, tokens: Tokens, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_role(sandbox, "other")
    iam = client(sandbox, "iam")
    iam.create_role(RoleName="reader", AssumeRolePolicyDocument=trust({"Service": AUDIENCE}, action=ACTIONS))
    only = {"StringEquals": {"aws:PrincipalTag/kubernetes-pod-name": "web"}}
    statement = {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*", "Condition": only}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    iam.put_role_policy(RoleName="reader", PolicyName="own", PolicyDocument=document)
    associate(sandbox)
    assert sdk(sandbox, monkeypatch, tmp_path, tokens(pod="web"), "s3").list_buckets()["Buckets"]
    with pytest.raises(ClientError, match="AccessDenied"):
        sdk(sandbox, monkeypatch, tmp_path, tokens(pod="db"), "s3").list_buckets()


def test_a_session_policy_limits_the_role(
    sandbox: Sandbox, tokens: Tokens, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_role(sandbox, action="sts:AssumeRole", condition={"ArnEquals": {"aws:SourceArn": ARN}})
    associate(sandbox, disableSessionTags=True, policy=policy_text("s3:GetObject"))
    with pytest.raises(ClientError, match="session policy"):
        sdk(sandbox, monkeypatch, tmp_path, tokens(), "s3").list_buckets()


def policy_text(action: str) -> str:
    return json.dumps(policy(action, resource="*"))


def test_the_target_role_is_assumed_by_the_first(
    sandbox: Sandbox, tokens: Tokens, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = "222233334444"
    make_role(sandbox)
    target = f"arn:aws:iam::{other}:role/target"
    iam = client(sandbox, "iam")
    iam.put_role_policy(
        RoleName="reader",
        PolicyName="chain",
        PolicyDocument=json.dumps(policy(*ACTIONS, resource=target)),
    )
    number = associate(sandbox, targetRoleArn=target)
    described = client(sandbox, "eks").describe_pod_identity_association(
        clusterName=CLUSTER, associationId=number
    )["association"]
    condition = {"StringEquals": {"sts:ExternalId": described["externalId"]}}
    there = client(sandbox, "iam", account=other)
    there.create_role(
        RoleName="target",
        AssumeRolePolicyDocument=trust({"AWS": ROLE}, action=ACTIONS, condition=condition),
    )
    identity = sdk(sandbox, monkeypatch, tmp_path, tokens()).get_caller_identity()
    assert identity["Arn"].startswith(f"arn:aws:sts::{other}:assumed-role/target/")
    wrong = trust({"AWS": ROLE}, action=ACTIONS, condition={"StringEquals": {"sts:ExternalId": "x"}})
    there.update_assume_role_policy(RoleName="target", PolicyDocument=wrong)
    assert error_of(sandbox, tokens())[0] == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"action": "sts:AssumeRole"},
        {"condition": {"StringEquals": {"aws:SourceAccount": "222233334444"}}},
        {"condition": {"StringEquals": {"aws:RequestTag/kubernetes-service-account": "other"}}},
        {"condition": {"ArnEquals": {"aws:SourceArn": ARN + "2"}}},
    ],
)
def test_the_trust_policy_is_checked(
    sandbox: Sandbox,
    tokens: Tokens,
    changes: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    make_role(sandbox, **changes)
    associate(sandbox)
    status, text = error_of(sandbox, tokens())
    assert status == 400
    assert "(AccessDeniedException): Unauthorized Exception!" in text
    assert text.endswith("fault: client")
    with pytest.raises(CredentialRetrievalError, match="Unauthorized"):
        sdk(sandbox, monkeypatch, tmp_path, tokens()).get_caller_identity()


def test_errors_of_the_agent(sandbox: Sandbox, tokens: Tokens) -> None:
    assert error_of(sandbox, "") == (400, "Service account token cannot be empty")
    assert "(InvalidTokenException)" in error_of(sandbox, "no.token.here")[1]
    assert "(InvalidTokenException)" in error_of(sandbox, tokens("sts.amazonaws.com"))[1]
    status, text = error_of(sandbox, tokens())
    assert status == 404
    assert "(ResourceNotFoundException)" in text
    assert {call.operation for call in sandbox.calls if call.service == "agent"} == {"GET /v1/credentials"}


def test_eks_auth_serves_those_who_may_call_it(sandbox: Sandbox, tokens: Tokens) -> None:
    make_role(sandbox)
    number = associate(sandbox)
    sandbox.add_cluster(ClusterSpec("second"))
    allowed = policy("eks-auth:AssumeRoleForPodIdentity", resource=ARN)
    sandbox.add_user("node", policy=allowed)
    sandbox.add_user("other", policy=policy("eks:*", resource="*"))

    def ask(user: str, cluster: str = CLUSTER) -> Any:
        auth = client(sandbox, "eks-auth", user=user)
        return auth.assume_role_for_pod_identity(clusterName=cluster, token=tokens())

    found = ask("node")
    assert found["subject"] == {"namespace": "default", "serviceAccount": "cart"}
    assert found["audience"] == AUDIENCE
    assert found["podIdentityAssociation"]["associationId"] == number
    assert "/reader/" in found["assumedRoleUser"]["arn"]
    assert refusal(lambda: ask("other")) == ("AccessDeniedException", 403)
    assert refusal(lambda: ask("node", "second")) == ("AccessDeniedException", 403)
    assert refusal(lambda: ask("admin", "second")) == ("InvalidTokenException", 400)
