"""Lists as the API answers them: of objects, and of the kinds that there are (API discovery).

Objects are selected by fields and labels, in pages, whole or as metadata only. A page's token names where the
next one begins. Later pages have the objects that are there when they are asked for; a real server answers
from a snapshot, which it forgets after some minutes.
https://kubernetes.io/docs/reference/using-api/api-concepts/ Of a labelSelector, `key>1` and `key<1` are not
served. https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#api Groups, versions and
resources are listed in the aggregated form only, that of Kubernetes 1.27 and later.
https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from werkzeug.wrappers import Request

from irsa_cli.sandbox.kube import status
from irsa_cli.sandbox.kube.kinds import KINDS, PODS, REQUESTS, SERVICE_ACCOUNTS, Kind
from irsa_cli.sandbox.kube.schema import JsonObject, key_problems

_META = "meta.k8s.io/v1"
_FIELD = re.compile(r"(.*?)(!=|==?)(.*)", re.DOTALL)


def answer_list(request: Request, kind: Kind, version: str, objects: list[JsonObject]) -> JsonObject:
    """The list, or the page of it, that `request` asks for; `version` is the store's resourceVersion."""
    if request.args.get("watch"):
        # Better than a wrong list.
        raise status.bad_request("the sandbox does not serve watch")
    objects = _selected(kind, request.args.get("fieldSelector", ""), objects)
    objects = _labelled(request.args.get("labelSelector", ""), objects)
    text = request.args.get("limit", "0")
    try:
        limit = int(text)
    except ValueError:
        raise status.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None
    metadata: dict[str, Any] = {}
    if request.args.get("continue"):
        version, start = _read_continue(request.args["continue"])
        objects = [obj for obj in objects if _key(obj) >= start]
    metadata["resourceVersion"] = version
    if 0 < limit < len(objects):
        following = {"v": _META, "rv": int(version), "start": _key(objects[limit - 1]) + "\0"}
        text = json.dumps(following, separators=(",", ":"))
        metadata["continue"] = base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
        # How many of the rest are selected nobody has counted.
        if not any(request.args.get(key) for key in ("fieldSelector", "labelSelector")):
            metadata["remainingItemCount"] = len(objects) - limit
        objects = objects[:limit]
    if wants(request, "PartialObjectMetadataList", _META):
        of = "PartialObjectMetadata"
        typed = {"apiVersion": _META}
        entries = [{"kind": of, **typed, "metadata": obj["metadata"]} for obj in objects]
        return {"kind": f"{of}List", **typed, "metadata": metadata, "items": entries}
    # Items of a list don't repeat what the list says.
    entries = [_without_type(obj) for obj in objects]
    return {
        "kind": f"{kind.kind}List",
        "apiVersion": kind.api_version,
        "metadata": metadata,
        "items": entries,
    }


def _read_continue(token: str) -> tuple[str, str]:
    """The version of a list's first page, and the key with which the next one begins."""
    try:
        read = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return str(int(read["rv"])), str(read["start"])
    except (ValueError, KeyError, TypeError):
        raise status.bad_request("invalid continue token: continue key is not valid") from None


def _without_type(obj: JsonObject) -> JsonObject:
    return {key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}


def _selected(kind: Kind, selector: str, objects: list[JsonObject]) -> list[JsonObject]:
    """The objects whose fields have the values that a fieldSelector asks for; 400 for other fields.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/
    """
    for term in filter(None, selector.split(",")):
        field_term = _FIELD.fullmatch(term)
        if not field_term:
            raise status.bad_request(f"invalid selector: '{term}'; can't understand '{term}'")
        label, operator, value = field_term.groups()
        if label not in ("metadata.name", "metadata.namespace", *kind.selectable):
            why = (
                f'Unable to find "{kind.api_version}, Resource={kind.resource}" that match label selector '
                f'"", field selector "{selector}": field label not supported: {label}'
            )
            raise status.bad_request(why)
        objects = [obj for obj in objects if (_field(obj, label) == value) is (operator != "!=")]
    return objects


def _field(obj: JsonObject, label: str) -> str:
    value: Any = obj
    for key in ("source.component" if label == "source" else label).split("."):
        value = value.get(key, {}) if isinstance(value, dict) else {}
    return value if isinstance(value, str) else ""


