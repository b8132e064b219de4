"""`irsa exec`: a local command with a ServiceAccount's identity, as in one of its pods.

With EKS Pod Identity, an agent on this machine answers the SDKs of the command: like the agent on a node, it
answers who has a token of the ServiceAccount, and passes it on to EKS Auth. The file of a command's token is
private to the user, renewed as kubelet does it, and removed at the end.
https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
"""

from __future__ import annotations

import json
import os
import random
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from filelock import FileLock, Timeout

from irsa_cli.core.objects.aws import RoleCredentials
from irsa_cli.core.objects.environment import environment, injected
from irsa_cli.core.trust.jwt import JITTER
from irsa_cli.core.values.errors import IrsaError, ServiceError
from irsa_cli.usecases.exec.child import Start, holding_signals, labelled, run
from irsa_cli.usecases.exec.forms import agent_answer
from irsa_cli.usecases.exec.identity import Token, WorkloadIdentity, own_session_name
from irsa_cli.usecases.read.identity import NamedServiceAccount

PREFIX = "irsa-exec-"
_LOCK = "lock"
_YOUNG = 60.0
"""Seconds for which a folder is left alone: its maker may not have locked it yet."""


class PrivateFolder:
    """A folder (0700) with files (0600), for a `with` block. Safe to use from several threads."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._lock = FileLock(self.path / _LOCK, timeout=0, mode=0o600)
        self._writing = threading.Lock()
        self._gone = False

    def __enter__(self) -> PrivateFolder:
        try:
            self._lock.acquire()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()
        self._lock.release()

    def write(self, name: str, text: str) -> Path:
        """Write a file atomically, unless the folder was removed; raises OSError."""
        path = self.path / name
        with self._writing:
            if not self._gone:
                path.parent.mkdir(mode=0o700, exist_ok=True)
                new = path.with_name(f".{path.name}.new")
                with suppress(FileNotFoundError):
                    new.unlink()
                handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with open(handle, "w", encoding="utf-8") as stream:
                    stream.write(text)
                new.replace(path)
        return path

    def remove(self) -> None:
        """Remove the folder with everything in it; waits for a write that is under way."""
        with self._writing:
            self._gone = True
            shutil.rmtree(self.path, ignore_errors=True)


def sweep() -> None:
    """Remove this user's folders whose processes were killed (SIGKILL) and could not remove them."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError, Timeout):
            status = path.lstat()  # Of a link, not of its folder.
            is_ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
            if is_ours and time.time() - (path / _LOCK).lstat().st_mtime > _YOUNG:
                with FileLock(path / _LOCK, timeout=0, mode=0o600):
                    shutil.rmtree(path, ignore_errors=True)


LOOK_SECONDS = 60.0
"""The clock is looked at so often: a machine that was asleep renews at once when it wakes."""
RETRY_SECONDS = (5.0, 10.0, 20.0, 40.0, 60.0)


class Renewal:
    """Renews one token. `issue` gets a new one, `write` puts it into its file, `warn` tells the user."""

    def __init__(
        self,
        token: Token,
        issue: Callable[[], Token],
        write: Callable[[str], object],
        warn: Callable[[str], None],
        *,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = lambda: random.uniform(0, JITTER),  # noqa: S311 - no secret
    ) -> None:
        self._token = token
        self._issue = issue
        self._write = write
        self._warn = warn
        self._clock = clock
        self._draw = jitter
        self._jitter = jitter()
        self._failures = 0
        self._warned_of_the_end = False

    def step(self) -> float:
        """Renew the token if it is due; returns after how many seconds to look again."""
        now = self._clock()
        lifetime = self._token.lifetime
        if not lifetime.is_due(now, self._jitter):
            return min(LOOK_SECONDS, max(lifetime.renew_at(self._jitter) - now, 0.0))
        try:
            fresh = self._issue()
            self._write(fresh.text)
        except (IrsaError, OSError) as error:
            return self._failed(str(error))
        except Exception as error:  # Any error would end the thread and all renewals.
            return self._failed(type(error).__name__)
        if self._failures:
            self._warn("the token was renewed")
        self._token = fresh
        self._jitter = self._draw()
        self._failures = 0
        self._warned_of_the_end = False
        return min(LOOK_SECONDS, max(fresh.lifetime.renew_at(self._jitter) - now, RETRY_SECONDS[0]))

    def _failed(self, why: str) -> float:
        """Say so, once when it begins and once when the token has expired; then try again."""
        expires = self._token.lifetime.expires
        expired = self._clock() >= expires
        at = datetime.fromtimestamp(expires).astimezone().strftime("%H:%M:%S")
        if expired and not self._warned_of_the_end:
            self._warned_of_the_end = True
            self._warn(f"the token expired at {at}, and irsa cannot renew it (still trying): {why}")
        elif not self._failures:
            self._warn(f"irsa cannot renew the token (still trying); it is valid until {at}: {why}")
        self._failures += 1
        return RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS)) - 1]


@contextmanager
def renewing(renewal: Renewal) -> Iterator[None]:
    """Renew in a thread of its own for the length of the block; a call under way is not waited for."""
    over = threading.Event()

    def run() -> None:
        seconds = 0.0
        while not over.wait(seconds):
            seconds = renewal.step()

    threading.Thread(target=run, daemon=True).start()
    try:
        yield
    finally:
        over.set()


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
                credentials = exchange(token)
            except IrsaError as error:
                status = 500
                if isinstance(error, ServiceError) and error.status:
                    status = error.status
                return self._send(status, "text/plain", str(error))
            return self._send(200, "application/json", json.dumps(agent_answer(credentials)))

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


@dataclass(frozen=True)
class Ready:
    """All that a command needs to run: everything that the cluster may refuse has been asked for."""

    identity: WorkloadIdentity
    token: Token

    @classmethod
    def make(cls, account: NamedServiceAccount) -> Ready:
        """Read the settings and get the first token; raises `Refused` and `ServiceError`."""
        identity = WorkloadIdentity.of(account)
        token = identity.token()
        if identity.association is not None:
            identity.exchange(token.text)
        return cls(identity, token)

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
        identity = self.identity
        account = identity.account
        label = f"{account.full_name}@{account.connection.cluster.name}"
        sweep()
        with holding_signals() as held, ExitStack() as stack:
            try:
                folder = stack.enter_context(PrivateFolder())
                start: Start | None = None
                if at_terminal:
                    start = labelled(command, caller, str(folder.path), label)
                if start is None:
                    start = Start(tuple(command))
                for name, text in {**dict.fromkeys(_EMPTY, ""), **start.files}.items():
                    folder.write(name, text)
                token_file = folder.write(TOKEN_FILE, self.token.text)
            except OSError as error:
                raise IrsaError(
                    "irsa cannot write the token file",
                    reason=str(error),
                    next_steps=("set TMPDIR to a writable folder",),
                    code="NoFolder",
                ) from error
            url = ""
            if identity.association is not None:
                url = stack.enter_context(agent(identity.exchange))
            region = account.connection.cluster.region
            values = environment(
                caller,
                injected(identity.settings, region, str(token_file), url),
                empty_files=(str(folder.path / _EMPTY[0]), str(folder.path / _EMPTY[1])),
                session_name=own_session_name(),
                label=label,
                passed=passed,
            )
            renewal = Renewal(self.token, identity.token, lambda text: folder.write(TOKEN_FILE, text), warn)
            with renewing(renewal):
                return run(start.command, {**values, **start.variables}, held, warn)
