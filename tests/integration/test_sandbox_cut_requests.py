"""A client that is gone before its request is complete has asked for nothing, wherever it was cut off."""

import json
import socket
import ssl
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from irsa_cli.sandbox import Sandbox
from tests.scenarios.conftest import sandbox_stage
from tests.support.sandbox_clients import EC2_TRUST
from tests.support.stage import READ_ONLY, Stage

Raw = tuple[str, bytes, ssl.SSLContext | None]
NAMES = "/api/v1/namespaces"
PATCH = "application/merge-patch+json"


@pytest.fixture
def stage(sandbox: Sandbox, tmp_path) -> Stage:  # type: ignore[no-untyped-def]
    made = sandbox_stage(sandbox, "demo", tmp_path)
    made.make_namespace("web")
    made.make_account("web", "app")
    made.iam().create_role(RoleName="r", AssumeRolePolicyDocument=EC2_TRUST)
    return made


def wire(url: str, method: str, headers: dict[str, str], body: bytes, *, chunked: bool) -> bytes:
    """A request as it goes over the wire."""
    target = urlsplit(url).path or "/"
    length = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(len(body))}
    lines = [f"{method} {target} HTTP/1.1", *(f"{key}: {value}" for key, value in (headers | length).items())]
    head = "\r\n".join([*lines, "", ""]).encode()
    half = len(body) // 2
    parts = [body[:half], body[half:], b""] if half else [body, b""]
    return head + (b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in parts) if chunked else body)


def iam(stage: Stage, *, chunked: bool = False, **parameters: str) -> Raw:
    env = stage.env()
    url = env["AWS_ENDPOINT_URL"] + "/"
    body = urlencode({"Version": "2010-05-08", **parameters}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Host": urlsplit(url).netloc}
    request = AWSRequest("POST", url, headers, body)
    keys = Credentials(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"])
    SigV4Auth(keys, "iam", "us-east-1").add_auth(request)
    return url, wire(url, "POST", dict(request.headers.items()), body, chunked=chunked), None


def kube(
    stage: Stage, method: str, path: str, body: object = None, *, chunked: bool = False, kind: str = ""
) -> Raw:
    url = f"{stage.kube.endpoint}{path}"
    headers = {"Host": urlsplit(url).netloc, "Authorization": f"Bearer {stage.kube.token}"}
    headers["Content-Type"] = kind or "application/json"
    data = b"" if body is None else json.dumps(body).encode()
    context = ssl.create_default_context(cadata=stage.kube.ca_pem)
    return url, wire(url, method, headers, data, chunked=chunked), context


ACCOUNTS = f"{NAMES}/web/serviceaccounts"
LABEL = {"metadata": {"name": "app", "labels": {"a": "b"}}}
REQUESTS: dict[str, Callable[[Stage], Raw]] = {
    "delete role": lambda stage: iam(stage, Action="DeleteRole", RoleName="r"),
    "chunked": lambda stage: iam(stage, Action="DeleteRole", RoleName="r", chunked=True),
    "attach": lambda stage: iam(stage, Action="AttachRolePolicy", RoleName="r", PolicyArn=READ_ONLY),
    "DELETE": lambda stage: kube(stage, "DELETE", f"{ACCOUNTS}/app", {"gracePeriodSeconds": 0}),
    "DELETE without a body": lambda stage: kube(stage, "DELETE", f"{ACCOUNTS}/app"),
    "DELETE chunked": lambda stage: kube(stage, "DELETE", f"{ACCOUNTS}/app", {}, chunked=True),
    "POST": lambda stage: kube(stage, "POST", NAMES, {"metadata": {"name": "new"}}),
    "PATCH": lambda stage: kube(stage, "PATCH", f"{ACCOUNTS}/app", LABEL, kind=PATCH),
}


def send(raw: Raw, sent: bytes) -> bytes:
    """Send bytes and then no more, and wait until the server has given the connection up."""
    url, _, context = raw
    plain = socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=30)
    with plain if context is None else context.wrap_socket(plain, server_hostname="127.0.0.1") as line:
        line.sendall(sent)
        line.shutdown(socket.SHUT_WR)
        found = b""
        try:
            while data := line.recv(65536):
                found += data
        except OSError:
            pass
        return found


@pytest.mark.parametrize("name", REQUESTS)
def test_only_what_came_whole_is_done(stage: Stage, name: str) -> None:
    raw = REQUESTS[name](stage)
    before, whole = stage.world(), raw[1]
    body = whole.index(b"\r\n\r\n") + 4
    line = whole.index(b"\r\n")
    cuts = {0, 1, line, line + 1, line + 2, *range(20, len(whole), 61), *range(max(0, body - 5), len(whole))}
    for cut in sorted(cuts):
        send(raw, whole[:cut])
        stage.sandbox.settle(10)
        assert stage.world() == before, (cut, whole[:cut])
    answer = send(raw, whole)
    stage.sandbox.settle(10)
    # The sandbox's AWS takes no chunked bodies: then it says so.
    assert stage.world() != before or (name == "chunked" and b"HTTP/1.1 4" in answer), answer


def test_a_length_that_is_none(stage: Stage) -> None:
    raw = REQUESTS["DELETE"](stage)
    before = stage.world()
    for length in (b"-1", b"x", b"+5", b"1e3"):
        head, _, body = raw[1].partition(b"\r\n\r\n")
        broken = head[: head.index(b"Content-Length: ")] + b"Content-Length: " + length
        send(raw, broken + b"\r\n\r\n" + body)
        stage.sandbox.settle(10)
        assert stage.world() == before, length
