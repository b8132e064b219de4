"""`irsa token`: the token is good, goes where it was asked for and nowhere else, and can be read."""

import json
import re
from datetime import datetime, timezone
from typing import Any

import pytest

from tests.support.stage import Ran, Stage

JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")


@pytest.fixture
def account(stage: Stage, namespace: str) -> str:
    annotations = {"eks.amazonaws.com/audience": "example.com"}
    stage.make_account(namespace, "reader", annotations=annotations)
    return namespace


def token(stage: Stage, flags: str = "", **env: Any) -> Ran:
    """Run it; no token is in what it tells."""
    ran = stage.run(f"token reader -n $ns {flags}", **env)
    assert not JWT.search(ran.err)
    return ran


def test_a_token_and_nothing_else_is_printed(stage: Stage, account: str) -> None:
    assert JWT.fullmatch(token(stage, "-v").out.removesuffix("\n"))
    claims = token(stage, "--decode -o json").item["claims"]
    whole = stage.account(account, "reader")
    assert whole is not None
    assert claims["kubernetes.io"]["serviceaccount"] == {"name": "reader", "uid": whole["uid"]}
    assert claims["sub"] == f"system:serviceaccount:{account}:reader"


def test_audience_and_lifetime(stage: Stage, account: str) -> None:
    for flags, audience, seconds in (
        ("", "example.com", 3600),
        ("--audience other.example", "other.example", 3600),
        ("--duration 10m", "example.com", 600),
        ("--duration 24h", "example.com", 86400),
    ):
        found = token(stage, f"{flags} --decode -o json").item
        claims = found["claims"]
        assert claims["aud"] == [audience] == [found["audience"]]
        assert claims["exp"] - claims["iat"] == seconds
        expires = datetime.strptime(found["expires"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
        assert abs(expires.timestamp() - claims["exp"]) < 30


def test_decoded_text_shows_all_but_the_signature(stage: Stage, account: str) -> None:
    ran = token(stage, "--decode", TZ="America/New_York")
    assert not JWT.search(ran.out)
    for name in ["alg", "kid", "iss", "sub", "aud", "exp", "iat", "kubernetes.io", "serviceaccount", "uid"]:
        assert re.search(rf"^ +{name}\b", ran.out, re.MULTILINE), name
    assert re.search(r"^ +exp +\d+  in \d+ minutes, .* E[SD]T$", ran.out, re.MULTILINE)


def test_a_document_holds_the_token_only_when_it_is_not_decoded(stage: Stage, account: str) -> None:
    plain, decoded = token(stage, "-o json"), token(stage, "-o yaml --decode")
    assert (plain.json["kind"], bool(JWT.fullmatch(plain.item["token"]))) == ("TokenList", True)
    assert not JWT.search(json.dumps(decoded.yaml))
