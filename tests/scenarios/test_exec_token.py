"""`irsa token`: the token is good, goes where it was asked for and nowhere else, and can be read."""

import json
import re
from datetime import datetime, timezone

import pytest

from tests.support.stage import Ran, Stage

JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")


@pytest.fixture
def account(stage: Stage, namespace: str) -> str:
    annotations = {"eks.amazonaws.com/audience": "example.com"}
    stage.make_account(namespace, "reader", annotations=annotations)
    return namespace


def token(stage: Stage, namespace: str, *flags: str, **env: str) -> Ran:
    ran = stage.irsa("token", "reader", "-n", namespace, "-c", stage.cluster, *flags, **env)
    assert ran.code == 0, ran.err
    assert not JWT.search(ran.err)
    return ran


def test_a_token_and_nothing_else_is_printed(stage: Stage, account: str) -> None:
    ran = token(stage, account, "-v")
    assert JWT.fullmatch(ran.out.removesuffix("\n"))


def test_the_cluster_takes_the_token_for_what_it_says(stage: Stage, account: str) -> None:
    text = token(stage, account, "--audience", "https://kubernetes.default.svc").out.strip()
    claims = token(stage, account, "--decode", "-o", "json").item["claims"]
    uid = stage.account(account, "reader")
    assert uid is not None
    assert claims["kubernetes.io"]["serviceaccount"] == {"name": "reader", "uid": uid["uid"]}
    assert claims["sub"] == f"system:serviceaccount:{account}:reader"
    assert JWT.fullmatch(text)


@pytest.mark.parametrize(
    ("flags", "audience", "seconds"),
    [
        ((), "example.com", 3600),
        (("--audience", "other.example"), "other.example", 3600),
        (("--duration", "10m"), "example.com", 600),
        (("--duration", "24h"), "example.com", 86400),
    ],
)
def test_audience_and_lifetime(
    stage: Stage, account: str, flags: tuple[str, ...], audience: str, seconds: int
) -> None:
    found = token(stage, account, *flags, "--decode", "-o", "json").item
    claims = found["claims"]
    assert claims["aud"] == [audience] == [found["audience"]]
    assert claims["exp"] - claims["iat"] == seconds
    expires = datetime.strptime(found["expires"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    assert abs(expires.timestamp() - claims["exp"]) < 30


def test_decoded_text_shows_all_but_the_signature(stage: Stage, account: str) -> None:
    ran = token(stage, account, "--decode", TZ="America/New_York")
    assert not JWT.search(ran.out)
    for name in ("alg", "kid", "iss", "sub", "aud", "exp", "iat", "kubernetes.io", "serviceaccount", "uid"):
        assert re.search(rf"^ +{name}\b", ran.out, re.MULTILINE), name
    assert re.search(r"^ +exp +\d+  in (59|60) minutes, .* E[SD]T$", ran.out, re.MULTILINE)


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_document_holds_the_token_only_when_it_is_not_decoded(
    stage: Stage, account: str, form: str
) -> None:
    plain, decoded = token(stage, account, "-o", form), token(stage, account, "-o", form, "--decode")
    found = plain.json if form == "json" else plain.yaml
    assert JWT.fullmatch(found["items"][0]["token"])
    assert found["kind"] == "TokenList"
    assert not JWT.search(json.dumps(decoded.json if form == "json" else decoded.yaml))
