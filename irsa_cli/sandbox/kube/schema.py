"""The fields that objects have: reading JSON into them, what the metadata may be, and managedFields.

Unknown fields and nulls vanish, wrong types are errors. The fields are in kinds.yaml.

The API server checks the metadata of all objects on each write. Rules of names, labels and annotations:
names/, labels/ and annotations/ below https://kubernetes.io/docs/concepts/overview/working-with-objects/.
Field names, reasons, values and, of names, labels and annotations, the explanations agree with a real server.

managedFields have the last client of each field, and the time. Only whole writes (create, update) are
distinguished, no server-side apply; managedFields of a client are ignored.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import yaml

from irsa_cli.sandbox.kube.status import FieldError, invalid_value, required_value

JsonObject = dict[str, Any]
FILE = yaml.safe_load(Path(__file__).with_name("kinds.yaml").read_text(encoding="utf-8"))


class WrongTypeError(ValueError):
    """A JSON value where a field of another type is."""


_MICRO_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6})(Z|[+-]\d\d:\d\d)", re.ASCII)
_JSON_NAMES = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}


def _checked(kind: type, value: object, path: str) -> Any:
    # bool is a subclass of int in Python, not in JSON: compare types exactly.
    if type(value) is not kind:
        name = _JSON_NAMES[type(value)]
        where = path or "(root)"
        raise WrongTypeError(f"json: cannot unmarshal {name} into field {where} of type {_JSON_NAMES[kind]}")
    return value


def _read_bytes(value: object, path: str) -> str:
    text: str = _checked(str, value, path)
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error:
        raise WrongTypeError("illegal base64 data") from None
    return text


def _read_int32(value: object, path: str) -> int:
    number: int = _checked(int, value, path)
    if not -(2**31) <= number < 2**31:
        raise WrongTypeError(f"json: cannot unmarshal number {number} into field {path} of type int32")
    return number


def _read_micro_time(value: object, path: str) -> str:
    """A time with exactly six digits after the second, in any zone; kept in UTC."""
    text: str = _checked(str, value, path)
    found = _MICRO_TIME.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        moment = datetime.fromisoformat(found[1] + found[2].replace("Z", "+00:00"))
    except ValueError:
        layout = "2006-01-02T15:04:05.000000Z07:00"
        raise WrongTypeError(f'parsing time "{text}" as "{layout}": cannot parse it') from None
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


_SCALARS: Mapping[str, Callable[[object, str], Any]] = {
    "string": lambda value, path: _checked(str, value, path),
    "boolean": lambda value, path: _checked(bool, value, path),
    "number": lambda value, path: _checked(int, value, path),
    "any": lambda value, _: value,
    "bytes": _read_bytes,
    "int32": _read_int32,
    "time": _read_micro_time,
}


def read(schema: Any, value: object, path: str = "") -> Any:
    """`value` reduced to the fields of `schema`, a type of kinds.yaml.

    Empty maps and lists are left out, as Go's omitempty does.

    Raises:
        WrongTypeError: a value has another type than its field.
    """
    if value is None:
        return None
    if isinstance(schema, str):
        scalar = _SCALARS.get(schema)
        return scalar(value, path) if scalar else read(FILE["types"][schema], value, path)
    if isinstance(schema, list):
        elements = [element for element in _checked(list, value, path) if element is not None]
        return [read(schema[0], element, path) for element in elements]
    entries: JsonObject = _checked(dict, value, path)
    if "*" not in schema:
        return _read_fields(schema, entries, path)
    known = {key: read(schema["*"], entry, path) for key, entry in entries.items()}
    return {key: "" if entry is None else entry for key, entry in known.items()}


def _read_fields(schema: Mapping[str, Any], entries: JsonObject, path: str) -> JsonObject:
    """The fields that are set; of maps and lists, those that are not empty."""
    fields: JsonObject = {}
    for names, field in schema.items():
        is_container = isinstance(field, list) or "*" in field
        for key in names.split(", "):
            known = read(field, entries.get(key), f"{path}.{key}".lstrip("."))
            if known is not None and (known or not is_container):
                fields[key] = known
    return fields


_MERGE_KEYS = {"secrets": "name", "ownerReferences": "uid"}
"""Lists that a strategic merge patch merges, and what tells their elements apart."""


def merge(target: object, patch: object, *, by_keys: bool = False) -> Any:
    """RFC 7386 JSON merge patch: `null` removes a field, objects merge, everything else replaces.

    With `by_keys`, a strategic merge patch without directives: some lists are merged, new elements first.
    https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/
    """
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if by_keys and key.startswith("$"):
            raise WrongTypeError(f"the sandbox does not know the directive {key}")
        if value is None:
            merged.pop(key, None)
        elif by_keys and key in _MERGE_KEYS and isinstance(value, list):
            merged[key] = _merged_list(merged.get(key, []), value, _MERGE_KEYS[key])
        elif by_keys and key == "finalizers" and isinstance(value, list):
            merged[key] = [*merged.get(key, []), *(text for text in value if text not in merged.get(key, []))]
        else:
            merged[key] = merge(merged.get(key), value, by_keys=by_keys)
    return merged


def _merged_list(old: list[Any], new: list[Any], key: str) -> list[Any]:
    former = {element.get(key): element for element in old}
    if not all(isinstance(element, dict) and key in element for element in new):
        raise WrongTypeError(f"map: does not contain declared merge key: {key}")
    merged = [merge(former.get(element[key]), element, by_keys=True) for element in new]
    new_keys = {element[key] for element in new}
    return [*merged, *(element for element in old if element.get(key) not in new_keys)]


ANNOTATIONS_LIMIT = 256 * 1024
"""Bytes of all keys and values of an object's annotations together."""


