"""What somebody has put into a namespace, of whatever kind, and of which kinds that can't be told.

Which kinds there are is in `irsa_cli.kube.discovery`; what follows for the namespace is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from irsa_cli.core.values.errors import ServiceError
from irsa_cli.kube.calls import Json
from irsa_cli.kube.discovery import Get, Listable, namespaced_kinds

METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
PARALLEL = 8
SHOWN = 5
"""Objects of one kind that are named; that there are any is what counts."""
OWN = ("serviceaccount/default", "configmap/kube-root-ca.crt")
"""What Kubernetes itself puts into every namespace."""


@dataclass(frozen=True)
class Contents:
    """What is in a namespace: `items` as `kind/name`, and `unreadable` kinds that may hide more, with why.

    Items are named as kubectl does: `configmap/settings`, `role.rbac.authorization.k8s.io/reader`.
    """

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
    kinds = namespaced_kinds(get)
    unreadable = [f"{version} (its API server does not answer)" for version in kinds.unknown]
    with ThreadPoolExecutor(PARALLEL) as pool:
        lists = list(pool.map(lambda kind: _list(get, kind, namespace), kinds.listable))
    found: list[_Found] = []
    for listed in lists:
        if isinstance(listed, str):
            unreadable.append(listed)
        else:
            found += listed
    return Contents(tuple(_names(found)), tuple(unreadable))


def _names(found: Iterable[_Found]) -> list[str]:
    first: dict[str, _Found] = {}
    for item in found:
        if item.name not in OWN:
            first.setdefault(item.uid or item.name, item)
    return [item.name for item in first.values() if not item.owners & first.keys()]


def _list(get: Get, kind: Listable, namespace: str) -> list[_Found] | str:
    """Some objects of a kind, or why nobody can tell."""
    try:
        answer = get(f"list {kind.name}", kind.path(namespace), accept=METADATA, limit=str(SHOWN))
    except ServiceError as error:
        if error.status == 404:
            return []  # The kind is gone since discovery named it, and its objects with it.
        if error.status in (403, 405, 406) or (error.status >= 500 and not _is_built_in(kind)):
            return f"{kind.name} ({error.code})"
        raise
    found = [_object(kind, item) for item in answer.get("items") or []]
    if (answer.get("metadata") or {}).get("continue"):
        found.append(_Found(f"more {kind.name}", "", frozenset()))
    return found


def _is_built_in(kind: Listable) -> bool:
    """Whether the API server itself answers for it: when that fails, it is better tried again."""
    return "." not in kind.group or kind.group.endswith(".k8s.io")


def _object(kind: Listable, item: Json) -> _Found:
    metadata = item["metadata"]
    owners = frozenset(owner.get("uid", "") for owner in metadata.get("ownerReferences") or [])
    return _Found(f"{kind.singular}/{metadata['name']}", metadata.get("uid", ""), owners)
