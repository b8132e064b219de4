"""The public documents of the issuers of the sandbox's clusters, over HTTPS, by a proxy.

Their names (oidc.eks.REGION.amazonaws.com) lead to AWS. A client with the HTTPS proxy of the sandbox's
environment, and its CA, finds the sandbox's documents there; the proxy leads nowhere else.
"""

from __future__ import annotations

import socket
import socketserver
import ssl
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from irsa_cli.sandbox.aws.clusters import Cluster, Clusters
from irsa_cli.sandbox.exchange import Exchange, Incoming, Label
from irsa_cli.sandbox.model import Answer
from irsa_cli.sandbox.server import HOST, Authority, Server

DISCOVERY = "/.well-known/openid-configuration"
KEYS = "/keys"
_json = Answer.of_json


class _Documents:
    """The documents of all issuers, as one endpoint of the server."""

    def __init__(self, clusters: Clusters) -> None:
        self._clusters = clusters

    def label(self, request: Incoming) -> Label:
        operation = "discovery" if request.target.endswith(DISCOVERY) else "keys"
        return Label("issuer", operation, self._issuer(request))

    def answer(self, request: Incoming) -> Answer:
        cluster = self._clusters.with_issuer(self._issuer(request))
        if cluster is None or request.method != "GET":
            return self.failure("issuer", "NotFound", "no such issuer", 404)
        if request.target.endswith(DISCOVERY):
            return _json(_discovery(cluster))
        return _json(cluster.jwks())

    def failure(self, service: str, code: str, message: str, status: int) -> Answer:
        return _json({"code": code, "message": message}, status, code)

    def throttled(self, service: str) -> Answer:
        return self.failure(service, "TooManyRequests", "slow down", 429)

    @staticmethod
    def _issuer(request: Incoming) -> str:
        path = request.target.removesuffix(DISCOVERY).removesuffix(KEYS)
        return f"https://{request.headers.get('host', '').removesuffix(':443')}{path}"


def _discovery(cluster: Cluster) -> dict[str, Any]:
    return {
        "issuer": cluster.issuer,
        "jwks_uri": cluster.issuer + KEYS,
        "authorization_endpoint": "urn:kubernetes:programmatic_authorization",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }


class IssuerProxy:
    """A proxy by which HTTPS clients reach the issuers of `clusters`, and nothing else."""

    def __init__(self, exchange: Exchange, clusters: Clusters, authority: Authority) -> None:
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._authority = authority
        context = authority.context()
        context.sni_callback = self._choose
        self._server = Server(exchange, _Documents(clusters), context)
        port = urlsplit(self._server.url).port
        assert port is not None
        self._listener = _Listener(clusters, port)
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True)
        self.url = f"http://{HOST}:{self._listener.server_address[1]}"
        with tempfile.NamedTemporaryFile("w", prefix="irsa-sandbox-", suffix=".pem", delete=False) as file:
            file.write(authority.pem)
        self.ca_file = file.name

    def _choose(self, connection: Any, host: str | None, _: ssl.SSLContext) -> None:
        if host:
            if host not in self._contexts:
                self._contexts[host] = self._authority.context(host)
            connection.context = self._contexts[host]

    def start(self) -> None:
        self._server.start()
        self._thread.start()

    def stop(self) -> None:
        if self._thread.ident is not None:
            self._listener.shutdown()
            self._thread.join()
        self._listener.server_close()
        self._server.stop()
        Path(self.ca_file).unlink(missing_ok=True)


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, clusters: Clusters, port: int) -> None:
        super().__init__((HOST, 0), _Handler)
        self.clusters, self.port = clusters, port

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A broken connection is the client's business; nothing is printed."""


class _Handler(socketserver.StreamRequestHandler):
    server: _Listener
    # The bytes after the request's head are TLS and must not be read here.
    rbufsize = 0

    def handle(self) -> None:
        """Answer one CONNECT, then carry bytes both ways."""
        method, target = (*self.rfile.readline(4096).split(), b"", b"")[:2]
        while self.rfile.readline(4096) not in (b"\r\n", b"\n", b""):
            pass
        host = target.decode("latin-1").removesuffix(":443")
        if method != b"CONNECT" or host not in self.server.clusters.issuer_hosts():
            self.wfile.write(b"HTTP/1.1 403 Only the sandbox's issuers\r\nContent-Length: 0\r\n\r\n")
            return
        with socket.create_connection((HOST, self.server.port)) as there:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_carry, args=(there, self.connection), daemon=True)
            back.start()
            _carry(self.connection, there)
            back.join()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