def _of_form(words: str, form: str, *examples: str) -> str:
    """How the API server explains a regular expression."""
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{words} (e.g. {shown}regex used for validation is '{form}')"


_LOWER = "lower case alphanumeric characters"
_ENDS = "and must start and end with an alphanumeric character"
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_NAMES = (
    (
        253,
        rf"{_LABEL}(\.{_LABEL})*",
        f"a lowercase RFC 1123 subdomain must consist of {_LOWER}, '-' or '.', {_ENDS}",
        ("example.com",),
    ),
    (
        63,
        _LABEL,
        f"a lowercase RFC 1123 label must consist of {_LOWER} or '-', {_ENDS}",
        ("my-name", "123-abc"),
    ),
)
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_QUALIFIED_NAME = re.compile(_QUALIFIED)
_SIGNS = f"consist of alphanumeric characters, '-', '_' or '.', {_ENDS}"
_NAMES = ("MyName", "my.name", "123-abc")
_NAME_PART = _of_form(f"name part must {_SIGNS}", _QUALIFIED, *_NAMES)
_WHOLE_KEY = (
    _of_form(f"a valid label key must {_SIGNS}", _QUALIFIED, *_NAMES)
    + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
)
_LABEL_VALUE = _of_form(
    f"a valid label must be an empty string or {_SIGNS}",
    f"({_QUALIFIED})?",
    *("MyValue", "my_value", "12345"),
)


def dns_problems(value: str, *, label: bool = False) -> list[str]:
    """Why `value` is not an RFC 1123 subdomain, or `label` (namespaces, containers); empty if it is one."""
    longest, form, words, examples = _DNS_NAMES[label]
    problems = [f"must be no more than {longest} characters"] if len(value) > longest else []
    return problems if re.fullmatch(form, value) else [*problems, _of_form(words, form, *examples)]


def key_problems(key: str) -> list[str]:
    """Why `key` is not a label key (optional DNS prefix, '/', name); empty if it is one."""
    prefix, slash, name = key.rpartition("/")
    if "/" in prefix:
        return [_WHOLE_KEY]
    problems = []
    if slash and not prefix:
        problems.append("prefix part must be non-empty")
    elif slash:
        problems += [f"prefix part {problem}" for problem in dns_problems(prefix)]
    if not name:
        problems.append("name part must be non-empty")
    elif len(name) > 63:
        problems.append("name part must be no more than 63 bytes")
    if not _QUALIFIED_NAME.fullmatch(name):
        problems.append(_NAME_PART)
    return problems


