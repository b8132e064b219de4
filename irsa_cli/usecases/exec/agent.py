"""An agent of EKS Pod Identity on this machine, for the SDKs of one command.

Like the agent on a node, it answers who has a token of the ServiceAccount, and passes it on to EKS Auth.
https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from irsa_cli.core.values.errors import IrsaError, ServiceError

if TYPE_CHECKING:
    from irsa_cli.core.objects.credentials import RoleCredentials

PATH = "/v1/credentials"


@contextmanager
def agent(exchange: Callable[[str], RoleCredentials]) -> Iterator[str]:
    """Serve credentials on a free port of 127.0.0.1; gives the URL. `exchange` takes the caller's token."""

    class AgentHandler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            token = self.headers.get("Authorization", "")
            if self.path != PATH or not token:
                return self._send(400, "text/plain", "Service account token cannot be empty")
            try:
                found = exchange(token)
            except IrsaError as error:
                status = error.status if isinstance(error, ServiceError) else 0
                return self._send(status or 500, "text/plain", str(error))
            answer = {
                "AccessKeyId": found.access_key_id,
                "SecretAccessKey": found.secret_access_key,
                "Token": found.session_token,
                "Expiration": found.expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
            return self._send(200, "application/json", json.dumps(answer))

        def _send(self, status: int, kind: str, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing: the command owns the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", 0), AgentHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{PATH}"
        finally:
            server.shutdown()
