"""What the metadata of all objects may be, as the API server checks them on each write; and managedFields.

Rules of names, labels and annotations: names/, labels/ and annotations/ below
https://kubernetes.io/docs/concepts/overview/working-with-objects/.
Field names, reasons and values agree with a real server; the explanations are our own words.

managedFields tell which client has written which field last, and when. Only whole writes (create, update) are
told apart, no server-side apply; what a client sends as managedFields is not looked at.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from irsa_cli.sandbox.kube.schema import JsonObject
from irsa_cli.sandbox.kube.status import FieldError, invalid_value, required_value, too_long

ANNOTATIONS_LIMIT = 256 * 1024
"""Bytes of all keys and values of an object's annotations together."""

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_LABEL = re.compile(_LABEL)
_DNS_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_QUALIFIED_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")


def dns_label_problems(value: str) -> list[str]:
    """Why `value` is not an RFC 1123 label (namespaces, containers); empty if it is one."""
    problems = ["must be no more than 63 characters"] if len(value) > 63 else []
    if not _DNS_LABEL.fullmatch(value):
        problems.append("is not an RFC 1123 label (lower case letters, digits and inner '-')")
    return problems


def dns_subdomain_problems(value: str) -> list[str]:
    """Why `value` is not an RFC 1123 subdomain (most objects); empty if it is one."""
    problems = ["must be no more than 253 characters"] if len(value) > 253 else []
    if not _DNS_SUBDOMAIN.fullmatch(value):
        problems.append("is not an RFC 1123 subdomain (labels of letters, digits and '-', joined by '.')")
    return problems


def _name_part_problems(name: str) -> list[str]:
    problems = []
    if not name:
        problems.append("name part must be non-empty")
    elif len(name) > 63:
        problems.append("name part must be no more than 63 characters")
    if not _QUALIFIED_NAME.fullmatch(name):
        problems.append("name part may have letters, digits and inner '-', '_', '.'")
    return problems


def key_problems(key: str) -> list[str]:
    """Why `key` is not a label key (optional DNS prefix, '/', name); empty if it is one."""
    prefix, slash, name = key.rpartition("/")
    if "/" in prefix:
        return ["has more than one '/'"]
    problems = []
    if slash and not prefix:
        problems.append("prefix part must be non-empty")
    elif slash:
        problems += [f"prefix part {problem}" for problem in dns_subdomain_problems(prefix)]
    return problems + _name_part_problems(name)


def label_errors(labels: Mapping[str, str], field: str) -> list[FieldError]:
    """Errors of keys and values of labels."""
    errors = []
    for key, value in sorted(labels.items()):
        errors += [invalid_value(field, key, problem) for problem in key_problems(key)]
        if len(value) > 63:
            errors.append(invalid_value(field, value, "must be no more than 63 characters"))
        if value and not _QUALIFIED_NAME.fullmatch(value):
            errors.append(invalid_value(field, value, "may have letters, digits and inner '-', '_', '.'"))
    return errors


def annotation_errors(annotations: Mapping[str, str], field: str) -> list[FieldError]:
    """Errors of the keys (case does not matter) and of the total size of annotations."""
    errors = [
        invalid_value(field, key, problem)
        for key in sorted(annotations)
        for problem in key_problems(key.lower())
    ]
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > ANNOTATIONS_LIMIT:
        errors.append(too_long(field, ANNOTATIONS_LIMIT))
    return errors


def name_errors(name: str, *, label: bool) -> list[FieldError]:
    """Errors of `metadata.name`: a DNS label for a namespace (`label`), else a DNS subdomain."""
    if not name:
        return [required_value("metadata.name", "name or generateName is required")]
    problems = dns_label_problems(name) if label else dns_subdomain_problems(name)
    return [invalid_value("metadata.name", name, problem) for problem in problems]


def segment_errors(name: str) -> list[FieldError]:
    """Errors of a name that needs only fit into a path."""
    if not name:
        return [required_value("metadata.name", "name or generateName is required")]
    if name in (".", "..") or "/" in name or "%" in name:
        return [invalid_value("metadata.name", name, "may not be '.', '..', or have '/' or '%' in it")]
    return []


Path = tuple[str, ...]
_MAPS = ("labels", "annotations")


def noted(old: JsonObject | None, new: JsonObject, manager: str, now: str) -> list[JsonObject]:
    """The managedFields of `new`, which `manager` has made of `old` (None: of nothing) at `now`.

    The time is that of the manager's last write that has set a field to another value; one that only takes
    fields away leaves it as it is.
    """
    before, after = _values(old or {}), _values(new)
    written = {path for path, value in after.items() if path not in before or before[path] != value}
    entries = {}
    for entry in (old or {}).get("metadata", {}).get("managedFields", []):
        fields = (set(_paths(entry["fieldsV1"])) & set(after)) - written
        entries[entry["manager"]] = (entry["time"], fields)
    if written:
        entries[manager] = (now, entries.get(manager, ("", set()))[1] | written)
    told = [
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
    return sorted(told, key=lambda entry: (entry["time"], entry["manager"]))


def _values(obj: Mapping[str, Any]) -> dict[Path, Any]:
    """The fields that clients own, with their values: each label, each annotation, and that there are any."""
    found: dict[Path, Any] = {}
    for name in _MAPS:
        entries = obj.get("metadata", {}).get(name) or {}
        if entries:
            found["f:metadata", f"f:{name}", "."] = True
        found |= {("f:metadata", f"f:{name}", f"f:{key}"): value for key, value in entries.items()}
    return found | {("f:spec", f"f:{key}"): value for key, value in (obj.get("spec") or {}).items()}


def _tree(paths: set[Path]) -> JsonObject:
    root: JsonObject = {}
    for path in sorted(paths):
        at = root
        for part in path:
            at = at.setdefault(part, {})
    return root


def _paths(tree: Mapping[str, Any], above: Path = ()) -> Iterator[Path]:
    for part, below in tree.items():
        if below:
            yield from _paths(below, (*above, part))
        else:
            yield (*above, part)
