"""How a run of irsa ended, and whether the document that it printed is what is promised.

Every document that a test of commands has printed is checked here, so that no way to end is left out.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from irsa_cli.cli.main import wanted_form
from tests.support import proposals

Json = dict[str, Any]
SCHEMA = Path(__file__).parents[2] / "docs" / "reference" / "output.schema.json"

_NOUNS = (
    *("ServiceAccounts", "roles", "clusters", "pods", "findings", "policies", "accounts", "changes"),
    *("statements", "files", "checks", "problems", "risks", "namespaces", "items", "marks", "rules", "paths"),
)
MISCOUNTED = re.compile(rf"(?<![\d.,:/-])\b1 (?:{'|'.join(_NOUNS)})\b|\b0 ServiceAccount\b(?! with)")
"""Numbers that do not agree with their noun: `1 roles`."""


@dataclass(frozen=True)
class Ran:
    """How a run of irsa ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Json:
        """The document on standard output."""
        document: Json = json.loads(self.out)
        return document

    @property
    def yaml(self) -> Json:
        """The document on standard output."""
        document: Json = yaml.safe_load(self.out)
        return document

    @property
    def metadata(self) -> Json:
        """What the document says of the run as a whole."""
        found: Json = self.json["metadata"]
        return found

    @property
    def items(self) -> list[Json]:
        """The document's items."""
        found: list[Json] = self.json["items"]
        return found

    @property
    def item(self) -> Json:
        """The only item."""
        (found,) = self.items
        return found

    @property
    def errors(self) -> list[Json]:
        """The document's errors."""
        found: list[Json] = self.json["errors"]
        return found

    @property
    def error(self) -> Json:
        """The only error."""
        (found,) = self.errors
        return found

    def of(self, namespace: str, name: str) -> Json:
        """The item about a ServiceAccount."""
        (found,) = (item for item in self.items if is_about(item, namespace, name))
        return found

    def error_of(self, item: Json) -> Json:
        """The error of an item."""
        (found,) = (error for error in self.errors if error["item"] == self.items.index(item))
        return found


def is_about(item: Json, namespace: str, name: str) -> bool:
    """Whether an item is about a ServiceAccount."""
    account = item["serviceAccount"] or {}
    return (account.get("namespace"), account.get("name")) == (namespace, name)


def full_name(item: Json) -> str:
    """The ServiceAccount that an item is about, '' where it is about none."""
    account = item["serviceAccount"]
    return f"{account['namespace']}/{account['name']}" if account else ""


def promised(ran: Ran, arguments: Sequence[str]) -> Ran:
    """The run; fails where JSON or YAML was asked for, and no document came that fits schema and exit code.

    It also fails where irsa can't read a command of its own among the next steps.

    A run that was killed prints none.
    """
    output = wanted_form(arguments)
    steps = [*proposals.steps_in_text(ran.err), *proposals.steps_in_text("" if output else ran.out)]
    assert not (found := MISCOUNTED.findall(ran.out + ran.err)), f"numbers that do not agree: {found}"
    if output in ("json", "yaml") and ran.code >= 0 and not {"-h", "--help"} & set(arguments):
        document = ran.json if output == "json" else ran.yaml
        steps += proposals.steps_in_document(document)
        check(document, ran.code)
        scope = document["metadata"].get("scope", {"complete": True, "notExamined": []})
        assert document["metadata"].get("complete", scope["complete"]) == scope["complete"], scope
        gaps = scope.get("notExamined", [])
        decided = not any(gap["couldChangeExitCode"] for gap in gaps)
        assert decided or ran.code or "--allow-partial" in arguments, "exit 0 of an undecided answer"
        assert scope["complete"] is not any(gap["couldChangeAnswer"] for gap in gaps), scope
    refused = {
        command: why for command in proposals.commands(steps) if (why := proposals.unreadable(command))
    }
    assert not refused, refused
    return ran


def check(document: Json, code: int) -> None:
    """Fail where a document does not fit the schema, names a field that it lacks, or another exit code."""
    found = sorted(validator().iter_errors(document), key=lambda error: list(error.path))
    told = [f"{error.json_path}: {error.message[:300]}" for error in found]
    assert not told, "\n".join(told)
    assert document["metadata"]["exitCode"] == code
    assert all(
        error["item"] is None or error["item"] < len(document["items"]) for error in document["errors"]
    )


def schema() -> Json:
    """The schema as it is published."""
    found: Json = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return found


@cache
def validator() -> jsonschema.Draft202012Validator:
    """The schema without room for fields that it does not name: those have to be documented first."""
    return jsonschema.Draft202012Validator(closed(schema()))


def closed(part: Any) -> Any:
    """A part of a schema without room for fields that it doesn't name."""
    if isinstance(part, list):
        return [closed(item) for item in part]
    if not isinstance(part, dict):
        return part
    found = {key: closed(value) for key, value in part.items()}
    if isinstance(part.get("properties"), dict) and "type" in part:
        found.setdefault("additionalProperties", False)
    return found
