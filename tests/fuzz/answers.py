"""Hostile answers: each call of each command is answered with something else than AWS or Kubernetes says.

The layer sits between the sandbox's sockets and its services: what it changes is what irsa reads.
"""

import json
import random
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock
from xml.etree import ElementTree

from irsa_cli.sandbox import Sandbox
from irsa_cli.sandbox.exchange import Delivery, Exchange, Incoming
from irsa_cli.sandbox.model import Answer
from tests.faults.judge import BAD, INCOMPLETE, Ending, Json, Verdict, essence, judge
from tests.fuzz import hostile
from tests.fuzz.runs import DEADLINE, Figures, Spoken, flaws, irsa, secrets_in, words

_READS = re.compile(r"(Get|List|Describe|Lookup|Simulate|Assume|GET)")
PAGE = b"<!DOCTYPE html><html><head><title>Blocked</title></head><body>\x1b[2K::error::no</body></html>"
STATUSES = (199, 204, 206, 301, 307, 400, 401, 403, 404, 409, 410, 418, 429, 500, 502, 503, 504)


@dataclass
class Layer:
    """What is done to the answers of one run: to the call of this number, and (`stays`) to all like it."""

    chance: random.Random
    target: int = -1
    stays: bool = False
    active: bool = False
    number: int = 0
    seen: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    deceives: bool = False
    """Whether what was read may have been taken for true: a well-formed answer with other values."""
    _like: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def carry(self, exchange: Exchange, endpoint: Any, request: Incoming) -> Delivery:
        """Carry a call; see `Exchange.carry`."""
        if not self.active:
            return _CARRY(exchange, endpoint, request)
        label = endpoint.label(request)
        name = f"{label.service} {label.operation}"
        with self._lock:
            mine = self.number == self.target or (self.stays and name == self._like)
            self.number += 1
            self.seen.append(name)
            if mine:
                self._like = name
        if not mine:
            return _CARRY(exchange, endpoint, request)
        with self._lock:
            return self._broken(exchange, endpoint, request, name)

    def _broken(self, exchange: Exchange, endpoint: Any, request: Incoming, name: str) -> Delivery:
        chance = self.chance
        how = chance.choice(("body", "body", "body", "body", "raw", "status", "echo"))
        reads = bool(_READS.match(name.partition(" ")[2]))
        if how == "echo":
            status = chance.choice((400, 401, 403, 404, 409, 500, 503))
            code = chance.choice(
                ("AccessDenied", "NoSuchEntity", "Odd\n::error::x", "Throttling", "", "x" * 999)
            )
            self._note(f"{name}: HTTP {status} {code[:20]!r} that repeats the request", reads)
            if status >= 500 and chance.random() < 0.5:
                _CARRY(exchange, endpoint, request)
            words = "\n".join((*(f"{k}: {v}" for k, v in request.headers.items()), request.target))
            text = f"{hostile.text(chance)}\n{words}\n{request.body.decode(errors='replace')}"
            clean = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]", "?", text)
            return Delivery(endpoint.failure(name.partition(" ")[0], code, clean, status))
        delivery = _CARRY(exchange, endpoint, request)
        answer = delivery.answer
        if how == "body" and answer.body:
            body, what = _changed(chance, answer.body)
            self._note(f"{name}: {what}", reads)
            return Delivery(Answer(answer.status, body, _plain(answer.headers)))
        if how == "status":
            status = chance.choice(STATUSES)
            # What was executed and is said to be refused is a lie that nobody can see through.
            self._note(f"{name}: HTTP {status} with the same body", reads or status < 500)
            return Delivery(Answer(status, b"" if status in (204,) else answer.body, _plain(answer.headers)))
        body, what = _raw(chance, answer.body)
        self._note(f"{name}: {what}", False)
        return Delivery(Answer(200, body, _plain(answer.headers)))

    def _note(self, what: str, deceives: bool) -> None:
        self.done.append(what)
        self.deceives = self.deceives or deceives


_CARRY = Exchange.carry


def _plain(headers: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in headers.items() if key.lower() != "content-length"}


