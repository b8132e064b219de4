"""Preflight among hostile files, variables and services: it ends in time and shows no secret."""

from __future__ import annotations

import base64
import json
import os
import re
import resource
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from irsa_cli.preflight import __main__ as program
from tests.docs.console import ROOT
from tests.support.endpoints import Play, endpoint, http
from tests.support.repeated import (
    AUTHORIZATION,
    ENCODINGS,
    KEY,
    ROLE,
    SESSION,
    SESSION_TOKEN,
    SIGNATURE,
    Encode,
    pieces,
    token,
)

MEMORY = 1 << 30
SECONDS = 60.0
NOBODY = "http://127.0.0.1:9"


def preflight(env: Mapping[str, str], *flags: str, form: str = "json") -> tuple[int, str, dict[str, Any]]:
    """The exit code, all that was printed, and the item of JSON; no traceback, no forged line, in time."""
    ended = subprocess.run(
        [sys.executable, "-m", "irsa_cli.preflight", "-o", form, "--timeout", "0.5s", *flags],
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "HOME": "/nonexistent", **env},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )
    said = ended.stdout + ended.stderr
    assert not [word for word in ("Traceback", "a bug in irsa", "##vso[") if word in said], said
    assert all(line.isprintable() and not line.lstrip().startswith("::") for line in said.split("\n")), said
    item = json.loads(ended.stdout)["items"][0] if form == "json" else {}
    return ended.returncode, said, item


def assert_hidden(secret: str, encode: Encode, said: str) -> None:
    assert not [piece for piece in pieces(secret, encode) if piece in said], said


@pytest.fixture
def pod(tmp_path: Path) -> dict[str, str]:
    """A pod with the variables of IRSA, and nothing that answers."""
    file = tmp_path / "token"
    file.write_text(token())
    return {
        "AWS_ROLE_ARN": ROLE,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(file),
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL_STS": NOBODY,
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": NOBODY,
    }


def by_agent(env: Mapping[str, str], url: str, **more: str) -> dict[str, str]:
    """The same pod with the variables of EKS Pod Identity."""
    kept = {
        key: value for key, value in env.items() if key not in ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE")
    }
    agent = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/v1/credentials"}
    return {**kept, **agent, "AWS_CONTAINER_AUTHORIZATION_TOKEN": AUTHORIZATION, **more}


def says(body: bytes, status: int = 200, **headers: str) -> Play:
    """A service that answers this."""
    return lambda _, write: write(http(body, status, **headers))


# What services repeat.


def answers(text: str, status: int) -> list[bytes]:
    """Errors that have a text, as STS, a proxy and the agent write them."""
    xml = f"<ErrorResponse><Error><Code>Odd</Code><Message>{text}</Message></Error></ErrorResponse>"
    return [http(xml.encode(), status), http(text.encode(), status, "text/plain")]


FORMS = [(encoding, "json") for encoding in ENCODINGS] + [("as it is", "text")]


@pytest.mark.parametrize(("encoding", "form"), FORMS)
@pytest.mark.parametrize("number", [0, 1], ids=["xml", "text"])
def test_a_service_that_repeats_what_it_was_sent(
    pod: dict[str, str], encoding: str, form: str, number: int
) -> None:
    """The token, an agent its authorization, and STS the credentials of the agent."""
    encode = ENCODINGS[encoding]
    keys = {"AccessKeyId": "ASIAIOSFODNN7EXAMPLE", "SecretAccessKey": KEY, "Token": SESSION_TOKEN}

    def repeat(request: bytes, write: Callable[[bytes], None]) -> None:
        asked = urllib.parse.parse_qs(request.partition(b"\r\n\r\n")[2].decode())
        if "WebIdentityToken" in asked:
            write(answers(f"can't read {encode(asked['WebIdentityToken'][0])}", 400)[number])
        elif b"/refuse/" in request:
            sent = re.findall(rb"Authorization: (.*)\r\n", request)[0].decode()
            write(answers(f"no such token: {encode(sent)}", 400)[number])
        elif request.startswith(b"GET"):
            write(http(json.dumps(keys).encode()))
        else:
            write(answers(f"{keys['AccessKeyId']} {encode(KEY)} {encode(SESSION_TOKEN)}", 403)[0])

    with endpoint(repeat) as service:
        code, said, _ = preflight({**pod, "AWS_ENDPOINT_URL_STS": service.url}, form=form)
        assert (code, service.got(SIGNATURE)) == (1, True)
        assert_hidden(token(), encode, said)
        assert_hidden(SIGNATURE, str, said)
        code, said, _ = preflight(by_agent(pod, f"{service.url}/refuse"), form=form)
        assert (code, service.got(AUTHORIZATION)) == (5, True)
        assert_hidden(AUTHORIZATION, encode, said)
        code, said, _ = preflight(by_agent(pod, service.url, AWS_ENDPOINT_URL_STS=service.url), form=form)
        assert (code, "ASIA" in said) == (5, False)
        assert_hidden(KEY, encode, said)
        assert_hidden(SESSION_TOKEN, encode, said)


