"""Preflight among hostile files, variables and services: it ends in time and shows no secret."""

from __future__ import annotations

import base64
import json
import os
import re
import resource
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from irsa_cli.preflight import __main__ as program
from tests.docs.console import ROOT
from tests.support.endpoints import Endpoint, Play, endpoint, http
from tests.support.repeated import (
    AUTHORIZATION,
    ENCODINGS,
    KEY,
    ROLE,
    SESSION,
    SESSION_TOKEN,
    SIGNATURE,
    pieces,
    token,
)

MEMORY = 1 << 30
NOBODY = "http://127.0.0.1:9"
MODULE = [sys.executable, "-m", "irsa_cli.preflight"]
Write = Callable[[bytes], None]


def assert_lines(said: str) -> None:
    """No traceback, and no line that is forged."""
    assert not [word for word in ("Traceback", "a bug in irsa", "##vso[") if word in said], said
    assert all(line.isprintable() and not line.lstrip().startswith("::") for line in said.split("\n")), said


@dataclass(frozen=True)
class Said:
    """The exit code, all that was printed, and the item of JSON."""

    code: int
    text: str
    item: dict[str, Any]

    def hides(self, secret: str, encoding: str = "as it is") -> None:
        shown = [piece for piece in pieces(secret, ENCODINGS[encoding]) if piece in self.text]
        assert not shown, self.text


