"""Which source of credentials an SDK takes: compared with botocore itself, in generated environments."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import botocore.session
import pytest

from irsa_cli.preflight import sdk
from irsa_cli.preflight.sdk import ORDERS, choose

OF_BOTOCORE = {
    "env": sdk.KEYS,
    "assume-role": sdk.ROLE_PROFILE,
    "assume-role-with-web-identity": sdk.WEB,
    "shared-credentials-file": sdk.PROFILE,
    "custom-process": sdk.PROFILE,
    "config-file": sdk.PROFILE,
    "sso": sdk.PROFILE,
    "container-role": sdk.CONTAINER,
}
ROLE = "arn:aws:iam::111122223333:role/app"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": "x"}
FILES = {
    "none": "",
    "keys": "[default]\naws_access_key_id = AKIA2\naws_secret_access_key = y\n",
    "region": "[default]\nregion = eu-west-1\n",
    "role": f"[default]\nrole_arn = {ROLE}\nsource_profile = base\n\n"
    "[profile base]\naws_access_key_id = AKIA3\naws_secret_access_key = z\n",
    "named": "[profile other]\naws_access_key_id = AKIA4\naws_secret_access_key = z\n",
}
WAYS = list(itertools.product((False, True), (False, True), (False, True), FILES, ("", "other")))


class _Agent(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps(
            {
                "AccessKeyId": "ASIA",
                "SecretAccessKey": "s",
                "Token": "t",
                "Expiration": "2099-01-01T00:00:00Z",
            }
        )
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def agent() -> Iterator[str]:
    """A credentials endpoint on loopback."""
    with HTTPServer(("127.0.0.1", 0), _Agent) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/credentials"
        server.shutdown()


@pytest.mark.parametrize(("keys", "web", "container", "file", "profile"), WAYS)
def test_the_source_is_the_one_that_botocore_takes(
    keys: bool,
    web: bool,
    container: bool,
    file: str,
    profile: str,
    agent: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token = tmp_path / "token"
    token.write_text("a.b.c")
    config = tmp_path / "config"
    config.write_text(FILES[file])
    env = {
        "HOME": str(tmp_path),
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        **(KEYS if keys else {}),
        **({"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": str(token)} if web else {}),
        **({"AWS_CONTAINER_CREDENTIALS_FULL_URI": agent} if container else {}),
        **({"AWS_PROFILE": profile} if profile else {}),
    }
    import os

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    found = choose(env, "python")
    try:
        credentials = botocore.session.Session().get_credentials()
    except botocore.exceptions.ProfileNotFound:
        assert found.broken
        return
    assert not found.broken
    expected = sdk.INSTANCE if credentials is None else OF_BOTOCORE[credentials.method]
    assert found.source == expected


@pytest.mark.parametrize("name", ORDERS)
def test_each_sdk_looks_everywhere_and_at_the_node_last(name: str) -> None:
    assert sorted(ORDERS[name]) == sorted(ORDERS["python"])
    assert ORDERS[name][-2:] == (sdk.CONTAINER, sdk.INSTANCE)
