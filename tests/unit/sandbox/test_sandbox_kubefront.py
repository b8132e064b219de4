"""How calls to the sandbox's Kubernetes API are labelled for log and faults, and its answers to faults."""

import json
from typing import Any

import pytest

from irsa_cli.sandbox.exchange import Incoming, Label
from irsa_cli.sandbox.kubefront import KubeFront


def _broken(_environ: Any, _start_response: Any) -> Any:
    raise LookupError("a mistake")


FRONT = KubeFront(_broken)
ACCOUNTS = "/api/v1/namespaces/shop/serviceaccounts"


@pytest.mark.parametrize(
    ("method", "target", "body", "operation", "subject"),
    [
        ("GET", "/api/v1/namespaces", {}, "GET namespaces", ""),
        ("GET", "/api/v1/namespaces/shop", {}, "GET namespaces", "shop"),
        ("POST", "/api/v1/namespaces", {"metadata": {"name": "shop"}}, "POST namespaces", "shop"),
        ("POST", ACCOUNTS + "?dryRun=All", {"metadata": {"name": "a"}}, "POST serviceaccounts", "shop/a"),
        ("PATCH", f"{ACCOUNTS}/a", {"metadata": {}}, "PATCH serviceaccounts", "shop/a"),
        ("POST", f"{ACCOUNTS}/a/token", {"spec": {}}, "POST serviceaccounts/token", "shop/a"),
        ("GET", "/version", {}, "GET /version", ""),
    ],
)
def test_labels(method: str, target: str, body: Any, operation: str, subject: str) -> None:
    request = Incoming(method, target, {}, json.dumps(body).encode())
    assert FRONT.label(request) == Label("kubernetes", operation, subject)


def test_throttling_says_when_to_come_again() -> None:
    answer = FRONT.failure("kubernetes", "TooManyRequests", "too many requests, please try again later", 429)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "1")


def test_a_mistake_in_the_api_is_answered() -> None:
    answer = FRONT.answer(Incoming("GET", "/version", {}, b""))
    assert answer.status == 500
    assert json.loads(answer.body)["kind"] == "Status"
