"""A result's document as JSON, as YAML, or as the names of its items; no text in it is a command to CI."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from irsa_cli.cli.output.report import Report
from irsa_cli.cli.terminal.screen import is_unicode
from irsa_cli.core.values.shown import visible

_HASHES = re.compile("#(?=#)")
"""Found in commands to a CI system, such as `##[`."""
_NAMED_BY = {
    "TransactionList": "transaction",
    "LeftoverList": "transaction",
    "LockList": "holder",
    "DeadClusterList": "name",
    "WellKnownPolicyList": "name",
    "CauseList": "id",
    "RuleList": "id",
    "SettingList": "name",
}
"""The field that is the name of an item, for documents without ServiceAccounts."""


def document_of(report: Report) -> dict[str, Any]:
    return report.document.to_json(report.command)


def as_json(report: Report, _most: int | None = None) -> str:
    return json_text(document_of(report))


def as_yaml(report: Report, _most: int | None = None) -> str:
    return yaml_text(document_of(report))


def as_names(report: Report, _most: int | None = None) -> str:
    return "\n".join(map(visible, names(document_of(report))))


def json_text(document: Any) -> str:
    """A document as JSON in which no text is a command to a CI system; what it means is the same."""
    return _HASHES.sub(r"\\u0023", json.dumps(document, indent=2))


def yaml_text(document: Mapping[str, Any]) -> str:
    """A document as YAML; no text in it can be a command to a CI system (`::error::`, `##[`)."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes each text on one line, in quotes if it could be more than a text."""

    def one_line(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        is_odd = not text.isprintable() or text.lstrip().startswith(":") or "##" in text
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if is_odd else None)

    Dumper.add_representer(str, one_line)

    def dump(*, plain: bool) -> str:
        text: str = yaml.dump(
            dict(document), Dumper=Dumper, sort_keys=False, allow_unicode=not plain, width=2**31
        )
        return text

    text = dump(plain=not is_unicode(sys.stdout))
    # Write invisible characters as their code points; YAML keeps some of them.
    if not text.replace("\n", "").isprintable():
        text = dump(plain=True)
    return _HASHES.sub(r"\\x23", text)  # A text with ## is in double quotes.


def names(document: Mapping[str, Any]) -> Iterator[str]:
    """The names of a document's items, each once: NAMESPACE/NAME, else the transaction."""
    key = _NAMED_BY.get(document["kind"])
    known: dict[str, None] = {}
    for entry in document["items"]:
        known.update(dict.fromkeys([entry[key]] if key else _accounts(entry)))
    yield from known


def _accounts(entry: Mapping[str, Any]) -> list[str]:
    account = entry.get("serviceAccount")
    accounts = [account] if account else entry.get("serviceAccounts", ())
    full_names = [f"{each['namespace']}/{each['name']}" for each in accounts]
    return full_names or [name for name in [entry.get("transaction")] if name]
