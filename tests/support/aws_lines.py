"""Calls of AWS as lines: an operation, and its parameters in YAML.

    do(iam, "CreateRole {RoleName: r, AssumeRolePolicyDocument: $EC2}")
    assert refused(iam, "GetRole {RoleName: nobody}") == "NoSuchEntity 404"

A document is given as what it says, not as text. `$NAME` is one of `WORDS` or of the words that are given.
"""

import json
from typing import Any

import yaml
from botocore import xform_name
from botocore.exceptions import ClientError

from tests.support.sandbox_clients import ACCOUNT, EC2_TRUST, S3_READ, policy, trust

WORDS: dict[str, Any] = {
    "$EC2": EC2_TRUST,
    "$ROOT": trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}),
    "$READS": json.dumps(policy("s3:GetObject")),
    "$S3": S3_READ,
    "$HERE": f"arn:aws:iam::{ACCOUNT}",
}


def parameters(text: str, **words: Any) -> dict[str, Any]:
    """Parameters in YAML; a word that is the whole of a text may be anything. null is for none."""
    named = {**WORDS, **{f"${name}": word for name, word in words.items()}}

    def filled(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            inside = {filled(key): filled(item, key) for key, item in value.items() if item is not None}
            return json.dumps(inside) if key.endswith(("Document", "Policy", "policy")) else inside
        if isinstance(value, list):
            return [filled(item) for item in value]
        if not isinstance(value, str) or value in named:
            return named.get(value, value) if isinstance(value, str) else value
        for name, word in named.items():
            value = value.replace(name, str(word))
        return value

    found: dict[str, Any] = filled(yaml.safe_load(text) or {})
    return found


def do(client: Any, line: str, **words: Any) -> Any:
    """Make a call; returns its answer."""
    operation, _, text = line.partition(" ")
    return getattr(client, xform_name(operation))(**parameters(text, **words))


def tried(client: Any, line: str, **words: Any) -> str:
    """How a call ends: '' if it is done, else as `refused`."""
    try:
        do(client, line, **words)
    except ClientError as error:
        return f"{error.response['Error']['Code']} {error.response['ResponseMetadata']['HTTPStatusCode']}"
    return ""


def refused(client: Any, line: str, **words: Any) -> str:
    """Code and HTTP status of the error that a call has to end with."""
    end = tried(client, line, **words)
    assert end, f"{line} is done"
    return end
