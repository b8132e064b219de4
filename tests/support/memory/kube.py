"""A Kubernetes API as values: namespaces, ServiceAccounts with tokens, Leases, and whatever else there is.

It answers requests as the API server does, as far as irsa asks: uids, versions, preconditions, merge patches,
replacing, rehearsals (dryRun), lists of any kind, by labels too, and discovery. What is written
bears the time of that (managedFields), by this cluster's clock.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlsplit

from tests.support.memory.iam import Refusal

Json = dict[str, Any]
KINDS = {
    "configmaps": "ConfigMap",
    "pods": "Pod",
    "serviceaccounts": "ServiceAccount",
}
"""Namespaced kinds of the core group that discovery tells of."""
NAMED = {"namespaces": "Namespace", "leases": "Lease", **KINDS}
GROUPS = {"leases": "coordination.k8s.io/v1"}
Key = tuple[str, str, str]
"""Resource, namespace ('' for a namespace itself), name."""


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    resource: str
    namespace: str
    name: str
    subresource: str
    rehearsed: bool
    body: Json
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of a list: those that an object must have, with these values."""

    @property
    def operation(self) -> str:
        """As faults and the log name it: `create serviceaccounts`, `rehearse serviceaccounts` (dryRun)."""
        verbs = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
        verb = verbs.get(self.method) or ("get" if self.name else "list")
        verb = "rehearse" if self.rehearsed else verb
        what = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{verb} {what}"


class MemoryKube:
    """One cluster."""

    def __init__(self) -> None:
        self.objects: dict[Key, Json] = {}
        self.clock: Callable[[], float] = time.time
        """The cluster's: seconds since 1970."""
        self._version = 0

    @property
    def now(self) -> datetime:
        """What the cluster's clock says, in whole seconds."""
        return datetime.fromtimestamp(int(self.clock()), timezone.utc)

    def put(
        self, resource: str, namespace: str, name: str, body: Json | None = None, **metadata: Any
    ) -> Json:
        """Make an object without any call; a `creationTimestamp` may be given."""
        made = copy.deepcopy(body or {})
        self._version += 1
        made["metadata"] = {
            "creationTimestamp": _text(self.now),
            "managedFields": self._written(),
            **(made.get("metadata") or {}),
            "name": name,
            "uid": f"uid-{self._version}",
            "resourceVersion": str(self._version),
            **({"namespace": namespace} if namespace else {}),
            **metadata,
        }
        made |= {"apiVersion": GROUPS.get(resource, "v1"), "kind": NAMED[resource]}
        self.objects[resource, namespace, name] = made
        return made

    def metadata(self, resource: str, namespace: str, name: str) -> Json:
        """Of an object that is there."""
        found: Json = self.objects[resource, namespace, name]["metadata"]
        return found

    def answer(self, asked: Asked) -> Json:
        """The object, the list or the document that was asked for; raises `Refusal`."""
        if asked.resource.startswith("/"):
            return _discovery(asked.resource)
        if asked.subresource == "token":
            return self._token(asked)
        work = {
            "GET": self._get,
            "POST": self._create,
            "PUT": self._replace,
            "PATCH": self._patch,
            "DELETE": self._delete,
        }
        return copy.deepcopy(work[asked.method](asked))

    def _get(self, asked: Asked) -> Json:
        if asked.name:
            return self._there(asked)
        items = [
            body
            for (resource, namespace, _), body in self.objects.items()
            if resource == asked.resource
            and asked.namespace in ("", namespace)
            and asked.labels.items() <= (body["metadata"].get("labels") or {}).items()
        ]
        return {
            "kind": f"{NAMED.get(asked.resource, '')}List",
            "apiVersion": GROUPS.get(asked.resource, "v1"),
            "metadata": {},
            "items": items,
        }

    def _create(self, asked: Asked) -> Json:
        name = asked.body["metadata"]["name"]
        namespace = asked.namespace
        always_there = asked.resource == "leases" and namespace == "default"
        if namespace and not always_there and ("namespaces", "", namespace) not in self.objects:
            raise Refusal("NotFound", 404)
        if (asked.resource, namespace, name) in self.objects:
            raise Refusal("AlreadyExists", 409)
        made = self.put(asked.resource, namespace, name, asked.body)
        if asked.rehearsed:
            del self.objects[asked.resource, namespace, name]
        return made

    def _replace(self, asked: Asked) -> Json:
        new = copy.deepcopy(asked.body)
        there = self.objects.get((asked.resource, asked.namespace, asked.name))
        old = there["metadata"] if there else {}
        if new["metadata"].get("uid", old.get("uid")) != old.get("uid"):
            raise Refusal("Conflict", 409)
        if there is None:
            return self._create(asked)
        if new["metadata"].get("resourceVersion") != old["resourceVersion"]:
            raise Refusal("Conflict", 409)
        self._version += 1
        new["metadata"] |= {key: old[key] for key in ("name", "namespace", "uid", "creationTimestamp")}
        new["metadata"] |= {"resourceVersion": str(self._version), "managedFields": self._written()}
        there.clear()
        there.update(new)
        return there

    def _written(self) -> list[Json]:
        return [{"manager": "irsa", "operation": "Update", "time": _text(self.now)}]

    def _patch(self, asked: Asked) -> Json:
        there = self._there(asked)
        patch = copy.deepcopy(asked.body)
        version = patch.get("metadata", {}).pop("resourceVersion", there["metadata"]["resourceVersion"])
        if version != there["metadata"]["resourceVersion"]:
            raise Refusal("Conflict", 409)
        self._version += 1
        _merge(there, patch)
        there["metadata"] |= {"resourceVersion": str(self._version), "managedFields": self._written()}
        return there

    def _delete(self, asked: Asked) -> Json:
        there = self._there(asked)["metadata"]
        wanted = asked.body.get("preconditions") or {}
        if any(there[key] != value for key, value in wanted.items()):
            raise Refusal("Conflict", 409)
        if not asked.rehearsed:
            del self.objects[asked.resource, asked.namespace, asked.name]
            if asked.resource == "namespaces":
                for key in [key for key in self.objects if key[1] == asked.name]:
                    del self.objects[key]
        return {"kind": "Status", "apiVersion": "v1", "status": "Success"}

    def _token(self, asked: Asked) -> Json:
        if ("serviceaccounts", asked.namespace, asked.name) not in self.objects:
            raise Refusal("NotFound", 404)
        (audience,) = asked.body["spec"]["audiences"]
        status = {
            "token": f"{asked.namespace}/{asked.name}/{audience}",
            "expirationTimestamp": moment(hours=1),
        }
        metadata = {"name": asked.name, "namespace": asked.namespace}
        return {"kind": "TokenRequest", "metadata": metadata, "spec": asked.body["spec"], "status": status}

    def _there(self, asked: Asked) -> Json:
        key = (asked.resource, asked.namespace, asked.name)
        if key not in self.objects:
            raise Refusal("NotFound", 404)
        return self.objects[key]


