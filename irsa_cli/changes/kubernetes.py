"""Kubernetes objects: created by name, deleted by uid and resourceVersion, only as read.

Namespaces are deleted only by the run that created them and only when empty. irsa's ConfigMaps are also
changed only as read. ServiceAccounts are annotated with everything else untouched. Kubernetes enforces the
compare-and-set: resourceVersion in a merge patch, uid and resourceVersion as preconditions of a delete.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from irsa_cli.changes.common import Settled, check_object_claim, conflict, expect, found_if, telling
from irsa_cli.core.plan.changes import Change
from irsa_cli.core.plan.states import (
    MANAGED_BY_LABEL,
    ROLE_ARN_ANNOTATION,
    SERVICE_ACCOUNT_TAG,
    TRANSACTION_TAG,
    ConfigMapState,
    NamespaceState,
    ServiceAccountState,
)
from irsa_cli.core.values.errors import Conflict, Gone, MadeAgain, Outcome, ServiceError
from irsa_cli.kube.client import Json, Kube
from irsa_cli.kube.errors import CONFLICT, EXISTS, NOT_FOUND
from irsa_cli.transaction.protocol import Applied, Claim, Run

ROUNDS = 5
"""How often a change is tried while somebody else keeps writing the object."""


class ObjectHandler(Settled):
    """Creates and deletes an object; the target is its name, after its namespace if it has one."""

    resource: ClassVar[str]

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._patched: dict[tuple[str, ...], Json] = {}
        """The objects that this run has patched, as the server returned them: it deletes no newer version."""

    def _read(self, change: Change) -> Json | None:
        return self._kube.one(self.resource, *_place(change))

    def _gone(self, change: Change, uid: str = "") -> Applied | None:
        """The deletion, if it is going or gone, or one with another uid than this is there."""
        present = self._read(change)
        metadata = {} if present is None else present["metadata"]
        is_going = present is None or "deletionTimestamp" in metadata
        is_another = bool(uid) and metadata.get("uid") != uid
        return found_if(is_going or is_another)

    def _create(self, change: Change, body: Json, transaction: str, taken: Conflict | None) -> Applied:
        """Create it; if one of that name exists, it must be this run's or as good. Raises `taken`."""
        try:
            created = self._kube.create(self.resource, _place(change)[0], body)
        except ServiceError as error:
            if error.code != EXISTS:
                raise
            with telling(error.outcome):
                applied = self._found(change, transaction)
            if applied is None:
                raise (taken or error) from error
            return applied
        return Applied(changed=True, identity={"uid": created["metadata"]["uid"]})

    def _delete(self, change: Change, claim: Claim | None, check: Callable[[Json], None]) -> Applied:
        """Delete it as it was read. `check` raises if what is there must not be deleted."""
        lost = False
        present = self._as_patched(change, check) if claim is None else None
        for _ in range(ROUNDS):
            if present is None:
                with telling(Outcome.UNKNOWN if lost else Outcome.REFUSED):
                    present = self._read(change)
            if present is None or present["metadata"].get("deletionTimestamp"):
                return Applied(changed=lost)
            metadata = present["metadata"]
            if claim is not None:
                check_object_claim(change, metadata, claim)
            check(present)
            try:
                uid = metadata["uid"]
                version = metadata["resourceVersion"]
                self._kube.delete(self.resource, *_place(change), uid=uid, resource_version=version)
            except ServiceError as error:
                if error.code == NOT_FOUND:
                    # It was this run's doing if an answer before was lost.
                    return Applied(changed=lost or error.outcome is Outcome.UNKNOWN)
                if error.code == CONFLICT:
                    lost = lost or error.outcome is Outcome.UNKNOWN
                    present = None
                    continue
                raise
            return Applied(changed=True)
        raise conflict(change, f"somebody else keeps changing it ({ROUNDS} attempts)")

    def _as_patched(self, change: Change, check: Callable[[Json], None]) -> Json | None:
        """The object as this run has patched it; None if it was not, or has to be read all the same."""
        patched = self._patched.pop(change.target, None)
        if patched is None:
            return None
        try:
            check(patched)
        except Conflict:
            return None
        return patched


def _place(change: Change) -> tuple[str, str]:
    """The namespace ('' for a namespace itself) and the name."""
    if len(change.target) == 1:
        return "", change.target[0]
    namespace, name = change.target
    return namespace, name


class NamespaceHandler(ObjectHandler):
    """Creates and deletes a namespace; the target is `(name,)`."""

    resource = "namespaces"

    def _write(self, change: Change, run: Run, claim: Claim | None) -> Applied:
        name = change.target[0]
        if change.after is None:
            # Another run that counts on the namespace has put its mark on it, which is a new version.
            return self._delete(change, claim, lambda present: self._check_empty(change, name))
        body = namespace_body(name, expect(NamespaceState, change.after), run.transaction)
        return self._create(change, body, run.transaction, None)

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