def _raw(chance: random.Random, body: bytes) -> tuple[bytes, str]:
    """Something that is no answer at all."""
    at = chance.randrange(len(body) + 1)
    found: dict[str, bytes] = {
        "cut": body[:at],
        "garbage": body[:at] + bytes(chance.randrange(256) for _ in range(9)) + body[at:],
        "empty": b"",
        "page": PAGE,
        "null": b"null",
        "list": b"[]",
        "text": b'"\\u0000"',
        "object": b"{}",
        "huge": b"{" + b'"a":[' * 50_000,
        "spaces": b" " * 2**20,
    }
    how = chance.choice(sorted(found))
    return found[how], how


def _changed(chance: random.Random, body: bytes) -> tuple[bytes, str]:
    """The answer with something in it changed."""
    times = chance.choice((1, 1, 2, 4))
    try:
        if body.lstrip().startswith(b"<"):
            return _changed_xml(chance, body, times), "XML changed"
        data = json.loads(body)
        for _ in range(times):
            data = hostile.mutated(chance, data)
        return json.dumps(data).encode("utf-8", "surrogatepass"), "JSON changed"
    except (ElementTree.ParseError, ValueError):
        return _raw(chance, body)


def _changed_xml(chance: random.Random, body: bytes, times: int) -> bytes:
    root = ElementTree.fromstring(body)
    ElementTree.register_namespace("", root.tag.partition("}")[0].lstrip("{"))
    for _ in range(times):
        pairs = [(parent, child) for parent in root.iter() for child in parent]
        if not pairs:
            break
        parent, child = chance.choice(pairs)
        how = chance.choice(("drop", "drop", "empty", "text", "text", "rename", "twice"))
        if how == "drop":
            parent.remove(child)
        elif how == "twice":
            parent.append(child)
        elif how == "rename":
            child.tag = child.tag + "X"
        else:
            for part in list(child):
                child.remove(part)
            child.text = "" if how == "empty" else _xml_text(hostile.text(chance))
    return ElementTree.tostring(root)


def _xml_text(text: str) -> str:
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]", "?", text)


# The commands -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Command:
    """A command line, and those that are run before it."""

    line: str
    before: tuple[str, ...] = ()
    writes: bool = True
    gives_secrets: bool = False


_BOUND = ("associate-oidc -c demo", "create-sa $APP --attach-policy-arn $S3")
_ASSOCIATED = _BOUND[:1]
READERS = tuple(
    Command(f"{line} -v" if number % 2 else line, _BOUND, False, line.startswith(("token", "credentials")))
    for number, line in enumerate(
        (
            "get-sa -c demo",
            "get-sa -c demo -o json",
            "describe-sa $APP",
            "describe-sa $APP -o yaml",
            "verify $APP",
            "verify -A -c demo -o json",
            "doctor $APP",
            "doctor $APP -o json",
            "doctor -c demo",
            "diff -f one.json",
            "token $APP --decode",
            "credentials $APP",
            "exec $APP -- /no/such/command",
            "recover --cluster demo",
            "create-sa other -n apps -c demo --no-policy --dry-run",
            "delete-sa $APP --dry-run",
            "adopt $APP --dry-run",
        )
    )
)
WRITERS = (
    Command("associate-oidc -c demo -o json"),
    Command(f"{_BOUND[1]} -o json", _ASSOCIATED),
    Command(f"{_BOUND[1]} --verify -v -o json", _ASSOCIATED),
    Command("update-sa $APP --detach-policy-arn $S3 --tags a=b --label x=y -o json", _BOUND),
    Command("delete-sa $APP -o json", _BOUND),
    Command("apply -f one.json -o json", _ASSOCIATED),
    Command("apply -f one.json -o json", _BOUND),
    Command("delete --yes -f one.json -o json", _BOUND),
    Command("disassociate-oidc -c demo -o json", _ASSOCIATED),
)
CONFIG = hostile.document("""
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: demo, region: eu-west-1}
iam:
  withOIDC: true
  serviceAccounts:
  - metadata:
      name: app
      namespace: apps
      labels: {a: b}
    attachPolicyARNs: ['arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess']
""")


def environment(sandbox: Sandbox, folder: Path) -> dict[str, str]:
    """The environment of a run; what is worth waiting for in a world of odd answers is short."""
    return {
        **sandbox.env(),
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "IRSA_STATE_DIR": str(folder / "state"),
        "IRSA_RETRY_TIMEOUT": "0.3",
        "IRSA_CALL_TIMEOUT": "5",
    }


