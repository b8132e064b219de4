"""Web identity tokens of a cluster whose keys are known here, good ones and bad ones."""

from __future__ import annotations

import base64
import json
import time
from functools import cache
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

ISSUER = "https://oidc.eks.eu-west-1.amazonaws.com/id/FACTSFACTSFACTSFACTSFACTSFACTS00"
ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}


@cache
def _key(algorithm: str) -> Any:
    about: Any = {"kid": algorithm, "use": "sig"}
    if algorithm in _CURVES:
        curve: Any = _CURVES[algorithm]
        return ECKey.generate_key(curve, about)
    return RSAKey.generate_key(2048, about)


def jwks() -> dict[str, Any]:
    """The issuer's public keys: one for each algorithm, and an older one."""
    names = ("old", *ALGORITHMS)
    return {"keys": [dict(_key(name).as_dict(private=False)) for name in names]}


def make(
    algorithm: str = "RS256",
    key: str = "",
    broken: bool = False,
    seconds: int = 600,
    **claims: Any,
) -> str:
    """A token; `claims` replace its own, None leaves one out. `key`: another than the algorithm's."""
    if claims.pop("garbage", False):
        return "not-a-token"
    said = {
        "iss": ISSUER,
        "sub": "system:serviceaccount:shop:cart",
        "aud": ["sts.amazonaws.com"],
        "iat": int(time.time()) - 1000,
        "exp": int(time.time()) + seconds,
        **claims,
    }
    payload = json.dumps({name: value for name, value in said.items() if value is not None})
    name = key or algorithm
    header = {"alg": algorithm, "kid": name}
    text = jws.serialize_compact(header, payload, _key(name), algorithms=list(ALGORITHMS))
    if broken:
        head, body, _ = text.split(".")
        return f"{head}.{body}.{base64.urlsafe_b64encode(b'x' * 256).rstrip(b'=').decode()}"
    return text
