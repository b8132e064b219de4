"""Each kind of fault, as a real client meets it, and what it does to the world. Also log, latency and lag."""

import json
import threading
from collections.abc import Callable, Iterable
from typing import Any

import boto3
import pytest
import urllib3
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from botocore.parsers import ResponseParserError

from irsa_cli.sandbox import Call, Fault, Sandbox
from tests.support.aws_lines import do, refused, tried
from tests.support.sandbox_clients import ACCOUNT, S3_READ, client, policy, trust

ROLE = "CreateRole {RoleName: r, AssumeRolePolicyDocument: $EC2}"
ASKED = {"iam": "ListRoles", "sts": "GetCallerIdentity", "eks": "ListClusters", "s3": "ListBuckets"}
THROTTLED = {
    "iam": "Throttling 400",
    "sts": "Throttling 400",
    "eks": "ThrottlingException 429",
    "s3": "SlowDown 503",
}
TRUNCATED = (ResponseParserError, urllib3.exceptions.HTTPError, ConnectionClosedError, OSError)
EXISTS = "EntityAlreadyExists 409"


def impatient(sandbox: Sandbox, seconds: float, attempts: int = 1) -> Any:
    """A client that waits so long for an answer."""
    env = sandbox.env()
    return boto3.client(
        "iam",
        endpoint_url=sandbox.url,
        region_name="eu-west-1",
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}, read_timeout=seconds),
    )


def exists(sandbox: Sandbox) -> bool:
    return "r" in sandbox.world()["roles"]


@pytest.mark.parametrize("service", ASKED)
def test_each_services_own_errors(sandbox: Sandbox, service: str) -> None:
    asking = client(sandbox, service)
    sandbox.faults.add(Fault(service, "*", "throttle"))
    assert [tried(asking, ASKED[service]) for _ in range(2)] == [THROTTLED[service], ""]
    sandbox.faults.add(Fault(service, "*", "error", code="Special", message="a < b", status=418))
    with pytest.raises(asking.exceptions.ClientError) as caught:
        do(asking, ASKED[service])
    error = caught.value.response["Error"]
    assert (error["Code"], error["Message"]) == ("Special", "a < b")


def get(sandbox: Sandbox, **options: Any) -> urllib3.BaseHTTPResponse:
    """What is answered to a call by somebody whom nobody knows."""
    options = {"retries": False, "redirect": False, **options}
    return urllib3.request("GET", f"{sandbox.url}/clusters", **options)


def test_an_answer_in_the_services_place(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("*", "*", "answer", status=200, body="<p>Blocked</p>"))
    answer = get(sandbox)
    assert (answer.status, answer.data) == (200, b"<p>Blocked</p>")
    assert answer.headers["Content-Type"] == "text/html"


def test_a_redirect_leads_to_where_it_came_from(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("*", "*", "answer", status=307, times=None))
    with pytest.raises(urllib3.exceptions.MaxRetryError):
        get(sandbox, retries=urllib3.Retry(redirect=3), redirect=True)
    assert len(sandbox.calls) == 4


@pytest.mark.parametrize(("kind", "status", "acted"), [("answer-after", 504, True), ("status", 503, False)])
def test_a_bare_error(sandbox: Sandbox, kind: Any, status: int, acted: bool) -> None:
    sandbox.faults.add(Fault("iam", "CreateRole", kind, status=status))
    assert refused(client(sandbox, "iam"), ROLE).endswith(f" {status}")
    assert exists(sandbox) is acted


@pytest.mark.parametrize(
    ("kind", "error", "acted"),
    [
        ("reset-before", ConnectionClosedError, False),
        ("reset-after", ConnectionClosedError, True),
        ("truncate-after", TRUNCATED, True),
        # Valid HTTP, and no XML.
        ("half-body", ResponseParserError, True),
        ("late", ConnectionClosedError, True),
    ],
)
def test_an_answer_that_is_lost(sandbox: Sandbox, kind: Any, error: Any, acted: bool) -> None:
    sandbox.faults.add(Fault("iam", "CreateRole", kind, seconds=0.05))
    with pytest.raises(error):
        do(client(sandbox, "iam"), ROLE)
    assert exists(sandbox) is acted


def test_a_reset_is_a_reset_of_the_connection(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("s3", "*", "reset-before"))
    with pytest.raises(urllib3.exceptions.ProtocolError) as caught:
        urllib3.request("GET", sandbox.url, retries=False)
    # A connection that was closed properly would be RemoteDisconnected, a subclass.
    assert type(caught.value.args[1]) is ConnectionResetError


