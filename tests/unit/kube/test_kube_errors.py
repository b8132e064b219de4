"""What the Kubernetes API's refusals, and failures of connections, are taken for."""

import json
import re
import ssl
from http.client import BadStatusLine, IncompleteRead, RemoteDisconnected
from typing import Any

import pytest
import urllib3.exceptions as names

from irsa_cli.kube.errors import HttpRefusal, translate

NOT_CALLED = (
    'Internal error occurred: failed calling webhook "mesh.example.com": failed to call webhook: Post'
    ' "https://mesh.apps.svc:443/inject?timeout=10s": dial tcp 10.0.0.1:443: connect: connection refused'
)


def answered(message: str, status: int = 500) -> HttpRefusal:
    """The error of the client for this answer."""
    error = HttpRefusal(status=status, reason="Internal Server Error")
    error.body = json.dumps({"kind": "Status", "message": message, "reason": "InternalError", "code": status})
    return error


@pytest.mark.parametrize(
    ("operation", "message", "passes"),
    [
        ("create pods", NOT_CALLED, False),
        ("create pods", "etcdserver: request timed out", True),
        ("create namespaces", NOT_CALLED, True),
        ("patch serviceaccounts", NOT_CALLED, True),
    ],
)
def test_a_webhook_that_is_not_reached_is_an_answer_only_where_a_pod_is_tried(
    operation: str, message: str, passes: bool
) -> None:
    error = translate(answered(message), operation)
    assert error.transient is passes
    assert error.status == 500
    assert message[:40] in error.reason


POOL: Any = "HTTPSConnectionPool(host='10.0.0.1', port=443)"
CONNECTION: Any = "<urllib3.connection.HTTPSConnection object at 0x7f12>"
RESET = ConnectionResetError(104, "Connection reset by peer")
UNTRUSTED = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] failed (_ssl.c:1006)")
UNTRUSTED.verify_message = "self-signed certificate"


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (names.ProtocolError("Connection aborted.", RESET), "Connection reset by peer"),
        (names.ProtocolError("Connection aborted.", RemoteDisconnected("Remote end closed")), "ended before"),
        (names.ProtocolError("Connection aborted.", BadStatusLine("\x00")), "ended before"),
        (
            names.ProtocolError("Connection broken: IncompleteRead(1)", IncompleteRead(b"a", 9)),
            "ended before",
        ),
        (names.ReadTimeoutError(POOL, "/api", "Read timed out. (read timeout=9.99)"), "no answer in time"),
        (names.ConnectTimeoutError(CONNECTION, "timed out"), "the connection timed out"),
        (
            caused(
                names.NewConnectionError(CONNECTION, "[Errno 111] refused"),
                ConnectionRefusedError(111, "Connection refused"),
            ),
            "no connection: Connection refused",
        ),
        (
            names.ProxyError("no tunnel", OSError("Tunnel connection failed: 407 Wanted")),
            "proxy .*407 Wanted",
        ),
        (
            names.SSLError(ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] (_ssl.c:1006)")),
            "TLS connection failed",
        ),
        (names.SSLError(UNTRUSTED), "certificate was not accepted: self-signed certificate"),
        (json.JSONDecodeError("Expecting value", "x", 0), "not JSON"),
        (RuntimeError("<object at 0x1>"), r"failed \(RuntimeError\)"),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_no_text_of_a_library_is_told(error: Exception, words: str, wrapped: bool) -> None:
    failed = names.MaxRetryError(POOL, "/api/v1/pods", error) if wrapped else error
    told = translate(failed, "get pods")
    assert re.search(words, told.reason), told.reason
    assert not re.search(r"0x|Pool\(|Error\(|\('|_ssl\.c|Errno|line 1|read timeout=", told.reason)
    assert told.next_steps
