"""Requests to an API server as rows: what is sent, by whom, and what is answered.

    Row("one that is not there", "GET $accounts/other", "404 NotFound", 'serviceaccounts "other" not found')

A line is a method, a path and a body in YAML. `$NAME` is a word of `words`, and `$x64` is 64 times x.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from string import Template
from typing import Any
from urllib.parse import parse_qsl

import pytest
import yaml

from irsa_cli.sandbox.model import Rule
from tests.contract.clusters import Cluster
from tests.contract.statuses import assert_refused, causes
from tests.support.kubeclient import MERGE_PATCH, Answer, Json, KubeClient

PATHS = {
    "spaces": "/api/v1/namespaces",
    "rbac": "/apis/rbac.authorization.k8s.io/v1",
    "reviews": "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    "webhooks": "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
}
KINDS = {"accounts": "serviceaccounts", "pods": "pods", "maps": "configmaps", "secrets": "secrets"}
APP = (
    "POST $accounts {metadata: {name: app, labels: {app.kubernetes.io/managed-by: Helm}, annotations:"
    " {meta.helm.sh/release-name: app}}, secrets: [{name: app-token}], imagePullSecrets: [{name: registry}],"
    " automountServiceAccountToken: false}"
)
"""A ServiceAccount as Helm would have made it, with everything on it."""


class Words(dict[str, str]):
    """Words by their names; `x64` is 64 times x."""

    def __missing__(self, name: str) -> str:
        if not name[1:].isdecimal():
            raise KeyError(name)
        return name[0] * int(name[1:])


class Asking:
    """A namespace of a test's own with the ServiceAccount `app`, and requests to it."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        space = f"/api/v1/namespaces/{namespace}"
        self.words = Words(PATHS, ns=namespace, free=f"{namespace}-free", app=f"{space}/serviceaccounts/app")
        self.words |= {name: f"{space}/{kind}" for name, kind in KINDS.items()}
        self.words["leases"] = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self.words["user"] = namespace
        self.ask(APP)

    def text(self, text: str) -> str:
        """A text with its words."""
        return Template(text).safe_substitute(self.words)

    def read(self, text: str) -> Any:
        """A document in YAML, with its words."""
        return self.filled(yaml.safe_load(text))

    def filled(self, value: Any) -> Any:
        """A value with the words of its texts."""
        if isinstance(value, dict):
            return {self.text(str(key)): self.filled(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.filled(item) for item in value]
        return self.text(value) if isinstance(value, str) else value

    def who(self, by: str) -> KubeClient:
        """`admin`; `nobody`; `rubbish`; or a user: `user list pods in $ns; create serviceaccounts/token`."""
        name, _, rights = by.partition(" ")
        if name == "admin":
            return self.cluster.admin
        if name != "user":
            return self.cluster.connect(None if name == "nobody" else name)
        return self.cluster.user(self.words["user"], [self.rule(item) for item in rights.split(";") if item])

    def rule(self, text: str) -> Rule:
        """`get,list leases.coordination.k8s.io in $ns`."""
        verbs, resources, *place = self.text(text).split()
        named, _, group = resources.partition(".")
        where = place[1] if place else None
        return Rule(tuple(verbs.split(",")), tuple(named.split(",")), where, (group,))

    def send(self, who: KubeClient, line: str, **options: Any) -> Answer:
        """Send a request."""
        method, path, body = f"{line}  ".split(" ", 2)
        path, _, query = self.text(path).partition("?")
        options = {**({"content_type": MERGE_PATCH} if method == "PATCH" else {}), **options}
        sent = options.pop("raw", self.read(body) if body.strip() else None)
        return who.request(method, path, sent, **options, **dict(parse_qsl(query, keep_blank_values=True)))

    def ask(self, line: str) -> Answer:
        """Send a request that is carried out; `$uid` and `$version` are the object's from then on."""
        answer = self.send(self.cluster.admin, line)
        assert answer.status < 300, f"{line}\n{answer.text}"
        metadata = answer.body.get("metadata", {})
        self.words["uid"], self.words["version"] = metadata.get("uid"), metadata.get("resourceVersion")
        return answer

    def seen(self, line: str) -> tuple[Json, int, Any]:
        """What is there, and what a request is about."""
        answer = self.cluster.admin.get(self.text(line.split()[1]).partition("?")[0])
        body = {
            key: value
            for key, value in answer.body.items()
            if key != "metadata" or "items" not in answer.body
        }
        return self.cluster.world(), answer.status, body


@dataclass(frozen=True)
class Row:
    """A request and its answer; one that is refused or rehearsed changes nothing.

    `says` is the whole message, or has `...` in place of a part; `shows` is contained in the answer, where
    null is for what is not there; `given` are requests before it, `then` paths and what they answer then.
    """

    sentence: str
    line: str
    answer: str
    says: str = ""
    details: str = ""
    causes: str | None = None
    """All fields that are wrong, with their reasons."""
    cause: str = ""
    """One of them."""
    shows: str = ""
    given: str | Iterable[str] = ()
    then: str | Iterable[str] = ()
    by: str = "admin"
    options: Json | None = None

    def play(self, asking: Asking) -> Answer:
        """Send it, and fail unless it is answered so."""
        for line in [self.given] if isinstance(self.given, str) else self.given:
            asking.ask(line)
        status, _, reason = self.answer.partition(" ")
        unchanged = int(status) >= 400 or "dryRun" in self.line
        who, before = asking.who(self.by), asking.seen(self.line) if unchanged else None
        answer = asking.send(who, self.line, **(self.options or {}))
        assert answer.status == int(status), answer.text
        details = assert_refused(answer, int(status), reason) if reason else {}
        assert fits(asking.text(self.says), answer.body.get("message", "")), answer.text
        if self.details:
            assert details == asking.read(self.details)
        if self.causes is not None:
            assert causes(answer) == {pair(line) for line in self.causes.split(", ")}
        assert not self.cause or pair(self.cause) in causes(answer)
        if self.shows:
            contains(asking.read(self.shows), answer.body)
        assert before is None or asking.seen(self.line) == before
        for line in [self.then] if isinstance(self.then, str) else self.then:
            path, _, expected = line.partition(" ")
            found = asking.send(asking.cluster.admin, f"GET {path}")
            if expected.isdecimal():
                assert found.status == int(expected), found.text
            else:
                contains(asking.read(expected), found.body)
        return answer


def pair(text: str) -> tuple[str, str]:
    """A field and what is wrong with it."""
    field, _, reason = text.partition(" ")
    return field, reason


def fits(says: str, message: str) -> bool:
    """Whether a message is this one; `...` stands for any part, and nothing for any message."""
    start, dots, end = says.partition("...")
    return message == says if says and not dots else message.startswith(start) and message.endswith(end)


def contains(part: Any, whole: Any, path: str = "") -> None:
    """Fail unless a document contains another; null is for what is not there."""
    if isinstance(part, dict):
        assert isinstance(whole, dict), path
        for key, value in part.items():
            if value is None:
                assert whole.get(key) is None, f"{path}.{key}"
            else:
                contains(value, whole.get(key), f"{path}.{key}")
    elif isinstance(part, list):
        assert isinstance(whole, list), path
        assert len(part) == len(whole), (path, whole)
        for number, value in enumerate(part):
            contains(value, whole[number], f"{path}.{number}")
    else:
        assert whole == part, (path, whole)


def rows(*played: Row) -> Callable[..., Any]:
    """Play each row as a case of its own: the test takes `row` and `asking`."""
    return pytest.mark.parametrize("row", played, ids=[row.sentence for row in played])


def alike(sentence: str, line: str, answer: str, *values: str, **named: Any) -> list[Row]:
    """Rows that differ in one value, which stands for `<>` in the line (and in what is said)."""
    found = []
    for value in values:
        more: dict[str, Any] = {
            key: text.replace("<>", value) if isinstance(text, str) else text for key, text in named.items()
        }
        found.append(Row(f"{sentence}: {value[:40]}", line.replace("<>", value), answer, **more))
    return found