def wants(request: Request, kind: str, version: str) -> bool:
    """Whether the first media type that the client takes is JSON transformed into this kind and version."""
    group, _, number = version.rpartition("/")
    for media_range in request.headers.get("Accept", "").split(","):
        media, *parameters = [word.strip() for word in media_range.split(";")]
        if media not in ("application/json", "application/*", "*/*"):
            continue
        return {f"as={kind}", f"g={group}", f"v={number}"} <= set(parameters)
    return False


def _key(obj: JsonObject) -> str:
    metadata = obj["metadata"]
    return f"{metadata.get('namespace', '')}/{metadata['name']}"


_LABEL_KEY = r"\s*(?P<key>[-./\w]+)\s*"
_EQUAL = re.compile(rf"{_LABEL_KEY}(?P<operator>!=|==?)\s*(?P<values>[-.\w]*)\s*")
_AMONG = re.compile(rf"{_LABEL_KEY}(?<=\s)(?P<operator>in|notin)\s*\((?P<values>[-.,\s\w]*)\)\s*")
_THERE = re.compile(rf"\s*(?P<operator>!?){_LABEL_KEY}")
_COMMA = re.compile(r",(?![^(]*\))")
"""Between requirements; not one between values in brackets."""


def _has(labels: Mapping[str, str], key: str, values: set[str]) -> bool:
    return labels.get(key) in values


_OPERATORS: Mapping[str, Callable[[Mapping[str, str], str, set[str]], bool]] = {
    **dict.fromkeys(("=", "==", "in"), _has),
    **dict.fromkeys(("!=", "notin"), lambda *asked: not _has(*asked)),
    "": lambda labels, key, _: key in labels,
    "!": lambda labels, key, _: key not in labels,
}


def _labelled(selector: str, objects: list[JsonObject]) -> list[JsonObject]:
    """The objects whose labels are as a labelSelector asks; 400 for what it can't ask."""
    for term in _COMMA.split(selector) if selector.strip() else ():
        label_term = _EQUAL.fullmatch(term) or _AMONG.fullmatch(term) or _THERE.fullmatch(term)
        if label_term is None:
            raise status.bad_request(f"unable to parse requirement: '{term}' of '{selector}'")
        key = label_term["key"]
        operator = label_term["operator"]
        for problem in key_problems(key):
            raise status.bad_request(f'unable to parse requirement: <nil>: Invalid value: "{key}": {problem}')
        listed = label_term.groupdict().get("values", "").split(",")
        fits = _OPERATORS[operator]
        values = {value.strip() for value in listed}
        objects = [obj for obj in objects if fits(obj["metadata"].get("labels", {}), key, values)]
    return objects


AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_VERBS = ["create", "delete", "get", "list", "patch", "update"]
_REVIEW = REQUESTS["SelfSubjectAccessReview"]
_TOKEN = {"group": "authentication.k8s.io", "version": "v1", "kind": "TokenRequest"}
_SUBRESOURCES = {
    PODS: {
        "subresource": "status",
        "responseKind": {"group": "", "version": "v1", "kind": "Pod"},
        "verbs": ["patch"],
    },
    SERVICE_ACCOUNTS: {"subresource": "token", "responseKind": _TOKEN, "verbs": ["create"]},
}
GROUPS = sorted({group for group, _ in KINDS} | {_REVIEW.group})


def answer_discovery(request: Request, root: str) -> JsonObject:
    """The groups below `root`: the core group in `api`, the named ones in `apis`; 406 for the old form."""
    kind = "APIGroupDiscoveryList"
    version = "apidiscovery.k8s.io/v2"
    if not wants(request, kind, version):
        raise status.ApiError(406, "NotAcceptable", f"406: the sandbox serves {AGGREGATED}", {})
    items = []
    for group in GROUPS:
        if bool(group) is not (root == "apis"):
            continue
        kinds = [kind for (place, _), kind in sorted(KINDS.items()) if place == group]
        resources = [_discovered(kind, _VERBS) for kind in kinds]
        if group == _REVIEW.group:
            resources.append(_discovered(_REVIEW, ["create"]))
        served = {"version": "v1", "freshness": "Current", "resources": resources}
        items.append({"metadata": {"name": group} if group else {}, "versions": [served]})
    return {"kind": kind, "apiVersion": version, "metadata": {}, "items": items}


def _discovered(kind: Kind, verbs: list[str]) -> JsonObject:
    entry: JsonObject = {
        "resource": kind.resource,
        "responseKind": {"group": kind.group, "version": "v1", "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": verbs,
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind in _SUBRESOURCES:
        entry["subresources"] = [_SUBRESOURCES[kind]]
    return entry
