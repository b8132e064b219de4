"""What tests of `irsa preflight` share: AWS as a container meets it on one loopback port, and runs of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from tests.docs.console import ROOT

ACCOUNT = "111122223333"
NOBODY = 65534
SYSTEM_PYTHON = shutil.which("python3", path="/usr/bin:/usr/local/bin:/bin") or sys.executable
"""A Python that other users can start."""
SECONDS = 60
"""No run takes as long: it has its own time limits."""


class LocalAws:
    """STS, EKS Pod Identity's agent and IMDS that give credentials to everybody, and tell whose they are.

    An access key is `AKIA…` for the IAM user of that name, and `ASIA-NAME` for the role NAME. What STS was
    asked is in `asked`; the authorizations that the agent saw are in `authorizations`.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.agent = f"{url}/v1/credentials"
        self.asked: list[dict[str, str]] = []
        self.refusal: tuple[int, str] | None = None
        """What the agent answers instead of credentials."""
        self.authorizations: list[str] = []


@contextmanager
def local_aws() -> Iterator[LocalAws]:
    """AWS on a port of its own, for a `with` block."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.aws = LocalAws(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.aws  # type: ignore[attr-defined]
        finally:
            server.shutdown()


def arn_of(key: str) -> str:
    """The identity of an access key."""
    if key.startswith("ASIA-"):
        return f"arn:aws:sts::{ACCOUNT}:assumed-role/{key.removeprefix('ASIA-')}/session"
    return f"arn:aws:iam::{ACCOUNT}:user/{key}"


def _credentials(role: str) -> dict[str, str]:
    return {"AccessKeyId": f"ASIA-{role}", "SecretAccessKey": "s", "Expiration": "2099-01-01T00:00:00Z"}


class _Handler(BaseHTTPRequestHandler):
    @property
    def _aws(self) -> LocalAws:
        return self.server.aws  # type: ignore[attr-defined,no-any-return]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        asked = {key: values[0] for key, values in parse_qs(body).items()}
        self._aws.asked.append(asked)
        action = asked["Action"]
        if action == "GetCallerIdentity":
            (key,) = re.findall(r"Credential=([^/]+)/", self.headers["Authorization"])
            found = f"<Arn>{arn_of(key)}</Arn><UserId>u</UserId><Account>{ACCOUNT}</Account>"
        else:
            role = asked["RoleArn"].rsplit("/", 1)[-1]
            given = {**_credentials(role), "SessionToken": "t"}
            inner = "".join(f"<{key}>{value}</{key}>" for key, value in given.items())
            user = f"<Arn>{arn_of('ASIA-' + role)}</Arn><AssumedRoleId>r:s</AssumedRoleId>"
            found = f"<Credentials>{inner}</Credentials><AssumedRoleUser>{user}</AssumedRoleUser>"
        xml = f"<{action}Response><{action}Result>{found}</{action}Result></{action}Response>"
        self._answer(xml, "text/xml")

    def do_PUT(self) -> None:
        self._answer("imds-session")

    def do_GET(self) -> None:
        if self.path == "/v1/credentials":
            self._aws.authorizations.append(self.headers.get("Authorization", ""))
            if self._aws.refusal:
                status, text = self._aws.refusal
                self._answer(text, status=status)
                return
            self._answer(json.dumps({**_credentials("associated"), "Token": "t"}), "application/json")
        elif self.path.endswith("/security-credentials/"):
            self._answer("node")
        elif self.path.endswith("/security-credentials/node"):
            whole = {**_credentials("node"), "Token": "t", "Code": "Success"}
            self._answer(json.dumps(whole), "application/json")
        else:
            self.send_error(404)

    def _answer(self, text: str, kind: str = "text/plain", status: int = 200) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that other users can read: those of pytest are its own user's."""
    with tempfile.TemporaryDirectory(prefix="irsa-preflight-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def one_file(folder: Path, python: str = SYSTEM_PYTHON) -> tuple[str, ...]:
    """Preflight as one file in `folder`, run by a Python with nothing but the standard library."""
    archive = folder / "preflight.pyz"
    command = [sys.executable, "-m", "irsa_cli.preflight", "--self"]
    archive.write_bytes(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)
    return (python, "-I", "-S", str(archive))


def preflight(
    env: Mapping[str, str],
    *flags: str,
    program: Sequence[str] = (),
    folder: Path | None = None,
    user: int | None = None,
) -> tuple[int, dict[str, Any]]:
    """The exit code and the item of `-o json` of preflight in this environment, as `user` (for root)."""
    own = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **env}
    if not program:
        program = (sys.executable, "-m", "irsa_cli.preflight")
        own["PYTHONPATH"] = str(ROOT)
    groups: dict[str, Any] = {} if user is None else {"user": user, "group": user, "extra_groups": []}
    ended = subprocess.run(
        [*program, "-o", "json", *flags],
        env=own,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        **groups,
    )
    assert "Traceback" not in ended.stderr, ended.stderr
    assert ended.stdout, ended.stderr
    assert not [secret for secret in _secrets(env) if secret in ended.stdout + ended.stderr]
    document = json.loads(ended.stdout)
    assert document["metadata"]["exitCode"] == ended.returncode
    item: dict[str, Any] = document["items"][0]
    return ended.returncode, item


def _secrets(env: Mapping[str, str]) -> list[str]:
    """What may never be printed: keys, and the tokens of files."""
    names = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN")
    files = ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    paths = [Path(env[name]) for name in files if env.get(name)]
    tokens = [path.read_text().rpartition(".")[2].strip() for path in paths if path.is_file()]
    found = [*(env.get(name, "") for name in names), *tokens]
    return [secret for secret in found if secret]
