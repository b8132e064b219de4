"""Write docs/reference/saved-plan.schema.json; with `--check`, fail when it is stale.

The JSON Schema of a saved plan, from the classes that `irsa_cli.usecases.plans.reading` reads. What it can't
express, only irsa checks: the digest, the form of each name and ARN, and what belongs to a command.
"""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from irsa_cli.core.access.who import AccessWay, WhoKind  # noqa: E402 - the package may not be installed
from irsa_cli.core.binding.boundaries import BoundaryRules  # noqa: E402
from irsa_cli.core.plan import written  # noqa: E402
from irsa_cli.core.plan.changes import Kind  # noqa: E402
from irsa_cli.usecases.command.connect import Target  # noqa: E402
from irsa_cli.usecases.plans import saved_plan  # noqa: E402
from irsa_cli.usecases.plans.reading import COMMANDS  # noqa: E402

PAGE = ROOT / "docs" / "reference" / "saved-plan.schema.json"
Schema = dict[str, Any]
PLAIN: Mapping[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    Any: {},
}
FORMS: Mapping[written.Form, Schema] = {
    written.TEXT: {"type": "string"},
    written.TEXTS: {"type": "array", "items": {"type": "string"}},
    written.TEXT_MAP: {"type": "object", "additionalProperties": {"type": "string"}},
    written.GAPPED_MAP: {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
    written.OBJECT: {"type": "object"},
    written.NUMBER: {"type": "integer"},
    written.FLAG: {"type": "boolean"},
}


def closed(properties: Schema, required: list[str]) -> Schema:
    """An object with these fields and no others."""
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": required}


def of_type(kind: Any, definitions: Schema) -> Schema:
    """The schema of a type; those of dataclasses are put into the definitions."""
    if kind in PLAIN:
        return PLAIN[kind]
    arguments = [item for item in get_args(kind) if item is not Ellipsis]
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return {"anyOf": [of_type(item, definitions) for item in arguments]}
    if origin in (tuple, frozenset, list):
        return {"type": "array", "items": of_type(arguments[0], definitions)}
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": of_type(arguments[1], definitions)}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [item.value for item in kind]}
    assert isinstance(kind, type)
    assert is_dataclass(kind)
    name = f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}"
    if name not in definitions:
        definitions[name] = {}
        hints = get_type_hints(kind)
        left_out = {
            Target: saved_plan._OF_WHO_ASKS,
            BoundaryRules: ("required_by",),
        }.get(kind, ())
        kept = [item for item in fields(kind) if item.init and item.name not in left_out]
        needed = [item.name for item in kept if item.default is MISSING and item.default_factory is MISSING]
        definitions[name] = closed(
            {item.name: of_type(hints[item.name], definitions) for item in kept}, needed
        )
    return {"$ref": f"#/definitions/{name}"}


def change(kind: Kind) -> Schema:
    """One change of a kind: its target, and its state before and after."""
    known = written.written_fields(kind.traits.state)
    state = closed(
        {item.key: FORMS[item.form] for item in known}, [item.key for item in known if item.needed]
    )
    target: Schema = {"type": "array", "items": {"type": "string", "minLength": 1}}
    target |= {"minItems": len(kind.traits.target), "maxItems": len(kind.traits.target)}
    target["description"] = ", ".join(kind.traits.target)
    either = {"anyOf": [{"type": "null"}, state]}
    return closed(
        {"kind": {"const": kind.value}, "target": target, "before": either, "after": either},
        ["kind", "target", "before", "after"],
    )


def _shift() -> Schema:
    """Somebody who gains or loses a role."""
    text, flag = {"type": "string"}, {"type": "boolean"}
    texts = {"type": "array", "items": text}
    kinds, ways = ({"enum": [item.value for item in found]} for found in (WhoKind, AccessWay))
    given = {"type": "object", "additionalProperties": text}
    who = {"kind": kinds, "place": text, "name": text, "pattern": flag, "given": given}
    fields_of_it = {
        "who": closed(who, [*who]),
        "role": closed({"arn": text}, ["arn"]),
        "before": {"type": "array", "items": ways},
        "after": {"type": "array", "items": ways},
        "certain": flag,
        "conditions": texts,
        "podsOnly": flag,
    }
    return closed(fields_of_it, [*fields_of_it])


def schema() -> Schema:
    """The whole schema."""
    definitions: Schema = {f"change.{kind.value}": change(kind) for kind in Kind}
    requests = {name: of_type(command.request, definitions) for name, command in COMMANDS.items()}
    text = {"type": "string"}
    metadata = {
        "command": {"enum": [*COMMANDS]},
        "made": {**text, "format": "date-time", "description": "When the plan was saved (UTC)"},
        "version": {**text, "description": "Version of irsa that saved it"},
        "format": {"const": saved_plan.FORMAT, "description": "Version of this format"},
    }
    cluster = {**dict.fromkeys(("name", "arn", "region", "account", "issuer"), text)}
    changes = {"anyOf": [{"$ref": f"#/definitions/change.{kind.value}"} for kind in Kind]}
    shifts = {"type": "array", "items": _shift(), "description": "As `access` of -o json has them"}
    shifted = {"gains": shifts, "losses": shifts}
    item = {
        "name": {**text, "description": "namespace/name of the ServiceAccount, or '' for shared parts"},
        "cluster": {"type": "object", "properties": cluster, "required": [*cluster]},
        "where": {**text, "description": "File and line of the entry, or ''"},
        "place": text,
        "command": text,
        "serviceAccount": text,
        "stages": {
            "type": "array",
            "items": {"type": "array", "items": changes},
            "description": "Changes of one stage run at the same time, stages in order",
        },
        "seen": {
            "type": "object",
            "additionalProperties": text,
            "description": "Digests of the current state that the plan depends on",
        },
        "access": {"anyOf": [{"type": "null"}, closed(shifted, [*shifted])]},
    }
    whole = closed(
        {
            "apiVersion": {"const": "irsa/v1"},
            "kind": {"const": saved_plan.KIND},
            "metadata": closed(metadata, [*metadata]),
            "request": {"type": "object", "description": "The options of the command"},
            "allowAccessChange": {
                "type": "boolean",
                "description": "Whether others than the command names may gain or lose a role by it",
            },
            "items": {"type": "array", "items": closed(item, [*item])},
            "digest": {**text, "pattern": "^sha256:[0-9a-f]{64}$"},
        },
        ["apiVersion", "kind", "metadata", "request", "items", "digest"],
    )
    of_commands = [
        {
            "if": {"properties": {"metadata": {"properties": {"command": {"const": name}}}}},
            "then": {"properties": {"request": request}},
        }
        for name, request in requests.items()
    ]
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Saved plan of irsa",
        **whole,
        "allOf": of_commands,
        "definitions": definitions,
    }


def main(arguments: list[str]) -> int:
    """Write the schema, or compare it; returns the exit code."""
    desired = json.dumps(schema(), indent=2) + "\n"
    if arguments != ["--check"]:
        PAGE.write_text(desired, encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != desired:
        print(f"{PAGE.name} is stale: python tools/docs/saved_plan_schema.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
