"""JSON patches (RFC 6902) as the Kubernetes API applies them: all operations or none.

A patch that can't be read is 400, one that can't be applied 422:
https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apiserver/pkg/endpoints/handlers/patch.go
"""

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any

from irsa_cli.sandbox.kube import status
from irsa_cli.sandbox.kube.schema import JsonObject

_OPERATIONS = ("add", "remove", "replace", "move", "copy", "test")
_REJECTED = "the server rejected our request due to an error in our request"


class _NotApplicableError(Exception):
    """An operation does not fit the object."""


def reader(data: bytes) -> Callable[[JsonObject], Any]:
    """A patch as a function of the object; raises ApiError, 400, for what is no patch."""
    try:
        operations = json.loads(data)
    except ValueError:
        operations = None
    if not isinstance(operations, list) or not all(isinstance(entry, dict) for entry in operations):
        raise status.bad_request("error decoding patch: not a list of JSON objects")

    def applied(old: JsonObject) -> Any:
        document: Any = copy.deepcopy(old)
        try:
            for operation in operations:
                document = _applied(document, operation)
        except _NotApplicableError:
            raise status.ApiError(422, "Invalid", _REJECTED, {}) from None
        return document

    return applied


def _applied(document: Any, operation: Mapping[str, Any]) -> Any:
    name = operation.get("op")
    path = _pointer(operation.get("path"))
    if name not in _OPERATIONS:
        raise _NotApplicableError
    if name == "test":
        if _found(document, path) != operation.get("value"):
            raise _NotApplicableError
        return document
    if name in ("add", "replace") and "value" not in operation:
        raise _NotApplicableError
    value = operation.get("value")
    if name in ("move", "copy"):
        source = _pointer(operation.get("from"))
        value = copy.deepcopy(_found(document, source))
        if name == "move":
            _remove(document, source)
    if name == "remove":
        _remove(document, path)
        return document
    return _put(document, path, value, instead=name == "replace")


def _pointer(text: Any) -> list[str]:
    """The keys of a JSON pointer (RFC 6901)."""
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise _NotApplicableError
    return [key.replace("~1", "/").replace("~0", "~") for key in text.split("/")[1:]]


def _found(document: Any, path: list[str]) -> Any:
    for key in path:
        document = document[_place(document, key)]
    return document


def _place(holder: Any, key: str) -> Any:
    """The key of what is there in an object, or the number of what is there in a list."""
    if isinstance(holder, dict) and key in holder:
        return key
    if isinstance(holder, list) and key.isdecimal() and int(key) < len(holder):
        return int(key)
    raise _NotApplicableError


def _remove(document: Any, path: list[str]) -> None:
    if not path:
        raise _NotApplicableError
    holder = _found(document, path[:-1])
    del holder[_place(holder, path[-1])]


def _put(document: Any, path: list[str], value: Any, *, instead: bool) -> Any:
    """Add a value, or put it `instead` of what is there: of an object's members, also of one that isn't."""
    if not path:
        return value
    holder = _found(document, path[:-1])
    key = path[-1]
    if isinstance(holder, list) and instead:
        holder[_place(holder, key)] = value
    elif isinstance(holder, list) and (key == "-" or (key.isdecimal() and int(key) <= len(holder))):
        holder.insert(len(holder) if key == "-" else int(key), value)
    elif isinstance(holder, dict):
        holder[key] = value
    else:
        raise _NotApplicableError
    return document
