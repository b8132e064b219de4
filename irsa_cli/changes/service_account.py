"""ServiceAccounts: creating, annotating with everything else untouched, and taking both back.

Kubernetes enforces the compare-and-set: resourceVersion in a merge patch, uid and resourceVersion as
preconditions of a delete.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from irsa_cli.changes.common import conflict, expect, telling
from irsa_cli.changes.kubernetes import ROUNDS, ObjectHandler
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.plan.states import ROLE_ARN_ANNOTATION, TRANSACTION_TAG, ServiceAccountState
from irsa_cli.core.values.errors import Gone, MadeAgain, Outcome, ServiceError
from irsa_cli.kube.client import Json
from irsa_cli.kube.errors import CONFLICT, NOT_FOUND
from irsa_cli.transaction.protocol import Applied, Claim, Run


class ServiceAccountHandler(ObjectHandler):
    """Creates, patches and deletes a ServiceAccount; the target is `(namespace, name)`."""

    resource = "serviceaccounts"

    def apply(self, change: Change, run: Run, claim: Claim | None = None) -> Applied:
        applied = super().apply(change, run, claim)
        if change.before is None and claim is not None and applied.changed:
            run.made(change)  # The new one gets its annotations.
            # A ServiceAccount whose deletion was rolled back: it is there, and is another one all the same.
            raise MadeAgain(
                f"ServiceAccount {change.name} was created again, with another uid",
                reason="the tokens of its running pods are no longer valid: restart the pods",
            )
        return applied

    def _write(self, change: Change, run: Run, claim: Claim | None) -> Applied:
        if change.after is None:
            return self._delete(change, claim, lambda it: self._check(change, it["metadata"], claim))
        if change.before is not None:
            return self._patch(change, run, claim)
        (namespace, name), desired = change.target, expect(ServiceAccountState, change.after)
        annotations = {**desired.annotations, TRANSACTION_TAG: run.transaction}
        body = desired.manifest or service_account_body(namespace, name, desired.labels, annotations)
        taken = conflict(change, "a ServiceAccount of that name was created")
        return self._create(change, body, run.transaction, taken)

    def claimed(self, change: Change, transaction: str, *, ours: bool) -> str:
        """See `Handler.claimed`: the annotation is every run's last step, so another's run is over."""
        state = change.after
        role = state.annotations.get(ROLE_ARN_ANNOTATION) if isinstance(state, ServiceAccountState) else None
        if ours or not role:
            return ""
        present = self._read(change) or {"metadata": {}}
        has = (present["metadata"].get("annotations") or {}).get(ROLE_ARN_ANNOTATION)
        return f"ServiceAccount {change.name} is annotated with {role}" if has == role else ""

    def _found(self, change: Change, transaction: str) -> Applied | None:
        """The ServiceAccount that is there, if it is the desired one; ours when it bears this run's mark.

        One whose deletion is rolled back bears its maker's. It is ours as well, unless it never went.
        """
        if change.after is None:
            return self._found_gone(change)
        present = self._read(change)
        if present is None:
            return None
        metadata, desired = present["metadata"], expect(ServiceAccountState, change.after)
        if change.before is not None:
            same = not desired.uid or metadata["uid"] == desired.uid
            return Applied(changed=True) if same and _holds(metadata, desired) else None
        mark = _mark(desired.manifest.get("metadata", {})) or transaction
        ours = _mark(metadata) == mark and metadata["uid"] != desired.uid
        if not ours and not _holds(metadata, desired):
            return None
        return Applied(changed=ours, identity={"uid": metadata["uid"]})

    def _found_gone(self, change: Change) -> Applied | None:
        before = change.before
        uid = before.uid if isinstance(before, ServiceAccountState) else ""
        present = self._read(change)
        metadata = {} if present is None else present["metadata"]
        going = present is None or "deletionTimestamp" in metadata
        return Applied(changed=True) if going or (uid and metadata["uid"] != uid) else None

    def _check(self, change: Change, metadata: Json, claim: Claim | None) -> None:
        before = expect(ServiceAccountState, change.before)
        if claim is None and before.uid and metadata["uid"] != before.uid:
            raise conflict(change, f"it was deleted and created again (uid {metadata['uid']})")
        if not _holds(metadata, before):
            raise conflict(change, "its annotations or labels differ from what was there")

    def _patch(self, change: Change, run: Run, claim: Claim | None) -> Applied:
        before, after = expect(ServiceAccountState, change.before), expect(ServiceAccountState, change.after)
        target = (change.target[0], change.target[1])
        uid, version, lost = before.uid or after.uid, before.resource_version, False
        if run.has_made(change.kind, *change.target):
            uid = ""  # Its deletion was rolled back: it is another object now.
        for _ in range(ROUNDS):
            if not version:
                with telling(Outcome.UNKNOWN if lost else Outcome.REFUSED):
                    metadata = self._present(change, uid, claim)
                if metadata is None:
                    return Applied(changed=False)
                if _holds(metadata, after):
                    return Applied(changed=lost)
                if not _holds(metadata, before):
                    raise conflict(change, "its annotations or labels are neither the old nor the new ones")
                version = metadata["resourceVersion"]
            try:
                self._kube.patch(self.resource, *target, _merge_patch(after, version))
                return Applied(changed=True, identity={"uid": uid} if uid else {})
            except ServiceError as error:
                again = error.outcome is Outcome.UNKNOWN and not lost
                lost, version = lost or again, ""
                if again or error.code in (CONFLICT, NOT_FOUND):
                    continue
                if lost:  # Of this patch it may be known; not of the one before.
                    raise error.knowing(outcome=Outcome.UNKNOWN) from error
                raise
        raise conflict(change, f"somebody else keeps changing it ({ROUNDS} attempts)")

    def _present(self, change: Change, uid: str, claim: Claim | None) -> Json | None:
        """The metadata of the ServiceAccount that was read; None when it is gone, our work with it."""
        present = self._read(change)
        if present is None:
            after = expect(ServiceAccountState, change.after)
            if all(value is None for value in (*after.annotations.values(), *after.labels.values())):
                return None
            raise _gone(change) if claim is not None else conflict(change, "it was deleted")
        metadata: Json = present["metadata"]
        if uid and metadata["uid"] != uid:
            if claim is not None:
                raise _gone(change)
            raise conflict(change, f"it was deleted and created again (uid {metadata['uid']})")
        return metadata


def _mark(metadata: Mapping[str, Any]) -> str:
    return str((metadata.get("annotations") or {}).get(TRANSACTION_TAG) or "")


def _gone(change: Change) -> Gone:
    return Gone(f"ServiceAccount {change.name} is not restored", reason="it was deleted in the meantime")


def service_account_body(
    namespace: str, name: str, labels: Mapping[str, str | None], annotations: Mapping[str, str | None]
) -> Json:
    """A ServiceAccount as it is POSTed."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {key: value for key, value in labels.items() if value is not None},
            "annotations": {key: value for key, value in annotations.items() if value is not None},
        },
    }


def _merge_patch(state: ServiceAccountState, resource_version: str) -> Json:
    """`null` removes a key; with the resourceVersion the server refuses a stale patch (409)."""
    return {
        "metadata": {
            "resourceVersion": resource_version,
            "annotations": dict(state.annotations),
            "labels": dict(state.labels),
        }
    }


def _holds(metadata: Mapping[str, Mapping[str, str]], state: ServiceAccountState) -> bool:
    """Whether the object has exactly these values under the keys that irsa manages."""
    annotations, labels = metadata.get("annotations") or {}, metadata.get("labels") or {}
    return all(annotations.get(key) == value for key, value in state.annotations.items()) and all(
        labels.get(key) == value for key, value in state.labels.items()
    )