def test_a_retry_after_reset_after_meets_its_own_role(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("iam", "CreateRole", "reset-after"))
    assert refused(impatient(sandbox, 10, attempts=2), ROLE) == EXISTS


def test_a_body_that_drips_keeps_a_client_that_waits_for_each_byte(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("iam", "CreateRole", "drip", seconds=0.002))
    assert do(impatient(sandbox, 30), ROLE)["Role"]["RoleName"] == "r"
    sandbox.faults.add(Fault("iam", "GetRole", "drip", seconds=0.6))
    with pytest.raises((ReadTimeoutError, ResponseParserError, ConnectionClosedError)):
        do(impatient(sandbox, 0.2), "GetRole {RoleName: r}")


def test_a_fault_that_lasts_is_over_by_itself(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("iam", "*", "throttle", times=None, lasts=0.3))
    iam = client(sandbox, "iam")
    while tried(iam, "ListRoles"):
        pass
    assert sandbox.faults.struck
    iam.list_roles()


def test_what_is_held_is_executed_late_or_never(sandbox: Sandbox) -> None:
    hasty = impatient(sandbox, 0.3)

    def give_up(kind: Any) -> None:
        sandbox.faults.add(Fault("iam", "CreateRole", kind, seconds=60))
        with pytest.raises(ReadTimeoutError):
            do(hasty, ROLE)
        assert not exists(sandbox)

    give_up("hang")
    sandbox.settle(hurry=True)
    assert not exists(sandbox)
    give_up("late")
    sandbox.reset()  # It drops late calls.
    sandbox.settle(timeout=60)
    assert (exists(sandbox), sandbox.calls) == (False, [])
    give_up("late")
    with pytest.raises(TimeoutError):
        sandbox.settle(timeout=0.01)
    sandbox.settle(hurry=True)
    assert exists(sandbox)


def test_callback_runs_before_the_call_is_executed(sandbox: Sandbox) -> None:
    sandbox.add_user("other", policy=policy("iam:*"))
    theirs = client(sandbox, "iam", user="other")
    sandbox.faults.add(Fault("iam", "CreateRole", "callback", run=lambda: do(theirs, ROLE)))
    assert refused(client(sandbox, "iam"), ROLE) == EXISTS


def test_match_skip_and_times(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("iam", "AttachRolePolicy", "error", match="AmazonSQS", skip=1, times=2))
    iam = client(sandbox, "iam")
    do(iam, ROLE)
    attach = "AttachRolePolicy {RoleName: r, PolicyArn: 'arn:aws:iam::aws:policy/$NAME'}"
    names = ("AmazonS3ReadOnlyAccess", *["AmazonSQSFullAccess"] * 4)
    assert [tried(iam, attach, NAME=name) == "" for name in names] == [True, True, False, False, True]


def test_times_none_is_for_ever_and_clear_ends_it(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("iam", "*", "throttle", times=None))
    iam = client(sandbox, "iam")
    assert [tried(iam, "ListRoles") for _ in range(3)] == ["Throttling 400"] * 3
    sandbox.faults.clear()
    iam.list_roles()


def test_the_log_tells_what_was_called_and_how_it_ended(sandbox: Sandbox) -> None:
    iam = client(sandbox, "iam")
    do(iam, ROLE)
    assert refused(iam, ROLE) == EXISTS
    sandbox.faults.add(Fault("iam", "DeleteRole", "reset-after"))
    with pytest.raises(ConnectionClosedError):
        iam.delete_role(RoleName="r")
    client(sandbox, "eks").describe_cluster(name="demo")
    assert [" ".join(told(call)) for call in sandbox.calls] == [
        "iam CreateRole r 200 ",
        "iam CreateRole r 409 EntityAlreadyExists",
        "iam DeleteRole r 0 ",
        "eks DescribeCluster demo 200 ",
    ]
    assert all(call.started <= call.ended for call in sandbox.calls)


def told(call: Call) -> Iterable[str]:
    return call.service, call.operation, call.subject, str(call.status), call.error_code


def test_latency_is_added_to_each_call_and_calls_overlap(sandbox: Sandbox) -> None:
    sandbox.latency = 0.2
    asks: list[Callable[[], Any]] = [
        client(sandbox, "iam").list_roles,
        client(sandbox, "eks").list_clusters,
        client(sandbox, "sts").get_caller_identity,
    ]
    threads = [threading.Thread(target=ask) for ask in asks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sandbox.calls) == 3
    assert all(call.ended - call.started >= 0.2 for call in sandbox.calls)


