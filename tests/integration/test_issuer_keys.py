"""Fetching what an issuer publishes: over the proxy, by the environment's CA, everything else refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from irsa_cli.aws.issuer_keys import LARGEST, fetch
from irsa_cli.aws.session import WireCall
from irsa_cli.core.values.errors import ServiceError
from irsa_cli.sandbox import ClusterSpec, Fault, Sandbox, server
from irsa_cli.sandbox.kube.access import discovery_of
from irsa_cli.sandbox.model import Answer
from tests.support.sandbox_clients import client

SETTINGS = ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "AWS_CA_BUNDLE")


@pytest.fixture
def issuer(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> str:
    """The issuer of the sandbox's cluster; this process sees it as one in the sandbox's environment does."""
    for name in SETTINGS:
        monkeypatch.setenv(name, sandbox.env()[name])
    cluster = client(sandbox, "eks").describe_cluster(name="demo")["cluster"]
    sandbox.calls.clear()
    return str(cluster["identity"]["oidc"]["issuer"])


def code(call: Callable[[], Any]) -> str:
    with pytest.raises(ServiceError) as refused:
        call()
    assert refused.value.service == "issuer"
    return refused.value.code


def test_the_published_keys(sandbox: Sandbox, issuer: str) -> None:
    log: list[WireCall] = []
    (key,) = fetch(issuer, log.append)["keys"]
    assert (key["kty"], key["use"], key["alg"]) == ("RSA", "sig", "RS256")
    assert "d" not in key
    assert [(call.operation, call.status) for call in log] == [("discovery", 200), ("keys", 200)]
    assert [(call.service, call.operation, call.subject) for call in sandbox.calls] == [
        ("issuer", "discovery", issuer),
        ("issuer", "keys", issuer),
    ]


def test_each_cluster_publishes_its_own(sandbox: Sandbox, issuer: str) -> None:
    sandbox.add_cluster(ClusterSpec("other", "eu-central-1"))
    found = client(sandbox, "eks", region="eu-central-1").describe_cluster(name="other")["cluster"]
    other = found["identity"]["oidc"]["issuer"]
    assert fetch(issuer, print)["keys"] != fetch(other, print)["keys"]


def test_without_the_ca_nothing_is_believed(issuer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_CA_BUNDLE")
    assert code(lambda: fetch(issuer, print)) == "SSLError"


def test_the_proxy_leads_nowhere_else(issuer: str) -> None:
    assert code(lambda: fetch("https://example.com/id/1", print)) == "ProxyError"


def test_a_host_of_no_proxy_is_not_asked_through_it(issuer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "localhost")
    # Nothing listens there; through the proxy it would be refused by it.
    assert code(lambda: fetch("https://localhost:9/id/1", print)) == "NewConnectionError"


def test_an_issuer_that_is_not_there(issuer: str) -> None:
    assert code(lambda: fetch(issuer + "0", print)) == "HTTP404"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"issuer": "https://evil.example/id/1"}, "BadDocument"),
        ({"issuer": None}, "BadDocument"),
        ({"jwks_uri": None}, "BadDocument"),
        ({"jwks_uri": "http://127.0.0.1:9/keys"}, "BadDocument"),
        ({"jwks_uri": "file:///etc/passwd"}, "BadDocument"),
        ({"jwks_uri": "https://example.com/keys"}, "ProxyError"),
    ],
)
def test_a_wrong_discovery_document(
    changes: dict[str, Any], expected: str, issuer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "discovery_of", lambda url: {**discovery_of(url), **changes})
    assert code(lambda: fetch(issuer, print)) == expected


@pytest.mark.parametrize("body", [[], "text", {"keys": "none"}, {"x": "y" * LARGEST, "keys": []}])
def test_keys_that_are_none(
    body: Any, issuer: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = server._json
    monkeypatch.setattr(
        server, "_json", lambda found, *rest: original(body if "keys" in found else found, *rest)
    )
    assert code(lambda: fetch(issuer, print)) == "BadDocument"


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault("issuer", "*", "error", code="Forbidden", status=403, times=None), "HTTP403"),
        (Fault("issuer", "keys", "status", status=503, times=None), "HTTP503"),
        (Fault("issuer", "keys", "half-body", times=None), "BadDocument"),
    ],
)
def test_answers_that_are_none(fault: Fault, expected: str, sandbox: Sandbox, issuer: str) -> None:
    sandbox.faults.add(fault)
    assert code(lambda: fetch(issuer, print)) == expected


def test_a_redirect_is_not_followed(issuer: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    there = Answer(302, b"", {"Location": f"{issuer}/keys"})
    monkeypatch.setattr(server, "_json", lambda *_: there)
    assert code(lambda: fetch(issuer, print)) == "HTTP302"
    assert [call.operation for call in sandbox.calls] == ["discovery"]


def test_a_connection_that_breaks_once_is_tried_again(sandbox: Sandbox, issuer: str) -> None:
    sandbox.faults.add(Fault("issuer", "discovery", "reset-before"))
    assert fetch(issuer, print)["keys"]
