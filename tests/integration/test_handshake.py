"""A connection that does not get beyond its TLS handshake has sent nothing: writes, too, are sent again."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from irsa_cli.aws import session
from irsa_cli.aws.errors import call
from irsa_cli.core.values.errors import Outcome, ServiceError
from irsa_cli.core.values.patience import CommandPatience, within
from irsa_cli.kube import calls, connection
from irsa_cli.sandbox.server import HOST, Authority

TAGGED = "<TagRoleResponse><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></TagRoleResponse>"
CREATED = (
    '{"apiVersion": "v1", "kind": "Namespace",'
    ' "metadata": {"name": "web", "uid": "1", "resourceVersion": "1"}}'
)


class Reluctant:
    """A TLS server whose first connection gets no handshake; it reads the others' requests whole."""

    def __init__(self, answer: str) -> None:
        self.answer = answer
        """What each request gets; '': the connection ends instead."""
        self.silent = 1
        self.requests: list[bytes] = []
        self.authority = Authority()
        self._tls = self.authority.context()
        self._listener = socket.create_server((HOST, 0))
        self._held: list[socket.socket] = []
        self.url = f"https://{HOST}:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                accepted, _ = self._listener.accept()
                if self.silent:
                    self.silent -= 1
                    self._held.append(accepted)
                else:
                    with suppress(OSError, ssl.SSLError), self._tls.wrap_socket(accepted, True) as secure:
                        self._answer(secure)

    def _answer(self, secure: ssl.SSLSocket) -> None:
        with secure.makefile("rb") as wire:
            head = [*iter(wire.readline, b"\r\n")]
            (length,) = [line.split()[1] for line in head if line.lower().startswith(b"content-length:")]
            request = wire.read(int(length))
        self.requests.append(request)
        if self.answer:
            top = f"HTTP/1.1 200 OK\r\nContent-Length: {len(self.answer)}\r\nConnection: close\r\n\r\n"
            secure.sendall(f"{top}{self.answer}".encode())

    def close(self) -> None:
        """No connection is accepted any more."""
        for held in (self._listener, *self._held):
            held.close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reluctant]:
    """The server, and a limit of half a second for a connection."""
    for module in (calls, session):
        monkeypatch.setattr(module, "CONNECT_SECONDS", 0.5)
    made = Reluctant("")
    yield made
    made.close()


def create_namespace(server: Reluctant) -> None:
    """A write to the Kubernetes API."""
    pool = connection.Bounded(connection._pool(server.url, server.authority.pem))
    made = calls.Calls(connection.ApiServer(server.url, pool))
    made._call("create namespaces", body={"metadata": {"name": "web"}})


def tag_role(server: Reluctant) -> None:
    """A write to IAM."""
    client = session.AwsSession(region="eu-west-1").client("iam")
    call(client.tag_role, RoleName="app", Tags=[{"Key": "a", "Value": "b"}])


WRITES = {"kubernetes": (create_namespace, CREATED), "iam": (tag_role, TAGGED)}


@pytest.mark.parametrize("service", WRITES)
def test_a_handshake_without_an_answer_is_tried_again(
    service: str, server: Reluctant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, server.answer = WRITES[service]
    _reach(server, tmp_path, monkeypatch)
    with within(CommandPatience()) as record:
        write(server)
    assert (len(server.requests), record.given_up) == (1, 0)


@pytest.mark.parametrize("write", [write for write, _ in WRITES.values()])
def test_what_was_sent_may_have_been_done(
    write: Callable[[Reluctant], None], server: Reluctant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same server reads the request and says nothing: nobody knows, and it must be looked for."""
    _reach(server, tmp_path, monkeypatch)
    monkeypatch.setattr("irsa_cli.core.values.limits.retry_seconds", lambda: 0.0)
    with pytest.raises(ServiceError) as refused:
        write(server)
    assert refused.value.outcome is Outcome.NOT_SENT
    with within(CommandPatience()) as record, pytest.raises(ServiceError) as lost:
        write(server)
    assert (lost.value.outcome, record.given_up, len(server.requests)) == (Outcome.UNKNOWN, 1, 1)


def _reach(server: Reluctant, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients of AWS reach the server, and trust it."""
    bundle = folder / "ca.pem"
    bundle.write_text(server.authority.pem)
    settings = {"AWS_ENDPOINT_URL_IAM": server.url, "AWS_CA_BUNDLE": str(bundle)}
    keys = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
    for name, value in {**settings, **keys}.items():
        monkeypatch.setenv(name, value)
