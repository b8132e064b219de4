"""Whose call it is: in faults, in the log, and for who listens. What each kind of fault does is elsewhere."""

import threading
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from irsa_cli.sandbox import Fault, Sandbox
from irsa_cli.sandbox.exchange import Label
from irsa_cli.sandbox.kubefront import access_key
from tests.support.aws_lines import tried
from tests.support.sandbox_clients import client, policy, refusal
from tests.support.sandbox_kube import kube_as

NOBODY = {
    "RoleArn": "arn:aws:iam::111122223333:role/r",
    "RoleSessionName": "session",
    "WebIdentityToken": "t" * 20,
}


def key(sandbox: Sandbox, user: str = "admin") -> str:
    return sandbox.env(user=user)["AWS_ACCESS_KEY_ID"]


@pytest.fixture
def other(sandbox: Sandbox) -> str:
    """A second user who may do everything."""
    sandbox.add_user("other", policy=policy("*"))
    sandbox.grant("demo", "other", groups=("system:masters",))
    return "other"


def unsigned(sandbox: Sandbox, application: str) -> Callable[[], Any]:
    config = Config(
        signature_version=UNSIGNED, user_agent_extra=f"app/{application}", retries={"total_max_attempts": 1}
    )
    sts: Any = boto3.client("sts", endpoint_url=sandbox.url, region_name="eu-west-1", config=config)
    return lambda: sts.assume_role_with_web_identity(**NOBODY)


def test_a_fault_for_one_caller_leaves_others_alone(sandbox: Sandbox, other: str) -> None:
    sandbox.faults.add(Fault("iam", "ListRoles", "throttle", caller=key(sandbox, other)))
    users = ("admin", other, other)
    ends = [tried(client(sandbox, "iam", user=user), "ListRoles") for user in users]
    assert ends == ["", "Throttling 400", ""]


def test_in_kubernetes_the_caller_is_who_signed_the_token(sandbox: Sandbox, other: str) -> None:
    sandbox.faults.add(Fault("kubernetes", "*", "status", caller=key(sandbox, other)))
    path = "/api/v1/namespaces/default"
    admin, restricted = kube_as(sandbox), kube_as(sandbox, sandbox.env(user=other))
    assert [who.get(path).status for who in (admin, restricted, restricted)] == [200, 500, 200]


def test_without_a_signature_the_application_is_the_caller(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("sts", "*", "throttle", caller="mine", times=None))
    assert refusal(unsigned(sandbox, "theirs"))[0] == "InvalidIdentityToken"
    assert refusal(unsigned(sandbox, "mine"))[0] == "Throttling"


def test_the_log_says_who_called(sandbox: Sandbox, other: str) -> None:
    client(sandbox, "iam", user=other).list_roles()
    kube_as(sandbox, sandbox.env(user=other)).get("/api/v1/namespaces/default")
    refusal(unsigned(sandbox, "mine"))
    assert [(call.service, call.caller) for call in sandbox.calls if call.service != "eks"] == [
        ("iam", key(sandbox, other)),
        ("kubernetes", key(sandbox, other)),
        ("sts", "mine"),
    ]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic abc",
        "Bearer abc",
        "Bearer k8s-aws-v1.%%%",
        "Bearer k8s-aws-v1.YWJj",
        "Bearer k8s-aws-v1.w7",
    ],
)
def test_other_tokens_are_nobodys(header: str) -> None:
    assert access_key(header) == ""


def test_the_faults_that_struck_are_told_until_they_are_cleared(sandbox: Sandbox) -> None:
    fault = Fault("iam", "ListRoles", "throttle", times=2)
    sandbox.faults.add(fault)
    sandbox.faults.add(Fault("iam", "ListUsers", "throttle"))
    iam = client(sandbox, "iam")
    assert list(sandbox.faults.struck) == []
    refusal(iam.list_roles)
    refusal(iam.list_roles)
    iam.list_roles()
    assert list(sandbox.faults.struck) == [fault, fault]
    sandbox.faults.clear()
    assert list(sandbox.faults.struck) == []


def test_a_listener_holds_a_call_until_it_returns(sandbox: Sandbox) -> None:
    heard, go_on = threading.Event(), threading.Event()
    labels: list[Label] = []

    def listen(label: Label) -> None:
        labels.append(label)
        heard.set()
        go_on.wait(10)

    sandbox.listen(listen)
    caller = threading.Thread(target=client(sandbox, "iam").list_roles)
    caller.start()
    assert heard.wait(10)
    assert sandbox.calls == []
    go_on.set()
    caller.join(10)
    assert [call.operation for call in sandbox.calls] == ["ListRoles"]
    assert labels == [Label("iam", "ListRoles", "", key(sandbox))]


def test_a_reset_ends_listening(sandbox: Sandbox) -> None:
    labels: list[Label] = []
    sandbox.listen(labels.append)
    sandbox.reset()
    client(sandbox, "iam").list_roles()
    assert labels == []