def label_errors(labels: Mapping[str, str]) -> list[FieldError]:
    """Errors of keys and values of labels."""
    errors = []
    field = "metadata.labels"
    for key, value in sorted(labels.items()):
        errors += [invalid_value(field, key, problem) for problem in key_problems(key)]
        if len(value) > 63:
            errors.append(invalid_value(field, value, "must be no more than 63 bytes"))
        if value and not _QUALIFIED_NAME.fullmatch(value):
            errors.append(invalid_value(field, value, _LABEL_VALUE))
    return errors


def annotation_errors(annotations: Mapping[str, str]) -> list[FieldError]:
    """Errors of the keys (case does not matter) and of the total size of annotations."""
    field = "metadata.annotations"
    errors = [
        invalid_value(field, key, problem)
        for key in sorted(annotations)
        for problem in key_problems(key.lower())
    ]
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > ANNOTATIONS_LIMIT:
        text = f"Too long: may not be more than {ANNOTATIONS_LIMIT} bytes"
        errors.append(FieldError(field, "FieldValueTooLong", text))
    return errors


def name_errors(name: str, *, label: bool, free: bool) -> list[FieldError]:
    """Errors of `metadata.name`: a DNS label for a namespace (`label`), else a DNS subdomain.

    A `free` one needs only fit into a path.
    """
    if not name:
        return [required_value("metadata.name", "name or generateName is required")]
    if not free:
        problems = dns_problems(name, label=label)
    elif name in (".", "..") or "/" in name or "%" in name:
        problems = ["may not be '.', '..', or have '/' or '%' in it"]
    else:
        problems = []
    return [invalid_value("metadata.name", name, problem) for problem in problems]


_Path = tuple[str, ...]
_MAPS = ("labels", "annotations")


def noted(old: JsonObject | None, new: JsonObject, manager: str, now: str) -> list[JsonObject]:
    """The managedFields of `new`, which `manager` has made of `old` (None: of nothing) at `now`.

    The time is that of the manager's last write that has set a field to another value; removing
    fields does not change it.
    """
    before = _values(old or {})
    after = _values(new)
    written = {path for path, value in after.items() if path not in before or before[path] != value}
    entries = {}
    for entry in (old or {}).get("metadata", {}).get("managedFields", []):
        fields = (set(_paths(entry["fieldsV1"])) & set(after)) - written
        entries[entry["manager"]] = (entry["time"], fields)
    if written:
        entries[manager] = (now, entries.get(manager, ("", set()))[1] | written)
    managed = [
        {
            "manager": name,
            "operation": "Update",
            "apiVersion": new["apiVersion"],
            "time": time,
            "fieldsType": "FieldsV1",
            "fieldsV1": _tree(fields),
        }
        for name, (time, fields) in entries.items()
        if fields
    ]
    return sorted(managed, key=lambda entry: (entry["time"], entry["manager"]))


def _values(obj: Mapping[str, Any]) -> dict[_Path, Any]:
    """The fields that clients own, with their values: each label, each annotation, and that there are any."""
    values: dict[_Path, Any] = {}
    for name in _MAPS:
        entries = obj.get("metadata", {}).get(name) or {}
        if entries:
            values["f:metadata", f"f:{name}", "."] = True
        values |= {("f:metadata", f"f:{name}", f"f:{key}"): value for key, value in entries.items()}
    return values | {("f:spec", f"f:{key}"): value for key, value in (obj.get("spec") or {}).items()}


def _tree(paths: set[_Path]) -> JsonObject:
    root: JsonObject = {}
    for path in sorted(paths):
        at = root
        for key in path:
            at = at.setdefault(key, {})
    return root


def _paths(tree: Mapping[str, Any], above: _Path = ()) -> Iterator[_Path]:
    for key, below in tree.items():
        if below:
            yield from _paths(below, (*above, key))
        else:
            yield (*above, key)
