"""Namespaces: created if missing, deleted only by the run that created them and only when empty."""

from __future__ import annotations

from irsa_cli.changes.common import conflict, expect
from irsa_cli.changes.kubernetes import ObjectHandler
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.plan.states import MANAGED_BY_LABEL, TRANSACTION_TAG, NamespaceState
from irsa_cli.core.values.errors import Conflict
from irsa_cli.kube.client import Json
from irsa_cli.transaction.protocol import Applied, Claim, Run


class NamespaceHandler(ObjectHandler):
    """Creates and deletes a namespace; the target is `(name,)`."""

    def _read(self, change: Change) -> Json | None:
        return self._kube.namespace(change.target[0])

    def _write(self, change: Change, run: Run, claim: Claim | None) -> Applied:
        name = change.target[0]
        if change.after is None:
            # Another run that counts on the namespace has put its mark on it, which is a new version.
            return self._delete(
                change, self._kube.delete_namespace, claim, lambda present: self._check_empty(change, name)
            )
        body = namespace_body(name, expect(NamespaceState, change.after), run.transaction)
        return self._create(change, lambda: self._kube.create_namespace(body), run.transaction, None)

    def _found(self, change: Change, transaction: str) -> Applied | None:
        if change.after is None:
            return self._gone(change)
        present = self._read(change)
        if present is None:
            return None
        metadata = present["metadata"]
        owner = metadata.get("annotations", {}).get(TRANSACTION_TAG)
        if owner not in (None, transaction):
            # It may still roll it back. A run that plans again claims it first.
            raise conflict(change, f"transaction {owner} created it at the same time")
        return Applied(changed=owner == transaction, identity={"uid": metadata["uid"]})

    def _check_empty(self, change: Change, name: str) -> None:
        contents = self._kube.contents(name)
        if contents.items:
            raise conflict(change, f"it is not empty: {', '.join(contents.items)}")
        if contents.unreadable:
            kinds = ", ".join(contents.unreadable)
            raise Conflict(
                f"{change.kind.value} {name} was kept: irsa can't tell whether it is empty",
                reason=f"irsa can't list {kinds}",
                next_steps=("run this again as a caller who can list them",),
            )


def namespace_body(name: str, state: NamespaceState, transaction: str = "") -> Json:
    """A namespace as it is POSTed, marked as managed by irsa; '' is the transaction of a rehearsal."""
    metadata = {
        "name": name,
        "labels": {MANAGED_BY_LABEL: "irsa", **state.labels},
        "annotations": {TRANSACTION_TAG: transaction} if transaction else {},
    }
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