def test_lag_hides_a_new_role(sandbox: Sandbox) -> None:
    sandbox.lag = 60
    iam = client(sandbox, "iam")
    arn = do(iam, ROLE)["Role"]["Arn"]
    attach = "AttachRolePolicy {RoleName: r, PolicyArn: $S3}"
    trusting = ROLE.replace("r,", "t,").replace("$EC2", "$TRUST")
    assert refused(iam, "GetRole {RoleName: r}") == refused(iam, attach) == "NoSuchEntity 404"
    assert iam.list_roles()["Roles"] == []
    assert refused(iam, ROLE) == EXISTS
    assert refused(iam, trusting, TRUST=trust({"AWS": arn})) == "MalformedPolicyDocument 400"
    assert exists(sandbox)
    sandbox.lag = 0
    do(iam, attach)
    do(iam, trusting, TRUST=trust({"AWS": arn}))
    assert sandbox.world()["roles"]["r"]["attached"] == [S3_READ]


def test_lag_hides_changes_within_a_role(sandbox: Sandbox) -> None:
    iam, sts = client(sandbox, "iam"), client(sandbox, "sts")
    put = "PutRolePolicy {RoleName: r, PolicyName: old, PolicyDocument: $P}"
    do(iam, ROLE)
    do(iam, put, P=json.dumps(policy("s3:Get*")))
    sandbox.lag = 60
    do(iam, "UpdateAssumeRolePolicy {RoleName: r, PolicyDocument: $T}", T=trust({"AWS": "*"}))
    do(iam, "AttachRolePolicy {RoleName: r, PolicyArn: $S3}")
    do(iam, put, P=json.dumps(policy("s3:Put*")))
    read = "GetRolePolicy {RoleName: r, PolicyName: old}"
    hop = f"AssumeRole {{RoleArn: 'arn:aws:iam::{ACCOUNT}:role/r', RoleSessionName: me}}"
    assert iam.get_role(RoleName="r")["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] != {
        "AWS": "*"
    }
    assert iam.list_attached_role_policies(RoleName="r")["AttachedPolicies"] == []
    assert do(iam, read)["PolicyDocument"] == policy("s3:Get*")
    assert refused(sts, hop) == "AccessDenied 403"
    sandbox.lag = 0
    do(sts, hop)
    assert iam.list_attached_role_policies(RoleName="r")["AttachedPolicies"] != []
    assert sandbox.world()["roles"]["r"]["inline"] == {"old": policy("s3:Put*")}


def test_lag_hides_a_new_provider_and_a_new_audience(sandbox: Sandbox) -> None:
    iam = client(sandbox, "iam")
    create = "CreateOpenIDConnectProvider {Url: 'https://$NAME.example.com'}"
    old = do(iam, create, NAME="old")["OpenIDConnectProviderArn"]
    sandbox.lag = 60
    new = do(iam, create, NAME="new")["OpenIDConnectProviderArn"]
    do(iam, "AddClientIDToOpenIDConnectProvider {OpenIDConnectProviderArn: $OLD, ClientID: a}", OLD=old)
    listed = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    assert [item["Arn"] for item in listed] == [old]
    assert iam.get_open_id_connect_provider(OpenIDConnectProviderArn=old).get("ClientIDList", []) == []
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=new)
    assert list(sandbox.world()["oidc_providers"]) == [old]


def test_lag_does_not_confuse_writes(sandbox: Sandbox) -> None:
    iam = client(sandbox, "iam")
    do(iam, ROLE)
    do(iam, "CreatePolicy {PolicyName: p, PolicyDocument: $READS}")
    sandbox.lag = 60
    for operation in ("AttachRolePolicy", "AttachRolePolicy", "DetachRolePolicy"):
        do(iam, f"{operation} {{RoleName: r, PolicyArn: $HERE:policy/p}}")
    do(iam, "DeletePolicy {PolicyArn: $HERE:policy/p}")
    do(iam, "DeleteRole {RoleName: r}")
    world = sandbox.world()
    assert (world["roles"], world["policies"]) == ({}, {})


def test_lag_ends_by_itself(sandbox: Sandbox) -> None:
    sandbox.lag = 0.05
    iam = client(sandbox, "iam")
    do(iam, ROLE)
    while iam.list_roles()["Roles"] == []:
        pass
