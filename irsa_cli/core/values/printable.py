"""Texts of others as they may be shown: on one line, and no character in them that does something.

Annotations, tags and error texts are written by others: none may forge a line, move the cursor, or be a
command to a CI system that reads along.
"""

from __future__ import annotations

import json
import re
from typing import Any

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


def json_text(document: Any) -> str:
    """A document as JSON in which no text is a command to a CI system; what it means is the same."""
    return _HASHES.sub(r"\\u0023", json.dumps(document, indent=2))


def yaml_text(text: str) -> str:
    """The same for a document in YAML whose texts with `##` are in double quotes."""
    return _HASHES.sub(r"\\x23", text)


_HASHES = re.compile("#(?=#)")


def _code(char: str) -> str:
    return f"\\u{ord(char):04x}"


def shown(text: str) -> str:
    """A text in quotes, with control and invisible characters as their code points."""
    return f"'{visible(text)}'"


def unspaced(text: str) -> str:
    """The text without white space and invisible characters."""
    return "".join(char for char in text if char.isprintable() and char != " ")
