"""Hostile pods for `irsa preflight`: files, variables, and answers of STS, the agent, IMDS and proxies."""

import base64
import json
import os
import random
import re
import resource
import socket
import time
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz import hostile
from tests.fuzz.runs import Figures, Spoken, flaws, irsa
from tests.support.endpoints import Write, endpoint, http
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

SECONDS, CALLS, SLACK = 0.3, 4, 5.0
"""The time limit of a call, the calls of a run, and the seconds that anything else may take."""
MOST_MEMORY = 300_000
"""Kilobytes that all runs together may need more than the first one."""
VARIABLES = [
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL_STS",
    "AWS_ENDPOINT_URL",
    "AWS_ROLE_SESSION_NAME",
    "AWS_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "HOME",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_STS_REGIONAL_ENDPOINTS",
]
PATHS = [
    "pipe",
    "socket",
    "folder",
    "huge",
    "loop",
    "secret",
    "bytes",
    "deep",
    "config",
    "token",
    "odd-token",
    "/dev/zero",
    "/dev/null",
    "/dev/urandom",
    "/proc/self/environ",
    "/proc/self/mem",
    "missing",
]
CONFIG = (
    "[default]\nrole_arn = x\nweb_identity_token_file = a\0b\n",
    "[default\n",
    "x = 1\n",
    "[default]\n[default]\n",
    f"[default]\naws_access_key_id = AKIA\u202e\naws_secret_access_key = {KEY}\n",
    "[profile x]\nregion = ../x\n",
    "[default]\n  continued\n",
    "[default]\ncredential_process = touch pwned\n",
    "[" * 5000,
    "a\r\n" * 5000,
)


_CALLER = re.compile(r"arn:aws:sts::111122223333:assumed-role/[\w+=,.@-]{1,64}/[\w+=,.@-]{1,64}", re.ASCII)


def make(folder: Path, chance: random.Random) -> None:
    """The files that variables name; those whose content varies are written again for each run."""
    with suppress(FileExistsError):
        os.mkfifo(folder / "pipe")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("socket")
        (folder / "folder").mkdir()
        with (folder / "huge").open("wb") as file:
            file.truncate(1 << 40)
        (folder / "loop").symlink_to("loop")
        (folder / "secret").write_text("x")
        (folder / "secret").chmod(0)
        (folder / "bytes").write_bytes(b"\xff\x00" * 50)
        (folder / "deep").write_text(f"e30.{base64.urlsafe_b64encode(b'[' * 9_000).decode()}.x")
    (folder / "config").write_text(chance.choice(CONFIG), "utf-8", "surrogatepass")
    (folder / "token").write_text(token())
    claims = {name: hostile.mutated(chance, {"x": hostile.text(chance)}) for name in ("iss", "sub", "aud")}
    times = {name: chance.choice((*hostile.NUMBERS, 10**400, "soon", None)) for name in ("exp", "iat")}
    (folder / "odd-token").write_text(token(**claims, **times), "utf-8", "surrogatepass")


