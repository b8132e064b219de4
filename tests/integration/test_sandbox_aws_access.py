"""From AWS credentials to Kubernetes, the control API, and the sandbox as a whole.

Which bearer tokens are good, tests/contract/test_eks_tokens.py tries on both APIs.
"""

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
from tests.support.aws_lines import do, refused, tried
from tests.support.sandbox_clients import ACCOUNT, client, policy
from tests.support.sandbox_kube import kube_as

OTHER = "222233334444"
NAMESPACES = "/api/v1/namespaces"
SHOP = {"metadata": {"name": "shop"}}


def sign(
    sandbox: Sandbox,
    credentials: Credentials,
    host: str = "",
    *,
    cluster: str = "demo",
    action: str = "GetCallerIdentity",
    service: str = "sts",
) -> str:
    """A token for the cluster demo, or one that is wrong."""
    url = f"{host or sandbox.url}/?Action={action}&Version=2011-06-15"
    request = AWSRequest("GET", url, headers={"x-k8s-aws-id": cluster} if cluster else {})
    SigV4QueryAuth(credentials, service, "eu-west-1", expires=60).add_auth(request)
    return "k8s-aws-v1." + base64.urlsafe_b64encode(str(request.url).encode()).decode().rstrip("=")


def user(sandbox: Sandbox, name: str = "admin", account: str = ACCOUNT) -> Credentials:
    env = sandbox.env(user=name, account=account)
    return Credentials(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"])


def test_a_token_for_the_real_address_of_sts_is_good(sandbox: Sandbox) -> None:
    token = sign(sandbox, user(sandbox), "https://sts.eu-west-1.amazonaws.com")
    assert kube_as(sandbox, token=token).create(NAMESPACES, SHOP).status == 201
    assert "shop" in sandbox.world()["kubernetes"]["demo"]["namespaces"]


def test_bad_tokens(sandbox: Sandbox) -> None:
    mine = user(sandbox)
    changes: Any = ({"cluster": ""}, {"action": "GetSessionToken"}, {"service": "iam"})
    tokens = [sign(sandbox, mine, **change) for change in changes]
    others = (Credentials(mine.access_key, "wrong"), user(sandbox, account=OTHER))
    tokens += [sign(sandbox, credentials) for credentials in others]
    tokens += ["k8s-aws-v1.%%%", "k8s-aws-v1.aGVsbG8", "k8s-aws-v2.x"]
    assert [kube_as(sandbox, token=token).get(NAMESPACES).status for token in tokens] == [401] * 8


def test_grants_end_with_a_reset(sandbox: Sandbox) -> None:
    statuses = []
    for reset in (False, True):
        sandbox.add_user("ci")
        if not reset:
            sandbox.grant("demo", "ci", username="deployer", rules=[Rule(("list",), ("namespaces",))])
        mine = kube_as(sandbox, sandbox.env(user="ci"))
        statuses.append((mine.get(NAMESPACES).status, mine.create(NAMESPACES, SHOP).status))
        sandbox.reset()
    assert statuses == [(200, 403), (401, 401)]


def test_a_role_is_what_it_is_granted(sandbox: Sandbox) -> None:
    iam, sts = client(sandbox, "iam"), client(sandbox, "sts")
    do(iam, "CreateRole {RoleName: hop, Path: /ci/, AssumeRolePolicyDocument: $ROOT}")
    made = do(sts, "AssumeRole {RoleArn: $HERE:role/ci/hop, RoleSessionName: me}")["Credentials"]
    session = Credentials(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
    mine = kube_as(sandbox, token=sign(sandbox, session))
    assert mine.get(NAMESPACES).status == 401
    sandbox.grant("demo", f"arn:aws:iam::{ACCOUNT}:role/ci/hop", groups=["system:masters"])
    assert mine.get(NAMESPACES).status == 200


def test_who_calls_is_not_among_the_calls(sandbox: Sandbox) -> None:
    admin = kube_as(sandbox)
    admin.get(f"{NAMESPACES}/default")
    admin.create(f"{NAMESPACES}/default/serviceaccounts", {"metadata": {"name": "cart"}})
    told = [f"{call.service} {call.operation} {call.subject} {call.status}" for call in sandbox.calls]
    assert told[1:] == [
        "kubernetes GET namespaces default 200",
        "kubernetes POST serviceaccounts default/cart 201",
    ]


def test_faults_strike_kubernetes_too(sandbox: Sandbox) -> None:
    admin = kube_as(sandbox)
    sandbox.faults.add(Fault("kubernetes", "POST namespaces", "error", code="Conflict", status=409))
    failed = admin.create(NAMESPACES, SHOP)
    assert (failed.status, failed.body["kind"], failed.body["reason"]) == (409, "Status", "Conflict")
    sandbox.faults.add(Fault("kubernetes", "*", "throttle"))
    assert admin.get(NAMESPACES).status == 429
    kinds: Any = ("reset-before", "reset-after", "truncate-after")
    for kind in kinds:
        sandbox.faults.add(Fault("kubernetes", "POST namespaces", kind))
        with pytest.raises(urllib3.exceptions.HTTPError):
            admin.create(NAMESPACES, {"metadata": {"name": kind}})
    assert set(kinds) & set(sandbox.world()["kubernetes"]["demo"]["namespaces"]) == set(kinds[1:])


def test_connections_are_kept_alive(sandbox: Sandbox) -> None:
    path = f"{sandbox.control_url.removeprefix(sandbox.url)}/calls"
    with urllib3.HTTPConnectionPool("127.0.0.1", int(sandbox.url.rsplit(":", 1)[-1]), maxsize=1) as pool:
        assert {pool.request("GET", path).status for _ in range(5)} == {200}
        assert pool.num_connections == 1


def control(sandbox: Sandbox, line: str, body: Any = None) -> tuple[int, Any]:
    """Ask the control API: a method and a path."""
    method, _, path = line.partition(" ")
    data = None if body is None else json.dumps(body).encode()
    answer = urllib3.request(method, f"{sandbox.control_url}/{path}", body=data, retries=False)
    return answer.status, json.loads(answer.data)


def test_the_webhook_reviews_tokens(sandbox: Sandbox) -> None:
    def review(token: str, cluster: str = "demo") -> Any:
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        return control(sandbox, f"POST token-review/{cluster}", body)[1]

    sandbox.add_user("ci")
    sandbox.grant("demo", "ci", username="deployer", groups=["team"])
    good = review(sign(sandbox, user(sandbox, "ci")))
    assert (good["kind"], good["status"]["authenticated"]) == ("TokenReview", True)
    assert (good["status"]["user"]["username"], good["status"]["user"]["groups"]) == ("deployer", ["team"])
    assert review("garbage")["status"] == {"authenticated": False}
    assert "error" in review("garbage", "nowhere")


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/env", {"Host": "attacker.example"}),
        ("/env", {"Origin": "https://attacker.example"}),
        ("/env", {"Origin": "null"}),
        ("/_sandbox/env", {}),
        ("/_sandbox//env", {}),
        ("/_sandbox/x/env", {}),
    ],
)
def test_the_control_api_answers_no_web_page_and_wants_its_token(
    sandbox: Sandbox, path: str, headers: dict[str, str]
) -> None:
    base = sandbox.control_url if headers else sandbox.url
    answer = urllib3.request("GET", f"{base}{path}", headers=headers, retries=False)
    assert (answer.status, b"SECRET" in answer.data) == (403, False)