class ConfigMapHandler(ObjectHandler):
    """Creates, changes and deletes a ConfigMap; the target is `(namespace, name)`."""

    resource = "configmaps"

    def _write(self, change: Change, run: Run, claim: Claim | None) -> Applied:
        if change.after is None:
            return self._delete(change, claim, lambda present: self._check(change, present))
        if change.before is not None:
            return self._update(change)
        namespace, name = change.target
        state = expect(ConfigMapState, change.after)
        body = config_map_body(namespace, name, state, state.transaction or run.transaction)
        taken = conflict(change, "a ConfigMap of that name was created")
        return self._create(change, body, run.transaction, taken)

    def _check(self, change: Change, present: Json) -> None:
        if not _is(present, expect(ConfigMapState, change.before)):
            raise conflict(change, "its content differs from what was there")

    def _found(self, change: Change, transaction: str) -> Applied | None:
        """The ConfigMap that is there, if it is the desired one; ours when it bears this run's mark.

        One whose deletion is rolled back bears its maker's. It is ours as well, unless it never went.
        """
        if change.after is None:
            return self._gone(change)
        present = self._read(change)
        desired = expect(ConfigMapState, change.after)
        if present is None or not _is(present, desired):
            return None
        if change.before is not None:
            return Applied(changed=True)
        metadata = present["metadata"]
        owner = (metadata.get("annotations") or {}).get(TRANSACTION_TAG)
        ours = owner == (desired.transaction or transaction) and metadata["uid"] != desired.uid
        return Applied(changed=ours, identity={"uid": metadata["uid"]})

    def _update(self, change: Change) -> Applied:
        before = expect(ConfigMapState, change.before)
        after = expect(ConfigMapState, change.after)
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
                self._kube.patch(self.resource, *_place(change), patch)
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
            return self._delete(
                change, claim, lambda present: self._check(change, present["metadata"], claim)
            )
        if change.before is not None:
            return self._patch(change, run, claim)
        namespace, name = change.target
        desired = expect(ServiceAccountState, change.after)
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
            before = change.before
            return self._gone(change, before.uid if isinstance(before, ServiceAccountState) else "")
        present = self._read(change)
        if present is None:
            return None
        metadata = present["metadata"]
        desired = expect(ServiceAccountState, change.after)
        if change.before is not None:
            is_same = desired.uid in ("", metadata["uid"])
            return found_if(is_same and _holds(metadata, desired))
        mark = _mark(desired.manifest.get("metadata", {})) or transaction
        ours = _mark(metadata) == mark and metadata["uid"] != desired.uid
        if not ours and not _holds(metadata, desired):
            return None
        return Applied(changed=ours, identity={"uid": metadata["uid"]})

    def _check(self, change: Change, metadata: Json, claim: Claim | None) -> None:
        before = expect(ServiceAccountState, change.before)
        if claim is None and before.uid and metadata["uid"] != before.uid:
            raise conflict(change, f"it was deleted and created again (uid {metadata['uid']})")
        if not _holds(metadata, before):
            raise conflict(change, "its annotations or labels differ from what was there")

    def _patch(self, change: Change, run: Run, claim: Claim | None) -> Applied:
        before = expect(ServiceAccountState, change.before)
        after = expect(ServiceAccountState, change.after)
        uid = before.uid or after.uid
        version = before.resource_version
        lost = False
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
                # `null` removes a key; with the resourceVersion the server refuses a stale patch (409).
                marks = {"annotations": dict(after.annotations), "labels": dict(after.labels)}
                patch = {"metadata": {"resourceVersion": version, **marks}}
                self._patched[change.target] = self._kube.patch(self.resource, *_place(change), patch)
                return Applied(changed=True, identity={"uid": uid} if uid else {})
            except ServiceError as error:
                again = error.outcome is Outcome.UNKNOWN and not lost
                lost = lost or again
                version = ""
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


def _holds(metadata: Mapping[str, Mapping[str, str]], state: ServiceAccountState) -> bool:
    """Whether the object has exactly these values under the keys that irsa manages."""
    return _has_values(metadata.get("annotations"), state.annotations) and _has_values(
        metadata.get("labels"), state.labels
    )


def _has_values(present: Mapping[str, str] | None, values: Mapping[str, str | None]) -> bool:
    """Whether each key has this value; None is for a key that is not there."""
    return all((present or {}).get(key) == value for key, value in values.items())
