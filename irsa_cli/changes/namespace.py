"""Namespaces: created where missing, deleted only by the run that made them and only when empty."""

from __future__ import annotations

from collections.abc import Mapping

from irsa_cli.changes.common import conflict, expect, not_ours, settle, telling
from irsa_cli.core.errors import ServiceError
from irsa_cli.core.plan import Change
from irsa_cli.core.states import MANAGED_BY_LABEL, TRANSACTION_TAG, NamespaceState
from irsa_cli.kube.client import Json, Kube
from irsa_cli.kube.errors import CONFLICT, EXISTS, NOT_FOUND
from irsa_cli.transaction.protocol import Applied, Claim, Run


class NamespaceHandler:
    """Creates and deletes a namespace; the target is `(name,)`."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    def apply(self, change: Change, run: Run, claim: Claim | None = None) -> Applied:
        """See `Handler.apply`."""
        name = change.target[0]
        if change.after is None:
            return self._delete(change, name, claim)
        labels = expect(NamespaceState, change.after).labels
        body = namespace_body(name, labels, {TRANSACTION_TAG: run.transaction})
        return settle(
            lambda: self._create(name, body, run.transaction), lambda: self._found(name, run.transaction)
        )

    def _create(self, name: str, body: Json, transaction: str) -> Applied:
        try:
            made = self._kube.create_namespace(body)
        except ServiceError as error:
            with telling(error.outcome):
                found = self._found(name, transaction) if error.code == EXISTS else None
            if found is None:
                raise
            return found
        return Applied(changed=True, identity={"uid": made["metadata"]["uid"]})

    def _found(self, name: str, transaction: str) -> Applied | None:
        present = self._kube.namespace(name)
        if present is None:
            return None
        metadata = present["metadata"]
        ours = metadata.get("annotations", {}).get(TRANSACTION_TAG) == transaction
        return Applied(changed=ours, identity={"uid": metadata["uid"]})

    def _delete(self, change: Change, name: str, claim: Claim | None) -> Applied:
        present = self._kube.namespace(name)
        if present is None or present["metadata"].get("deletionTimestamp"):
            return Applied(changed=False)
        metadata = present["metadata"]
        if claim is not None:
            owner = metadata.get("annotations", {}).get(TRANSACTION_TAG, "none")
            if claim.identity.get("uid", metadata["uid"]) != metadata["uid"] or owner != claim.transaction:
                raise not_ours(change, claim, f"uid {metadata['uid']}, annotation {TRANSACTION_TAG}={owner}")
        contents = self._kube.contents(name)
        if contents:
            raise conflict(change, f"somebody has put something into it: {', '.join(contents)}")
        try:
            self._kube.delete_namespace(name, uid=metadata["uid"])
        except ServiceError as error:
            if error.code == NOT_FOUND:
                return Applied(changed=False)
            if error.code == CONFLICT:
                raise conflict(change, "it was deleted and made again") from error
            raise
        return Applied(changed=True)


def namespace_body(
    name: str, labels: Mapping[str, str] | None = None, annotations: Mapping[str, str] | None = None
) -> Json:
    """A namespace as it is POSTed, marked as irsa's."""
    metadata = {
        "name": name,
        "labels": {MANAGED_BY_LABEL: "irsa", **(labels or {})},
        "annotations": dict(annotations or {}),
    }
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
