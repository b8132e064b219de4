"""The texts that preflight shows: no secret in any usual form, no invisible character, the rules of irsa."""

from __future__ import annotations

import base64
import string
import urllib.parse

from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_cli.core.values import shown as irsas
from irsa_cli.preflight import shown
from irsa_cli.preflight.shown import GONE, LONGEST, PIECE, SHORTEST, Secrets, shown_url, visible
from tests.support.thoroughness import examples

SECRETS = st.text(string.ascii_letters + string.digits + "+/=_-.", min_size=24, max_size=200)
TEXTS = st.text(max_size=40)


def pieces(text: str, length: int) -> set[str]:
    return {text[start : start + length] for start in range(len(text) - length + 1)}


@settings(max_examples=examples(200))
@given(SECRETS, TEXTS, TEXTS, st.integers(0, 3))
def test_no_piece_of_a_secret_is_shown(secret: str, before: str, after: str, part: int) -> None:
    secrets = Secrets({"AWS_SESSION_TOKEN": secret})
    repeated = secret[part * 2 :]
    assert not pieces(repeated, PIECE) & pieces(secrets.shown(f"{before}{repeated}{after}"), PIECE)


@settings(max_examples=examples(200))
@given(SECRETS, st.binary(max_size=5), st.binary(max_size=5))
def test_base64_hides_nothing_wherever_the_secret_begins(secret: str, before: bytes, after: bytes) -> None:
    secrets = Secrets({"AWS_SESSION_TOKEN": secret})
    whole = base64.b64encode(before + secret.encode() + after).decode()
    kept = secrets.shown(whole).partition(GONE)
    assert kept[1] == GONE
    # What stays at both ends are the neighbours, and less than two characters of the secret.
    assert len(kept[0]) <= 8
    assert len(kept[2]) <= 12


@settings(max_examples=examples(100))
@given(SECRETS)
def test_the_other_encodings(secret: str) -> None:
    secrets = Secrets({"AWS_SESSION_TOKEN": secret})
    whole = "".join(f"%{byte:02x}" for byte in secret.encode())
    for text in (
        urllib.parse.quote(secret, safe=""),
        whole,
        secret.encode().hex(),
        secret.encode().hex().upper(),
    ):
        assert secrets.shown(f"<{text}>") == f"<{GONE}>"


def test_what_is_too_short_to_be_a_secret_hides_nothing() -> None:
    env = {"AWS_SECRET_ACCESS_KEY": "s" * (SHORTEST - 1), "HTTP_PROXY": "http://a:b@proxy:1"}
    assert Secrets(env).shown("sssssss a b") == "sssssss a b"


def test_a_role_whose_name_is_a_part_of_the_id_of_its_key_is_shown() -> None:
    secrets = Secrets({})
    secrets.add_name("ASIA-associated")
    assert (
        secrets.shown("assumed-role/associated/s, key ASIA-associated")
        == f"assumed-role/associated/s, key {GONE}"
    )


def test_the_password_of_a_url_in_any_variable() -> None:
    secrets = Secrets({"HTTPS_PROXY": "http://me:hunter%2F2hunter@proxy:3128"})
    assert secrets.shown("hunter%2F2hunter hunter/2hunter") == f"{GONE} {GONE}"


def test_the_patterns_are_those_of_irsa() -> None:
    assert [(item.pattern, item.flags) for item in shown.PATTERNS] == [
        (item.pattern, item.flags) for item in irsas._SECRETS
    ]


@settings(max_examples=examples(300))
@given(st.text(max_size=60) | st.sampled_from(["::error::x", " ::x", "##vso[a]", "\u202e", "\ud800"]))
def test_visible_is_that_of_irsa(text: str) -> None:
    assert visible(text) == irsas.visible(text)
    assert visible(text).isprintable()


@settings(max_examples=examples(100))
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.text(), inner),
    )
)
def test_any_value_is_cleaned(value: object) -> None:
    def texts(found: object) -> list[str]:
        if isinstance(found, dict):
            return [*found, *(text for item in found.values() for text in texts(item))]
        if isinstance(found, list):
            return [text for item in found for text in texts(item)]
        return [found] if isinstance(found, str) else []

    for text in texts(Secrets({}).cleaned(value)):
        assert text.isprintable()
        assert len(text) <= LONGEST


def test_a_url_without_what_may_be_a_password() -> None:
    assert shown_url("https://me:pw@sts.example.com:8443/x?token=y#z") == "https://sts.example.com:8443/x"
    assert shown_url("http://[::1") == "not a URL"
