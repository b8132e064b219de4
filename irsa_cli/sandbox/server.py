"""The sockets of the sandbox: HTTP/1.1 on 127.0.0.1, with or without TLS, kept alive; and its proxy.

`exchange` decides what a request gets; here it is read, and its answer written, cut or refused.

The certificates are leaves of a CA that is created at start. The private keys exist in memory and, for an
instant, in a file that only this user can read: Python's ssl takes them from nowhere else.

The issuers' names (oidc.eks.REGION.amazonaws.com) lead to AWS. A client with the HTTPS proxy of the sandbox's
environment, AWS's own port, and its CA finds the public documents of the sandbox's clusters there; the proxy
leads nowhere else.
"""

from __future__ import annotations

import functools
import io
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from http.client import responses
from typing import Any
from urllib.parse import quote, urlsplit

import trustme
from cryptography.hazmat.primitives.asymmetric import rsa
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from irsa_cli.sandbox.aws.clusters import Clusters
from irsa_cli.sandbox.exchange import Delivery, Endpoint, Exchange, Incoming, Label
from irsa_cli.sandbox.kube.access import discovery_of
from irsa_cli.sandbox.model import Answer

HOST = "127.0.0.1"
GARBAGE = b"no protocol that anybody speaks\r\n"


@dataclass(eq=False)
class Server:
    """One listening port that leads to one endpoint.

    `name` is for faults of handshakes; `control` answers `/_sandbox/` without faults or log. `issuers`: it is
    also the HTTPS proxy by which they are reached; what comes through it is TLS.
    """

    exchange: Exchange
    endpoint: Endpoint
    tls: ssl.SSLContext | None = None
    name: str = "aws"
    control: Callable[[Incoming], Any] | None = None
    issuers: Issuers | None = None

    def __post_init__(self) -> None:
        self._listener = _Listener(self)
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True)
        scheme = "https" if self.tls else "http"
        self.url = f"{scheme}://{HOST}:{self._listener.server_port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.ident is not None:
            self._listener.shutdown()
            self._thread.join()
        self._listener.server_close()
        self._listener.close_connections()


class _Listener(ThreadedWSGIServer):
    def __init__(self, owner: Server) -> None:
        super().__init__(HOST, 0, lambda *_: (), _Handler)  # Its handler answers, no application.
        self.owner = owner
        self._connections: set[socket.socket] = set()
        self._garbled: set[socket.socket] = set()

    def get_request(self) -> tuple[Any, Any]:
        connection, address = self.socket.accept()
        if self.owner.tls:
            connection = self._wrap(connection, self.owner.tls)
        self._connections.add(connection)
        return connection, address

    def _wrap(self, connection: socket.socket, tls: ssl.SSLContext) -> socket.socket:
        self.owner.exchange.connected(1)
        fault = self.owner.exchange.faults.strike_handshake(self.owner.name)
        if fault and fault.kind == "tls-garbage":
            self._garbled.add(connection)
            return connection
        # The handshake is left to the connection's own thread: a silent client must not block others.
        context = strangers_tls() if fault else tls
        return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)

    def serve_issuer(self, connection: socket.socket, address: Any, tls: ssl.SSLContext) -> None:
        """Answer the requests of a client that believes that it has reached an issuer."""
        with self._wrap(connection, tls) as wrapped:
            self._connections.add(wrapped)
            try:
                self.finish_request(wrapped, address)
            finally:
                self._connections.discard(wrapped)
                self.owner.exchange.connected(-1)

    def finish_request(self, request: Any, client_address: Any) -> None:
        if request not in self._garbled:
            super().finish_request(request, client_address)
            return
        self._garbled.discard(request)
        # Closed with the client's words unread, it would be reset before it has seen the garbage.
        request.settimeout(5.0)
        request.recv(65536)
        request.sendall(GARBAGE)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)
        if self.owner.tls:
            self.owner.exchange.connected(-1)

    def close_connections(self) -> None:
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A broken connection is the client's business; nothing is printed."""


class _WholeRequests(io.BufferedReader):
    """The bytes of a client, as whole requests only (RFC 9112, section 8: never act on a part)."""

    def readline(self, size: int | None = -1, /) -> bytes:
        """A line, or as much of it as was asked for."""
        line = super().readline(size)
        if not line.endswith(b"\n") and len(line) != size:
            raise ConnectionResetError("the connection has ended amid a request")
        return line

    def read(self, size: int | None = -1, /) -> bytes:
        """So many bytes, and no fewer."""
        data = super().read(size) if size is not None and size >= 0 else b""
        if len(data) != size:
            raise ConnectionResetError("the connection has ended amid a request")
        return data


