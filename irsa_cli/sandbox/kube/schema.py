"""Reading JSON into the fields that an object has: unknown fields and nulls vanish, wrong types are errors.

The types of what all objects have, and of requests that are no objects; those of the kinds are in `kinds` and
`pods`. Values are not judged here, only their types.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

JsonObject = dict[str, Any]


class WrongTypeError(ValueError):
    """A JSON value where a field of another type is."""


@dataclass(frozen=True)
class ListOf:
    """A JSON array."""

    item: "Schema"


@dataclass(frozen=True)
class MapOf:
    """A JSON object with free keys."""

    value: "Schema"


@dataclass(frozen=True)
class Special:
    """A value that has its own way to be read: from the value and its path to what is kept."""

    read: Callable[[object, str], Any]


Schema = type | ListOf | MapOf | Special | Mapping[str, Any]
_MICRO_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6})(Z|[+-]\d\d:\d\d)", re.ASCII)
_JSON_NAMES = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}


def _wrong(value: object, wanted: str, path: str) -> WrongTypeError:
    found = _JSON_NAMES.get(type(value), type(value).__name__)
    return WrongTypeError(f"json: cannot unmarshal {found} into field {path} of type {wanted}")


def _read_scalar(schema: type, value: object, path: str) -> Any:
    # bool is a subclass of int in Python, not in JSON: compare types exactly.
    if type(value) is not schema:
        raise _wrong(value, _JSON_NAMES[schema], path)
    return value


def _read_bytes(value: object, path: str) -> str:
    """A string that is base64."""
    text: str = _read_scalar(str, value, path)
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error:
        raise WrongTypeError("illegal base64 data") from None
    return text


def _read_int32(value: object, path: str) -> int:
    number: int = _read_scalar(int, value, path)
    if not -(2**31) <= number < 2**31:
        raise WrongTypeError(f"json: cannot unmarshal number {number} into field {path} of type int32")
    return number


def _read_micro_time(value: object, path: str) -> str:
    """A time with exactly six digits after the second, in any zone; kept in UTC."""
    text: str = _read_scalar(str, value, path)
    found = _MICRO_TIME.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        moment = datetime.fromisoformat(found[1] + found[2].replace("Z", "+00:00"))
    except ValueError:
        layout = "2006-01-02T15:04:05.000000Z07:00"
        raise WrongTypeError(f'parsing time "{text}" as "{layout}": cannot parse it') from None
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


RAW = Special(lambda value, _: value)
"""Any JSON value, kept as it is: a field whose insides the sandbox does not know."""
BYTES = Special(_read_bytes)
INT32 = Special(_read_int32)
MICRO_TIME = Special(_read_micro_time)

METADATA: Mapping[str, Any] = {
    **dict.fromkeys(("name", "generateName", "namespace", "uid", "resourceVersion"), str),
    **dict.fromkeys(("creationTimestamp", "deletionTimestamp"), str),
    "deletionGracePeriodSeconds": int,
    "labels": MapOf(str),
    "annotations": MapOf(str),
    "finalizers": ListOf(str),
    "ownerReferences": ListOf(
        {
            **dict.fromkeys(("apiVersion", "kind", "name", "uid"), str),
            **dict.fromkeys(("controller", "blockOwnerDeletion"), bool),
        }
    ),
}
_TYPE: Mapping[str, Any] = {"kind": str, "apiVersion": str}
OBJECT: Mapping[str, Any] = {**_TYPE, "metadata": METADATA}
"""The fields of every object."""

TOKEN_REQUEST: Schema = {
    **OBJECT,
    "spec": {
        "audiences": ListOf(str),
        "expirationSeconds": int,
        "boundObjectRef": {"kind": str, "apiVersion": str, "name": str, "uid": str},
    },
}
ACCESS_REVIEW: Schema = {
    **OBJECT,
    "spec": {
        "resourceAttributes": dict.fromkeys(
            ("namespace", "verb", "group", "version", "resource", "subresource", "name"), str
        ),
        "nonResourceAttributes": {"path": str, "verb": str},
    },
}
DELETE_OPTIONS: Schema = {
    **_TYPE,
    "gracePeriodSeconds": int,
    "propagationPolicy": str,
    "orphanDependents": bool,
    "preconditions": {"uid": str, "resourceVersion": str},
    "dryRun": ListOf(str),
}


def _read_object(schema: Mapping[str, Any], value: object, path: str) -> JsonObject:
    if not isinstance(value, dict):
        raise _wrong(value, "object", path or "(root)")
    fields = {}
    for key, field in schema.items():
        known = read(field, value.get(key), f"{path}.{key}".lstrip("."))
        empty = known is None or (not known and isinstance(field, ListOf | MapOf))
        if not empty:
            fields[key] = known
    return fields


def read(schema: Schema, value: object, path: str = "") -> Any:
    """`value` reduced to the fields of `schema`; empty maps and lists are left out, as Go's omitempty does.

    Raises:
        WrongTypeError: a value has another type than its field.
    """
    if value is None:
        return None
    if isinstance(schema, Special):
        return schema.read(value, path)
    if isinstance(schema, type):
        return _read_scalar(schema, value, path)
    if isinstance(schema, Mapping):
        return _read_object(schema, value, path)
    if isinstance(schema, ListOf):
        if not isinstance(value, list):
            raise _wrong(value, "array", path)
        return [read(schema.item, item, path) for item in value if item is not None]
    if not isinstance(value, dict):
        raise _wrong(value, "object", path)
    return {key: "" if item is None else read(schema.value, item, path) for key, item in value.items()}


def merge(target: object, patch: object) -> Any:
    """RFC 7386 JSON merge patch: `null` removes a field, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged
