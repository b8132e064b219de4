"""Namespaces and ServiceAccounts in memory: create, read, update, delete, with uids and resourceVersions.

What an object may contain and the order of checks on each write live here. Who may do it, and how a request
looks on the wire, does not.
"""

import copy
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from irsa_cli.sandbox.kube import names, schema, status
from irsa_cli.sandbox.kube.schema import JsonObject

IMMORTAL = ("default", "kube-public", "kube-system")
_BEING_DELETED = "it is being terminated"


@dataclass(frozen=True)
class Kind:
    """A kind of object: its name in bodies, its name in paths, its fields, and what it lives in."""

    kind: str
    resource: str
    schema: schema.Schema
    namespaced: bool


NAMESPACES = Kind("Namespace", "namespaces", schema.NAMESPACE, namespaced=False)
SERVICE_ACCOUNTS = Kind("ServiceAccount", "serviceaccounts", schema.SERVICE_ACCOUNT, namespaced=True)
KINDS = {kind.resource: kind for kind in (NAMESPACES, SERVICE_ACCOUNTS)}


@dataclass(frozen=True)
class Preconditions:
    """What must be true of an object for it to be deleted; None: don't care."""

    uid: str | None = None
    resource_version: str | None = None


def timestamp(moment: datetime | None = None) -> str:
    """`moment` (now) in the API's format: RFC 3339, UTC, whole seconds."""
    return (moment or datetime.now(timezone.utc)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _meta_errors(kind: Kind, obj: JsonObject) -> list[status.FieldError]:
    metadata = obj["metadata"]
    return [
        *names.name_errors(metadata.get("name", ""), namespaced=kind.namespaced),
        *names.label_errors(metadata.get("labels", {}), "metadata.labels"),
        *names.annotation_errors(metadata.get("annotations", {}), "metadata.annotations"),
    ]


def _immutable_errors(old: JsonObject, new: JsonObject) -> list[status.FieldError]:
    return [
        status.invalid_value(f"metadata.{key}", new["metadata"].get(key, ""), "field is immutable")
        for key in ("name", "uid")
        if new["metadata"].get(key) != old["metadata"].get(key)
    ]


@dataclass
class Store:
    """All objects of one cluster. Methods are atomic; what goes in and comes out is copied.

    `controllers`: play the controllers that a managed cluster runs: a new namespace has a `default`
    ServiceAccount, and a deleted namespace is gone, with its contents, as soon as the answer is sent.
    Without them, as on a bare API server, it stays Terminating and no ServiceAccount appears by itself.
    """

    controllers: bool = True
    _objects: dict[str, dict[tuple[str, str], JsonObject]] = field(default_factory=dict)
    _version: int = 1
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Only the namespaces that a new cluster has."""
        with self._lock:
            self._objects = {resource: {} for resource in KINDS}
            for name in ("default", "kube-node-lease", "kube-public", "kube-system"):
                self.create(NAMESPACES, "", {"metadata": {"name": name}})

    def list(self, kind: Kind, namespace: str = "") -> tuple[str, list[JsonObject]]:
        """Return the current resourceVersion and the objects, sorted, of one namespace or (empty) of all."""
        with self._lock:
            found = sorted(self._objects[kind.resource].items())
            items = [copy.deepcopy(obj) for (where, _), obj in found if namespace in ("", where)]
            return str(self._version), items

    def get(self, kind: Kind, namespace: str, name: str) -> JsonObject:
        """One object; 404."""
        with self._lock:
            found = self._objects[kind.resource].get((namespace, name))
            if found is None:
                raise status.not_found(kind.resource, name)
            return copy.deepcopy(found)

    def create(self, kind: Kind, namespace: str, obj: JsonObject, *, dry_run: bool = False) -> JsonObject:
        """Store `obj` under a new uid; 404 for a missing namespace, 403 for one that ends, 409, 422."""
        with self._lock:
            name = obj["metadata"].get("name", "")
            if kind.namespaced:
                self.require_namespace(namespace, kind.resource, name)
            new = self._new_object(kind, namespace, obj)
            errors = _meta_errors(kind, new)
            if errors:
                raise status.invalid(kind.kind, name, errors)
            if "resourceVersion" in obj["metadata"]:
                raise status.version_on_create()
            taken = self._objects[kind.resource].get((namespace, name))
            if taken is not None:
                ending = "deletionTimestamp" in taken["metadata"]
                raise status.already_exists(kind.resource, name, ending=ending)
            if dry_run:
                return new
            self._write(kind, namespace, new)
            if kind is NAMESPACES and self.controllers:
                self.create(SERVICE_ACCOUNTS, name, {"metadata": {"name": "default"}})
            return copy.deepcopy(new)

    def update(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        change: Callable[[JsonObject], JsonObject],
        *,
        dry_run: bool = False,
    ) -> JsonObject:
        """Replace an object by `change` of it; 404, 409 for a stale resourceVersion, 422.

        A change that changes nothing keeps the resourceVersion.
        """
        with self._lock:
            old = self.get(kind, namespace, name)
            new = change(copy.deepcopy(old))
            self._check_version(kind, old, new)
            new = _with_server_fields(old, new)
            errors = [*_immutable_errors(old, new), *_meta_errors(kind, new)]
            if errors:
                raise status.invalid(kind.kind, new["metadata"].get("name", ""), errors)
            if new != old and not dry_run:
                self._write(kind, namespace, new)
            return copy.deepcopy(new)

    def delete(
        self, kind: Kind, namespace: str, name: str, wanted: Preconditions, *, dry_run: bool = False
    ) -> JsonObject:
        """Delete an object and return its last state; 403 for the system's namespaces, 404, 409."""
        with self._lock:
            if kind is NAMESPACES and name in IMMORTAL:
                raise status.forbidden(kind.resource, name, "this namespace may not be deleted")
            obj = self.get(kind, namespace, name)
            _check_preconditions(kind, obj, wanted)
            if kind is NAMESPACES:
                return self._end_namespace(obj, dry_run=dry_run)
            if not dry_run:
                del self._objects[kind.resource][namespace, name]
                self._version += 1
                # What is returned is the object as of its deletion.
                obj["metadata"]["resourceVersion"] = str(self._version)
            return obj

    def require_namespace(self, namespace: str, resource: str, name: str) -> None:
        """Admission to a namespace: it exists (404) and does not end (403)."""
        with self._lock:
            found = self.get(NAMESPACES, "", namespace)
            if found["status"]["phase"] != "Active":
                why = f"unable to create new content in namespace {namespace} because {_BEING_DELETED}"
                message = f"namespace {namespace} is being terminated"
                cause = {
                    "reason": "NamespaceTerminating",
                    "message": message,
                    "field": "metadata.namespace",
                }
                raise status.forbidden(resource, name, why, causes=[cause])

    def _new_object(self, kind: Kind, namespace: str, obj: JsonObject) -> JsonObject:
        new = copy.deepcopy(obj)
        new |= {"kind": kind.kind, "apiVersion": "v1"}
        metadata = new["metadata"]
        metadata.pop("deletionTimestamp", None)
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": timestamp()}
        if kind.namespaced:
            metadata["namespace"] = namespace
        else:
            name = metadata.get("name", "")
            metadata["labels"] = {**metadata.get("labels", {}), "kubernetes.io/metadata.name": name}
            new |= {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
        return new

    def _write(self, kind: Kind, namespace: str, obj: JsonObject) -> None:
        self._version += 1
        obj["metadata"]["resourceVersion"] = str(self._version)
        self._objects[kind.resource][namespace, obj["metadata"]["name"]] = copy.deepcopy(obj)

    def _check_version(self, kind: Kind, old: JsonObject, new: JsonObject) -> None:
        current = old["metadata"]["resourceVersion"]
        # Without a version (a patch may remove it) the update is unconditional.
        version = new["metadata"].get("resourceVersion", current)
        if not version.isdecimal():
            raise status.unreadable_version(version)
        if version != current:
            raise status.conflict(kind.resource, old["metadata"]["name"], status.OPTIMISTIC_LOCK)

    def _end_namespace(self, obj: JsonObject, *, dry_run: bool) -> JsonObject:
        name = obj["metadata"]["name"]
        if "deletionTimestamp" not in obj["metadata"]:
            obj["metadata"]["deletionTimestamp"] = timestamp()
            obj["status"] = {"phase": "Terminating"}
            if not dry_run:
                self._write(NAMESPACES, "", obj)
        if self.controllers and not dry_run:
            self._forget_namespace(name)
        return obj

    def _forget_namespace(self, name: str) -> None:
        accounts = self._objects[SERVICE_ACCOUNTS.resource]
        for key in [key for key in accounts if key[0] == name]:
            del accounts[key]
        del self._objects[NAMESPACES.resource]["", name]
        self._version += 1


def _with_server_fields(old: JsonObject, new: JsonObject) -> JsonObject:
    """Return `new` with what only the server writes taken from `old`, whatever was sent."""
    metadata: JsonObject = {"uid": old["metadata"]["uid"], **new["metadata"]}
    for key in ("creationTimestamp", "deletionTimestamp", "resourceVersion"):
        metadata.pop(key, None)
        if key in old["metadata"]:
            metadata[key] = old["metadata"][key]
    kept: JsonObject = {key: old[key] for key in ("spec", "status") if key in old}
    return {**new, **kept, "metadata": metadata}


def _check_preconditions(kind: Kind, obj: JsonObject, wanted: Preconditions) -> None:
    """409 unless `obj` is what the caller believes it to be."""
    metadata: dict[str, Any] = obj["metadata"]
    for label, expected, found in (
        ("UID", wanted.uid, metadata["uid"]),
        ("ResourceVersion", wanted.resource_version, metadata["resourceVersion"]),
    ):
        if expected is None or expected == found:
            continue
        # A real server checks namespaces in a place of their own, with words of their own.
        if kind is NAMESPACES:
            why = f"Precondition failed: {label} in precondition: {expected}, {label} in object meta: {found}"
            raise status.conflict(kind.resource, metadata["name"], why)
        what = "deleted and then recreated" if label == "UID" else "modified"
        why = (
            f"the {label} in the precondition ({expected}) does not match the {label} in record ({found}). "
            f"The object might have been {what}"
        )
        raise status.conflict(kind.kind, metadata["name"], why)
