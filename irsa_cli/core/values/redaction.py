"""Texts of services as they may be told: no secret in them, and no longer than a person reads.

A service, or a proxy in front of it, may repeat in its answer what it was sent: a token, a key, a signature.
How control characters are shown is in `irsa_cli.core.values.printable`.
"""

from __future__ import annotations

import re

LONGEST = 2000
"""Characters of one text of others that are told at most."""
GONE = "…"

_SECRETS = (
    # Bearer tokens of EKS: a presigned URL in base64.
    re.compile(r"k8s-aws-v1\.[A-Za-z0-9_=-]*"),
    # JSON Web Tokens, and any other token that is sent as a bearer's.
    re.compile(r"eyJ[A-Za-z0-9_=-]{8,}(?:\.[A-Za-z0-9_=-]*){0,4}"),
    re.compile(r"(?i)(?<=bearer )[A-Za-z0-9._~+/=-]{8,}"),
    # Parameters of presigned URLs, plain and escaped.
    re.compile(
        r"(?i)(?<=X-Amz-)(?:(?:Signature|Security-Token|Credential)(?:=|%3D))[^&\s\"'<>]+",
    ),
    re.compile(r"(?i)(?<=WebIdentityToken=)[^&\s\"'<>]+"),
    re.compile(r"(?i)(?<=Signature=)[0-9a-f]{32,}"),
    # Access keys with what follows as their secret, and session tokens by their names.
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,124}\b"),
    re.compile(
        r"(?i)(?<=secret)[\s_-]?(?:access)?[\s_-]?key[\"']?\s*[:=>]+\s*[\"']?[A-Za-z0-9/+=]{16,}",
    ),
    re.compile(
        r"(?i)(?<=session)[\s_-]?token[\"']?\s*[:=>]+\s*[\"']?[A-Za-z0-9/+=%-]{16,}",
    ),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL),
)


def without_secrets(text: str) -> str:
    """The text without what looks like a token, a key or a signature."""
    for pattern in _SECRETS:
        text = pattern.sub(GONE, text)
    return text


def redacted(text: str) -> str:
    """The text without what looks like a token, a key or a signature, and cut where it is too long."""
    found = without_secrets(text[: 4 * LONGEST])
    return found if len(found) <= LONGEST else f"{found[:LONGEST]}{GONE}"