@contextmanager
def impatient() -> Iterator[None]:
    """Nothing spreads slowly in the sandbox: what is waited for comes at once, or never."""
    with (
        mock.patch("irsa_cli.core.values.limits.PROPAGATION_SECONDS", 0.4),
        mock.patch("irsa_cli.usecases.verification.iam_steps.PROPAGATION_SECONDS", 0.4),
        mock.patch("os.fsync"),
    ):
        yield


class Bench:
    """Runs commands on a sandbox whose answers are changed."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox, self.folder = sandbox, folder
        self.env = environment(sandbox, folder)
        self.secrets = [self.env["AWS_SECRET_ACCESS_KEY"]]
        self._there: tuple[str, ...] | None = None
        self._calls: dict[Command, int] = {}
        self._desired: dict[Command, Json] = {}
        (folder / "one.json").write_text(json.dumps(CONFIG))

    def world(self) -> Json:
        """All that irsa can change, as the judge takes it."""
        found: Json = self.sandbox.world()
        return {**found, "kubernetes": found["kubernetes"]["demo"]}

    def prepare(self, command: Command) -> None:
        """Have the world that a command starts from."""
        if not command.writes and self._there == command.before:
            return
        self.sandbox.reset()
        for line in command.before:
            ran = irsa(words(line), self.env)
            assert ran.code == 0, ran
        self._there = None if command.writes else command.before

    def learn(self, command: Command) -> None:
        """Run a command with true answers: how many calls it makes, and what it makes."""
        if command in self._calls:
            return
        self.prepare(command)
        before, layer = self.world(), Layer(random.Random(0), active=True)
        with _answering(layer):
            ran = irsa(words(command.line), self.env)
        assert not list(flaws(ran, self.secrets, gives_secrets=command.gives_secrets)), ran
        assert layer.number, ran
        assert ran.code == 0 or not command.writes, ran
        self._calls[command] = layer.number
        self._desired[command] = essence(self.world(), before)

    def run(self, command: Command, chance: random.Random, figures: Figures) -> None:
        """Run a command once, with one of its answers (or all of one sort) changed."""
        self.learn(command)
        self.prepare(command)
        before = self.world()
        layer = Layer(chance, chance.randrange(self._calls[command]), chance.random() < 0.4, active=True)
        with _answering(layer):
            ran = irsa(words(command.line), self.env)
        self.sandbox.settle(DEADLINE, hurry=True)
        wrong = list(flaws(ran, self.secrets, gives_secrets=command.gives_secrets))
        if secrets_in(self.folder / "state", self.secrets):
            wrong.append("secret shown")
        after = self.world()
        if self._lies(command, layer, ran, before, after):
            wrong.append("wrong claim")
        if wrong and after != before:
            self._there = None
        figures.note(ran, wrong, f"{command.line}; {'; '.join(layer.done[:3])}")

    def _lies(self, command: Command, layer: Layer, ran: Spoken, before: Json, after: Json) -> bool:
        """Whether the ending tells something else than the world."""
        if ran.late or ran.escaped:
            return False
        if not command.writes:
            return after != before
        document = ran.json
        left = [item for part in document.get("items", []) for item in part.get("left", [])]
        ending = Ending(
            ran.code, [item["what"] for item in left], [item["repair"] for item in left], crashed=not document
        )
        verdict = judge(before, self._desired[command], after, ending)
        # Who is told something else than what is there may do something else, and says what he was told;
        # that nothing was changed is another matter.
        misled = layer.deceives and (verdict is Verdict.LIE or ran.code == INCOMPLETE)
        return verdict in BAD and not misled


@contextmanager
def _answering(layer: Layer) -> Iterator[None]:
    def carry(exchange: Exchange, endpoint: Any, request: Incoming) -> Delivery:
        return layer.carry(exchange, endpoint, request)

    with mock.patch.object(Exchange, "carry", carry):
        yield


def fuzz(sandbox: Sandbox, folder: Path, count: int, seed: int, commands: Sequence[Command] = ()) -> Figures:
    """Run so many commands with changed answers; those that read one after the other, on one world."""
    figures = Figures("answers")
    with impatient():
        bench = Bench(sandbox, folder)
        chosen = commands or (*READERS, *WRITERS)
        for number, command in enumerate(chosen):
            share = count // len(chosen) + (number < count % len(chosen))
            for one in range(share):
                bench.run(command, random.Random(f"{seed}/{number}/{one}"), figures)
    return figures
