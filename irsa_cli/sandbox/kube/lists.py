"""Lists as the API answers them: selected by fields and labels, in pages, whole or as metadata only.

A page's token names where the next one begins. The objects of later pages are those that are there when they
are asked for; a real server answers from a snapshot, which it forgets after some minutes.
https://kubernetes.io/docs/reference/using-api/api-concepts/
Of a labelSelector, `key>1` and `key<1` are not served.
https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#api
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from werkzeug.wrappers import Request

from irsa_cli.sandbox.kube import status
from irsa_cli.sandbox.kube.kinds import Kind
from irsa_cli.sandbox.kube.metadata import key_problems
from irsa_cli.sandbox.kube.schema import JsonObject

_META = "meta.k8s.io/v1"


def answer_list(request: Request, kind: Kind, version: str, objects: list[JsonObject]) -> JsonObject:
    """The list, or the page of it, that `request` asks for; `version` is the store's resourceVersion."""
    if request.args.get("watch"):
        # Better than a wrong list.
        raise status.bad_request("the sandbox does not serve watch")
    objects = _selected(kind, request.args.get("fieldSelector", ""), objects)
    fits = _label_test(request.args.get("labelSelector", ""))
    objects = [obj for obj in objects if fits(obj["metadata"].get("labels", {}))]
    limit = _read_limit(request.args.get("limit", "0"))
    metadata: dict[str, Any] = {"resourceVersion": version}
    if request.args.get("continue"):
        version, start = _read_token(request.args["continue"])
        metadata["resourceVersion"] = version
        objects = [obj for obj in objects if _key(obj) >= start]
    if 0 < limit < len(objects):
        metadata["continue"] = _token(version, _key(objects[limit - 1]) + "\0")
        # How many of the rest are selected nobody has counted.
        if not any(request.args.get(key) for key in ("fieldSelector", "labelSelector")):
            metadata["remainingItemCount"] = len(objects) - limit
        objects = objects[:limit]
    if wants(request, "PartialObjectMetadataList", _META):
        return _partial(metadata, objects)
    # Items of a list don't repeat what the list says.
    items = [{k: v for k, v in obj.items() if k not in ("kind", "apiVersion")} for obj in objects]
    return {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": metadata, "items": items}


def _selected(kind: Kind, selector: str, objects: list[JsonObject]) -> list[JsonObject]:
    """The objects whose fields have the values that a fieldSelector asks for; 400 for other fields.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/
    """
    for term in filter(None, selector.split(",")):
        label, operator, wanted = _term(term)
        if label not in ("metadata.name", "metadata.namespace", *kind.selectable):
            why = (
                f'Unable to find "{kind.api_version}, Resource={kind.resource}" that match label selector '
                f'"", field selector "{selector}": field label not supported: {label}'
            )
            raise status.bad_request(why)
        objects = [obj for obj in objects if (_field(obj, label) == wanted) is (operator != "!=")]
    return objects


def _term(term: str) -> tuple[str, str, str]:
    """A requirement of a fieldSelector: the field, the operator and the value."""
    for operator in ("!=", "==", "="):
        label, found, value = term.partition(operator)
        if found:
            return label, operator, value
    raise status.bad_request(f"invalid selector: '{term}'; can't understand '{term}'")


def _field(obj: JsonObject, label: str) -> str:
    """The value of a field; that of `source` is its component."""
    found: Any = obj
    for part in ("source.component" if label == "source" else label).split("."):
        found = found.get(part, {}) if isinstance(found, dict) else {}
    return found if isinstance(found, str) else ""


def wants(request: Request, kind: str, version: str) -> bool:
    """Whether the first media type that the client takes is JSON transformed into this kind and version."""
    group, _, number = version.rpartition("/")
    for asked in request.headers.get("Accept", "").split(","):
        media, *parameters = [part.strip() for part in asked.split(";")]
        if media not in ("application/json", "application/*", "*/*"):
            continue
        return {f"as={kind}", f"g={group}", f"v={number}"} <= set(parameters)
    return False


def _partial(metadata: JsonObject, objects: list[JsonObject]) -> JsonObject:
    typed = {"kind": "PartialObjectMetadata", "apiVersion": _META}
    items = [{**typed, "metadata": obj["metadata"]} for obj in objects]
    return {"kind": "PartialObjectMetadataList", "apiVersion": _META, "metadata": metadata, "items": items}


def _key(obj: JsonObject) -> str:
    metadata = obj["metadata"]
    return f"{metadata.get('namespace', '')}/{metadata['name']}"


def _read_limit(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise status.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def _token(version: str, start: str) -> str:
    text = json.dumps({"v": _META, "rv": int(version), "start": start}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _read_token(token: str) -> tuple[str, str]:
    try:
        read = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return str(int(read["rv"])), str(read["start"])
    except (ValueError, KeyError, TypeError):
        raise status.bad_request("invalid continue token: continue key is not valid") from None


_Labels = Mapping[str, str]
_Test = Callable[[_Labels], bool]

_LABEL_KEY = r"\s*(?P<key>[-./\w]+)\s*"
_EQUAL = re.compile(rf"{_LABEL_KEY}(?P<operator>!=|==?)\s*(?P<value>[-.\w]*)\s*")
_AMONG = re.compile(rf"{_LABEL_KEY}(?<=\s)(?P<operator>in|notin)\s*\((?P<values>[-.,\s\w]*)\)\s*")
_THERE = re.compile(rf"\s*(?P<operator>!?){_LABEL_KEY}")
_COMMA = re.compile(r",(?![^(]*\))")
"""Between requirements; not one between values in brackets."""


def _label_test(selector: str) -> _Test:
    """What tells whether labels fit; 400 for what is no selector."""
    tests = [_requirement(term, selector) for term in _COMMA.split(selector)] if selector.strip() else []
    return lambda labels: all(test(labels) for test in tests)


def _requirement(term: str, selector: str) -> _Test:
    if found := _EQUAL.fullmatch(term):
        wanted = {found["value"]}
    elif found := _AMONG.fullmatch(term):
        wanted = {value.strip() for value in found["values"].split(",")}
    elif found := _THERE.fullmatch(term):
        wanted = set()
    else:
        raise status.bad_request(f"unable to parse requirement: '{term}' of '{selector}'")
    key, operator = found["key"], found["operator"]
    for problem in key_problems(key):
        raise status.bad_request(f'unable to parse requirement: <nil>: Invalid value: "{key}": {problem}')
    if operator in ("", "!"):
        return lambda labels: (key in labels) is (operator == "")
    if operator in ("!=", "notin"):
        return lambda labels: labels.get(key) not in wanted
    return lambda labels: labels.get(key) in wanted
