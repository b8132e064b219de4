"""From AWS credentials to Kubernetes: EKS bearer tokens, access entries; and the sandbox as a whole."""

import base64
import json
import os
import subprocess
import sys
from typing import Any

import pytest
import urllib3
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import irsa_cli.sandbox
from irsa_cli.sandbox import ClusterSpec, Fault, Rule, Sandbox
from tests.support.kubeclient import KubeClient
from tests.support.sandbox_clients import (
    ACCOUNT,
    AUDIENCE,
    anonymous,
    client,
    client_of,
    policy,
    refusal,
    trust,
)

OTHER = "222233334444"
NAMESPACES = "/api/v1/namespaces"


def _sign(
    sandbox: Sandbox,
    credentials: Credentials,
    *,
    cluster: str | None = "demo",
    action: str = "GetCallerIdentity",
    service: str = "sts",
    host: str = "",
) -> str:
    headers = {} if cluster is None else {"x-k8s-aws-id": cluster}
    base = host or sandbox.url
    request = AWSRequest("GET", f"{base}/?Action={action}&Version=2011-06-15", headers=headers)
    SigV4QueryAuth(credentials, service, "eu-west-1", expires=60).add_auth(request)
    return "k8s-aws-v1." + base64.urlsafe_b64encode(str(request.url).encode()).decode().rstrip("=")


