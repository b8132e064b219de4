"""Objects in memory: create, read, update, delete, with uids and resourceVersions.

The order of checks on each write is here. The contents of objects are checked in `kinds`; permissions and the
form of requests elsewhere.
"""

import copy
import secrets
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from irsa_cli.sandbox.kube import status
from irsa_cli.sandbox.kube.kinds import CONFIG_MAPS, KINDS, NAMESPACES, PODS, SERVICE_ACCOUNTS, Kind
from irsa_cli.sandbox.kube.schema import JsonObject, annotation_errors, label_errors, name_errors, noted

IMMORTAL = ("default", "kube-public", "kube-system")
_OF_SERVER = ("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion")
_BEING_DELETED = "it is being terminated"
_SECONDS = 30
"""Default of `terminationGracePeriodSeconds`."""
_RANDOM = "bcdfghjklmnpqrstvwxz2456789"
"""The characters of the ends of generated names: no vowels, so that no words appear."""


@dataclass(frozen=True)
class Preconditions:
    """Conditions for the deletion of an object, and how many seconds it may take; None: any."""

    uid: str | None = None
    resource_version: str | None = None
    grace: int | None = None


@dataclass(frozen=True)
class Writing:
    """The writer of an object, for managedFields, and whether it is only a dry run."""

    manager: str = "sandbox"
    dry_run: bool = False


_BY_SANDBOX = Writing()


def timestamp(moment: datetime | None = None) -> str:
    """`moment` (now) in the API's format: RFC 3339, UTC, whole seconds."""
    return (moment or datetime.now(timezone.utc)).strftime("%Y-%m-%dT%H:%M:%SZ")


def random_end() -> str:
    """Five characters that distinguish a generated name."""
    return "".join(secrets.choice(_RANDOM) for _ in range(5))


def _note(kind: Kind, old: JsonObject | None, new: JsonObject, manager: str) -> None:
    """Set who has written what of `new`."""
    new["metadata"].pop("managedFields", None)
    entries = noted(old, new, manager, timestamp()) if kind.noted else []
    if entries:
        new["metadata"]["managedFields"] = entries


def _errors(kind: Kind, obj: JsonObject) -> list[status.FieldError]:
    metadata = obj["metadata"]
    name = obj["metadata"].get("name", "")
    return [
        *name_errors(name, label=kind is NAMESPACES, free=kind.freely_named),
        *label_errors(metadata.get("labels", {})),
        *annotation_errors(metadata.get("annotations", {})),
        *kind.problems(obj),
    ]