def test_a_password_in_a_url(pod: dict[str, str]) -> None:
    url = "http://someone:hunter2-hunter2@127.0.0.1:9/path?signature=0123456789abcdef"
    for name in ("AWS_ENDPOINT_URL_STS", "HTTP_PROXY"):
        _, said, _ = preflight({**pod, name: url, "NO_PROXY": "none.example.com"})
        assert "hunter2" not in said
        assert "0123456789abcdef" not in said


# What else they answer.


def sts_that_says(arn: str, tail: str = "") -> Play:
    return says(f"<R><AssumedRoleUser><Arn>{arn}</Arn></AssumedRoleUser>{tail}</R>".encode())


@pytest.mark.parametrize(
    "arn",
    [
        *(
            SESSION,
            f"{SESSION}\n",
            f"{SESSION}\n::error::x",
            "arn:aws:sts::111122223333:assumed-role/app\n/s",
        ),
        *("x", f"{SESSION}\u202e", "arn:aws:sts::1:assumed-role/app/s", "&#10;".join(SESSION.split("/")), ""),
    ],
)
def test_an_identity_that_is_no_arn_is_unknown(pod: dict[str, str], arn: str) -> None:
    with endpoint(sts_that_says(arn)) as sts:
        code, said, item = preflight({**pod, "AWS_ENDPOINT_URL_STS": sts.url}, "--expect-role", "app")
    if arn == SESSION:
        assert (code, item["evidence"]["identity"]) == (0, SESSION)
    else:
        assert (code, item["verdict"], "is not from AWS" in said) == (1, "unknown", True), item


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    "text", ["\u202ednalsi", "\x1b[2K\r", "\n::error::x", "##vso[task.x]y", "a\n  ok", "a\x00"]
)
def test_what_would_forge_a_line_is_shown_as_code_points(pod: dict[str, str], text: str, form: str) -> None:
    with endpoint(lambda _, write: write(answers(text, 400)[1])) as agent:
        code, said, _ = preflight(by_agent(pod, agent.url), form=form)
    assert (code, text in said) == (5, False)
    (Path(pod["AWS_WEB_IDENTITY_TOKEN_FILE"])).write_text(token(sub=text, iss=[text], aud={"x": text}))
    assert text not in preflight(pod, form=form)[1]


