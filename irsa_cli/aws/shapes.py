"""Whether an answer is what AWS documents for an operation: the parts that irsa reads, and their types.

And whether it has parts that irsa could not bring back if it deleted the object.

An answer that AWS never gives is not read as one: not as "there is none", nor as a bug of irsa's.
Whether it came from AWS at all is looked at in `irsa_cli.aws.errors`, before it is parsed into parts.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from importlib.resources import files
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

_CHECKED = ("iam", "sts", "eks", "eks-auth", "ec2", "cloudtrail", "organizations")
"""Others are called only to see whether a role may; what they answer is not read."""
_STRICT = ("iam", "sts", "eks-auth")
"""Services that always give what their models say is required."""
_TABLES = json.loads((files(__package__) / "shapes.json").read_text(encoding="utf-8"))
_NEEDED: Mapping[str, list[str]] = _TABLES["read"]
"""The fields of an answer that irsa reads beyond those that its model requires, through lists."""
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "character": (str,),
    "integer": (int,),
    "long": (int,),
    "boolean": (bool,),
    "float": (float, int),
    "double": (float, int),
    "timestamp": (datetime,),
    "list": (list,),
    "map": (dict,),
    "structure": (dict,),
}
_NAMED = {"GetRole": ("RoleName", "Role"), "CreateRole": ("RoleName", "Role")}
"""Operations whose answers are about one object: the parameter that names it, and the part that is it."""


class OddAnswer(Exception):
    """The answer is not what AWS documents."""


def check(operation: OperationModel, answer: Any, parameters: Mapping[str, Any]) -> None:
    """Raise `OddAnswer` for an answer that can't be read; `parameters` are the parameters of the call."""
    service = operation.service_model.service_name
    if service not in _CHECKED or operation.output_shape is None:
        return
    _check(operation.output_shape, answer, "the answer", strict=service in _STRICT)
    for path in _NEEDED.get(operation.name, ()):
        if not all(_reach(answer, path.split("."))):
            raise OddAnswer(f"it has no {path}")
    parameter, part = _NAMED.get(operation.name, ("", ""))
    # IAM's names differ by more than case.
    if part and str(parameters.get(parameter)).lower() != answer[part][parameter].lower():
        raise OddAnswer("it is about another resource than the requested one")


def _check(shape: Shape, value: Any, where: str, *, strict: bool) -> None:
    # botocore reads the documents of policies, and leaves what is none as it is.
    name = "structure" if shape.name == "policyDocumentType" else shape.type_name
    known = _TYPES.get(name)
    if known and (not isinstance(value, known) or (isinstance(value, bool) and bool not in known)):
        raise OddAnswer(f"{where} is no {name}")
    if strict and isinstance(shape, StructureShape):
        for key in shape.required_members:
            if key not in value:
                raise OddAnswer(f"it has no {key}")
    for inner, inner_value, label in _within(shape, value, where):
        _check(inner, inner_value, label, strict=strict)


def _within(shape: Shape, value: Any, where: str) -> Iterator[tuple[Shape, Any, str]]:
    """The members of a structure, list or map: each with its shape, and a name for it."""
    if isinstance(shape, StructureShape):
        for key, member in shape.members.items():
            if key in value:
                yield member, value[key], key
    elif isinstance(shape, ListShape):
        for element in value:
            yield shape.member, element, f"an item of {where}"
    elif isinstance(shape, MapShape):
        for element in value.values():
            yield shape.value, element, f"a value of {where}"


def _reach(value: Any, path: list[str]) -> Iterator[bool]:
    """Whether there is something at the end of a path, for each item of the lists on it."""
    reached = value.get(path[0])
    if len(path) == 1:
        # A text that is empty names nothing; a list may be.
        yield reached is not None and reached != ""
    elif isinstance(reached, list):
        for element in reached:
            yield from _reach(element, path[1:])
    else:
        yield reached is not None
        if reached is not None:
            yield from _reach(reached, path[1:])


BROUGHT_BACK: Mapping[str, Collection[str]] = _TABLES["brought back"]
"""By what is deleted: the members by which it is created again, dotted through structures and lists."""
NOT_ITS_OWN: Mapping[str, Mapping[str, str]] = _TABLES["not its own"]
"""Members that no rollback brings back, each with the reason why nothing is lost by that."""


def unknown(kind: str, answer: Mapping[str, Any]) -> list[str]:
    """The members of an answer that would be lost with the object (only those that botocore knows)."""
    known = {*BROUGHT_BACK[kind], *NOT_ITS_OWN[kind], "ResponseMetadata"}
    return sorted(set(_beyond(answer, known, "")))


def _beyond(value: Any, known: Collection[str], path: str) -> Iterator[str]:
    if path in known or value in (None, "", [], {}):
        return
    inner = f"{path}." if path else ""
    if path and not any(element.startswith(inner) for element in known):
        yield path
    elif isinstance(value, Mapping):
        for key, element in value.items():
            yield from _beyond(element, known, f"{inner}{key}")
    elif isinstance(value, list):
        for element in value:
            yield from _beyond(element, known, path)
