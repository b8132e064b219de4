"""The agent of EKS Pod Identity, and EKS Auth behind it: a real SDK gets what the association gives.

Judged by https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html and aws/eks-pod-identity-agent.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, CredentialRetrievalError

from irsa_cli.sandbox import ClusterSpec, Sandbox
from tests.docs.staging import CLUSTER
from tests.support.aws_lines import do, refused, tried
from tests.support.sandbox_clients import ACCOUNT, client, policy, refusal, trust
from tests.support.sandbox_kube import kube_as

AUDIENCE = "pods.eks.amazonaws.com"
OTHER = "222233334444"
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
    admin = kube_as(sandbox)
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
    for line in (
        "CreateRole {RoleName: $N, AssumeRolePolicyDocument: $T}",
        "AttachRolePolicy {RoleName: $N, PolicyArn: $S3}",
    ):
        do(client(sandbox, "iam"), line, N=name, T=document)


def associate(sandbox: Sandbox, **more: Any) -> dict[str, Any]:
    made = client(sandbox, "eks").create_pod_identity_association(**PLACE, roleArn=ROLE, **more)
    return dict(made["association"])


@dataclass
class Pod:
    """An SDK in a pod: it has the variables of the webhook, and no others of an identity."""

    sandbox: Sandbox
    tokens: Tokens
    monkeypatch: pytest.MonkeyPatch
    folder: Path

    def client(self, service: str = "sts", pod: str = "") -> Any:
        """A client; `pod` is the name of the pod."""
        file = self.folder / "token"
        file.write_text(self.tokens(pod=pod))
        for name, value in self.sandbox.env().items():
            self.monkeypatch.setenv(name, value)
        for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE"):
            self.monkeypatch.delenv(f"AWS_{name}", raising=False)
        self.monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", self.sandbox.agent_url)
        self.monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(file))
        make: Any = boto3.Session().client
        return make(service)


@pytest.fixture
def sdk(sandbox: Sandbox, tokens: Tokens, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pod:
    return Pod(sandbox, tokens, monkeypatch, tmp_path)


def error_of(sandbox: Sandbox, token: str) -> tuple[int, str]:
    request = urllib.request.Request(sandbox.agent_url, headers={"Authorization": token} if token else {})
    with pytest.raises(urllib.error.HTTPError) as failed:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request)
    with failed.value as answer:
        return answer.code, answer.read().decode()


def test_an_sdk_gets_the_role_of_the_association(sandbox: Sandbox, sdk: Pod) -> None:
    make_role(sandbox)
    associate(sandbox)
    arn = sdk.client(pod="web").get_caller_identity()["Arn"]
    assert arn.startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/eks-{CLUSTER}-web-")
    assert sdk.client("s3").list_buckets()["Buckets"]
    assert client(sandbox, "iam").get_role(RoleName="reader")["Role"]["RoleLastUsed"]


def test_session_tags_reach_policies(sandbox: Sandbox, sdk: Pod) -> None:
    iam = client(sandbox, "iam")
    document = trust({"Service": AUDIENCE}, action=ACTIONS)
    do(iam, "CreateRole {RoleName: reader, AssumeRolePolicyDocument: $T}", T=document)
    only = {"StringEquals": {"aws:PrincipalTag/kubernetes-pod-name": "web"}}
    own = json.dumps(policy("s3:ListAllMyBuckets", Condition=only))
    do(iam, "PutRolePolicy {RoleName: reader, PolicyName: own, PolicyDocument: $P}", P=own)
    associate(sandbox)
    assert tried(sdk.client("s3", "web"), "ListBuckets") == ""
    assert refused(sdk.client("s3", "db"), "ListBuckets") == "AccessDenied 403"


def test_a_session_policy_limits_the_role(sandbox: Sandbox, sdk: Pod) -> None:
    make_role(sandbox, action="sts:AssumeRole", condition={"ArnEquals": {"aws:SourceArn": ARN}})
    associate(sandbox, disableSessionTags=True, policy=json.dumps(policy("s3:GetObject")))
    with pytest.raises(ClientError, match="session policy"):
        sdk.client("s3").list_buckets()


def test_the_target_role_is_assumed_by_the_first(sandbox: Sandbox, tokens: Tokens, sdk: Pod) -> None:
    make_role(sandbox)
    target = f"arn:aws:iam::{OTHER}:role/target"
    chain = json.dumps(policy(*ACTIONS, resource=target))
    put = "PutRolePolicy {RoleName: reader, PolicyName: chain, PolicyDocument: $P}"
    do(client(sandbox, "iam"), put, P=chain)
    number = associate(sandbox, targetRoleArn=target)["externalId"]
    there = client(sandbox, "iam", account=OTHER)

    def trusts(external: str) -> str:
        condition = {"StringEquals": {"sts:ExternalId": external}}
        return trust({"AWS": ROLE}, action=ACTIONS, condition=condition)

    do(there, "CreateRole {RoleName: target, AssumeRolePolicyDocument: $T}", T=trusts(number))
    arn = sdk.client().get_caller_identity()["Arn"]
    assert arn.startswith(f"arn:aws:sts::{OTHER}:assumed-role/target/")
    do(there, "UpdateAssumeRolePolicy {RoleName: target, PolicyDocument: $T}", T=trusts("x"))
    assert error_of(sandbox, tokens())[0] == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"action": "sts:AssumeRole"},
        {"condition": {"StringEquals": {"aws:SourceAccount": OTHER}}},
        {"condition": {"StringEquals": {"aws:RequestTag/kubernetes-service-account": "other"}}},
        {"condition": {"ArnEquals": {"aws:SourceArn": ARN + "2"}}},
    ],
)
def test_the_trust_policy_is_checked(sandbox: Sandbox, tokens: Tokens, changes: dict[str, Any]) -> None:
    make_role(sandbox, **changes)
    associate(sandbox)
    status, text = error_of(sandbox, tokens())
    assert status == 400
    assert "(AccessDeniedException): Unauthorized Exception!" in text
    assert text.endswith("fault: client")


def test_an_sdk_is_told_that_it_is_not_authorized(sandbox: Sandbox, sdk: Pod) -> None:
    make_role(sandbox, action="sts:AssumeRole")
    associate(sandbox)
    with pytest.raises(CredentialRetrievalError, match="Unauthorized"):
        sdk.client().get_caller_identity()


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
    number = associate(sandbox)["associationId"]
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