ODD_ANSWERS = {
    "a number": b'{"AccessKeyId": 1, "SecretAccessKey": 2, "Token": 3}',
    "lists": b'{"AccessKeyId": [], "SecretAccessKey": ["x"]}',
    "an object": b'{"AccessKeyId": {"a": 1}, "SecretAccessKey": "x"}',
    "nothing": b'{"AccessKeyId": null, "SecretAccessKey": null, "Token": null}',
    "line breaks": b'{"AccessKeyId": "A\\r\\nX: y", "SecretAccessKey": "x", "Token": "t\\nHost: x"}',
    "other letters": '{"AccessKeyId": "É💥", "SecretAccessKey": "ß", "Token": "\\udc80"}'.encode(),
    "a list": b"[]",
    "a text": b'"x"',
    "a deep list": b"[" * 60_000,
    "a deep object": b'{"a":' * 12_000,
    "no JSON": b"<html>",
    "no text": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("body", ODD_ANSWERS.values(), ids=ODD_ANSWERS)
def test_an_agent_without_credentials_in_its_answer(pod: dict[str, str], body: bytes) -> None:
    with endpoint(says(body)) as agent:
        code, said, _ = preflight(by_agent(pod, agent.url))
    assert (code, "no credentials in the answer" in said) == (5, True)


@pytest.mark.parametrize("status", [403, 408, 429, 500, 503])
def test_credentials_in_a_refusal_are_none(pod: dict[str, str], status: int) -> None:
    """An agent that is busy is unknown."""
    with endpoint(says(b'{"AccessKeyId": "ASIAX", "SecretAccessKey": "xxxxxxxxxxxxx"}', status)) as agent:
        code, said, item = preflight(by_agent(pod, agent.url))
    if status == 403:
        assert (code, "HTTP 403" in said) == (5, True)
    else:
        assert (code, item["notReached"]) == (1, ["the credentials endpoint"])


def _for_ever(data: bytes, pause: float) -> Play:
    def play(_: bytes, write: Callable[[bytes], None]) -> None:
        write(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n" if b"HTTP" not in data else b"")
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            write(data)
            time.sleep(pause)

    return play


ENDLESS = {
    "a stream": _for_ever(b"x" * 4096, 0.0),
    "a trickle": _for_ever(b"x", 0.05),
    "headers": _for_ever(b"HTTP/1.1 100 Continue\r\n\r\n", 0.01),
}


@pytest.mark.parametrize("play", ENDLESS.values(), ids=ENDLESS)
def test_an_answer_without_an_end(pod: dict[str, str], play: Play) -> None:
    with endpoint(play) as service:
        code, _, item = preflight({**pod, "AWS_ENDPOINT_URL_STS": service.url})
        assert (code, item["notReached"]) == (1, ["STS AssumeRoleWithWebIdentity"])
        code, _, item = preflight(by_agent(pod, service.url))
        assert code in (1, 5)
        assert item["verdict"] != "expected"
        env = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": service.url}
        assert preflight(env)[0] == 5


def test_the_authorization_goes_to_the_node_only(pod: dict[str, str]) -> None:
    """As SDKs do: without TLS to loopback and to the addresses of AWS, and never after a redirect."""
    with endpoint(says(b"{}")) as stranger:
        proxied = {"HTTP_PROXY": stranger.url, "http_proxy": stranger.url}
        for host in ("agent", "169.254.170.2", "127.0.0.1", "@"):
            env = by_agent(pod, f"http://{host}.example.com", **proxied)
            if host == "@":
                env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "@agent.example.com/v1"
            code, said, _ = preflight(env, "--sdk", "go")
            assert (code, "without TLS" in said) == (5, True), said
        with endpoint(says(b"", 307, Location=f"{stranger.url}/v1/credentials")) as moved:
            assert preflight(by_agent(pod, moved.url))[0] == 5
            code, said, _ = preflight({**pod, "AWS_ENDPOINT_URL_STS": moved.url})
            assert (code, "HTTP 307" in said) == (1, True)
        assert moved.got(AUTHORIZATION)
        assert moved.got(SIGNATURE)
        env = {**pod, "AWS_REGION": "x.example.com/?", "HTTPS_PROXY": stranger.url}
        del env["AWS_ENDPOINT_URL_STS"]
        code, said, _ = preflight(env)
        assert (code, "is not the name of a region" in said) == (5, True)
    assert stranger.requests == []


# Files.


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


def _deep(path: Path) -> None:
    path.write_text(f"e30.{base64.urlsafe_b64encode(b'[' * 9_000).decode()}.x")


FILES: dict[str, Callable[[Path], Any]] = {
    "a pipe": os.mkfifo,
    "a socket": _socket,
    "a folder": Path.mkdir,
    "a huge file": _sparse,
    "no text": lambda path: path.write_bytes(b"\xff" * 100),
    "zeros": lambda path: path.symlink_to("/dev/zero"),
    "noise": lambda path: path.symlink_to("/dev/urandom"),
    "nothing": lambda path: path.symlink_to("/dev/null"),
    "a link to itself": lambda path: path.symlink_to(path),
    "a file below a file": lambda path: path.symlink_to("/etc/hostname/token"),
    "a deep token": _deep,
    "one line without an end": lambda path: path.write_text("x" * 15_000),
}


@pytest.mark.parametrize("make", FILES.values(), ids=FILES)
@pytest.mark.parametrize(
    "variable",
    [
        *("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_CONFIG_FILE"),
        *("AWS_SHARED_CREDENTIALS_FILE", "AWS_CA_BUNDLE", "SSL_CERT_FILE"),
    ],
)
def test_a_file_of_any_kind(
    pod: dict[str, str], tmp_path: Path, make: Callable[[Path], Any], variable: str
) -> None:
    path = tmp_path / "odd"
    make(path)
    env = by_agent(pod, NOBODY) if "CONTAINER" in variable else {**pod}
    if variable in ("AWS_CA_BUNDLE", "SSL_CERT_FILE"):
        env["AWS_ENDPOINT_URL_STS"] = NOBODY.replace("http", "https")
    code, said, _ = preflight({**env, variable: str(path)})
    assert code in (1, 5), said
    if make is os.mkfifo and variable in ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONFIG_FILE"):
        # An SDK may read it; reading a pipe would take the token from the application.
        assert (code, "is a pipe, a device or a socket" in said) == (1, True)


CLAIMS: dict[str, dict[str, object]] = {
    "no texts": {"iss": 1, "sub": {"a": [1]}, "aud": [None, 1, "x"]},
    "odd times": {"exp": 10**400, "iat": -(10**400)},
    "times without an end": {"exp": float("inf"), "iat": float("nan")},
    "texts as times": {"exp": "never", "iat": True},
    "long": {"sub": "x" * 9_000, "aud": ["y" * 50] * 100},
}


@pytest.mark.parametrize("claims", CLAIMS.values(), ids=CLAIMS)
def test_odd_claims(pod: dict[str, str], claims: dict[str, object]) -> None:
    Path(pod["AWS_WEB_IDENTITY_TOKEN_FILE"]).write_text(token(**claims))
    code, said, item = preflight(pod)
    assert (code, item["notReached"]) == (1, ["STS AssumeRoleWithWebIdentity"])
    assert max(map(len, re.findall(r'"(?:\\.|[^"\\])*"', said))) < 1100


# Variables.

ODD = (
    "\n",
    "x\r\nX-Other: y",
    "http://[::1",
    "://",
    "%00",
    "é\u202e",
    "x" * 50_000,
    "/" * 100_000,
    "\udc80",
    " ",
)
NAMES = """AWS_ROLE_ARN AWS_WEB_IDENTITY_TOKEN_FILE AWS_REGION AWS_ENDPOINT_URL_STS AWS_ROLE_SESSION_NAME
AWS_PROFILE HOME AWS_CONFIG_FILE AWS_CA_BUNDLE HTTP_PROXY NO_PROXY AWS_ACCESS_KEY_ID
AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_CONTAINER_CREDENTIALS_RELATIVE_URI AWS_CONTAINER_AUTHORIZATION_TOKEN AWS_EC2_METADATA_SERVICE_ENDPOINT"""


@pytest.mark.parametrize("name", NAMES.split())
def test_odd_variables(pod: dict[str, str], name: str) -> None:
    for value in ODD:
        env = by_agent(pod, NOBODY) if "CONTAINER" in name else dict(pod)
        if name == "AWS_ACCESS_KEY_ID":
            env["AWS_SECRET_ACCESS_KEY"] = value
        if name == "AWS_EC2_METADATA_SERVICE_ENDPOINT":
            env.pop("AWS_ROLE_ARN")
        code, said, item = preflight({**env, name: value})
        assert (code in (1, 5), item["verdict"] != "expected") == (True, True), said


# The end.


def unforeseen(capsys: pytest.CaptureFixture[str], *flags: str, **what: Any) -> str:
    """The cause of an unknown verdict, in a run in this process whose judgement is another one."""
    with mock.patch.object(program, "judge", **what), mock.patch.dict(os.environ, HOME="/"):
        assert program.main(["-o", "json", *flags]) == 1
    said = capsys.readouterr()
    assert SIGNATURE not in said.out + said.err
    (item,) = json.loads(said.out)["items"]
    assert item["verdict"] == "unknown"
    return str(item["cause"])


def test_what_nobody_foresaw_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    cause = unforeseen(capsys, side_effect=KeyError(SIGNATURE))
    assert re.fullmatch(r"a bug in irsa: KeyError in \S+, line \d+", cause)


def test_what_does_not_end_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    """A file system that hangs, which no time limit of a call can interrupt."""
    hangs = threading.Event()
    cause = unforeseen(capsys, "--timeout", "0.1s", side_effect=lambda *_: hangs.wait())
    hangs.set()
    assert "no answer in 0.4 s" in cause


def test_a_call_of_the_application_ends_in_time(pod: dict[str, str]) -> None:
    def play(request: bytes, write: Callable[[bytes], None]) -> None:
        if b"ListUsers" in request:
            ENDLESS["a trickle"](request, write)
        sts_that_says(SESSION, f"<SecretAccessKey>{KEY}</SecretAccessKey>")(request, write)

    with endpoint(play) as aws:
        env = {**pod, "AWS_ENDPOINT_URL_STS": aws.url, "AWS_ENDPOINT_URL": aws.url}
        code, said, item = preflight(env, "--call", "iam list-users", "--timeout", "3s")
    assert (code, item["notReached"]) == (1, ["iam"]), said


def test_a_command_line_that_forges(pod: dict[str, str]) -> None:
    words = [sys.executable, "-m", "irsa_cli.preflight", "--sdk", "go", "x\x1b[2K\n::error::x"]
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert all(line.isprintable() and not line.startswith("::") for line in ended.stderr.split("\n"))


@pytest.mark.parametrize("to", ["/dev/full", "closed pipe"])
def test_output_that_nobody_reads(pod: dict[str, str], to: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    out = os.open(to, os.O_WRONLY) if to.startswith("/") else writer
    words = [sys.executable, "-m", "irsa_cli.preflight"]
    env = {"PYTHONPATH": str(ROOT), "HOME": "/nonexistent", **pod}
    ended = subprocess.run(words, env=env, stdout=out, stderr=subprocess.PIPE, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (1, "")