@dataclass
class Pod:
    """The variables of a pod, and the ways to run preflight in it."""

    env: dict[str, str]

    def run(self, *flags: str, form: str = "json", **more: str) -> Said:
        ended = subprocess.run(
            [*MODULE, "-o", form, "--timeout", "0.5s", *flags],
            env={**self.env, **more},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
            capture_output=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        said = ended.stdout + ended.stderr
        assert_lines(said)
        item = json.loads(ended.stdout)["items"][0] if form == "json" else {}
        return Said(ended.returncode, said, item)

    def by_agent(self, url: str = NOBODY) -> Pod:
        """The same pod with the variables of EKS Pod Identity."""
        gone = ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE")
        kept = {key: value for key, value in self.env.items() if key not in gone}
        kept["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"{url}/v1/credentials"
        return Pod({**kept, "AWS_CONTAINER_AUTHORIZATION_TOKEN": AUTHORIZATION})

    def with_sts(self, play: Play, *flags: str, **more: str) -> Said:
        """Let a service stand for STS."""
        with endpoint(play) as sts:
            return self.run(*flags, AWS_ENDPOINT_URL_STS=sts.url, AWS_ENDPOINT_URL=sts.url, **more)

    def with_agent(self, play: Play, form: str = "json", **more: str) -> Said:
        """Let a service stand for the agent, and for STS."""
        with endpoint(play) as agent:
            return self.by_agent(agent.url).run(form=form, AWS_ENDPOINT_URL_STS=agent.url, **more)


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    """A pod with the variables of IRSA, and nothing that answers."""
    (tmp_path / "token").write_text(token())
    words = f"AWS_ENDPOINT_URL_STS={NOBODY} AWS_EC2_METADATA_SERVICE_ENDPOINT={NOBODY} AWS_REGION=eu-west-1"
    files = f"AWS_WEB_IDENTITY_TOKEN_FILE={tmp_path}/token PYTHONPATH={ROOT} HOME=/nonexistent"
    env = dict(word.split("=", 1) for word in f"{words} {files} AWS_ROLE_ARN={ROLE}".split())
    return Pod({**env, "PATH": os.environ["PATH"]})


def says(body: bytes, status: int = 200, **headers: str) -> Play:
    """A service that answers this."""
    return lambda _, write: write(http(body, status, **headers))


# What services repeat.


def error(text: str, status: int = 400) -> bytes:
    xml = f"<ErrorResponse><Error><Code>Odd</Code><Message>{text}</Message></Error></ErrorResponse>"
    return http(xml.encode(), status)


@pytest.mark.parametrize(("encoding", "form"), [("as it is", "text"), ("base64", "json")])
def test_what_services_repeat_is_hidden(pod: Pod, tmp_path: Path, encoding: str, form: str) -> None:
    """STS the token, an agent its authorization, and STS the credentials of the agent."""
    encode = ENCODINGS[encoding]
    file = tmp_path / "authorization"
    file.write_text(AUTHORIZATION)
    by_file = {
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(file),
    }
    keys = {"AccessKeyId": "ASIAIOSFODNN7EXAMPLE", "SecretAccessKey": KEY, "Token": SESSION_TOKEN}

    def token_back(request: bytes, write: Write) -> None:
        asked = urllib.parse.parse_qs(request.partition(b"\r\n\r\n")[2].decode())
        write(error(f"can't read {encode(asked['WebIdentityToken'][0])}"))

    def authorization_back(request: bytes, write: Write) -> None:
        sent = re.findall(rb"Authorization: (.*)\r\n", request)[0].decode()
        write(http(f"no such token: {encode(sent)}".encode(), 400, "text/plain"))

    def keys_back(request: bytes, write: Write) -> None:
        said = f"ASIAIOSFODNN7EXAMPLE {encode(KEY)} {encode(SESSION_TOKEN)}"
        write(http(json.dumps(keys).encode()) if request.startswith(b"GET") else error(said, 403))

    for said, code, secrets in (
        (pod.with_sts(token_back, "-o", form, form=form), 1, (token(), SIGNATURE)),
        (pod.with_agent(authorization_back, form), 5, (AUTHORIZATION,)),
        (pod.with_agent(authorization_back, form, **by_file), 5, (AUTHORIZATION,)),
        (pod.with_agent(keys_back, form), 5, (KEY, SESSION_TOKEN)),
    ):
        assert (said.code, "ASIA" in said.text) == (code, False)
        for secret in secrets:
            said.hides(secret, encoding)


# What else they answer.


def sts_that_says(arn: str, tail: str = "") -> Play:
    return says(f"<R><AssumedRoleUser><Arn>{arn}</Arn></AssumedRoleUser>{tail}</R>".encode())


ARNS = (
    *(
        f"{SESSION}\n",
        f"{SESSION}\n::error::x",
        f"{SESSION}\u202e",
        "&#10;".join(SESSION.split("/")),
        "x",
        "",
    ),
    *("arn:aws:sts::111122223333:assumed-role/app\n/s", "arn:aws:sts::1:assumed-role/app/s"),
)


def test_an_identity_that_is_no_arn_is_unknown(pod: Pod) -> None:
    assert pod.with_sts(sts_that_says(SESSION)).item["evidence"]["identity"] == SESSION
    for arn in ARNS:
        said = pod.with_sts(sts_that_says(arn), "--expect-role", "app")
        assert (said.code, said.item["verdict"], "is not from AWS" in said.text) == (1, "unknown", True), arn


ODD_ANSWERS = {
    "a number": '{"AccessKeyId": 1, "SecretAccessKey": 2, "Token": 3}',
    "lists": '{"AccessKeyId": [], "SecretAccessKey": ["x"]}',
    "nothing": '{"AccessKeyId": null, "SecretAccessKey": null, "Token": null}',
    "line breaks": '{"AccessKeyId": "A\\r\\nX: y", "SecretAccessKey": "x", "Token": "t\\nHost: x"}',
    "other letters": '{"AccessKeyId": "É💥", "SecretAccessKey": "ß", "Token": "\\udc80"}',
    "a list": "[]",
    "a text": '"x"',
    "a deep list": "[" * 60_000,
    "a deep object": '{"a":' * 12_000,
    "no JSON": "<html>",
    "no text": "\udcff\udcfe\x00",
}


@pytest.mark.parametrize("body", ODD_ANSWERS.values(), ids=ODD_ANSWERS)
def test_an_agent_without_credentials_in_its_answer(pod: Pod, body: str) -> None:
    said = pod.with_agent(says(body.encode(errors="surrogateescape")))
    assert (said.code, "no credentials in the answer" in said.text) == (5, True)


def test_credentials_in_a_refusal_are_none(pod: Pod) -> None:
    """An agent that is busy is unknown."""
    body = b'{"AccessKeyId": "ASIAX", "SecretAccessKey": "xxxxxxxxxxxxx"}'
    said = pod.with_agent(says(body, 403))
    assert (said.code, "HTTP 403" in said.text) == (5, True)
    for status in (408, 429, 500, 503):
        said = pod.with_agent(says(body, status))
        assert (said.code, said.item["notReached"]) == (1, ["the credentials endpoint"])


def for_ever(data: bytes, pause: float, head: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> Play:
    """An answer that has no end, until nobody reads it any more."""

    def play(_: bytes, write: Write) -> None:
        write(head)
        while not threading.Event().wait(pause):
            write(data)

    return play


ENDLESS = {
    "a stream": for_ever(b"x" * 4096, 0.0),
    "a trickle": for_ever(b"x", 0.05),
    "headers": for_ever(b"HTTP/1.1 100 Continue\r\n\r\n", 0.01, b""),
}


@pytest.mark.parametrize("play", ENDLESS.values(), ids=ENDLESS)
def test_an_answer_without_an_end(pod: Pod, play: Play) -> None:
    assert pod.with_sts(play).item["notReached"] == ["STS AssumeRoleWithWebIdentity"]
    assert pod.with_agent(play).item["verdict"] != "expected"
    with endpoint(play) as imds:
        said = pod.run(
            AWS_ROLE_ARN="", AWS_WEB_IDENTITY_TOKEN_FILE="", AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.url
        )
    assert said.code == 5


@pytest.fixture
def stranger() -> Iterator[Endpoint]:
    """Whom nothing may reach."""
    with endpoint(says(b"{}")) as service:
        yield service
    assert service.requests == []


def test_the_authorization_goes_to_the_node_only(pod: Pod, stranger: Endpoint) -> None:
    """As SDKs do: without TLS to loopback and to the addresses of AWS, and never after a redirect."""
    pods = [pod.by_agent(f"http://{host}.example.com") for host in ("agent", "169.254.170.2", "127.0.0.1")]
    pods.append(pod.by_agent(""))
    pods[-1].env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "@agent.example.com/v1"
    for asking in pods:
        said = asking.run("--sdk", "go", HTTP_PROXY=stranger.url, http_proxy=stranger.url)
        assert (said.code, "without TLS" in said.text) == (5, True), said
    with endpoint(says(b"", 307, Location=f"{stranger.url}/v1/credentials")) as moved:
        assert pod.by_agent(moved.url).run().code == 5
        said = pod.run(AWS_ENDPOINT_URL_STS=moved.url)
    assert (said.code, "HTTP 307" in said.text) == (1, True)
    assert moved.got(AUTHORIZATION)
    assert moved.got(SIGNATURE)


def test_a_region_does_not_choose_the_host(pod: Pod, stranger: Endpoint) -> None:
    del pod.env["AWS_ENDPOINT_URL_STS"]
    said = pod.run(AWS_REGION="x.example.com/?", HTTPS_PROXY=stranger.url)
    assert (said.code, "is not the name of a region" in said.text) == (5, True)


# Files.

FILES = {
    "a pipe": "mkfifo odd",
    "a huge file": "truncate -s 1T odd",
    "no text": r"printf '\377\377' > odd",
    "a link to itself": "ln -s odd odd",
    "a file below a file": "ln -s /etc/hostname/token odd",
    "a deep token": f"echo e30.{base64.urlsafe_b64encode(b'[' * 9_000).decode()}.x > odd",
    "one line without an end": "head -c 15000 /dev/zero | tr '\\0' x > odd",
}


@pytest.mark.parametrize("made", FILES.values(), ids=FILES)
def test_a_file_of_any_kind(pod: Pod, tmp_path: Path, made: str) -> None:
    subprocess.run(["/bin/sh", "-c", made], cwd=tmp_path, check=True)
    path = str(tmp_path / "odd")
    for variable in ("AWS_CONFIG_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        said = pod.run(**{variable: path})
        assert said.code in (1, 5), said
        if "mkfifo" in made:
            # An SDK may read it; reading a pipe would take the token from the application.
            assert (said.code, "is a pipe, a device or a socket" in said.text) == (1, True)
    for variable in ("AWS_CA_BUNDLE", "SSL_CERT_FILE"):
        assert pod.run(**{variable: path}, AWS_ENDPOINT_URL_STS="https://127.0.0.1:9").code in (1, 5)
    assert pod.by_agent().run(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=path).code in (1, 5)


CLAIMS: dict[str, dict[str, object]] = {
    "no texts": {"iss": 1, "sub": {"a": [1]}, "aud": [None, 1, "x"]},
    "odd times": {"exp": 10**400, "iat": -(10**400)},
    "times without an end": {"exp": float("inf"), "iat": float("nan")},
    "texts as times": {"exp": "never", "iat": True},
    "long": {"sub": "x" * 9_000, "aud": ["y" * 50] * 100},
}


def test_odd_claims(pod: Pod) -> None:
    for name, claims in CLAIMS.items():
        Path(pod.env["AWS_WEB_IDENTITY_TOKEN_FILE"]).write_text(token(**claims))
        said = pod.run()
        assert (said.code, said.item["notReached"]) == (1, ["STS AssumeRoleWithWebIdentity"]), name
        assert max(map(len, re.findall(r'"(?:\\.|[^"\\])*"', said.text))) < 1100, name


# Variables.

ODD = ("x\r\nX-Other: y", "http://[::1", "%00", "é\u202e", "x/" * 50_000, "\udc80", " ")
NAMES = """AWS_ROLE_ARN AWS_WEB_IDENTITY_TOKEN_FILE AWS_REGION AWS_ENDPOINT_URL_STS AWS_ROLE_SESSION_NAME HOME
AWS_PROFILE AWS_CONFIG_FILE AWS_CA_BUNDLE HTTP_PROXY NO_PROXY AWS_EC2_METADATA_SERVICE_ENDPOINT
AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_CONTAINER_CREDENTIALS_RELATIVE_URI AWS_CONTAINER_AUTHORIZATION_TOKEN
AWS_ACCESS_KEY_ID"""


@pytest.mark.parametrize("name", NAMES.split())
def test_odd_variables(pod: Pod, name: str) -> None:
    placed = pod.by_agent() if "CONTAINER" in name else pod
    if name == "AWS_EC2_METADATA_SERVICE_ENDPOINT":
        del placed.env["AWS_ROLE_ARN"]
    for value in ODD:
        more = {"AWS_SECRET_ACCESS_KEY": value} if name == "AWS_ACCESS_KEY_ID" else {}
        said = placed.run(**{name: value}, **more)
        assert (said.code in (1, 5), said.item["verdict"] != "expected") == (True, True), said


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


def test_a_call_of_the_application_ends_in_time(pod: Pod) -> None:
    def play(request: bytes, write: Write) -> None:
        if b"ListUsers" in request:
            ENDLESS["a trickle"](request, write)
        sts_that_says(SESSION, f"<SecretAccessKey>{KEY}</SecretAccessKey>")(request, write)

    said = pod.with_sts(play, "--call", "iam list-users", "--timeout", "3s")
    assert (said.code, said.item["notReached"]) == (1, ["iam"]), said


def test_a_command_line_that_forges(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        program.main(["--sdk", "go", "x\x1b[2K\n::error::x"])
    assert_lines(capsys.readouterr().err)


@pytest.mark.parametrize("to", ["> /dev/full", "| true"])
def test_output_that_nobody_reads(pod: Pod, to: str) -> None:
    line = f"{sys.executable} -m irsa_cli.preflight {to}; echo ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", line], env=pod.env, capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("1\n", "")
