"""What tests of `irsa preflight` share: AWS as a container meets it on one loopback port, and runs of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from tests.docs.console import ROOT
from tests.support.endpoints import endpoint, http

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

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[dict[str, str]] = []
        self.refusal: tuple[int, str] | None = None
        """What the agent answers instead of credentials."""

    @property
    def agent(self) -> str:
        """Where the agent's credentials are."""
        return f"{self.url}/v1/credentials"

    def play(self, request: bytes, write: Callable[[bytes], None]) -> None:
        """Answer a request."""
        head, _, body = request.decode().partition("\r\n\r\n")
        method, path, _ = head.split(" ", 2)
        status, text = 200, ""
        if method == "POST":
            text = self._sts(head, body)
        elif method == "PUT":
            text = "imds-session"
        elif path == "/v1/credentials":
            status, text = self.refusal or (200, _credentials("associated", Token="t"))
        elif path.endswith("/security-credentials/"):
            text = "node"
        elif path.endswith("/security-credentials/node"):
            text = _credentials("node", Token="t", Code="Success")
        else:
            status = 501 if method == "CONNECT" else 404
        write(http(text.encode(), status, "text/xml" if method == "POST" else "application/json"))

    def _sts(self, head: str, body: str) -> str:
        asked = {key: values[0] for key, values in parse_qs(body).items()}
        self.asked.append(asked)
        action = asked["Action"]
        if action == "GetCallerIdentity":
            (key,) = re.findall(r"Credential=([^/]+)/", head)
            said = f"<Arn>{arn_of(key)}</Arn><UserId>u</UserId><Account>{ACCOUNT}</Account>"
        else:
            role = asked["RoleArn"].rsplit("/", 1)[-1]
            given = json.loads(_credentials(role, SessionToken="t"))
            inner = "".join(f"<{key}>{value}</{key}>" for key, value in given.items())
            user = f"<Arn>{arn_of('ASIA-' + role)}</Arn><AssumedRoleId>r:s</AssumedRoleId>"
            said = f"<Credentials>{inner}</Credentials><AssumedRoleUser>{user}</AssumedRoleUser>"
        return f"<{action}Response><{action}Result>{said}</{action}Result></{action}Response>"


@contextmanager
def local_aws() -> Iterator[LocalAws]:
    """AWS on a port of its own, for a `with` block."""
    aws = LocalAws()
    with endpoint(aws.play) as service:
        aws.url = service.url
        yield aws


def arn_of(key: str) -> str:
    """The identity of an access key."""
    if key.startswith("ASIA-"):
        return f"arn:aws:sts::{ACCOUNT}:assumed-role/{key.removeprefix('ASIA-')}/session"
    return f"arn:aws:iam::{ACCOUNT}:user/{key}"


def _credentials(role: str, **more: str) -> str:
    given = {"AccessKeyId": f"ASIA-{role}", "SecretAccessKey": "s", "Expiration": "2099-01-01T00:00:00Z"}
    return json.dumps({**given, **more})


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
    keys = re.compile("AWS_(SECRET_ACCESS_KEY|SESSION_TOKEN|CONTAINER_AUTHORIZATION_TOKEN)")
    paths = [Path(value) for name, value in env.items() if name.endswith("_TOKEN_FILE") and value]
    tokens = [path.read_text().rpartition(".")[2].strip() for path in paths if path.is_file()]
    return [secret for secret in (*(env[name] for name in env if keys.fullmatch(name)), *tokens) if secret]
