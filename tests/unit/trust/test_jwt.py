"""Signatures and claims of tokens: by whose key, and what is wrong with them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, RSAKey

from irsa_cli.core.trust import jwt
from irsa_cli.core.trust.jwt import Signature, read
from irsa_cli.core.values.errors import IrsaError
from tests.support.documents import Json

ISSUER, SUBJECT, AUDIENCE = (
    "https://oidc.example/id/A",
    "system:serviceaccount:shop:cart",
    "sts.amazonaws.com",
)
NOW = 1_800_000_000
CLAIMS: Json = {"iss": ISSUER, "sub": SUBJECT, "aud": [AUDIENCE], "exp": NOW + 600, "nbf": NOW, "iat": NOW}
Key = RSAKey | ECKey


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    pkcs8 = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, pkcs8, serialization.NoEncryption())


def _rsa(kid: str) -> RSAKey:
    key: RSAKey = RSAKey.import_key(_pem(rsa.generate_private_key(65537, 2048)), {"kid": kid})
    return key


def _ec(kid: str) -> ECKey:
    key: ECKey = ECKey.import_key(_pem(ec.generate_private_key(ec.SECP256R1())), {"kid": kid})
    return key


ONE, OTHER, CURVE = _rsa("one"), _rsa("other"), _ec("curve")


def sign(key: Key, claims: Json = CLAIMS, **header: Any) -> str:
    """A token; a header of None is left out."""
    algorithm = "ES256" if isinstance(key, ECKey) else "RS256"
    whole = {"alg": algorithm, "kid": key.kid, **header}
    kept = {name: value for name, value in whole.items() if value is not None}
    return jws.serialize_compact(kept, json.dumps(claims), key, algorithms=[algorithm])


def keys(*found: Key) -> Json:
    return {"keys": [dict(key.as_dict(private=False)) for key in found]}


def part(value: Json) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_a_signature_by_the_named_key_is_good_and_a_changed_token_is_bad() -> None:
    for key in (ONE, CURVE):
        assert jwt.signature(sign(key), keys(OTHER, key)) is Signature.GOOD
        header, _, mark = sign(key).split(".")
        other = sign(key, {**CLAIMS, "sub": "system:serviceaccount:shop:admin"}).split(".")[1]
        assert jwt.signature(f"{header}.{other}.{mark}", keys(key)) is Signature.BAD
    # Another key of the same id.
    for signer, shown in ((ONE, _rsa("one")), (CURVE, _ec("curve")), (ONE, _ec("one"))):
        assert jwt.signature(sign(signer), keys(shown)) is Signature.BAD


def test_a_key_that_is_not_in_the_set_is_unknown() -> None:
    sets: list[Json] = [keys(OTHER), {"keys": []}, {"keys": "junk"}, {}]
    for found in sets:
        assert jwt.signature(sign(ONE), found) is Signature.UNKNOWN_KEY
    for key in ({}, {"kid": "one"}, {"kid": "one", "kty": "RSA", "n": "!", "e": "AQAB"}):
        assert jwt.signature(sign(ONE), {"keys": [key]}) in (Signature.BAD, Signature.UNKNOWN_KEY)


def test_a_token_without_a_key_id_is_tried_with_each() -> None:
    token = sign(ONE, kid=None)
    assert jwt.signature(token, keys(CURVE, OTHER, ONE)) is Signature.GOOD
    assert jwt.signature(token, keys(CURVE, OTHER)) is Signature.BAD


def test_no_signature_is_no_good_signature() -> None:
    token = f"{part({'alg': 'none', 'kid': 'one'})}.{part(CLAIMS)}."
    assert jwt.signature(token, keys(ONE)) is Signature.UNSUPPORTED


def test_the_public_key_is_no_secret_to_sign_with() -> None:
    """RFC 8725, section 2.1: a token signed by HS256 with the public key as the secret."""
    secret = OctKey.import_key(json.dumps(keys(ONE)["keys"][0]))
    token = jws.serialize_compact(
        {"alg": "HS256", "kid": "one"}, json.dumps(CLAIMS), secret, algorithms=["HS256"]
    )
    assert jwt.signature(token, keys(ONE)) is Signature.UNSUPPORTED
    header, claims, mark = token.split(".")
    renamed = f"{part({'alg': 'RS256', 'kid': 'one'})}.{claims}.{mark}"
    assert header
    assert jwt.signature(renamed, keys(ONE)) is Signature.BAD


def test_what_is_no_token_is_an_error_without_it() -> None:
    for text in ("", "a.b", "a.b.c", "!.!.!", f"{part({})}.x.y"):
        with pytest.raises(IrsaError) as wrong:
            jwt.signature(text, keys(ONE))
        assert not text or text not in str(wrong.value)


@given(st.binary(min_size=1, max_size=400))
def test_no_bytes_at_all_are_a_good_signature(mark: bytes) -> None:
    header, claims, good = sign(ONE).split(".")
    made = base64.urlsafe_b64encode(mark).rstrip(b"=").decode()
    if made != good:
        assert jwt.signature(f"{header}.{claims}.{made}", keys(ONE)) is Signature.BAD


def wrong_claims(changes: Json, now: float = NOW) -> set[str]:
    """The claims that are wrong in a token with these changes; a change to None removes one."""
    whole = {key: value for key, value in {**CLAIMS, **changes}.items() if value is not None}
    token = read(f"{part({'alg': 'RS256', 'kid': 'one'})}.{part(whole)}.x")
    found = jwt.check_claims(token, issuer=ISSUER, subject=SUBJECT, audience=AUDIENCE, now=now)
    assert [claim.name for claim in found] == ["iss", "sub", "aud", "exp", "kid"]
    return {claim.name for claim in found if claim.wrong}


WRONG: list[tuple[str, Any, str]] = [
    # A claim, another value of it (None: it is left out), and which claims are wrong then.
    ("aud", AUDIENCE, ""),
    ("aud", ["vault", AUDIENCE], ""),
    ("iss", ISSUER + "/", "iss"),
    ("iss", None, "iss"),
    ("sub", SUBJECT + "s", "sub"),
    ("aud", ["vault"], "aud"),
    ("aud", AUDIENCE + ".cn", "aud"),
    ("aud", None, "aud"),
    ("exp", NOW, "exp"),
    ("exp", NOW - 5, "exp"),
    ("exp", None, "exp"),
    ("exp", "soon", "exp"),
    ("nbf", NOW + 59, ""),
    ("nbf", NOW + 61, "exp"),
    ("iat", NOW + 3600, "exp"),
]


def test_claims() -> None:
    for claim, value, wrong in WRONG:
        assert wrong_claims({claim: value}) == set(wrong.split()), (claim, value)
    assert wrong_claims({"nbf": None, "iat": None}) == set()
    assert wrong_claims({}, now=NOW + 599) == set()
    assert wrong_claims({}, now=NOW + 600) == {"exp"}


def test_key_ids() -> None:
    assert jwt.key_ids(keys(ONE, CURVE)) == ("one", "curve")
    assert jwt.key_ids({"keys": [{}, "junk"]}) == ()
