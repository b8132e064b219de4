"""Requests to a real API server as lines: a method, a path, a body in YAML, and after ` as ` some headers."""

from string import Template
from typing import Any

import yaml

from tests.support.intruder import Attempt


def attempt(line: str, **words: str) -> Attempt:
    """`GET /api/v1/secrets as Impersonate-User: admin`; `$NAME` is one of the words."""

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {filled(key): filled(item) for key, item in value.items()}
        if isinstance(value, list):
            return [filled(item) for item in value]
        return Template(value).safe_substitute(words) if isinstance(value, str) else value

    line, _, headers = line.partition(" as ")
    method, path, body = f"{line}  ".split(" ", 2)
    path, _, query = path.partition("?")
    sent = filled(yaml.safe_load(body)) if body.strip() else None
    as_whom = filled(yaml.safe_load(f"{{{headers}}}")) if headers else {}
    return Attempt(method, filled(path), sent, as_whom, dict([query.split("=")]) if query else {})
