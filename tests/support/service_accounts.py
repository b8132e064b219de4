"""Many ServiceAccounts of the sandbox at once."""

from collections.abc import Mapping
from typing import Any

from irsa_cli.sandbox import Sandbox


def put_service_accounts(
    sandbox: Sandbox, cluster: str, namespace: str, accounts: Mapping[str, Mapping[str, str]]
) -> None:
    """Create a namespace with ServiceAccounts, annotations by names, without any call."""
    named: list[dict[str, Any]] = [{"kind": "Namespace", "metadata": {"name": namespace}}]
    for name, marks in accounts.items():
        metadata = {"namespace": namespace, "name": name, "annotations": dict(marks)}
        named.append({"kind": "ServiceAccount", "metadata": metadata})
    sandbox.put_objects(cluster, named)
