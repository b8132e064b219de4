"""A ServiceAccount's token: read as it stands, and checked as STS does, by whose key and by what it claims.

By what is only read (`read`) nothing may be decided: that is for showing a token to whoever asked for it, and
for knowing how long it lives. Pure; the keys are fetched in `irsa_cli.aws.issuer_keys`. The cryptography is
joserfc's, imported when a signature is checked.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from irsa_cli.core.values.errors import IrsaError


@dataclass(frozen=True)
class Claims:
    """The two readable parts of a JSON Web Token (RFC 7519)."""

    header: dict[str, Any]
    claims: dict[str, Any]

    @property
    def seconds(self) -> float | None:
        """For how long the token is good in all, by its issuer's clock; None when it doesn't say."""
        issued = self.claims.get("iat")
        expires = self.claims.get("exp")
        if not isinstance(issued, int | float) or not isinstance(expires, int | float):
            return None
        try:
            return float(expires - issued)
        except OverflowError:
            return None


def read(token: str) -> Claims:
    """Read a token in its compact form; raises `IrsaError`, without the token in it, when it is none."""
    try:
        header, claims, _ = token.split(".")
        return Claims(_part(header), _part(claims))
    except (ValueError, RecursionError) as error:
        # The cause is not chained: its text could hold a piece of the token.
        reason = "expected a JSON Web Token" if isinstance(error, binascii.Error) else "it contains no JSON"
        raise IrsaError("the token can't be read", reason=reason, code="UnreadableToken") from None


def _part(text: str) -> dict[str, Any]:
    """One part: JSON in base64url without padding (RFC 7515, section 2)."""
    decoded = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    if not isinstance(decoded, dict):
        raise ValueError("not an object")
    return decoded


ALGORITHMS = ("RS256", "ES256")
"""The algorithms Kubernetes signs with: RS256 for RSA keys, ES256 for keys on the curve P-256."""
LEEWAY = 60
"""Seconds by which two clocks may differ before a time in a token counts as wrong."""

Keys = Mapping[str, Any]
"""A JSON Web Key Set (RFC 7517, section 5)."""


class Signature(Enum):
    """Whether a set of keys matches a token's signature."""

    GOOD = "good"
    BAD = "bad"
    """The set has the key that the token names, and the signature is not by it."""
    UNKNOWN_KEY = "unknown key"
    """The set has no key with the token's key id: it is of another cluster, or of before a key rotation."""
    UNSUPPORTED = "unsupported"
    """It is signed by an algorithm that is not checked here."""


def signature(token: str, keys: Keys) -> Signature:
    """Check a token's signature by the key it names, or each if it names none; raises `IrsaError`."""
    header = read(token).header
    if header.get("alg") not in ALGORITHMS:
        return Signature.UNSUPPORTED
    possible = _keys(keys)
    if "kid" in header:
        possible = [key for key in possible if key.get("kid") == header["kid"]]
    if not possible:
        return Signature.UNKNOWN_KEY
    if any(_is_by(token, key, header["alg"]) for key in possible):
        return Signature.GOOD
    return Signature.BAD


def _is_by(token: str, key: dict[str, Any], algorithm: str) -> bool:
    from joserfc import jws
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey, RSAKey

    kinds: dict[str, type[RSAKey | ECKey]] = {"RS256": RSAKey, "ES256": ECKey}
    try:
        jws.deserialize_compact(token, kinds[algorithm].import_key(key), algorithms=[algorithm])
    except (JoseError, ValueError, TypeError, KeyError):
        return False
    return True


def _keys(keys: Keys) -> list[dict[str, Any]]:
    in_set = keys.get("keys")
    if not isinstance(in_set, list):
        return []
    return [key for key in in_set if isinstance(key, dict)]


def key_ids(keys: Keys) -> tuple[str, ...]:
    return tuple(str(key["kid"]) for key in _keys(keys) if "kid" in key)


@dataclass(frozen=True)
class TokenClaim:
    """A claim of a token against what it has to be: `text` is what it says, `wrong` why that is not right."""

    name: str
    text: str
    wrong: str = ""


def check_claims(
    token: Claims, *, issuer: str, subject: str, audience: str, now: float
) -> tuple[TokenClaim, ...]:
    """The claims that STS checks: issuer, subject, audience, times (RFC 7519, 4.1); `now` in Unix seconds."""
    claims = token.claims
    audiences = audiences_of(token)
    return (
        _same("iss", claims, issuer),
        _same("sub", claims, subject),
        TokenClaim("aud", ", ".join(audiences), "" if audience in audiences else f"expected {audience}"),
        _times(claims, now),
        TokenClaim("kid", str(token.header.get("kid", "none"))),
    )


def _same(name: str, claims: Mapping[str, Any], expected: str) -> TokenClaim:
    claim = claims.get(name)
    return TokenClaim(name, str(claim), "" if claim == expected else f"expected {expected}")


def audiences_of(token: Claims) -> tuple[str, ...]:
    """The audiences of a token: the claim is a text or a list of them."""
    claim = token.claims.get("aud", ())
    if isinstance(claim, str):
        return (claim,)
    return tuple(map(str, claim))


def _times(claims: Mapping[str, Any], now: float) -> TokenClaim:
    expires = claims.get("exp")
    if not isinstance(expires, int | float):
        return TokenClaim("exp", str(expires), "a token must have an expiry time")
    if expires <= now:
        ago = f"{now - expires:.0f} s ago"
        return TokenClaim("exp", ago, "it has expired, according to this machine's clock")
    text = f"in {expires - now:.0f} s"
    starts = [claims[name] for name in ("nbf", "iat") if isinstance(claims.get(name), int | float)]
    early = max((start - now for start in starts), default=0)
    if early <= LEEWAY:
        return TokenClaim("exp", text)
    differ = f"it is valid in {early:.0f} s: the clocks of the cluster and this machine differ"
    return TokenClaim("exp", text, differ)


OLDEST = 24 * 3600.0
"""Seconds after which a token is renewed however long it lives."""


SHARE = 0.8
"""The part of its lifetime after which a token is renewed."""


JITTER = 10.0
"""By up to so many seconds it is renewed earlier, so that many don't come at once."""


@dataclass(frozen=True)
class Lifetime:
    """When a token was given and when it expires, in Unix seconds by this machine's clock."""

    issued: float
    expires: float

    def renew_at(self, jitter: float) -> float:
        """The time of renewal: at 80 % of the lifetime or after a day, less the jitter (0 to 10 s).

        https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#launch-a-pod-using-service-account-token-projection
        """
        age = min(SHARE * (self.expires - self.issued), OLDEST)
        return self.issued + max(age - jitter, 0.0)

    def is_due(self, now: float, jitter: float) -> bool:
        """Whether to renew now; also if the clock was set back."""
        return now >= self.renew_at(jitter) or now < self.issued
