"""Output forms other than text: their kinds, and the names of a document's items (`-o name`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

REPORTS = ("markdown", "github")
"""Forms for pipelines (`irsa_cli.cli.output.reports`), for every command."""
DOCUMENTS = ("json", "yaml")
"""Forms that are documents, even with only errors."""
RISKS = {
    "csv": "irsa_cli.cli.output.reports.risks:as_csv",
    "sarif": "irsa_cli.cli.output.reports.risks:as_sarif",
    "junit": "irsa_cli.cli.output.reports.risks:as_junit",
}
"""Forms of `audit`, `who-can` and `lint`, each with the function that writes a `RiskReport` in it."""
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


def names(document: Mapping[str, Any]) -> Iterator[str]:
    """The names of a document's items, each once: NAMESPACE/NAME, else the transaction."""
    key = _NAMED_BY.get(document["kind"])
    found = ([item[key]] if key else _accounts(item) for item in document["items"])
    yield from dict.fromkeys(name for each in found for name in each)


def _accounts(item: Mapping[str, Any]) -> list[str]:
    account = item.get("serviceAccount")
    accounts = [account] if account else item.get("serviceAccounts", ())
    named = [f"{each['namespace']}/{each['name']}" for each in accounts]
    return named or [name for name in [item.get("transaction")] if name]
