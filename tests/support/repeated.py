"""Secrets of a pod, and the forms in which a service repeats them."""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
from collections.abc import Callable

ROLE = "arn:aws:iam::111122223333:role/app"
SESSION = "arn:aws:sts::111122223333:assumed-role/app/s"
SIGNATURE = "c2lnbmF0dXJlLW9mLXRoaXMtcG9kcy10b2tlbi1pcy1sb25nLWVub3VnaA-_xyz0123456789"
AUTHORIZATION = "Zq7-Rw2_hX/9kLm+Tb4=Vs8NcQe1Jf5/Wd6Yp0"
KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYzzzzzzzzzzz"
SESSION_TOKEN = "IQoJb3JpZ2luX2VjEJr//////////wEaCWV1LXdlc3QtMSJ"
PIECE = 8


def token(**claims: object) -> str:
    """A ServiceAccount token with these claims."""
    found = {
        "iss": "https://issuer.example.com",
        "sub": "system:serviceaccount:a:b",
        "aud": ["sts"],
        **claims,
    }
    head, body = (base64.urlsafe_b64encode(json.dumps(item).encode()).decode() for item in ({}, found))
    return f"{head}.{body.rstrip('=')}.{SIGNATURE}"


Encode = Callable[[str], str]
ENCODINGS: dict[str, Encode] = {
    "as it is": str,
    "escaped for URLs": lambda text: urllib.parse.quote(text, safe=""),
    "escaped for URLs in lower case": lambda text: re.sub(
        "%..", lambda code: code[0].lower(), urllib.parse.quote(text, safe="")
    ),
    "escaped for URLs as a whole": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 with a word before it": lambda text: base64.b64encode(f"Bearer {text}".encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(b"??" + text.encode()).decode(),
    "hexadecimal": lambda text: text.encode().hex(),
    "in lines": lambda text: "\n".join(text[start : start + 20] for start in range(0, len(text), 20)),
    "the last part": lambda text: text[len(text) // 2 :],
}


def pieces(secret: str, encode: Encode = str) -> set[str]:
    """The pieces of what an encoding makes of a secret, none of which another text has by chance."""
    whole = "".join(encode(secret).split("\n"))[12:-4]
    inner = {whole[start : start + 24] for start in range(0, len(whole) - 23, 4)}
    return {*inner, whole[:PIECE], whole[-PIECE:]}
