"""Answers of somebody else than AWS or Kubernetes, or without an end: an error, soon, and no lie."""

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import urllib3

from irsa_cli.aws.errors import call, pages
from irsa_cli.aws.session import AwsSession
from irsa_cli.core.values import limits, patience
from irsa_cli.core.values.errors import DeadlineExceeded, IrsaError, Outcome, ServiceError
from irsa_cli.kube import connection as kube_connection
from irsa_cli.kube.client import Kube
from tests.support.rawserver import Answer, answer, dripping, endless, raw_server

PAGE = b"<!DOCTYPE html><html><body><h1>Blocked by your proxy</h1></body></html>"
XHTML = b'<html xmlns="http://www.w3.org/1999/xhtml"><body><p>Please log in</p></body></html>'
DONE = (
    b'<AttachRolePolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ResponseMetadata>'
    b"<RequestId>3f1e</RequestId></ResponseMetadata></AttachRolePolicyResponse>"
)
OTHER = DONE.replace(b"AttachRolePolicy", b"ListRoles")
THROTTLED = (
    b'<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type>'
    b"<Code>Throttling</Code><Message>Rate exceeded</Message></Error><RequestId>3f1e</RequestId>"
    b"</ErrorResponse>"
)
TOKEN = "k8s-aws-v1.aHR0cHM6Ly9zdHMuZXUtd2VzdC0xLmFtYXpvbmF3cy5jb20vP0FjdGlvbj1HZXRDYWxsZXJJZGVudGl0eQ"


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short time limits; the sandbox's credentials are not needed."""
    monkeypatch.setattr(limits, "RETRY_SECONDS", 0.6)
    monkeypatch.setattr(patience, "_command", patience.CommandPatience())
    monkeypatch.setenv("IRSA_CALL_TIMEOUT", "0.4")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "AKIAEXAMPLEEXAMPLE00")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def over() -> Iterator[threading.Event]:
    """Set when the test is over."""
    event = threading.Event()
    yield event
    event.set()


