"""Reading a ServiceAccount's token: its header and claims, as they stand in it.

Nothing is verified here, and nothing may be decided by what is read: this is for showing a token to
whoever asked for it, and for knowing how long it lives.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
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
        issued, expires = self.claims.get("iat"), self.claims.get("exp")
        if not isinstance(issued, int | float) or not isinstance(expires, int | float):
            return None
        try:
            return float(expires - issued)
        except OverflowError:
            return None


def read(token: str) -> Claims:
    """Read a token in its compact form; raises `IrsaError`, without the token in it, when it is none."""
    parts = token.split(".")
    try:
        if len(parts) != 3:
            raise ValueError("not three parts")
        return Claims(_part(parts[0]), _part(parts[1]))
    except (ValueError, RecursionError) as error:
        # The cause is not chained: its text could hold a piece of the token.
        reason = "expected a JSON Web Token" if isinstance(error, binascii.Error) else "it has no JSON in it"
        raise IrsaError("the token can't be read", reason=reason, code="UnreadableToken") from None


def _part(text: str) -> dict[str, Any]:
    """One part: JSON in base64url without padding (RFC 7515, section 2)."""
    decoded = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    if not isinstance(decoded, dict):
        raise ValueError("not an object")
    return decoded
