"""Texts as they may be shown: those of others, and parts of irsa's own (heads, numbers of things).

A service, or a proxy in front of it, may repeat in its answer what it was sent: a token, a key, a signature.
Annotations, tags and error texts are written by others: none may forge a line, move the cursor, or be a
command to a CI system that reads along; and none is longer than a person reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

LONGEST = 2000
"""The most characters of one text of others that irsa shows."""
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
    """The text without anything like a token, a key or a signature, and cut if it is too long."""
    found = without_secrets(text[: 4 * LONGEST])
    return found if len(found) <= LONGEST else f"{found[:LONGEST]}{GONE}"


_COMMANDS = re.compile(r"\A(?P<blanks>\s*):(?=:)|#(?=#\w*\[)")
"""The beginnings of commands: `::error::` at the beginning of a line (GitHub), `##vso[` anywhere (Azure).

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
https://learn.microsoft.com/en-us/azure/devops/pipelines/scripts/logging-commands
"""


def visible(text: str) -> str:
    """The text with control and invisible characters as their code points."""
    if not text.isprintable():
        text = "".join(char if char.isprintable() else _code(char) for char in text)
    return _COMMANDS.sub(lambda found: (found["blanks"] or "") + _code(found[0][-1]), text)


def _code(char: str) -> str:
    return f"\\u{ord(char):04x}"


def shown(text: str) -> str:
    """A text in quotes, with control and invisible characters as their code points."""
    return f"'{visible(text)}'"


def unspaced(text: str) -> str:
    """The text without white space and invisible characters."""
    return "".join(char for char in text if char.isprintable() and char != " ")


def head(*places: str, caller: str = "", at: datetime | None = None) -> str:
    """The head in one line, without its unknown parts; `caller` is an ARN."""
    return visible(" · ".join(filter(None, (*places, caller_name(caller), moment(at)))))


def caller_name(arn: str) -> str:
    """A caller without its account: `user/NAME`, or `role/NAME/SESSION` for an assumed role."""
    return arn.rpartition(":")[2].replace("assumed-role/", "role/", 1)


def moment(at: datetime | None) -> str:
    """A time to the minute; '' if it is unknown."""
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else ""


def listed(texts: Iterable[str], most: int = 10) -> list[str]:
    """The first of them, and how many more there are."""
    found = list(texts)
    return found if len(found) <= most else [*found[:most], f"and {len(found) - most} more"]


def plural(number: int, what: str) -> str:
    """Count a noun: `1 policy`, `2 policies`, `2 ServiceAccounts with a role`."""
    if number == 1:
        return f"1 {what}"
    noun, apart, rest = what.partition(" with ")
    many = f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeiou" else f"{noun}s"
    return f"{number} {many}{apart}{rest}"