@dataclass
class Store:
    """All objects of one cluster. Methods are atomic; what goes in and comes out is copied.

    `controllers`: play the controllers that a managed cluster runs: a new namespace has a `default`
    ServiceAccount and the ConfigMap kube-root-ca.crt, and a deleted namespace is gone, with its contents, as
    soon as the answer is sent, and so is a pod. Without them, as on a bare API server, both stay and
    nothing appears by itself.
    """

    controllers: bool = True
    _objects: dict[Kind, dict[tuple[str, str], JsonObject]] = field(default_factory=dict)
    _version: int = 1
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Only the namespaces that a new cluster has."""
        with self._lock:
            self._objects = {kind: {} for kind in KINDS.values()}
            for name in ("default", "kube-node-lease", "kube-public", "kube-system"):
                self.create(NAMESPACES, "", {"metadata": {"name": name}})

    def list(self, kind: Kind, namespace: str = "") -> tuple[str, list[JsonObject]]:
        """The current resourceVersion, and the objects of one or (empty) all namespaces, by their keys."""
        with self._lock:
            entries = sorted(self._objects[kind].items(), key=lambda entry: "/".join(entry[0]))
            copies = [copy.deepcopy(obj) for (where, _), obj in entries if namespace in ("", where)]
            return str(self._version), copies

    def get(self, kind: Kind, namespace: str, name: str) -> JsonObject:
        with self._lock:
            obj = self._objects[kind].get((namespace, name))
            if obj is None:
                raise status.not_found(kind.resource, name, group=kind.group)
            return copy.deepcopy(obj)

    def create(self, kind: Kind, namespace: str, obj: JsonObject, by: Writing = _BY_SANDBOX) -> JsonObject:
        """Store `obj` under a new uid; 404 for a missing namespace, 403 for one that ends, 409, 422."""
        with self._lock:
            if kind.namespaced:
                self.require_namespace(namespace, kind.resource, obj["metadata"].get("name", ""), kind.group)
            new = self._new_object(kind, namespace, obj)
            _note(kind, None, new, by.manager)
            name = new["metadata"].get("name", "")
            errors = _errors(kind, new)
            if errors:
                raise status.invalid(kind.kind, name, errors, group=kind.group)
            if "resourceVersion" in obj["metadata"]:
                # As a real server has it: with code 500, and no reason.
                message = "resourceVersion should not be set on objects to be created"
                raise status.ApiError(500, "", message)
            taken = self._objects[kind].get((namespace, name))
            if taken is not None:
                ending = "deletionTimestamp" in taken["metadata"]
                raise status.already_exists(kind.resource, name, group=kind.group, ending=ending)
            if by.dry_run:
                return new
            self._write(kind, namespace, new)
            if kind is NAMESPACES and self.controllers:
                self.create(SERVICE_ACCOUNTS, name, {"metadata": {"name": "default"}})
                self.create(CONFIG_MAPS, name, {"metadata": {"name": "kube-root-ca.crt"}})
            return copy.deepcopy(new)

    def replace(
        self,
        kind: Kind,
        namespace: str,
        obj: JsonObject,
        check_create: Callable[[], None],
        by: Writing,
    ) -> tuple[JsonObject, bool]:
        """Create or replace `obj`; returns whether it was created.

        Who names a uid means that object: 409 for another one, and when there is none. Else what is not there
        is created, whatever version was named, after `check_create`; 404 if a PUT does not create this kind.
        409 for a stale resourceVersion, 422.
        """
        with self._lock:
            metadata = obj["metadata"]
            name = metadata["name"]
            uid = metadata.get("uid", "")
            present = self._objects[kind].get((namespace, name))
            former = present["metadata"]["uid"] if present else ""
            if present is None and not kind.made_by_put:
                raise status.not_found(kind.resource, name, group=kind.group)
            if uid and uid != former:
                why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {former}"
                raise status.conflict(kind.resource, name, why, group=kind.group)
            if present is None:
                check_create()
                new = {**obj, "metadata": {k: v for k, v in metadata.items() if k != "resourceVersion"}}
                return self.create(kind, namespace, new, by), True
            has_version = metadata.get("resourceVersion", "") not in ("", "0")
            if kind.versioned and not has_version:
                why = "must be specified for an update"
                error = status.invalid_value("metadata.resourceVersion", 0, why)
                raise status.invalid(kind.resource, name, [error], group=kind.group)
            new = {**obj, "kind": kind.kind, "apiVersion": kind.api_version}
            new["metadata"] = {**metadata, **({"namespace": namespace} if namespace else {})}
            if not has_version:
                new["metadata"].pop("resourceVersion", None)
            return self.update(kind, namespace, name, lambda _: new, by), False

    def update(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        change: Callable[[JsonObject], JsonObject],
        by: Writing,
        only: str = "",
    ) -> JsonObject:
        """Replace an object by `change` of it; 404, 409 for a stale resourceVersion, 422.

        With `only`, such as `status`, that field and nothing else. A change that changes nothing keeps the
        resourceVersion.
        """
        with self._lock:
            old = self.get(kind, namespace, name)
            new = change(copy.deepcopy(old))
            self._check_version(kind, old, new)
            if only:
                new = {**old, only: new.get(only, {})}
            else:
                # Only the server writes these fields: `old` has them.
                metadata: JsonObject = {"uid": old["metadata"]["uid"], **new["metadata"]}
                for key in _OF_SERVER:
                    metadata.pop(key, None)
                metadata |= {key: old["metadata"][key] for key in _OF_SERVER if key in old["metadata"]}
                new = {**new, **{key: old[key] for key in kind.kept if key in old}, "metadata": metadata}
                kind.fill_in(new)
                _note(kind, old, new, by.manager)
            errors = [
                status.invalid_value(f"metadata.{key}", new["metadata"].get(key, ""), "field is immutable")
                for key in ("name", "uid")
                if new["metadata"].get(key) != old["metadata"].get(key)
            ]
            errors += [
                status.FieldError(key, reason, "field is immutable")
                for key, reason in kind.frozen.items()
                if new.get(key) != old.get(key)
            ]
            errors += _errors(kind, new)
            if errors:
                raise status.invalid(kind.kind, new["metadata"].get("name", ""), errors, group=kind.group)
            if new != old and not by.dry_run:
                self._write(kind, namespace, new)
            return copy.deepcopy(new)

    def delete(
        self, kind: Kind, namespace: str, name: str, preconditions: Preconditions, *, dry_run: bool = False
    ) -> JsonObject:
        """Delete an object and return its last state; 403 for the system's namespaces, 404, 409."""
        with self._lock:
            if kind is NAMESPACES and name in IMMORTAL:
                raise status.forbidden(kind.resource, name, "this namespace may not be deleted")
            obj = self.get(kind, namespace, name)
            _check_preconditions(kind, obj, preconditions)
            if kind is NAMESPACES:
                return self._end_namespace(obj, dry_run=dry_run)
            if kind is PODS and self._lingers(obj, preconditions, dry_run=dry_run):
                return obj
            if not dry_run:
                del self._objects[kind][namespace, name]
                self._version += 1
                # The answer is the object as of its deletion.
                obj["metadata"]["resourceVersion"] = str(self._version)
            return obj

    def _lingers(self, pod: JsonObject, preconditions: Preconditions, *, dry_run: bool) -> bool:
        """Mark a pod as ending; whether it stays, since its node's kubelet is to end it."""
        seconds = (
            pod["spec"].get("terminationGracePeriodSeconds", _SECONDS)
            if preconditions.grace is None
            else preconditions.grace
        )
        # None where no node runs it.
        seconds = seconds if pod["spec"].get("nodeName") else 0
        end = datetime.now(timezone.utc) + timedelta(seconds=seconds)
        pod["metadata"].setdefault("deletionTimestamp", timestamp(end))
        pod["metadata"]["deletionGracePeriodSeconds"] = seconds
        stays = bool(seconds) and not self.controllers
        if stays and not dry_run:
            self._write(PODS, pod["metadata"]["namespace"], pod)
        return stays

    def require_namespace(self, namespace: str, resource: str, name: str, group: str = "") -> None:
        """Admission to a namespace: it exists (404) and does not end (403)."""
        with self._lock:
            former = self.get(NAMESPACES, "", namespace)
            if former["status"]["phase"] != "Active":
                why = f"unable to create new content in namespace {namespace} because {_BEING_DELETED}"
                message = f"namespace {namespace} is being terminated"
                cause = {"reason": "NamespaceTerminating", "message": message, "field": "metadata.namespace"}
                raise status.forbidden(resource, name, why, group=group, causes=[cause])

    def _new_object(self, kind: Kind, namespace: str, obj: JsonObject) -> JsonObject:
        new = copy.deepcopy(obj)
        new |= {"kind": kind.kind, "apiVersion": kind.api_version}
        metadata = new["metadata"]
        metadata.pop("deletionTimestamp", None)
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": timestamp()}
        if metadata.get("generateName") and not metadata.get("name"):
            metadata["name"] = metadata["generateName"][:58] + random_end()
        if kind.namespaced:
            metadata["namespace"] = namespace
        if kind is NAMESPACES:
            name = metadata.get("name", "")
            metadata["labels"] = {**metadata.get("labels", {}), "kubernetes.io/metadata.name": name}
            new |= {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
        kind.fill_in(new)
        return new

    def _write(self, kind: Kind, namespace: str, obj: JsonObject) -> None:
        self._version += 1
        obj["metadata"]["resourceVersion"] = str(self._version)
        self._objects[kind][namespace, obj["metadata"]["name"]] = copy.deepcopy(obj)

    def _check_version(self, kind: Kind, old: JsonObject, new: JsonObject) -> None:
        current = old["metadata"]["resourceVersion"]
        # Without a version (a patch may remove it) the update is unconditional.
        version = new["metadata"].get("resourceVersion", current)
        if not version.isdecimal():
            raise status.ApiError(500, "", f'strconv.ParseUint: parsing "{version}": invalid syntax')
        if version != current:
            name = old["metadata"]["name"]
            raise status.conflict(kind.resource, name, status.OPTIMISTIC_LOCK, group=kind.group)

    def _end_namespace(self, obj: JsonObject, *, dry_run: bool) -> JsonObject:
        name = obj["metadata"]["name"]
        if "deletionTimestamp" not in obj["metadata"]:
            obj["metadata"]["deletionTimestamp"] = timestamp()
            obj["status"] = {"phase": "Terminating"}
            if not dry_run:
                self._write(NAMESPACES, "", obj)
        if self.controllers and not dry_run:
            for objects in self._objects.values():
                for key in [key for key in objects if key[0] == name]:
                    del objects[key]
            del self._objects[NAMESPACES]["", name]
            self._version += 1
        return obj


def _check_preconditions(kind: Kind, obj: JsonObject, preconditions: Preconditions) -> None:
    """409 unless `obj` is what the caller believes it to be."""
    metadata: dict[str, Any] = obj["metadata"]
    for label, expected, actual in (
        ("UID", preconditions.uid, metadata["uid"]),
        ("ResourceVersion", preconditions.resource_version, metadata["resourceVersion"]),
    ):
        if expected is None or expected == actual:
            continue
        # A real server checks namespaces in a place of their own, with words of their own.
        if kind is NAMESPACES:
            why = (
                f"Precondition failed: {label} in precondition: {expected}, {label} in object meta: {actual}"
            )
            raise status.conflict(kind.resource, metadata["name"], why)
        how = "deleted and then recreated" if label == "UID" else "modified"
        why = (
            f"the {label} in the precondition ({expected}) does not match the {label} in record ({actual}). "
            f"The object might have been {how}"
        )
        raise status.conflict(kind.kind, metadata["name"], why, group=kind.group)
