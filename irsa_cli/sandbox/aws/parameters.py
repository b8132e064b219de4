"""One check for the parameters of all calls to IAM, STS, EKS and EKS Auth, by AWS's models of them.

Source of the rules (lengths, patterns, ranges, enumerations, what is required): botocore's models of the
services. How IAM and STS say it: snapshots that were recorded on AWS in 2025 and 2026 (localstack/localstack,
tests/aws/services); STS repeats the value. EKS's words are unknown. Rules that the models don't tell, such as
tags that belong together, are the services' own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from irsa_cli.sandbox.aws.messages import REST, AwsError, AwsRequest, service_model, validation_error

_PYTHON_TYPES: Mapping[str, type] = {"structure": dict, "map": dict, "list": list, "string": str}


@dataclass(frozen=True)
class _Breach:
    """A parameter and the rule that it breaks; `value` is None if it is missing."""

    field: str
    value: str | None
    rule: str

    def text(self, *, with_value: bool) -> str:
        shown = f" '{self.value}'" if with_value else ""
        if self.value is None:
            shown = " null"
        return f"Value{shown} at '{self.field}' failed to satisfy constraint: {self.rule}"


def check_parameters(request: AwsRequest) -> None:
    """Raises AwsError, with all parameters that are outside of their rules."""
    model = service_model(request.service)
    if request.operation not in model.operation_names:
        return
    operation = model.operation_model(request.operation)
    if operation.input_shape is None:
        return
    parameters = request.parameters if request.service in REST else _nested(request.params)
    breaches = [
        breach.text(with_value=request.service == "sts")
        for breach in _breaches(operation.input_shape, "", parameters)
    ]
    if not breaches:
        return
    if request.service in REST:
        raise AwsError(_code_of(operation), "; ".join(breaches))
    errors = "error" if len(breaches) == 1 else "errors"
    raise validation_error(f"{len(breaches)} validation {errors} detected: {'; '.join(breaches)}")


def _code_of(operation: Any) -> str:
    """Calls about tags have no InvalidParameterException."""
    names = {shape.name for shape in operation.error_shapes}
    return "BadRequestException" if "BadRequestException" in names else "InvalidParameterException"


def _nested(params: Mapping[str, str]) -> dict[str, Any]:
    """Parameters of the query protocol, whose names have dots, as structures of structures of texts."""
    root: dict[str, Any] = {}
    for key, text in params.items():
        *path, last = key.split(".")
        place = root
        for part in path:
            inner = place.setdefault(part, {})
            place = inner if isinstance(inner, dict) else {}
        place[last] = text
    return root


def _breaches(shape: Any, field: str, value: Any) -> Iterator[_Breach]:
    kind = shape.type_name
    if kind == "list":
        value = _elements(value)
    if kind == "map":
        value = _entries(value)
    if kind in _PYTHON_TYPES and not isinstance(value, _PYTHON_TYPES[kind]):
        yield _Breach(field, str(value), f"Member must be a {kind}")
    elif kind == "structure":
        yield from _breaches_in_structure(shape, field, value)
    elif kind == "map":
        yield from _broken(shape, field, value)
        for key, text in value.items():
            yield from _breaches(shape.key, f"{field}.key", key)
            yield from _breaches(shape.value, f"{field}.value", text)
    elif kind == "list":
        yield from _breaches_in_list(shape, field, value)
    else:
        yield from _broken(shape, field, value)


def _elements(value: Any) -> Any:
    """A list, also one of the query protocol: texts by their numbers, or an empty text."""
    if isinstance(value, dict):
        members = value.get("member", {})
        return [members[number] for number in sorted(filter(str.isdecimal, members), key=int)]
    return value or []


def _entries(value: Any) -> Any:
    """A map, also one of the query protocol: keys and values by the numbers of entries."""
    if not (isinstance(value, dict) and isinstance(value.get("entry"), dict)):
        return value
    entries = value["entry"].values()
    return {entry["key"]: entry.get("value", "") for entry in entries if "key" in entry}


def _breaches_in_structure(shape: Any, field: str, value: Mapping[str, Any]) -> Iterator[_Breach]:
    for name, member in sorted(shape.members.items()):
        inner = f"{field}.{name[0].lower()}{name[1:]}".lstrip(".")
        if value.get(name) is not None:
            yield from _breaches(member, inner, value[name])
        elif name in shape.required_members:
            yield _Breach(inner, None, "Member must not be null")


def _breaches_in_list(shape: Any, field: str, elements: list[Any]) -> Iterator[_Breach]:
    yield from _broken(shape, field, elements)
    if shape.member.type_name == "structure":
        for number, element in enumerate(elements, 1):
            yield from _breaches(shape.member, f"{field}.{number}.member", element)
    elif any(True for element in elements for _ in _breaches(shape.member, field, element)):
        rules = [rule for rule, _ in _rules(shape.member, "")]
        null = ["Member must not be null"] if "pattern" in shape.member.metadata else []
        yield _Breach(field, "...", f"Member must satisfy constraint: [{', '.join(rules + null)}]")


def _broken(shape: Any, field: str, value: Any) -> Iterator[_Breach]:
    shown = "..." if isinstance(value, (dict, list)) else str(value)
    yield from (_Breach(field, shown, rule) for rule, kept in _rules(shape, value) if not kept)


def _rules(shape: Any, value: Any) -> list[tuple[str, bool]]:
    """The rules for a value, and whether it keeps them."""
    about = shape.metadata
    if shape.type_name in ("integer", "long"):
        size = int(value) if re.fullmatch(r"-?\d{1,18}", str(value)) else -1
        what = "value"
    else:
        size = len(value) if isinstance(value, (str, dict, list)) else 0
        what = "length"
    rules = []
    if "max" in about:
        rules.append((f"Member must have {what} less than or equal to {about['max']}", size <= about["max"]))
    if "min" in about:
        rules.append(
            (f"Member must have {what} greater than or equal to {about['min']}", size >= about["min"])
        )
    if "pattern" in about:
        rule = f"Member must satisfy regular expression pattern: {about['pattern']}"
        # A regular expression of Java's, which has names for kinds of letters.
        pattern: str = about["pattern"]
        flags = 0 if r"\p{" in pattern else re.ASCII
        kept = re.fullmatch(pattern.replace(r"\p{L}\p{Z}\p{N}", r"\w\s"), value, flags) is not None
        rules.append((rule, kept))
    if getattr(shape, "enum", None):
        rules.append((f"Member must satisfy enum value set: [{', '.join(shape.enum)}]", value in shape.enum))
    return rules
