"""The contents of a namespace that somebody added, of any kind, and the kinds that can't be read.

Which kinds a cluster has is asked by API discovery: the aggregated documents, two calls (Kubernetes 1.27).
https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from irsa_cli.core.values.errors import ServiceError
from irsa_cli.kube.calls import Json

_AS = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"
AGGREGATED = ",".join([_AS.format("v2"), _AS.format("v2beta1")])
_VIEWS = "metrics.k8s.io"
"""Groups that end so measure what is elsewhere."""
_RECORDS = (("", "events"), ("events.k8s.io", "events"))
"""Kinds that Kubernetes writes about others, and removes by itself."""
METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
PARALLEL = 8
SHOWN = 5
"""Objects of one kind that are named; that there are any is what counts."""
OWN = ("serviceaccount/default", "configmap/kube-root-ca.crt")
"""The objects that Kubernetes itself adds to every namespace."""


@dataclass(frozen=True)
class Contents:
    """The contents of a namespace: `items` named as by kubectl; `unreadable` kinds may hide more."""

    items: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def hindrances(self) -> tuple[str, ...]:
        """All that keeps a namespace from being deleted; empty when nobody can have put anything into it."""
        return (*self.items, *(f"perhaps {kind}" for kind in self.unreadable))


@dataclass(frozen=True)
class _Found:
    name: str
    uid: str
    owners: frozenset[str]


def read_contents(get: Get, namespace: str) -> Contents:
    """The contents of a namespace, without what Kubernetes itself puts there, events, and what others own.

    Objects that belong to others that are named (the pods of a ReplicaSet) are left out, and an object that
    is seen in two API groups is named once. Raises ServiceError when the API server itself fails.
    """
    kinds, unknown = namespaced_kinds(get)
    unreadable = [f"{version} (its API server does not answer)" for version in unknown]
    with ThreadPoolExecutor(PARALLEL) as pool:
        lists = list(pool.map(lambda kind: _list(get, kind, namespace), kinds))
    first: dict[str, _Found] = {}
    for listed in lists:
        if isinstance(listed, str):
            unreadable.append(listed)
            continue
        for item in listed:
            if item.name not in OWN:
                first.setdefault(item.uid or item.name, item)
    names = (item.name for item in first.values() if not item.owners & first.keys())
    return Contents(tuple(names), tuple(unreadable))


def _list(get: Get, kind: Listable, namespace: str) -> list[_Found] | str:
    """Some objects of a kind, or why nobody can tell."""
    try:
        answer = get(f"list {kind.name}", kind.path(namespace), accept=METADATA, limit=str(SHOWN))
    except ServiceError as error:
        if error.status == 404:
            return []  # The kind is gone since discovery named it, and its objects with it.
        # The API server itself serves these kinds: a retry may succeed.
        is_built_in = "." not in kind.group or kind.group.endswith(".k8s.io")
        if error.status in (403, 405, 406) or (error.status >= 500 and not is_built_in):
            return f"{kind.name} ({error.code})"
        raise
    found = []
    for metadata in (item["metadata"] for item in answer.get("items") or []):
        owners = frozenset(owner.get("uid", "") for owner in metadata.get("ownerReferences") or [])
        found.append(_Found(f"{kind.singular}/{metadata['name']}", metadata.get("uid", ""), owners))
    if (answer.get("metadata") or {}).get("continue"):
        found.append(_Found(f"more {kind.name}", "", frozenset()))
    return found


class Get(Protocol):
    """`Calls.get`."""

    def __call__(self, operation: str, path: str, *, accept: str = ..., **query: str) -> Json: ...


@dataclass(frozen=True)
class Listable:
    """A namespaced kind that can be listed, in one of its group's versions."""

    group: str
    version: str
    resource: str
    kind: str

    @property
    def name(self) -> str:
        """As kubectl's users write it: `roles.rbac.authorization.k8s.io`."""
        return f"{self.resource}.{self.group}" if self.group else self.resource

    @property
    def singular(self) -> str:
        """As kubectl names one: `role.rbac.authorization.k8s.io`."""
        return f"{self.kind.lower()}.{self.group}" if self.group else self.kind.lower()

    def path(self, namespace: str) -> str:
        base = f"/apis/{self.group}" if self.group else "/api"
        return f"{base}/{self.version}/namespaces/{namespace}/{self.resource}"


def namespaced_kinds(get: Get) -> tuple[list[Listable], list[str]]:
    """All kinds that can be listed in a namespace, and the group versions that nobody can list now.

    Each kind in its preferred version. Raises ServiceError, also for a server without aggregated discovery.
    """
    unknown: list[str] = []
    found: dict[tuple[str, str], Listable] = {}
    for root in ("/api", "/apis"):
        for kind in _kinds(get(f"get {root}", root, accept=AGGREGATED), unknown):
            if (kind.group, kind.resource) not in _RECORDS:
                found.setdefault((kind.group, kind.resource), kind)
    return [*found.values()], unknown


def _kinds(document: Json, unknown: list[str]) -> Iterator[Listable]:
    for group in document.get("items") or []:
        name = (group.get("metadata") or {}).get("name", "")
        is_view = name == _VIEWS or name.endswith(f".{_VIEWS}")
        for version in [] if is_view else group.get("versions") or []:
            if version.get("freshness") == "Stale":
                # An aggregated API server that does not answer: what it has is unknown, or old.
                unknown.append(f"{name}/{version['version']}")
                continue
            for item in version.get("resources") or []:
                if item.get("scope") == "Namespaced" and "list" in item.get("verbs", ()):
                    kind = (item.get("responseKind") or {}).get("kind") or item["resource"]
                    yield Listable(name, version["version"], item["resource"], kind)