def test_the_control_api_does_what_python_does(sandbox: Sandbox) -> None:
    assert control(sandbox, "GET world") == (200, sandbox.world())
    assert control(sandbox, f"GET env?user=ci&account={OTHER}")[1] == sandbox.env(user="ci", account=OTHER)
    assert control(sandbox, "POST users", {"name": "ci", "policy": policy("iam:*")})[0] == 200
    rules = [{"verbs": ["list"], "resources": ["namespaces"]}]
    assert control(sandbox, "POST grants", {"cluster": "demo", "user": "ci", "rules": rules})[0] == 200
    assert kube_as(sandbox, token=sign(sandbox, user(sandbox, "ci"))).get(NAMESPACES).status == 200
    control(sandbox, "POST faults", {"service": "iam", "operation": "*", "kind": "throttle", "times": None})
    iam = client(sandbox, "iam", user="ci")
    assert refused(iam, "ListRoles") == "Throttling 400"
    assert control(sandbox, "GET calls")[1][-1]["error_code"] == "Throttling"
    control(sandbox, "DELETE faults")
    assert tried(iam, "ListRoles") == ""
    for line, body in (("latency", {"seconds": 0.01}), ("lag", {"seconds": 5}), ("settle", None)):
        control(sandbox, f"POST {line}", body)
    assert (sandbox.latency, sandbox.lag) == (0.01, 5.0)
    control(sandbox, "POST reset")
    assert (sandbox.latency, sandbox.lag, sandbox.calls) == (0.0, 0.0, [])
    assert refused(iam, "ListRoles") == "InvalidClientTokenId 403"


@pytest.mark.parametrize(
    ("line", "body", "status"),
    [
        ("GET nothing", None, 404),
        ("POST world", None, 404),
        ("POST users", {}, 400),
        ("POST users", {"name": "admin"}, 400),
        ("POST faults", {"nonsense": 1}, 400),
        ("POST grants", {"cluster": "nowhere", "user": "ci"}, 400),
    ],
)
def test_the_control_api_refuses(sandbox: Sandbox, line: str, body: Any, status: int) -> None:
    assert control(sandbox, line, body)[0] == status


def test_reset_brings_back_the_start(sandbox: Sandbox) -> None:
    def places() -> tuple[Any, ...]:
        world = sandbox.world()
        clusters = world["kubernetes"]
        return (
            list(clusters),
            list(clusters["demo"]["namespaces"]),
            world["policies"],
            sandbox.quotas["RolesQuota"],
        )

    start, admin = places(), kube_as(sandbox)
    assert start[2:] == ({}, 1000)
    sandbox.add_cluster(ClusterSpec("second"))
    sandbox.add_user("ci")
    sandbox.quotas["RolesQuota"] = 1
    do(client(sandbox, "iam"), "CreatePolicy {PolicyName: p, PolicyDocument: $READS}")
    admin.create(NAMESPACES, SHOP)
    sandbox.reset()
    assert places() == start
    assert admin.get(NAMESPACES).status == 200


def test_what_python_refuses(sandbox: Sandbox) -> None:
    with pytest.raises(RuntimeError):
        Sandbox()  # There is one in a process.
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
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, env=environment)
