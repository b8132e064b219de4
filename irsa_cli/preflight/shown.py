"""The texts that preflight shows: without secrets, without invisible characters, and short.

STS, an agent or a proxy may repeat what it was sent. A run knows its secrets and removes them, also encoded
ones; patterns remove the secrets of others. The rules are those of `irsa_cli.core.values.shown`.
"""

from __future__ import annotations

import base64
import re
import urllib.parse
from typing import Any, Iterator, Mapping

LONGEST = 1000
"""The most characters of one text. `irsa doctor` accepts no longer ones in a pod's log."""
MOST_ITEMS = 20
GONE = "…"
PIECE = 8
SHORTEST = 6
"""As many characters of a secret in a row are not shown; a shorter text than `SHORTEST` is no secret."""
VARIABLES = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN")

PATTERNS = (
    re.compile(r"k8s-aws-v1\.[A-Za-z0-9_=-]*"),
    re.compile(r"eyJ[A-Za-z0-9_=-]{8,}(?:\.[A-Za-z0-9_=-]*){0,4}"),
    re.compile(r"(?i)(?<=bearer )[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(
        r"(?i)(?<=X-Amz-)(?:(?:Signature|Security-Token|Credential)(?:=|%3D))[^&\s\"'<>]+",
    ),
    re.compile(r"(?i)(?<=WebIdentityToken=)[^&\s\"'<>]+"),
    re.compile(r"(?i)(?<=Signature=)[0-9a-f]{32,}"),
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,124}\b"),
    re.compile(
        r"(?i)(?<=secret)[\s_-]?(?:access)?[\s_-]?key[\"']?\s*[:=>]+\s*[\"']?[A-Za-z0-9/+=]{16,}",
    ),
    re.compile(
        r"(?i)(?<=session)[\s_-]?token[\"']?\s*[:=>]+\s*[\"']?[A-Za-z0-9/+=%-]{16,}",
    ),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL),
)
"""Secrets that this run does not know, such as those of another pod."""
_COMMANDS = re.compile(r"\A(?P<blanks>\s*):(?=:)|#(?=#\w*\[)")
"""The beginnings of commands to CI systems: `::error::` of GitHub, `##vso[` of Azure."""


class Secrets:
    """The secrets of a run. Whoever reads one adds it before it is used."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._pieces: dict[int, set[str]] = {}
        for name, value in env.items():
            if name in VARIABLES:
                self.add(value)
            password = _password(value)
            self.add(password)
            self.add(urllib.parse.unquote(password))

    def add(self, secret: str) -> None:
        """Show no part of it any more, neither as it is nor encoded."""
        if len(secret) >= SHORTEST:
            for text, width in _encodings(secret):
                self._add(text, min(len(text), width))

    def add_name(self, name: str) -> None:
        """Do not show the whole of it: the ID of an access key, part of which may be a role's name."""
        if len(name) >= SHORTEST:
            self._add(name, len(name))

    def _add(self, text: str, length: int) -> None:
        pieces = (text[start : start + length] for start in range(len(text) - length + 1))
        self._pieces.setdefault(length, set()).update(pieces)

    def shown(self, text: str) -> str:
        """The text as it may be shown."""
        text = self._hidden(text[: 8 * LONGEST])
        for pattern in PATTERNS:
            text = pattern.sub(GONE, text)
        text = visible(text)
        return text if len(text) <= LONGEST else text[: LONGEST - 1] + GONE

    def _hidden(self, text: str) -> str:
        secret = [False] * len(text)
        for length, pieces in list(self._pieces.items()):
            for start in range(len(text) - length + 1):
                if text[start : start + length] in pieces:
                    secret[start : start + length] = [True] * length
        shown: list[str] = []
        was_secret = False
        for char, is_secret in zip(text, secret):
            if not is_secret:
                shown.append(char)
            elif not was_secret:
                shown.append(GONE)
            was_secret = is_secret
        return "".join(shown)

    def cleaned(self, value: Any) -> Any:
        """The value with all of its texts as they may be shown; other values than JSON's are left out."""
        if isinstance(value, str):
            return self.shown(value)
        if isinstance(value, dict):
            return {self.shown(str(key)): self.cleaned(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.cleaned(inner) for inner in value[:MOST_ITEMS]]
        return value if isinstance(value, int) else None


def visible(text: str) -> str:
    """The text with control and invisible characters as their code points."""
    if not text.isprintable():
        text = "".join(char if char.isprintable() else _code(char) for char in text)
    return _COMMANDS.sub(lambda beginning: (beginning["blanks"] or "") + _code(beginning[0][-1]), text)


def _code(char: str) -> str:
    return f"\\u{ord(char):04x}"


def shown_url(url: str) -> str:
    """A URL without the parts that can contain a password: user, query and fragment."""
    try:
        fields = urllib.parse.urlsplit(url)
        return urllib.parse.urlunsplit((fields.scheme, fields.netloc.rpartition("@")[2], fields.path, "", ""))
    except ValueError:
        return "not a URL"


def _password(url: str) -> str:
    """The password in a URL, '' for none."""
    return url.partition("//")[2].rpartition("@")[0].partition(":")[2]


def _encodings(secret: str) -> Iterator[tuple[str, int]]:
    """The forms in which a service repeats a secret, and how many characters of each are a piece of it."""
    data = secret.encode("utf-8", "surrogatepass")
    yield secret, PIECE
    quoted = urllib.parse.quote(data, safe="")
    if quoted != secret:
        yield quoted, 2 * PIECE
        yield re.sub("%..", lambda escape: escape[0].lower(), quoted), 2 * PIECE
    yield "".join(f"%{byte:02X}" for byte in data), 3 * PIECE
    yield "".join(f"%{byte:02x}" for byte in data), 3 * PIECE
    yield data.hex(), 2 * PIECE
    yield data.hex().upper(), 2 * PIECE
    for before in range(3):
        # Where the secret begins in what is encoded decides its form. The ends depend on their neighbours.
        text = base64.b64encode(b"\0" * before + data).decode()[before and before + 1 :].rstrip("=")[:-1]
        yield text, 11
        yield text.translate({ord("+"): "-", ord("/"): "_"}), 11
