"""Whether an answer is what Kubernetes gives to a call: its parts, their types, and what names an object.

A response of a proxy, or of another server, with status 200 is no answer. The types are those of the
Kubernetes client's own models: `tools/docs/kube_types.py` writes them to `types.json`, because importing the
models takes longer than a run of irsa. Which failure means what is in `irsa_cli.kube.errors`.
https://kubernetes.io/docs/reference/using-api/api-concepts/#standard-api-terminology
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any


def _read(name: str) -> Any:
    return json.loads((files(__package__) / name).read_text(encoding="utf-8"))


_TABLES = _read("models.json")
_MODELS: Mapping[str, str] = _TABLES["models"]
_SINGLE = ("namespaces", "serviceaccounts", "serviceaccounts/token", "pods", "leases", "configmaps", "jobs")
"""The kinds that are read and written one by one."""
_NAMESPACED = (
    *("serviceaccounts", "pods", "leases", "networkpolicies", "events", "configmaps"),
    *("roles", "rolebindings", "jobs"),
)
_FREELY_NAMED = ("events", "roles", "clusterroles", "rolebindings", "clusterrolebindings")
"""Kinds whose names need not be names of DNS."""
_NEEDED: Mapping[str, list[str]] = _TABLES["needed"]
"""Parts without which an object of that model is none, as far as they are read."""
_TYPES: Mapping[str, Mapping[str, str]] = _read("types.json")
"""The type of each field of a model: `dict[str, list[V1Pod]]`; `object` is anything."""
_PLAIN: Mapping[str, tuple[type, ...]] = {
    "str": (str,),
    "datetime": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
}

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)

Checker = Callable[[Any, str], None]


class ForeignKubeAnswer(Exception):
    """The answer is not one of Kubernetes."""


def check(operation: str, answer: Any, *, rehearsed: bool = False) -> dict[str, Any]:
    """The answer to an operation, without null parts (`rehearsed`: a dry run); raises `ForeignKubeAnswer`."""
    if not isinstance(answer, dict):
        raise ForeignKubeAnswer("the answer is not a JSON object")
    verb, _, kind_name = operation.partition(" ")
    if verb == "list":
        _check_list(answer, kind_name)
    elif verb != "delete" and kind_name in _SINGLE:
        kind = _MODELS[kind_name].removeprefix("Authentication").removeprefix("V1")
        if answer.get("kind") != kind:
            raise ForeignKubeAnswer(f"it is not a {kind}")
        _model(_MODELS[kind_name])(answer, "it")
        if kind_name == "serviceaccounts/token":
            _check_token(answer.get("status") or {})
        elif rehearsed:
            _check_names(answer, "name")
        else:
            _check_names(answer, *_identity(kind_name))
    elif verb == "delete" and not isinstance(answer.get("kind"), str):
        raise ForeignKubeAnswer("it has no kind")
    elif kind_name in ("/api", "/apis"):
        _check_discovery(answer)
    return answer


def _check_token(status: Mapping[str, Any]) -> None:
    try:
        datetime.strptime(status["expirationTimestamp"], "%Y-%m-%dT%H:%M:%SZ")
    except (KeyError, ValueError):
        raise ForeignKubeAnswer("it has no expiry time for its token") from None
    if not status.get("token"):
        raise ForeignKubeAnswer("it has no token")


def _identity(kinds: str) -> tuple[str, ...]:
    """The fields that identify an object; a rehearsed one has a name only."""
    place = ("namespace",) if kinds in _NAMESPACED else ()
    return ("name", "uid", "resourceVersion", *place)


def _check_list(answer: Mapping[str, Any], kinds: str) -> None:
    if not str(answer.get("kind", "")).endswith("List"):
        raise ForeignKubeAnswer("it is not a list")
    items = answer.get("items")
    if items is not None and not isinstance(items, list):
        raise ForeignKubeAnswer("its items are not a list")
    _checker("V1ListMeta")(answer.get("metadata") or {}, "its metadata")
    # A read of metadata only has nothing else (`irsa_cli.kube.client.read_contents`).
    partial = answer.get("kind") == "PartialObjectMetadataList"
    checker = _checker("V1PartialObject" if partial else _MODELS.get(kinds, "V1PartialObject"))
    is_known = kinds in _MODELS
    fields = _identity(kinds) if is_known else ("name",)
    for listed in items or []:
        checker(listed, "an item")
        _check_names(listed, *fields, dns=is_known and kinds not in _FREELY_NAMED)


def _check_names(body: Mapping[str, Any], *keys: str, dns: bool = True) -> None:
    metadata = body.get("metadata") or {}
    for key in keys:
        # A pod that is only rehearsed has the beginning of a name.
        if not (metadata.get(key) or (key == "name" and metadata.get("generateName"))):
            raise ForeignKubeAnswer(f"an object without a {key}")
    # A name of these kinds is one of DNS: nothing else is taken into a path, a line or a command.
    for key in ("name", "namespace") if dns else ():
        if not _NAME.fullmatch(metadata.get(key) or "x"):
            raise ForeignKubeAnswer(f"its {key} is not valid in Kubernetes")


def _check_discovery(answer: Mapping[str, Any]) -> None:
    """The aggregated discovery, which the client has no model of.

    https://kubernetes.io/docs/reference/using-api/api-concepts/#aggregated-discovery
    """
    if answer.get("kind") != "APIGroupDiscoveryList":
        raise ForeignKubeAnswer("it lists no kinds of objects")
    for group in _objects(answer, "items"):
        _checker("V1ObjectMeta")(group.get("metadata") or {}, "its metadata")
        for version in _objects(group, "versions"):
            _text(version, "version")
            for resource in _objects(version, "resources"):
                _text(resource, "resource")
                kind = resource.get("responseKind") or {}
                verbs = resource.get("verbs") or []
                if not isinstance(kind, dict) or not isinstance(kind.get("kind") or "", str):
                    raise ForeignKubeAnswer("a kind is not a string")
                if not isinstance(verbs, list):
                    raise ForeignKubeAnswer("verbs are not a list")
                resource["verbs"] = verbs


def _objects(parent: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    objects = parent.get(key) or []
    if not isinstance(objects, list) or not all(isinstance(entry, dict) for entry in objects):
        raise ForeignKubeAnswer(f"its {key} are not objects")
    return objects


def _text(body: Mapping[str, Any], key: str) -> None:
    if not isinstance(body.get(key), str) or not body[key]:
        raise ForeignKubeAnswer(f"its {key} is not a string")


@cache
def _checker(name: str) -> Checker:
    """A check of a value against a type of `types.json`."""
    if name in _PLAIN:
        return _plain(name)
    if name.startswith("list["):
        return _several(list, name[5:-1])
    if name.startswith("dict["):
        return _several(dict, name[5:-1].partition(",")[2].strip())
    return _model(name)


def _plain(name: str) -> Checker:
    known = _PLAIN[name]

    def look(value: Any, where: str) -> None:
        if not isinstance(value, known) or (isinstance(value, bool) and bool not in known):
            raise ForeignKubeAnswer(f"{where} is no {'text' if str in known else name}")
        if name == "datetime" and not _is_moment(str(value)):
            raise ForeignKubeAnswer(f"{where} is not a time")

    return look


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).tzinfo is not None
    except ValueError:
        return False


def _several(kind: type[list[Any]] | type[dict[str, Any]], inner: str) -> Checker:
    title, each = ("a list", "an item") if kind is list else ("an object", "a value")

    def look(value: Any, where: str) -> None:
        if not isinstance(value, kind):
            raise ForeignKubeAnswer(f"{where} is not {title}")
        check_one = _checker(inner)
        for element in value.values() if isinstance(value, dict) else value:
            check_one(element, f"{each} of {where}")

    return look


@cache
def _model(name: str) -> Checker:
    """A check of a model's object; additional fields, and those of any type, are ignored."""
    fields = _TYPES.get(name, {})
    if name == "V1PartialObject":
        fields = {"metadata": "V1ObjectMeta"}
    elif not fields:
        return lambda value, where: None  # `object`: anything.
    needed = _NEEDED.get(name, ())

    def look(value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise ForeignKubeAnswer(f"{where} is not an object")
        for key in [key for key, field in value.items() if field is None]:
            del value[key]
        for key, field in value.items():
            if key in fields:
                _checker(fields[key])(field, key)
        for key in needed:
            if key not in value:
                raise ForeignKubeAnswer(f"{where} has no {key}")

    return look