def attach(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    iam = AwsSession().client("iam")
    call(iam.attach_role_policy, RoleName="app", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")


def kube(url: str) -> Kube:
    pool = urllib3.PoolManager(retries=kube_connection._once())
    return Kube(kube_connection.ApiServer(url, kube_connection.Bounded(pool)))


def failure(respond: Answer, work: Callable[[str], Any]) -> tuple[ServiceError, list[bytes]]:
    with raw_server(respond) as (url, requests), pytest.raises(ServiceError) as caught:
        work(url)
    return caught.value, requests


Write = Callable[[str], Any]


@pytest.fixture(params=["aws", "kubernetes"])
def write(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Write:
    """A write to a service at an address: in AWS, and in Kubernetes."""
    if request.param == "aws":
        return lambda url: attach(url, monkeypatch)
    return lambda url: kube(url).create("serviceaccounts", "a", {"metadata": {"name": "b"}})


FOREIGN = [
    pytest.param(answer("200 OK", PAGE, "Content-Type: text/html"), id="block page"),
    pytest.param(answer("200 OK", XHTML, "Content-Type: application/xhtml+xml"), id="block page in XML"),
    pytest.param(answer("200 OK", b""), id="empty"),
    pytest.param(answer("200 OK", b"{}"), id="json"),
    pytest.param(answer("200 OK", OTHER, "Content-Type: text/xml"), id="another operation's"),
    pytest.param(answer("502 Bad Gateway", PAGE), id="502"),
    pytest.param(answer("504 Gateway Timeout", b""), id="504"),
    pytest.param(answer("407 Proxy Authentication Required", PAGE), id="407"),
    pytest.param(answer("307 Temporary Redirect", b"", "Location: https://login.example/"), id="redirect"),
]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is answered wrongly is asked for again, but not for long."""
    monkeypatch.setattr(limits, "RETRY_SECONDS", 0.1)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("respond", FOREIGN)
def test_a_write_is_not_done_because_somebody_answers(respond: Answer, write: Write) -> None:
    error, _ = failure(respond, write)
    assert error.outcome is Outcome.UNKNOWN
    assert "\n" not in str(error)


def test_a_write_that_iam_confirms_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(answer("200 OK", DONE, "Content-Type: text/xml")) as (url, _):
        attach(url, monkeypatch)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("respond", FOREIGN)
def test_a_cluster_is_not_read_from_somebody_elses_answer(respond: Answer) -> None:
    error, _ = failure(respond, lambda url: kube(url).service_account("a", "b"))
    assert error.code != "NotFound"


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"])
def test_who_sends_a_byte_now_and_then_is_cut_off(head: bytes, write: Write, over: threading.Event) -> None:
    error, requests = failure(dripping(over, **({"head": head} if head else {})), write)
    assert error.outcome is Outcome.UNKNOWN
    assert len(requests) <= 4


def test_an_answer_without_an_end_is_not_kept(
    write: Write, over: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRSA_CALL_TIMEOUT", "10")
    error, requests = failure(endless(over), write)
    assert "MiB" in error.reason
    assert len(requests) == 1


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRSA_CALL_TIMEOUT", "20")
    monkeypatch.setattr(kube_connection, "LARGEST", 2**20)
    bomb = gzip.compress(b" " * (64 * 2**20))
    for status in ("200 OK", "403 Forbidden"):
        respond = answer(status, bomb, "Content-Encoding: gzip")
        error, _ = failure(respond, lambda url: kube(url).service_accounts("a"))
        assert "MiB" in error.reason


def test_a_list_that_names_a_page_twice_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (
        b"<ListRolePoliciesResponse"
        b' xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListRolePoliciesResult>'
        b"<PolicyNames/><IsTruncated>true</IsTruncated>%s</ListRolePoliciesResult>"
        b"<ResponseMetadata><RequestId>3f1e</RequestId></ResponseMetadata></ListRolePoliciesResponse>"
    )
    for marker in (b"<Marker>again</Marker>", b""):
        with raw_server(answer("200 OK", page % marker)) as (url, requests):
            monkeypatch.setenv("AWS_ENDPOINT_URL", url)
            iam = AwsSession().client("iam")
            with pytest.raises(ServiceError, match="all pages"):
                list(pages(iam.list_role_policies, "Marker", RoleName="app"))
        assert len(requests) <= 2


def test_a_list_of_kubernetes_that_names_a_page_twice_ends() -> None:
    body = b'{"kind": "ServiceAccountList", "metadata": {"continue": "again"}, "items": []}'
    error, requests = failure(answer("200 OK", body), lambda url: kube(url).service_accounts("a"))
    assert error.code == "EndlessList"
    assert len(requests) == 2


def test_a_list_with_ever_new_pages_ends_with_the_time() -> None:
    def respond(connection: Any, number: int) -> None:
        body = f'{{"kind": "ServiceAccountList", "metadata": {{"continue": "{number}"}}, "items": []}}'
        answer("200 OK", body.encode())(connection, number)

    before = patience._command
    patience.begin(0.5, lambda text: None)
    try:
        with raw_server(respond) as (url, _), pytest.raises(DeadlineExceeded):
            kube(url).service_accounts("a")
    finally:
        patience._command = before


def test_throttling_is_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RETRY_SECONDS", 5.0)

    def respond(connection: Any, number: int) -> None:
        (answer("400 Bad Request", THROTTLED) if number < 6 else answer("200 OK", DONE))(connection, number)

    with raw_server(respond) as (url, requests):
        attach(url, monkeypatch)
    assert len(requests) == 7


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_who_says_when_to_come_back_is_asked_then(status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RETRY_SECONDS", 3.0)
    good = b'{"kind": "ServiceAccountList", "metadata": {}, "items": []}'
    came: list[float] = []

    def respond(connection: Any, number: int) -> None:
        came.append(time.monotonic())
        busy = answer(status, b'{"kind": "Status", "reason": "TooManyRequests"}', "Retry-After: 1")
        (answer("200 OK", good) if number else busy)(connection, number)

    with raw_server(respond) as (url, _):
        assert kube(url).service_accounts("a") == []
    assert came[1] - came[0] >= 0.9


def test_a_conflict_with_a_quota_is_tried_again_and_one_with_what_is_there_is_not() -> None:
    conflict = answer("409 Conflict", b'{"kind": "Status", "reason": "Conflict"}')
    identity = {"name": "b", "namespace": "a", "uid": "1", "resourceVersion": "1"}
    identity["creationTimestamp"] = "2026-06-01T12:00:00Z"
    made = json.dumps({"kind": "ServiceAccount", "metadata": identity}).encode()

    def respond(connection: Any, number: int) -> None:
        (answer("201 Created", made) if number else conflict)(connection, number)

    with raw_server(respond) as (url, requests):
        kube(url).create("serviceaccounts", "a", {"metadata": {"name": "b"}})
    assert len(requests) == 2
    error, requests = failure(conflict, lambda url: kube(url).patch("serviceaccounts", "a", "b", {}))
    assert (error.code, len(requests)) == ("Conflict", 1)


def test_a_token_that_is_sent_back_is_not_told() -> None:
    words = f'{{"kind": "Status", "reason": "Forbidden", "message": "no: Bearer {TOKEN}"}}'.encode()
    for status in ("403 Forbidden", "401 Unauthorized", "500 Oh"):
        error, _ = failure(answer(status, words), lambda url: kube(url).service_account("a", "b"))
        assert "aHR0c" not in str(error)


class Stopping:
    """A run that is told to stop in its first pause."""

    persistent = True
    remaining = 60.0

    def pause(self, seconds: float) -> None:
        raise IrsaError("stopped")

    def assure(self) -> None:
        """It holds no lock."""


def test_a_stop_is_heard_between_two_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = pytest.raises(IrsaError, match="stopped")
    with raw_server(answer("500 Oh", b"")) as (url, requests), patience.within(Stopping()) as calls, stopped:
        attach(url, monkeypatch)
    assert len(requests) == 1
    assert calls.given_up > 0  # The attempt before may have been executed: it has to be looked for.


def test_no_attempt_begins_when_the_time_is_over(
    over: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RETRY_SECONDS", 30.0)

    class Short(Stopping):
        def __init__(self) -> None:
            self.until = time.monotonic() + 0.5

        @property
        def remaining(self) -> float:  # type: ignore[override]
            return self.until - time.monotonic()

        def pause(self, seconds: float) -> None:
            over.wait(seconds)

    with patience.within(Short()):
        _, requests = failure(dripping(over), lambda url: attach(url, monkeypatch))
    assert len(requests) <= 2


def test_what_was_given_up_before_it_was_sent_is_not_sent_later(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host's name is found when nobody waits for the attempt any more, nor looks for what it does."""
    whole, found, came = socket.getaddrinfo, threading.Event(), threading.Event()
    bodies: list[bytes] = []

    def slowly(*arguments: Any, **options: Any) -> Any:
        found.wait(20)
        return whole(*arguments, **options)

    def respond(connection: Any, _: int) -> None:
        connection.settimeout(5)
        bodies.append(connection.recv(65536))
        came.set()

    monkeypatch.setattr(limits, "RETRY_SECONDS", 0.0)
    with raw_server(respond) as (url, requests):
        monkeypatch.setattr(socket, "getaddrinfo", slowly)

        with pytest.raises(ServiceError) as caught:
            write(url)
        assert caught.value.outcome is Outcome.UNKNOWN
        found.set()
        assert came.wait(10)
        assert (len(requests), bodies) == (1, [b""])
        assert requests[0].endswith(b"\r\n\r\n")
