"""metadata.managedFields: which client has written which field last, and when.

Only whole writes (create, update) are told apart, no server-side apply; what a client sends as managedFields
is not looked at.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from collections.abc import Iterator, Mapping
from typing import Any

from irsa_cli.sandbox.kube.objects.schema import JsonObject

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
