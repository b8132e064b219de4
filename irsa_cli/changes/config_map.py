"""irsa's ConfigMaps: created if missing, changed and deleted only as read: the server compares."""

from __future__ import annotations

from irsa_cli.changes.common import conflict, expect, telling
from irsa_cli.changes.kubernetes import ROUNDS, ObjectHandler
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.plan.states import MANAGED_BY_LABEL, SERVICE_ACCOUNT_TAG, TRANSACTION_TAG, ConfigMapState
from irsa_cli.core.values.errors import Outcome, ServiceError
from irsa_cli.kube.client import Json
from irsa_cli.kube.errors import CONFLICT
from irsa_cli.transaction.protocol import Applied, Claim, Run


class ConfigMapHandler(ObjectHandler):
    """Creates, changes and deletes a ConfigMap; the target is `(namespace, name)`."""

    def _read(self, change: Change) -> Json | None:
        return self._kube.config_map(*change.target)

    def _write(self, change: Change, run: Run, claim: Claim | None) -> Applied:
        if change.after is None:
            return self._delete(
                change, self._kube.delete_config_map, claim, lambda present: self._check(change, present)
            )
        if change.before is not None:
            return self._update(change)
        (namespace, name), state = change.target, expect(ConfigMapState, change.after)
        body = config_map_body(namespace, name, state, state.transaction or run.transaction)
        return self._create(
            change,
            lambda: self._kube.create_config_map(namespace, body),
            run.transaction,
            conflict(change, "a ConfigMap of that name was created"),
        )

    def _check(self, change: Change, present: Json) -> None:
        if not _is(present, expect(ConfigMapState, change.before)):
            raise conflict(change, "its content differs from what was there")

    def _found(self, change: Change, transaction: str) -> Applied | None:
        """The ConfigMap that is there, if it is the desired one; ours when it bears this run's mark.

        One whose deletion is rolled back bears its maker's. It is ours as well, unless it never went.
        """
        if change.after is None:
            return self._gone(change)
        present, desired = self._read(change), expect(ConfigMapState, change.after)
        if present is None or not _is(present, desired):
            return None
        if change.before is not None:
            return Applied(changed=True)
        metadata = present["metadata"]
        owner = (metadata.get("annotations") or {}).get(TRANSACTION_TAG)
        ours = owner == (desired.transaction or transaction) and metadata["uid"] != desired.uid
        return Applied(changed=ours, identity={"uid": metadata["uid"]})

    def _update(self, change: Change) -> Applied:
        before, after = expect(ConfigMapState, change.before), expect(ConfigMapState, change.after)
        lost = False
        for _ in range(ROUNDS):
            with telling(Outcome.UNKNOWN if lost else Outcome.REFUSED):
                present = self._read(change)
            if present is None:
                raise conflict(change, "it was deleted")
            if _is(present, after):
                return Applied(changed=lost)
            if not _is(present, before):
                raise conflict(change, "it has neither the old nor the new configuration")
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
        raise conflict(change, f"somebody else keeps changing it ({ROUNDS} attempts)")


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
