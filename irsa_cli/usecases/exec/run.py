"""`irsa exec`: a local command with a ServiceAccount's identity, as in one of its pods.

With EKS Pod Identity, an agent on this machine answers the SDKs of the command: like the agent on a node, it
answers who has a token of the ServiceAccount, and passes it on to EKS Auth.
https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from irsa_cli.core.objects.environment import environment
from irsa_cli.core.objects.injection import Injection
from irsa_cli.core.values.errors import IrsaError, ServiceError
from irsa_cli.usecases.exec.child import Start, holding_signals, labelled, run
from irsa_cli.usecases.exec.token_file import PrivateFolder, Renewal, renewing, sweep
from irsa_cli.usecases.read.identity import NamedServiceAccount, Token, own_session_name

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


TOKEN_FILE = "token"  # noqa: S105 - a file's name
_EMPTY = ("config", "credentials")


@contextmanager
def _writing() -> Iterator[None]:
    """Say of what can't be written that it is the token's file."""
    try:
        yield
    except OSError as error:
        raise IrsaError(
            "irsa cannot write the token file",
            reason=str(error),
            next_steps=("set TMPDIR to a writable folder",),
            code="NoFolder",
        ) from error


@dataclass(frozen=True)
class Ready:
    """All that a command needs to run: everything that the cluster may refuse has been asked for."""

    account: NamedServiceAccount
    injection: Injection
    token: Token
    by_association: bool = False

    @classmethod
    def make(cls, account: NamedServiceAccount) -> Ready:
        """Read the settings and get the first token; raises `Refused` and `ServiceError`."""
        injection, association = account.identity()
        token = account.token(injection.audience, injection.token_seconds)
        if association is not None:
            account.credentials_of_pods(token.text)
        return cls(account, injection, token, association is not None)

    def run(
        self,
        command: Sequence[str],
        caller: Mapping[str, str],
        *,
        at_terminal: bool,
        warn: Callable[[str], None],
        passed: Collection[str] = (),
    ) -> int:
        """Run the command to its end; returns its exit code, 128 + N if signal N ended it.

        `caller` is the initial environment, `passed` are secrets in it for the command; `at_terminal` is
        whether a shell would be interactive; `warn` may be called from another thread.
        Raises `NotStarted`, and `IrsaError` if irsa cannot write the token.
        """
        sweep()
        with holding_signals() as held, ExitStack() as stack:
            with _writing():
                folder = stack.enter_context(PrivateFolder())
                shell = at_terminal and labelled(command, caller, str(folder.path), self.account.label)
                start = shell or Start(tuple(command))
                for name, text in {**dict.fromkeys(_EMPTY, ""), **start.files}.items():
                    folder.write(name, text)
                token_file = folder.write(TOKEN_FILE, self.token.text)
            url = stack.enter_context(agent(self.account.credentials_of_pods)) if self.by_association else ""
            values = environment(
                caller,
                self.injection,
                region=self.account.connection.cluster.region,
                token_file=str(token_file),
                empty_files=(str(folder.path / _EMPTY[0]), str(folder.path / _EMPTY[1])),
                session_name=own_session_name(),
                label=self.account.label,
                agent=url,
                passed=passed,
            )
            fresh = partial(self.account.token, self.injection.audience, self.injection.token_seconds)
            renewal = Renewal(self.token, fresh, lambda text: folder.write(TOKEN_FILE, text), warn)
            with renewing(renewal):
                return run(start.command, {**values, **start.variables}, held, warn)