def _user(sandbox: Sandbox, name: str = "admin", account: str = ACCOUNT) -> Credentials:
    env = sandbox.env(user=name, account=account)
    return Credentials(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"])


def _kube(sandbox: Sandbox, token: str | None, name: str = "demo") -> KubeClient:
    cluster = client(sandbox, "eks").describe_cluster(name=name)["cluster"]
    ca = base64.b64decode(cluster["certificateAuthority"]["data"]).decode()
    return KubeClient(cluster["endpoint"], ca, token)


def test_an_administrator_of_the_account_is_one_of_the_cluster(sandbox: Sandbox) -> None:
    kube = _kube(sandbox, _sign(sandbox, _user(sandbox)))
    assert kube.get(NAMESPACES).status == 200
    assert kube.create(NAMESPACES, {"metadata": {"name": "shop"}}).status == 201
    assert "shop" in sandbox.world()["kubernetes"]["demo"]["namespaces"]


def test_a_token_for_the_real_address_of_sts_is_good(sandbox: Sandbox) -> None:
    token = _sign(sandbox, _user(sandbox), host="https://sts.eu-west-1.amazonaws.com")
    assert _kube(sandbox, token).get(NAMESPACES).status == 200


BAD_TOKENS = {
    "for another cluster": {"cluster": "second"},
    "for no cluster": {"cluster": None},
    "for another action": {"action": "GetSessionToken"},
    "for another service": {"service": "iam"},
}


@pytest.mark.parametrize("name", BAD_TOKENS)
def test_bad_tokens(sandbox: Sandbox, name: str) -> None:
    sandbox.add_cluster(ClusterSpec("second"))
    token = _sign(sandbox, _user(sandbox), **BAD_TOKENS[name])  # type: ignore[arg-type]
    assert _kube(sandbox, token).get(NAMESPACES).status == 401


@pytest.mark.parametrize(
    "token", ["garbage", "k8s-aws-v1.", "k8s-aws-v1.%%%", "k8s-aws-v1.aGVsbG8", "k8s-aws-v2.x"]
)
def test_garbage(sandbox: Sandbox, token: str) -> None:
    assert _kube(sandbox, token).get(NAMESPACES).status == 401


def test_wrong_secret_and_foreign_administrator(sandbox: Sandbox) -> None:
    forged = Credentials(_user(sandbox).access_key, "wrong")
    foreign = _user(sandbox, account=OTHER)
    for credentials in (forged, foreign):
        assert _kube(sandbox, _sign(sandbox, credentials)).get(NAMESPACES).status == 401


def test_a_user_is_what_it_is_granted(sandbox: Sandbox) -> None:
    sandbox.add_user("ci")
    token = _sign(sandbox, _user(sandbox, "ci"))
    assert _kube(sandbox, token).get(NAMESPACES).status == 401
    sandbox.grant("demo", "ci", username="deployer", rules=[Rule(("list",), ("namespaces",))])
    kube = _kube(sandbox, token)
    assert kube.get(NAMESPACES).status == 200
    refused = kube.create(NAMESPACES, {"metadata": {"name": "shop"}})
    assert refused.status == 403
    assert "deployer" in refused.body["message"]
    sandbox.reset()
    sandbox.add_user("ci")
    assert _kube(sandbox, token).get(NAMESPACES).status == 401


def test_a_role_is_what_it_is_granted(sandbox: Sandbox) -> None:
    root = trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
    role = client(sandbox, "iam").create_role(RoleName="hop", Path="/ci/", AssumeRolePolicyDocument=root)[
        "Role"
    ]
    made = client(sandbox, "sts").assume_role(RoleArn=role["Arn"], RoleSessionName="me")["Credentials"]
    session = Credentials(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
    token = _sign(sandbox, session)
    assert _kube(sandbox, token).get(NAMESPACES).status == 401
    sandbox.grant("demo", role["Arn"], groups=["system:masters"])
    assert _kube(sandbox, token).get(NAMESPACES).status == 200


def test_who_calls_is_not_among_the_calls(sandbox: Sandbox) -> None:
    kube = _kube(sandbox, _sign(sandbox, _user(sandbox)))
    kube.get(f"{NAMESPACES}/default")
    kube.create(f"{NAMESPACES}/default/serviceaccounts", {"metadata": {"name": "cart"}})
    told = [(call.service, call.operation, call.subject, call.status) for call in sandbox.calls]
    assert told[1:] == [
        ("kubernetes", "GET namespaces", "default", 200),
        ("kubernetes", "POST serviceaccounts", "default/cart", 201),
    ]


def test_faults_strike_kubernetes_too(sandbox: Sandbox) -> None:
    kube = _kube(sandbox, _sign(sandbox, _user(sandbox)))
    sandbox.faults.add(Fault("kubernetes", "POST namespaces", "error", code="Conflict", status=409))
    refused = kube.create(NAMESPACES, {"metadata": {"name": "shop"}})
    assert (refused.status, refused.body["kind"], refused.body["reason"]) == (409, "Status", "Conflict")
    sandbox.faults.add(Fault("kubernetes", "*", "throttle"))
    assert kube.get(NAMESPACES).status == 429
    for kind, executed in (("reset-before", False), ("reset-after", True), ("truncate-after", True)):
        sandbox.faults.add(Fault("kubernetes", "POST namespaces", kind))  # type: ignore[arg-type]
        with pytest.raises(urllib3.exceptions.HTTPError):
            kube.create(NAMESPACES, {"metadata": {"name": kind}})
        assert (kind in sandbox.world()["kubernetes"]["demo"]["namespaces"]) is executed


def test_connections_are_kept_alive(sandbox: Sandbox) -> None:
    with urllib3.HTTPConnectionPool("127.0.0.1", int(sandbox.url.rsplit(":", 1)[-1]), maxsize=1) as pool:
        for _ in range(5):
            path = f"{sandbox.control_url.removeprefix(sandbox.url)}/calls"
            assert pool.request("GET", path).status == 200
        assert pool.num_connections == 1


def test_a_service_account_reaches_aws_with_the_clusters_token(sandbox: Sandbox) -> None:
    kube = _kube(sandbox, _sign(sandbox, _user(sandbox)))
    kube.create(f"{NAMESPACES}/default/serviceaccounts", {"metadata": {"name": "cart"}})
    wanted = {"spec": {"audiences": [AUDIENCE], "expirationSeconds": 600}}
    token = kube.create(f"{NAMESPACES}/default/serviceaccounts/cart/token", wanted).body["status"]["token"]
    issuer = client(sandbox, "eks").describe_cluster(name="demo")["cluster"]["identity"]["oidc"]["issuer"]
    iam = client(sandbox, "iam")
    provider = iam.create_open_id_connect_provider(Url=issuer, ClientIDList=[AUDIENCE])[
        "OpenIDConnectProviderArn"
    ]
    condition = {"StringEquals": {f"{issuer[8:]}:sub": "system:serviceaccount:default:cart"}}
    document = trust({"Federated": provider}, condition, action="sts:AssumeRoleWithWebIdentity")
    arn = iam.create_role(RoleName="cart", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    sts = anonymous(sandbox, "sts")
    exchange = {"RoleArn": arn, "RoleSessionName": "me", "WebIdentityToken": token}
    answer = sts.assume_role_with_web_identity(**exchange)
    s3 = client_of(sandbox, "s3", answer["Credentials"])
    assert refusal(s3.list_buckets) == ("AccessDenied", 403)
    iam.put_role_policy(
        RoleName="cart", PolicyName="p", PolicyDocument=json.dumps(policy("s3:ListAllMyBuckets"))
    )
    s3.list_buckets()


def _review(sandbox: Sandbox, token: str, cluster: str = "demo") -> Any:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    return _control(sandbox, "POST", f"token-review/{cluster}", body)[1]


def _control(sandbox: Sandbox, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    answer = urllib3.request(method, f"{sandbox.control_url}/{path}", body=data, retries=False)
    return answer.status, json.loads(answer.data)


def test_the_webhook_reviews_tokens(sandbox: Sandbox) -> None:
    sandbox.add_user("ci")
    sandbox.grant("demo", "ci", username="deployer", groups=["team"])
    review = _review(sandbox, _sign(sandbox, _user(sandbox, "ci")))
    assert review["kind"] == "TokenReview"
    assert review["status"]["authenticated"] is True
    user = review["status"]["user"]
    assert (user["username"], user["groups"]) == ("deployer", ["team"])
    assert _review(sandbox, "garbage")["status"] == {"authenticated": False}
    assert "error" in _review(sandbox, "garbage", "nowhere")


@pytest.mark.parametrize(
    "headers", [{"Host": "attacker.example"}, {"Origin": "https://attacker.example"}, {"Origin": "null"}]
)
def test_the_control_api_answers_no_web_page(sandbox: Sandbox, headers: dict[str, str]) -> None:
    answer = urllib3.request("GET", f"{sandbox.control_url}/env", headers=headers, retries=False)
    assert answer.status == 403
    assert b"SECRET" not in answer.data


@pytest.mark.parametrize("path", ["/_sandbox/env", "/_sandbox//env", "/_sandbox/x/env"])
def test_the_control_api_wants_its_token(sandbox: Sandbox, path: str) -> None:
    assert urllib3.request("GET", sandbox.url + path, retries=False).status == 403


def test_the_control_api_does_what_python_does(sandbox: Sandbox) -> None:
    assert _control(sandbox, "GET", "world") == (200, sandbox.world())
    assert _control(sandbox, "GET", f"env?user=ci&account={OTHER}")[1] == sandbox.env(
        user="ci", account=OTHER
    )
    assert _control(sandbox, "POST", "users", {"name": "ci", "policy": policy("iam:*")})[0] == 200
    grant = {"cluster": "demo", "user": "ci", "rules": [{"verbs": ["list"], "resources": ["namespaces"]}]}
    assert _control(sandbox, "POST", "grants", grant)[0] == 200
    assert _kube(sandbox, _sign(sandbox, _user(sandbox, "ci"))).get(NAMESPACES).status == 200
    _control(
        sandbox, "POST", "faults", {"service": "iam", "operation": "*", "kind": "throttle", "times": None}
    )
    iam = client(sandbox, "iam", user="ci")
    assert refusal(iam.list_roles)[0] == "Throttling"
    assert _control(sandbox, "GET", "calls")[1][-1]["error_code"] == "Throttling"
    _control(sandbox, "DELETE", "faults")
    iam.list_roles()
    _control(sandbox, "POST", "latency", {"seconds": 0.01})
    _control(sandbox, "POST", "lag", {"seconds": 5})
    _control(sandbox, "POST", "settle")
    assert (sandbox.latency, sandbox.lag) == (0.01, 5.0)
    _control(sandbox, "POST", "reset")
    assert (sandbox.latency, sandbox.lag, sandbox.calls) == (0.0, 0.0, [])
    assert refusal(iam.list_roles) == ("InvalidClientTokenId", 403)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "nothing", None, 404),
        ("POST", "world", None, 404),
        ("POST", "users", {}, 400),
        ("POST", "users", {"name": "admin"}, 400),
        ("POST", "faults", {"nonsense": 1}, 400),
        ("POST", "grants", {"cluster": "nowhere", "user": "ci"}, 400),
    ],
)
def test_the_control_api_refuses(sandbox: Sandbox, method: str, path: str, body: Any, status: int) -> None:
    assert _control(sandbox, method, path, body)[0] == status


def test_reset_brings_back_the_start(sandbox: Sandbox) -> None:
    start = sandbox.world()
    sandbox.add_cluster(ClusterSpec("second"))
    sandbox.add_user("ci")
    sandbox.quotas["RolesQuota"] = 1
    client(sandbox, "iam").create_policy(PolicyName="p", PolicyDocument=json.dumps(policy("s3:*")))
    kube = _kube(sandbox, _sign(sandbox, _user(sandbox)))
    kube.create(NAMESPACES, {"metadata": {"name": "shop"}})
    sandbox.reset()
    world = sandbox.world()
    assert list(world["kubernetes"]) == ["demo"]
    assert list(world["kubernetes"]["demo"]["namespaces"]) == list(start["kubernetes"]["demo"]["namespaces"])
    assert world["policies"] == {}
    assert sandbox.quotas["RolesQuota"] == 1000
    assert kube.get(NAMESPACES).status == 200


def test_there_is_one_sandbox_in_a_process(sandbox: Sandbox) -> None:
    with pytest.raises(RuntimeError):
        Sandbox()


def test_names_that_are_taken(sandbox: Sandbox) -> None:
    sandbox.add_user("ci")
    with pytest.raises(ValueError, match="ci"):
        sandbox.add_user("ci")
    with pytest.raises(ValueError, match="demo"):
        sandbox.add_cluster(ClusterSpec())
    with pytest.raises(KeyError):
        sandbox.grant("nowhere", "ci")


def test_the_package_exports_what_it_says() -> None:
    for name in irsa_cli.sandbox.__all__:
        assert getattr(irsa_cli.sandbox, name).__name__ == name
    with pytest.raises(AttributeError):
        irsa_cli.sandbox.Nothing  # noqa: B018 - reading it is the test


SCRIPT = """
import sys
import irsa_cli.sandbox
assert not {"moto", "boto3", "werkzeug"} & set(sys.modules), "the package itself is light"
with irsa_cli.sandbox.Sandbox(latency=0.001) as sandbox:
    assert sandbox.latency == 0.001
demo = irsa_cli.sandbox.ClusterSpec()
try:
    with irsa_cli.sandbox.Sandbox([demo, demo]):
        raise AssertionError("two clusters of one name")
except ValueError:
    pass
with irsa_cli.sandbox.Sandbox() as again:
    assert again.world()["roles"] == {}
"""


def test_a_process_of_its_own_may_start_it_twice() -> None:
    environment = {**os.environ, "AWS_PROFILE": "does-not-exist"}
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, timeout=60, env=environment)
