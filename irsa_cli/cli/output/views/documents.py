"""A result's document as JSON, as YAML, or as names or ARNs; no text in it is a command to CI."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from irsa_cli.cli.output.report import Report
from irsa_cli.cli.terminal.screen import is_unicode
from irsa_cli.core.export.variables import dotenv, role_variables
from irsa_cli.core.results.applied import AppliedList
from irsa_cli.core.results.result import Result
from irsa_cli.core.values.arn import is_role
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
_WITHOUT_ROLE = ("refused", "failed", "rolled-back", "incomplete", "deleting", "no-role", "bad-arn")
"""Outcomes and statuses of items whose role does not exist, or is not as it was asked for."""


def document_of(report: Report) -> dict[str, Any]:
    return report.document.to_json(report.command)


def as_json(report: Report, _most: int | None = None) -> str:
    return json_text(document_of(report))


def as_yaml(report: Report, _most: int | None = None) -> str:
    return yaml_text(document_of(report))


def as_names(report: Report, _most: int | None = None) -> str:
    document = document_of(report)
    planned_for = _planned_for(report, len(document["items"]))
    return "\n".join(map(visible, names(document, planned_for)))


def as_arns(report: Report, _most: int | None = None) -> str:
    """The ARNs of roles, each once, a line each."""
    return "\n".join(dict.fromkeys(_arns(report).values()))


def as_variables(report: Report, _most: int | None = None) -> str:
    """The ARNs as lines of a dotenv file: `ROLE_ARN` of a command for one ServiceAccount, else by names."""
    return dotenv(role_variables(_arns(report), alone=isinstance(report.found, Result)))


def _arns(report: Report) -> dict[str, str]:
    """The ARN of the role of each ServiceAccount, by `NAMESPACE/NAME`, if the role exists or is planned.

    An annotation is a text that others can write: what is no role's ARN is left out.
    """
    arns: dict[str, str] = {}
    items = document_of(report)["items"]
    for item, planned_for in zip(items, _planned_for(report, len(items)), strict=True):
        role = item.get("role") or {}
        state = item.get("outcome", item.get("status"))
        arn = role.get("arn") or ""
        if state in _WITHOUT_ROLE or role.get("deleted") or not is_role(arn):
            continue
        account = item.get("serviceAccount")
        full_name = f"{account['namespace']}/{account['name']}" if account else planned_for
        arns[full_name] = arn
    return arns


def _planned_for(report: Report, number: int) -> list[str]:
    """The ServiceAccount of each item, `namespace/name`, also if only its role is; else ''."""
    results: list[Result] = []
    if isinstance(report.found, AppliedList):
        results = [item.result for item in report.found.items]
    elif isinstance(report.found, Result) and number:
        results = [report.found]
    if not results:
        return [""] * number
    return ["" if result.planned is None else result.planned.service_account for result in results]


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


def names(document: Mapping[str, Any], planned_for: Sequence[str]) -> Iterator[str]:
    """The names of a document's items, each once: NAMESPACE/NAME, else the transaction.

    `planned_for` has one for each item: its ServiceAccount if only the role was planned, or ''.
    """
    key = _NAMED_BY.get(document["kind"])
    seen: set[str] = set()
    for item, planned in zip(document["items"], planned_for, strict=True):
        for name in [item[key]] if key else _accounts(item, planned):
            if name not in seen:
                seen.add(name)
                yield name


def _accounts(item: Mapping[str, Any], planned_for: str) -> list[str]:
    account = item.get("serviceAccount")
    accounts = [account] if account else item.get("serviceAccounts", ())
    names_of_accounts = [f"{account['namespace']}/{account['name']}" for account in accounts]
    if names_of_accounts:
        return names_of_accounts
    name = planned_for or item.get("transaction")
    return [name] if name else []