class _Handler(WSGIRequestHandler):
    server: _Listener
    protocol_version = "HTTP/1.1"
    # Status line, headers and body go out in few small writes: don't let the kernel wait for more.
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self) -> None:
        """Read whole requests only."""
        super().setup()
        self.rfile = _WholeRequests(self.rfile.detach())

    def do_CONNECT(self) -> None:  # noqa: N802 - the name by which the base finds it
        """Lead to an issuer, and nowhere else."""
        issuers = self.server.owner.issuers
        tls = issuers.tls(self.path.removesuffix(":443")) if issuers else None
        if tls is None:
            self.wfile.write(b"HTTP/1.1 403 Only the sandbox's issuers\r\nContent-Length: 0\r\n\r\n")
            return
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self.wfile.flush()
        self.server.serve_issuer(self.connection, self.client_address, tls)
        self.close_connection = True

    def run_wsgi(self) -> None:
        """Answer one request; werkzeug's own would close the connection after each."""
        request = self._read()
        owner = self.server.owner
        endpoint = owner.endpoint
        if owner.control and request.target.startswith("/_sandbox/"):
            self._write(Delivery(owner.control(request)))
            return
        if owner.issuers and isinstance(self.connection, ssl.SSLSocket):
            endpoint = owner.issuers
        self._write(owner.exchange.carry(endpoint, request))

    def _read(self) -> Incoming:
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()
        environ = self.make_environ()
        length = int(environ.get("CONTENT_LENGTH") or 0)
        chunked = environ.get("wsgi.input_terminated")
        body = environ["wsgi.input"].read() if chunked else self.rfile.read(length)
        headers = {k[5:].replace("_", "-").lower(): v for k, v in environ.items() if k.startswith("HTTP_")}
        headers["content-type"] = environ.get("CONTENT_TYPE", "")
        headers["content-length"] = environ.get("CONTENT_LENGTH", "")  # AWS's SDK for Go signs it.
        return Incoming(self.command, quote(self.path, safe="%/:?#[]@!$&'()*+,;=~"), headers, body)

    def _write(self, delivery: Delivery) -> None:
        if delivery.ending == "reset":
            self._reset()
        if delivery.ending == "garbled":
            # Past TLS, if there is any: it is no record of the connection.
            os.write(self.connection.fileno(), GARBAGE)
        if delivery.ending in ("reset", "closed", "garbled"):
            self.close_connection = True
            return
        answer = delivery.answer
        self.send_response(answer.status, responses.get(answer.status, "Unknown"))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if "Content-Length" not in answer.headers:
            self.send_header("Content-Length", str(len(answer.body)))
        owner = self.server.owner
        encrypted = isinstance(self.connection, ssl.SSLSocket)
        keeps = not (encrypted and owner.exchange.faults.await_handshakes(owner.name))
        if not keeps:
            self.send_header("Connection", "close")
        self.end_headers()
        cut = delivery.ending == "cut"
        if delivery.ending == "dripping":
            for at in range(len(answer.body)):
                self.wfile.write(answer.body[at : at + 1])
                self.wfile.flush()
                time.sleep(delivery.pause)
        elif self.command != "HEAD":
            self.wfile.write(answer.body[: len(answer.body) // 2] if cut else answer.body)
        self.wfile.flush()
        self.close_connection = self.close_connection or cut or not keeps

    def _reset(self) -> None:
        """Close with RST instead of FIN: unread, unsent and already sent bytes are lost to the client."""
        linger_for_no_time = struct.pack("ii", 1, 0)
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_for_no_time)
            # Past Python's own closing, which would say goodbye first.
            os.close(self.connection.detach())

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """The sandbox keeps its own log."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Nothing is printed."""


class Authority:
    """A CA. Clients have to trust `pem`."""

    def __init__(self) -> None:
        self._ca = trustme.CA(organization_name="irsa sandbox")
        self.pem = self._ca.cert_pem.bytes().decode()

    def context(self, *hosts: str) -> ssl.SSLContext:
        """A server's context, for 127.0.0.1, localhost and these hosts."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        end = datetime.now(timezone.utc) + timedelta(days=30)
        self._ca.issue_cert(HOST, "localhost", *hosts, not_after=end).configure_cert(context)
        return context


@functools.cache
def strangers_tls() -> ssl.SSLContext:
    """A server's context with the certificate of a CA that nobody trusts."""
    return Authority().context()


@functools.cache
def signing_key(_number: int) -> rsa.RSAPrivateKey:
    """A key for the cluster with this number. Made once in a process: it takes a tenth of a second."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


DISCOVERY = "/.well-known/openid-configuration"
KEYS = "/keys"
_json = Answer.of_json


class Issuers:
    """The documents of the issuers of `clusters`, as one endpoint of the server."""

    def __init__(self, clusters: Clusters, authority: Authority) -> None:
        self._clusters = clusters
        self._context = functools.cache(authority.context)

    def tls(self, host: str) -> ssl.SSLContext | None:
        """The context of an issuer's host; None for other hosts."""
        hosts = {urlsplit(cluster.issuer).netloc for cluster in self._clusters.all()}
        return self._context(host) if host in hosts else None

    def label(self, request: Incoming) -> Label:
        operation = "discovery" if request.target.endswith(DISCOVERY) else "keys"
        return Label("issuer", operation, self._issuer(request))

    def answer(self, request: Incoming) -> Answer:
        cluster = self._clusters.with_issuer(self._issuer(request))
        if cluster is None or request.method != "GET":
            return self.failure("issuer", "NotFound", "no such issuer", 404)
        if request.target.endswith(DISCOVERY):
            more = {"authorization_endpoint": "urn:kubernetes:programmatic_authorization"}
            return _json({**discovery_of(cluster.issuer), **more})
        return _json(cluster.jwks())

    def failure(self, service: str, code: str, message: str, status: int) -> Answer:
        return _json({"code": code, "message": message}, status, code)

    @staticmethod
    def _issuer(request: Incoming) -> str:
        path = request.target.removesuffix(DISCOVERY).removesuffix(KEYS)
        return f"https://{request.headers.get('host', '').removesuffix(':443')}{path}"
