"""ConfigMaps of irsa's: created where missing, and changed and deleted only as they were read.

Everything is compared by the server: creating by the name, changing and deleting by the resourceVersion.
"""

from __future__ import annotations

from irsa_cli.changes.common import Unclaimed, check_object_claim, conflict, expect, gone, settle, telling
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.plan.states import MANAGED_BY_LABEL, SERVICE_ACCOUNT_TAG, TRANSACTION_TAG, ConfigMapState
from irsa_cli.core.values.errors import Outcome, ServiceError
from irsa_cli.kube.client import Json, Kube
from irsa_cli.kube.errors import CONFLICT, EXISTS, NOT_FOUND
from irsa_cli.transaction.protocol import Applied, Claim, Run

ROUNDS = 5


class ConfigMapHandler(Unclaimed):
    """Creates, changes and deletes a ConfigMap; the target is `(namespace, name)`."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    def apply(self, change: Change, run: Run, claim: Claim | None = None) -> Applied:
        """See `Handler.apply`."""
        if change.after is None:
            return settle(lambda: self._delete(change, claim), lambda: self._gone(change))
        if change.before is None:
            return settle(
                lambda: self._create(change, run.transaction), lambda: self._found(change, run.transaction)
            )
        return self._update(change)

    def look(self, change: Change, transaction: str) -> bool:
        """See `Handler.look`."""
        if change.after is None:
            return self._gone(change) is not None
        if change.before is None:
            found = self._found(change, transaction)
            return found is not None and found.changed
        present = self._kube.config_map(*change.target)
        return present is not None and _is(present, expect(ConfigMapState, change.after))

    def _create(self, change: Change, transaction: str) -> Applied:
        (namespace, name), state = change.target, expect(ConfigMapState, change.after)
        body = config_map_body(namespace, name, state, state.transaction or transaction)
        try:
            made = self._kube.create_config_map(namespace, body)
        except ServiceError as error:
            if error.code != EXISTS:
                raise
            with telling(error.outcome):
                found = self._found(change, transaction)
            if found is None:
                raise conflict(change, "a ConfigMap of that name was made") from error
            return found
        return Applied(changed=True, identity={"uid": made["metadata"]["uid"]})

    def _found(self, change: Change, transaction: str) -> Applied | None:
        """The ConfigMap that is there, if it is the desired one; ours when it bears this run's mark.

        One whose deletion is rolled back bears its maker's. It is ours as well, unless it never went.
        """
        present, desired = self._kube.config_map(*change.target), expect(ConfigMapState, change.after)
        if present is None or not _is(present, desired):
            return None
        metadata = present["metadata"]
        owner = (metadata.get("annotations") or {}).get(TRANSACTION_TAG)
        ours = owner == (desired.transaction or transaction) and metadata["uid"] != desired.uid
        return Applied(changed=ours, identity={"uid": metadata["uid"]})

    def _gone(self, change: Change) -> Applied | None:
        present = self._kube.config_map(*change.target)
        going = present is None or "deletionTimestamp" in present["metadata"]
        return Applied(changed=True) if going else None

    def _delete(self, change: Change, claim: Claim | None) -> Applied:
        lost = False
        for _ in range(ROUNDS):
            with telling(Outcome.UNKNOWN if lost else Outcome.REFUSED):
                present = self._kube.config_map(*change.target)
            if present is None or present["metadata"].get("deletionTimestamp"):
                return Applied(changed=lost)
            metadata = present["metadata"]
            if claim is not None:
                check_object_claim(change, metadata, claim)
            if not _is(present, expect(ConfigMapState, change.before)):
                raise conflict(change, "it holds something else than what was there")
            try:
                version = metadata["resourceVersion"]
                self._kube.delete_config_map(*change.target, uid=metadata["uid"], resource_version=version)
            except ServiceError as error:
                if error.code == NOT_FOUND:
                    return gone(error)
                if error.code == CONFLICT:
                    lost = lost or error.outcome is Outcome.UNKNOWN
                    continue
                raise
            return Applied(changed=True)
        raise conflict(change, f"somebody else keeps writing it ({ROUNDS} rounds)")

    def _update(self, change: Change) -> Applied:
        before, after = expect(ConfigMapState, change.before), expect(ConfigMapState, change.after)
        lost = False
        for _ in range(ROUNDS):
            with telling(Outcome.UNKNOWN if lost else Outcome.REFUSED):
                present = self._kube.config_map(*change.target)
            if present is None:
                raise conflict(change, "it was deleted")
            if _is(present, after):
                return Applied(changed=lost)
            if not _is(present, before):
                raise conflict(change, "it holds neither the old nor the new configuration")
            data = {**dict.fromkeys(before.data), **after.data}
            patch = {"metadata": {"resourceVersion": present["metadata"]["resourceVersion"]}, "data": data}
            try:
                self._kube.patch_config_map(change.target[0], change.target[1], patch)
            except ServiceError as error:
                if error.outcome is Outcome.UNKNOWN and not lost:
                    lost = True
                    continue
                if error.code == CONFLICT:
                    continue
                raise
            return Applied(changed=True)
        raise conflict(change, f"somebody else keeps writing it ({ROUNDS} rounds)")


def _is(present: Json, state: ConfigMapState) -> bool:
    """Whether it holds exactly this, for this ServiceAccount."""
    owner = (present["metadata"].get("annotations") or {}).get(SERVICE_ACCOUNT_TAG)
    return (present.get("data") or {}) == state.data and owner == state.service_account


def config_map_body(namespace: str, name: str, state: ConfigMapState, transaction: str = "") -> Json:
    """A ConfigMap as it is POSTed, marked as irsa's; '' is the transaction of a rehearsal."""
    marks = {TRANSACTION_TAG: transaction} if transaction else {}
    metadata = {
        "name": name,
        "namespace": namespace,
        "labels": {MANAGED_BY_LABEL: "irsa"},
        "annotations": {SERVICE_ACCOUNT_TAG: state.service_account, **marks},
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(state.data)}