def read_request(method: str, url: str, query: Sequence[tuple[str, str]], body: Any) -> Asked:
    """What a request of the Kubernetes client asks for."""
    path = urlsplit(url).path
    plain = _plain(body) or {}
    rehearsed = ("dryRun", "All") in query or bool(plain.get("dryRun"))
    parts = path.strip("/").split("/")
    if path in ("/api", "/apis"):
        return Asked(method, path, "", "", "", rehearsed, {})
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    resource, name, subresource = (*rest, "", "")[:3]
    terms = [term for key, text in query if key == "labelSelector" for term in text.split(",")]
    labels = {key: value for key, _, value in (term.partition("=") for term in terms)}
    return Asked(method, resource, namespace, name, subresource, rehearsed, plain, labels)


def moment(**ago: float) -> str:
    """A time as the API writes it; `hours=1` is an hour from now."""
    return _text(datetime.now(timezone.utc) + timedelta(**ago))


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _plain(body: Any) -> Any:
    return json.loads(body) if isinstance(body, str | bytes) else body


def _merge(there: Json, patch: Mapping[str, Any]) -> None:
    """RFC 7386: null removes a key."""
    for key, value in patch.items():
        if value is None:
            there.pop(key, None)
        elif isinstance(value, dict):
            _merge(there.setdefault(key, {}), value)
        else:
            there[key] = value


def _discovery(root: str) -> Json:
    items: list[Json] = []
    if root == "/api":
        resources = [
            {
                "resource": resource,
                "responseKind": {"kind": kind},
                "scope": "Namespaced",
                "verbs": ["list", "get"],
            }
            for resource, kind in KINDS.items()
        ]
        items = [{"metadata": {"name": ""}, "versions": [{"version": "v1", "resources": resources}]}]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": items}
