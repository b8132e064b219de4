"""Each kind of fault, as a real client meets it, and what it does to the world. Also log, latency and lag."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest
import urllib3
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from botocore.parsers import ResponseParserError

from irsa_cli.sandbox import Call, Fault, Sandbox
from tests.support.sandbox_clients import ACCOUNT, EC2_TRUST, S3_READ, client, policy, refusal, trust

ROLE = {"RoleName": "r", "AssumeRolePolicyDocument": EC2_TRUST}


def _impatient(sandbox: Sandbox, seconds: float, attempts: int = 1) -> Any:
    env = sandbox.env()
    return boto3.client(
        "iam",
        endpoint_url=sandbox.url,
        region_name="eu-west-1",
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}, read_timeout=seconds),
    )


def _exists(sandbox: Sandbox) -> bool:
    return "r" in sandbox.world()["roles"]


@pytest.mark.parametrize(
    ("service", "call", "expected"),
    [
        ("iam", "list_roles", ("Throttling", 400)),
        ("sts", "get_caller_identity", ("Throttling", 400)),
        ("eks", "list_clusters", ("ThrottlingException", 429)),
        ("s3", "list_buckets", ("SlowDown", 503)),
    ],
)
def test_throttle(sandbox: Sandbox, service: str, call: str, expected: tuple[str, int]) -> None:
    sandbox.faults.add(Fault(service, "*", "throttle"))
    ask = getattr(client(sandbox, service), call)
    assert refusal(ask) == expected
    ask()


@pytest.mark.parametrize(
    ("service", "call"),
    [("iam", "list_roles"), ("sts", "get_caller_identity"), ("eks", "list_clusters"), ("s3", "list_buckets")],
)
def test_error_in_each_services_shape(sandbox: Sandbox, service: str, call: str) -> None:
    sandbox.faults.add(Fault(service, "*", "error", code="Special", message="a < b", status=418))
    ask = getattr(client(sandbox, service), call)
    with pytest.raises(client(sandbox, service).exceptions.ClientError) as caught:
        ask()
    error = caught.value.response["Error"]
    assert (error["Code"], error["Message"]) == ("Special", "a < b")


def _asked(sandbox: Sandbox, **options: Any) -> urllib3.BaseHTTPResponse:
    """What is answered to a call by somebody whom nobody knows."""
    return urllib3.request(
        "GET", f"{sandbox.url}/clusters", **{"retries": False, "redirect": False, **options}
    )


def test_an_answer_in_the_services_place(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("*", "*", "answer", status=200, body="<p>Blocked</p>"))
    answer = _asked(sandbox)
    assert (answer.status, answer.data) == (200, b"<p>Blocked</p>")
    assert answer.headers["Content-Type"] == "text/html"


def test_a_redirect_leads_to_where_it_came_from(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("*", "*", "answer", status=307, times=None))
    with pytest.raises(urllib3.exceptions.MaxRetryError):
        _asked(sandbox, retries=urllib3.Retry(redirect=3), redirect=True)
    assert len(sandbox.calls) == 4


def test_an_answer_in_the_services_place_after_it_acted(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("iam", "CreateRole", "answer-after", status=504))
    assert refusal(lambda: _impatient(sandbox, 5).create_role(**ROLE))[1] == 504
    assert _exists(sandbox)


def test_a_body_that_drips_keeps_a_client_that_waits_for_each_byte(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("iam", "CreateRole", "drip", seconds=0.002))
    assert _impatient(sandbox, 0.5).create_role(**ROLE)["Role"]["RoleName"] == "r"
    sandbox.faults.add(Fault("iam", "GetRole", "drip", seconds=0.6))
    with pytest.raises((ReadTimeoutError, ResponseParserError, ConnectionClosedError)):
        _impatient(sandbox, 0.2).get_role(RoleName="r")


def test_a_fault_that_lasts_is_over_by_itself(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("iam", "*", "throttle", times=None, lasts=0.3))
    ask = client(sandbox, "iam").list_roles
    until = time.monotonic() + 30
    assert refusal(ask) == ("Throttling", 400)
    while time.monotonic() < until:
        try:
            ask()
            break
        except client(sandbox, "iam").exceptions.ClientError:
            continue
    assert len(sandbox.faults.struck) >= 1
    ask()


def test_status_is_a_bare_5xx(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("iam", "CreateRole", "status", status=503))
    assert refusal(lambda: client(sandbox, "iam").create_role(**ROLE))[1] == 503
    assert not _exists(sandbox)


def test_reset_before_executes_nothing(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("iam", "CreateRole", "reset-before"))
    with pytest.raises(ConnectionClosedError):
        client(sandbox, "iam").create_role(**ROLE)
    assert not _exists(sandbox)


def test_reset_after_loses_the_answer_only(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("iam", "CreateRole", "reset-after"))
    with pytest.raises(ConnectionClosedError):
        client(sandbox, "iam").create_role(**ROLE)
    assert _exists(sandbox)


def test_a_reset_is_a_reset_of_the_connection(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("s3", "*", "reset-before"))
    with pytest.raises(urllib3.exceptions.ProtocolError) as caught:
        urllib3.request("GET", sandbox.url, retries=False)
    # A connection that was closed properly would be RemoteDisconnected, a subclass.
    assert type(caught.value.args[1]) is ConnectionResetError


def test_a_retry_after_reset_after_meets_its_own_role(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("iam", "CreateRole", "reset-after"))
    iam = _impatient(sandbox, 10, attempts=2)
    assert refusal(lambda: iam.create_role(**ROLE)) == ("EntityAlreadyExists", 409)


def test_truncate_after_cuts_the_body(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("iam", "CreateRole", "truncate-after"))
    with pytest.raises((ResponseParserError, urllib3.exceptions.HTTPError, ConnectionClosedError, OSError)):
        client(sandbox, "iam").create_role(**ROLE)
    assert _exists(sandbox)


def test_half_body_is_valid_http_and_no_xml(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("iam", "CreateRole", "half-body"))
    with pytest.raises(ResponseParserError):
        client(sandbox, "iam").create_role(**ROLE)
    assert _exists(sandbox)


def test_hang_answers_nothing_and_executes_nothing(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("iam", "CreateRole", "hang", seconds=60))
    with pytest.raises(ReadTimeoutError):
        _impatient(sandbox, 0.3).create_role(**ROLE)
    sandbox.settle(hurry=True)
    assert not _exists(sandbox)


def test_late_is_executed_after_the_client_gave_up(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("iam", "CreateRole", "late", seconds=60))
    with pytest.raises(ReadTimeoutError):
        _impatient(sandbox, 0.3).create_role(**ROLE)
    assert not _exists(sandbox)
    sandbox.settle(hurry=True)
    assert _exists(sandbox)


def test_reset_of_the_sandbox_drops_late_calls(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("iam", "CreateRole", "late", seconds=60))
    with pytest.raises(ReadTimeoutError):
        _impatient(sandbox, 0.3).create_role(**ROLE)
    sandbox.reset()
    sandbox.settle(timeout=5)
    assert not _exists(sandbox)
    assert sandbox.calls == []


def test_a_held_call_ends_by_itself(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("iam", "CreateRole", "late", seconds=0.05))
    with pytest.raises(ConnectionClosedError):
        client(sandbox, "iam").create_role(**ROLE)
    assert _exists(sandbox)


def test_settle_does_not_wait_for_ever(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("iam", "CreateRole", "late", seconds=60))
    with pytest.raises(ReadTimeoutError):
        _impatient(sandbox, 0.3).create_role(**ROLE)
    with pytest.raises(TimeoutError):
        sandbox.settle(timeout=0.01)


def test_callback_runs_before_the_call_is_executed(sandbox: Sandbox) -> None:
    def somebody_else() -> None:
        client(sandbox, "iam", user="other").create_role(**ROLE)

    sandbox.add_user("other", policy=policy("iam:*"))
    sandbox.faults.add(Fault("iam", "CreateRole", "callback", run=somebody_else))
    assert refusal(lambda: client(sandbox, "iam").create_role(**ROLE)) == ("EntityAlreadyExists", 409)


def test_match_skip_and_times(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("iam", "AttachRolePolicy", "error", match="AmazonSQS", skip=1, times=2))
    iam = client(sandbox, "iam")
    iam.create_role(**ROLE)
    outcomes = []
    for name in ("AmazonS3ReadOnlyAccess", *["AmazonSQSFullAccess"] * 4):
        try:
            iam.attach_role_policy(RoleName="r", PolicyArn=f"arn:aws:iam::aws:policy/{name}")
            outcomes.append("done")
        except iam.exceptions.ClientError:
            outcomes.append("broken")
    assert outcomes == ["done", "done", "broken", "broken", "done"]


def test_times_none_is_for_ever_and_clear_ends_it(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("iam", "*", "throttle", times=None))
    iam = client(sandbox, "iam")
    assert [refusal(iam.list_roles)[0] for _ in range(3)] == ["Throttling"] * 3
    sandbox.faults.clear()
    iam.list_roles()


def test_the_log_tells_what_was_called_and_how_it_ended(sandbox: Sandbox) -> None:
    iam = client(sandbox, "iam")
    iam.create_role(**ROLE)
    refusal(lambda: iam.create_role(**ROLE))
    sandbox.faults.add(Fault("iam", "DeleteRole", "reset-after"))
    with pytest.raises(ConnectionClosedError):
        iam.delete_role(RoleName="r")
    client(sandbox, "eks").describe_cluster(name="demo")
    assert [_told(call) for call in sandbox.calls] == [
        ("iam", "CreateRole", "r", 200, ""),
        ("iam", "CreateRole", "r", 409, "EntityAlreadyExists"),
        ("iam", "DeleteRole", "r", 0, ""),
        ("eks", "DescribeCluster", "demo", 200, ""),
    ]
    assert all(call.started <= call.ended for call in sandbox.calls)


def _told(call: Call) -> tuple[Any, ...]:
    return call.service, call.operation, call.subject, call.status, call.error_code


def test_latency_is_added_to_each_call_and_calls_overlap(sandbox: Sandbox) -> None:
    sandbox.latency = 0.2
    clients = [client(sandbox, "iam"), client(sandbox, "eks"), client(sandbox, "sts")]
    asks: list[Callable[[], Any]] = [
        clients[0].list_roles,
        clients[1].list_clusters,
        clients[2].get_caller_identity,
    ]
    threads = [threading.Thread(target=ask) for ask in asks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sandbox.calls) == 3
    assert all(call.ended - call.started >= 0.2 for call in sandbox.calls)
    assert max(call.started for call in sandbox.calls) < min(call.ended for call in sandbox.calls)


def test_lag_hides_a_new_role_from_reads_and_attachments(sandbox: Sandbox) -> None:
    sandbox.lag = 60
    iam = client(sandbox, "iam")
    iam.create_role(**ROLE)
    assert refusal(lambda: iam.get_role(RoleName="r")) == ("NoSuchEntity", 404)
    assert refusal(lambda: iam.attach_role_policy(RoleName="r", PolicyArn=S3_READ)) == ("NoSuchEntity", 404)
    assert iam.list_roles()["Roles"] == []
    assert refusal(lambda: iam.create_role(**ROLE)) == ("EntityAlreadyExists", 409)
    assert _exists(sandbox)
    sandbox.lag = 0
    iam.attach_role_policy(RoleName="r", PolicyArn=S3_READ)
    assert sandbox.world()["roles"]["r"]["attached"] == [S3_READ]


def test_lag_hides_changes_within_a_role(sandbox: Sandbox) -> None:
    iam = client(sandbox, "iam")
    iam.create_role(**ROLE)
    iam.put_role_policy(RoleName="r", PolicyName="old", PolicyDocument=json.dumps(policy("s3:Get*")))
    sandbox.lag = 60
    everybody = trust({"AWS": "*"})
    iam.update_assume_role_policy(RoleName="r", PolicyDocument=everybody)
    iam.attach_role_policy(RoleName="r", PolicyArn=S3_READ)
    iam.put_role_policy(RoleName="r", PolicyName="old", PolicyDocument=json.dumps(policy("s3:Put*")))
    assert iam.get_role(RoleName="r")["Role"]["AssumeRolePolicyDocument"] == json.loads(EC2_TRUST)
    assert iam.list_attached_role_policies(RoleName="r")["AttachedPolicies"] == []
    inline = iam.get_role_policy(RoleName="r", PolicyName="old")["PolicyDocument"]
    assert inline == policy("s3:Get*")
    hop = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/r", "RoleSessionName": "me"}
    assert refusal(lambda: client(sandbox, "sts").assume_role(**hop)) == ("AccessDenied", 403)
    sandbox.lag = 0
    client(sandbox, "sts").assume_role(**hop)
    assert iam.list_attached_role_policies(RoleName="r")["AttachedPolicies"] != []
    assert sandbox.world()["roles"]["r"]["inline"] == {"old": policy("s3:Put*")}


def test_lag_hides_a_new_provider_and_a_new_audience(sandbox: Sandbox) -> None:
    iam = client(sandbox, "iam")
    old = iam.create_open_id_connect_provider(Url="https://old.example.com")["OpenIDConnectProviderArn"]
    sandbox.lag = 60
    new = iam.create_open_id_connect_provider(Url="https://new.example.com")["OpenIDConnectProviderArn"]
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=old, ClientID="a")
    listed = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    assert [item["Arn"] for item in listed] == [old]
    assert iam.get_open_id_connect_provider(OpenIDConnectProviderArn=old).get("ClientIDList", []) == []
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=new)
    assert list(sandbox.world()["oidc_providers"]) == [old]


def test_lag_hides_a_new_role_from_trust_policies(sandbox: Sandbox) -> None:
    sandbox.lag = 60
    iam = client(sandbox, "iam")
    arn = iam.create_role(**ROLE)["Role"]["Arn"]
    trusting = {"RoleName": "t", "AssumeRolePolicyDocument": trust({"AWS": arn})}
    assert refusal(lambda: iam.create_role(**trusting)) == ("MalformedPolicyDocument", 400)
    sandbox.lag = 0
    iam.create_role(**trusting)


def test_lag_does_not_confuse_writes(sandbox: Sandbox) -> None:
    iam = client(sandbox, "iam")
    iam.create_role(**ROLE)
    arn = iam.create_policy(PolicyName="p", PolicyDocument=json.dumps(policy("s3:*")))["Policy"]["Arn"]
    sandbox.lag = 60
    for _ in range(2):
        iam.attach_role_policy(RoleName="r", PolicyArn=arn)
    iam.detach_role_policy(RoleName="r", PolicyArn=arn)
    iam.delete_policy(PolicyArn=arn)
    iam.delete_role(RoleName="r")
    world = sandbox.world()
    assert (world["roles"], world["policies"]) == ({}, {})


def test_lag_ends_by_itself(sandbox: Sandbox) -> None:
    sandbox.lag = 0.05
    iam = client(sandbox, "iam")
    iam.create_role(**ROLE)
    deadline = time.monotonic() + 10
    while iam.list_roles()["Roles"] == []:
        assert time.monotonic() < deadline
