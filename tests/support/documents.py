"""AWS's documents as tests write them: as JSON, which is what a person pastes."""

import json
from typing import Any

Json = dict[str, Any]


def doc(text: str, **words: str) -> Json:
    """A document from its JSON; `<name>` in it is one of the words."""
    for name, word in words.items():
        text = text.replace(f"<{name}>", word)
    document: Json = json.loads(text)
    return document


def statement(text: str) -> Json:
    """A statement in words: `Allow s3:Get*,s3:List* on arn:aws:s3:::b/*` or `Deny sts:* on *`."""
    effect, actions, _, resources = text.split(" ", 3)
    return {"Effect": effect, "Action": _one_or_more(actions), "Resource": _one_or_more(resources)}


def policy(*texts: str) -> Json:
    """A policy of such statements."""
    return {"Version": "2012-10-17", "Statement": [statement(text) for text in texts]}


def _one_or_more(text: str) -> str | list[str]:
    return text.split(",") if "," in text else text