@dataclass
class Services:
    """STS, the agent, IMDS and a proxy on one port.

    `truth`: STS said whose credentials they are; `given`: preflight knows the credentials.
    """

    chance: random.Random
    encoding: str = ""
    done: list[str] = field(default_factory=list)
    truth: bool = False
    given: bool = False

    def play(self, request: bytes, write: Write) -> None:
        """Answer as an endpoint of the kind that was asked does, or in another way."""
        how = self.chance.choice(("true", "true", "true", "repeat", "odd", "odd", "raw", "stream", "moved"))
        self.done.append(f"{request[:40]!r}: {how}")
        getattr(self, f"_{how}")(request, write)

    def _true(self, request: bytes, write: Write) -> None:
        if request.startswith(b"POST"):
            self.truth = True
            inner = f"<SecretAccessKey>{KEY}</SecretAccessKey><SessionToken>{SESSION_TOKEN}</SessionToken>"
            write(http(f"<R><C>{inner}</C><Arn>{SESSION}</Arn></R>".encode()))
        elif b"security-credentials" in request or request.startswith(b"PUT"):
            write(http(b"node"))
        else:
            self.given = True
            write(http(json.dumps(self._keys()).encode()))

    def _keys(self) -> dict[str, object]:
        return {"AccessKeyId": "ASIAIOSFODNN7EXAMPLE", "SecretAccessKey": KEY, "Token": SESSION_TOKEN}

    def _repeat(self, request: bytes, write: Write) -> None:
        encode, chance = ENCODINGS[self.encoding], self.chance
        given = [KEY, SESSION_TOKEN] if self.given else []
        words = [*request.decode("latin-1").split("\r\n"), *given, hostile.text(chance)]
        asked = urllib.parse.parse_qs(request.rpartition(b"\r\n")[2].decode("latin-1"))
        words += [value for values in asked.values() for value in values]
        said = "".join(f"{encode(word.encode('utf-8', 'replace').decode())} " for word in words)
        form = chance.choice(("{}", "<Code>{0}</Code><Message>{0}</Message>", "<Arn>{}</Arn>"))
        status = chance.choice((200, 400, 403, 404, 500, 503))
        write(http(form.format(said).encode("utf-8", "replace"), status))

    def _odd(self, request: bytes, write: Write) -> None:
        chance, status = self.chance, self.chance.choice((200, 200, 200, 204, 400, 403, 429, 500))
        arn = chance.choice(("{}{}", "{1}{0}", "arn:aws:sts::111122223333:assumed-role/{1}/s")).format(
            SESSION, hostile.text(chance)
        )
        if request.startswith(b"POST"):
            fields = hostile.mutated(chance, {"Arn": arn, "Code": hostile.text(chance), "Message": "x"})
            pairs = list(fields.items()) if isinstance(fields, dict) else []
            body = "".join(f"<{key}>{value}</{key}>" for key, value in pairs)
            self.truth = self.truth or any(_CALLER.fullmatch(str(value)) for _, value in pairs)
        else:
            keys = {**self._keys(), "SecretAccessKey": "x", "Token": hostile.text(chance)}
            body = json.dumps(hostile.mutated(chance, keys))
        write(http(body.encode("utf-8", "surrogatepass"), status))

    def _raw(self, _: bytes, write: Write) -> None:
        found = (
            b"",
            b"\xff" * 100,
            b"HTTP/1.1 999\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"{" * 9000,
            http(b"[" * 60_000),
            http(b'{"a":' * 12_000),
            b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 5_000,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFF\r\nx",
            http(b"x" * 2**20),
        )
        write(self.chance.choice(found))

    def _stream(self, _: bytes, write: Write) -> None:
        until, pause = time.monotonic() + 2 * CALLS * SECONDS, self.chance.choice((0.0, 0.05))
        write(
            self.chance.choice((b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 100 C\r\n"))
        )
        while time.monotonic() < until:
            write(b"x" * (1 if pause else 4096))
            time.sleep(pause)

    def _moved(self, _: bytes, write: Write) -> None:
        write(http(b"", self.chance.choice((301, 302, 307, 308)), Location=f"{STRANGER}/"))


STRANGER = "http://127.0.0.1:9"
"""Where a redirect leads; a proxy with this as its target would carry what it must not get."""


def environment(url: str, folder: Path, chance: random.Random) -> dict[str, str]:
    """The variables of a pod by IRSA or by Pod Identity, some of them hostile."""
    env = {"AWS_REGION": "eu-west-1", "AWS_EC2_METADATA_SERVICE_ENDPOINT": url, "HOME": str(folder)}
    env["AWS_ENDPOINT_URL_STS"] = url
    if chance.random() < 0.5:
        env |= {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": str(folder / "token")}
    else:
        env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"{url}/v1/credentials"
        env["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = AUTHORIZATION
    for name in chance.choices(VARIABLES, k=chance.choice((0, 0, 1, 2, 3))):
        value = hostile.text(chance)
        if "FILE" in name or "BUNDLE" in name or name == "HOME":
            value = chance.choice((str(folder / chance.choice(PATHS)), value))
        if "URL" in name or "PROXY" in name or "URI" in name or "ENDPOINT" in name:
            odd = (
                url,
                f"http://me:{KEY}@127.0.0.1:9",
                f"http://x.example.com@{url[7:]}/",
                f"@{url[7:]}",
                value,
            )
            value = chance.choice(odd)
        if name not in ("HTTPS_PROXY", "NO_PROXY") or "127.0.0.1" in value:
            env[name] = value.replace("\0", "")
    return env


def wrong(spoken: Spoken, services: Services) -> Iterator[str]:
    """What is wrong with what a run said, and with the time that it took."""
    yield from flaws(spoken)
    said = spoken.out + spoken.err
    secrets: Sequence[str] = (token(), SIGNATURE, AUTHORIZATION, KEY, SESSION_TOKEN)
    forms: Sequence[Callable[[str], str]] = (str, ENCODINGS[services.encoding])
    if any(piece in said for secret in secrets for form in forms for piece in pieces(secret, form)):
        yield "secret shown"
    if spoken.seconds > CALLS * SECONDS + SLACK:
        yield "past its deadline"
    if spoken.code not in (0, 1, 5):
        yield "exit code"
    if "json" in spoken.arguments:
        items = spoken.json.get("items") or [{}]
        if {"expected": 0, "wrong": 5, "unknown": 1}.get(items[0].get("verdict")) != spoken.code:
            yield "no document"
    if spoken.code == 0 and not services.truth:
        yield "wrong claim"


def fuzz(folder: Path, count: int, seed: int) -> Figures:
    """Run preflight in so many pods."""
    figures = Figures("pods")
    memory = 0
    services = Services(random.Random(0))
    with endpoint(lambda request, write: services.play(request, write)) as port:
        for number in range(count):
            chance = random.Random(f"{seed}/{number}")
            services = Services(chance, chance.choice(sorted(ENCODINGS)))
            make(folder, chance)
            env = environment(port.url, folder, chance)
            words = ["preflight", "--timeout", f"{SECONDS}s", *chance.choice((["-o", "json"], []))]
            words += chance.choice(([], ["--sdk", "go"], ["--sdk", "python"], ["--expect-role", ROLE]))
            spoken = irsa(words, env)
            found = list(wrong(spoken, services))
            used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            memory = memory or used
            if used > memory + MOST_MEMORY:
                found.append("memory")
                memory = used
            figures.note(
                spoken, found, f"{seed}/{number} {words} {env!r:.600} {services.done} {services.encoding}"
            )
    return figures
