"""Namespaces: created where missing, deleted only by the run that made them and only when empty."""

from __future__ import annotations

from irsa_cli.changes.common import Unclaimed, check_object_claim, conflict, expect, settle, telling
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.plan.states import MANAGED_BY_LABEL, TRANSACTION_TAG, NamespaceState
from irsa_cli.core.values.errors import Conflict, ServiceError
from irsa_cli.kube.client import Json, Kube
from irsa_cli.kube.errors import CONFLICT, EXISTS, NOT_FOUND
from irsa_cli.transaction.protocol import Applied, Claim, Run

ROUNDS = 5


class NamespaceHandler(Unclaimed):
    """Creates and deletes a namespace; the target is `(name,)`."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    def apply(self, change: Change, run: Run, claim: Claim | None = None) -> Applied:
        """See `Handler.apply`."""
        name = change.target[0]
        if change.after is None:
            return self._delete(change, name, claim)
        body = namespace_body(name, expect(NamespaceState, change.after), run.transaction)
        return settle(
            lambda: self._create(change, body, run.transaction), lambda: self._found(change, run.transaction)
        )

    def look(self, change: Change, transaction: str) -> bool:
        """See `Handler.look`."""
        found = self._found(change, transaction)
        return found is not None and found.changed

    def _create(self, change: Change, body: Json, transaction: str) -> Applied:
        try:
            made = self._kube.create_namespace(body)
        except ServiceError as error:
            with telling(error.outcome):
                found = self._found(change, transaction) if error.code == EXISTS else None
            if found is None:
                raise
            return found
        return Applied(changed=True, identity={"uid": made["metadata"]["uid"]})

    def _found(self, change: Change, transaction: str) -> Applied | None:
        present = self._kube.namespace(change.target[0])
        if present is None:
            return None
        metadata = present["metadata"]
        owner = metadata.get("annotations", {}).get(TRANSACTION_TAG)
        if owner not in (None, transaction):
            # It may roll it back yet. Who plans again makes it theirs first.
            raise conflict(change, f"transaction {owner} made it at the same time")
        return Applied(changed=owner == transaction, identity={"uid": metadata["uid"]})

    def _delete(self, change: Change, name: str, claim: Claim | None) -> Applied:
        for _ in range(ROUNDS):
            present = self._kube.namespace(name)
            if present is None or present["metadata"].get("deletionTimestamp"):
                return Applied(changed=False)
            metadata = present["metadata"]
            if claim is not None:
                check_object_claim(change, metadata, claim)
            self._check_empty(change, name)
            try:
                # Another run that counts on the namespace has put its mark on it, which is a new version.
                version = metadata["resourceVersion"]
                self._kube.delete_namespace(name, uid=metadata["uid"], resource_version=version)
            except ServiceError as error:
                if error.code == NOT_FOUND:
                    return Applied(changed=False)
                if error.code == CONFLICT:
                    continue
                raise
            return Applied(changed=True)
        raise conflict(change, f"somebody else keeps writing it ({ROUNDS} rounds)")

    def _check_empty(self, change: Change, name: str) -> None:
        contents = self._kube.contents(name)
        if contents.items:
            raise conflict(change, f"somebody has put something into it: {', '.join(contents.items)}")
        if contents.unreadable:
            kinds = ", ".join(contents.unreadable)
            raise Conflict(
                f"{change.kind.value} {name} was left: whether it is empty is not known",
                reason=f"it may not be empty: these can't be listed: {kinds}",
                next_steps=("run this again as a caller who may list them",),
            )


def namespace_body(name: str, state: NamespaceState, transaction: str = "") -> Json:
    """A namespace as it is POSTed, marked as managed by irsa; '' is the transaction of a rehearsal."""
    metadata = {
        "name": name,
        "labels": {MANAGED_BY_LABEL: "irsa", **state.labels},
        "annotations": {TRANSACTION_TAG: transaction} if transaction else {},
    }
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
