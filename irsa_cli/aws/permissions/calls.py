"""Real AWS calls with a role's credentials, limited by name to operations that read.

Operations that only return credentials, tokens or presigned URLs count. irsa keeps only an answer's size.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import botocore.exceptions
import botocore.session
import botocore.validate
from botocore import xform_name
from botocore.model import OperationModel, Shape

from irsa_cli.aws.errors import call
from irsa_cli.aws.session import AwsSession
from irsa_cli.core.objects.aws import RoleCredentials
from irsa_cli.core.values.errors import InvalidInput

READING = re.compile(r"(Get|List|Describe|Head)[A-Z0-9]")
"""Names of operations that change nothing."""

_EXCEPTIONS: Mapping[str, str] = json.loads(
    (files(__package__) / "actions.json").read_text(encoding="utf-8")
)["changing"]
"""Operations that change something according to their API reference."""
_ALIASES = {"s3api": "s3"}
_NUMBERS = {"integer": int, "long": int, "float": float, "double": float}


@dataclass(frozen=True)
class ReadCall:
    """A call that reads: its text on the command line, and its parts for botocore."""

    text: str
    service: str
    operation: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


def read_call(text: str) -> ReadCall:
    """Parse a call in the AWS CLI's form: `SERVICE OPERATION [--parameter value ...]`.

    Lists are repeated or JSON values, structures are JSON; no file or URL is read. Raise `InvalidInput` for
    another form, or a call that might change something.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InvalidInput(f"'{text}' can't be read", reason=str(error)) from None
    if len(words) < 2 or words[0].startswith("-") or words[1].startswith("-"):
        raise InvalidInput(f"'{text}' is not SERVICE OPERATION", reason="for example: s3 list-buckets")
    service = _ALIASES.get(words[0], words[0])
    name = words[1]
    try:
        model = botocore.session.get_session().get_service_model(service)
    except botocore.exceptions.UnknownServiceError:
        raise InvalidInput(
            f"there is no AWS service '{service}'", reason="botocore does not know it"
        ) from None
    names = {xform_name(item, "-"): item for item in model.operation_names}
    if name not in names:
        raise InvalidInput(
            f"{service} has no operation '{name}'", reason="use the AWS CLI's name, such as list-buckets"
        )
    operation = model.operation_model(names[name])
    if reason := why_not(operation):
        raise InvalidInput(f"irsa does not call {service} {name}", reason=reason)
    return ReadCall(text, service, operation.name, _parameters(operation, words[2:]))


def _parameters(operation: OperationModel, words: Sequence[str]) -> dict[str, Any]:
    shape = operation.input_shape
    members = {xform_name(name, "-"): name for name in shape.members} if shape else {}
    found: dict[str, Any] = {}
    for flag, values in _flags(words):
        plain = flag.removeprefix("--")
        name = members.get(plain) or members.get(plain.removeprefix("no-"))
        if name is None or shape is None:
            raise InvalidInput(f"{operation.name} has no parameter '{flag}'")
        found[name] = _value(shape.members[name], values, flag)
    if shape is not None:
        report = botocore.validate.ParamValidator().validate(found, shape)
        if report.has_errors():
            raise InvalidInput(f"invalid parameters of {operation.name}", reason=report.generate_report())
    return found


def _flags(words: Sequence[str]) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for word in words:
        if word.startswith("--"):
            found.append((word, []))
        elif found:
            found[-1][1].append(word)
        else:
            raise InvalidInput(f"'{word}' belongs to no parameter", reason="parameters are --NAME VALUE")
    return found


def _value(shape: Shape, values: list[str], flag: str) -> Any:
    kind = shape.type_name
    if kind == "boolean" and not values:
        return not flag.startswith("--no-")
    if kind == "list" and not (values and values[0].startswith("[")):
        return [_value(shape.member, [value], flag) for value in values]  # type: ignore[attr-defined]
    if len(values) != 1:
        raise InvalidInput(f"{flag} takes one value")
    try:
        if kind in ("list", "structure", "map"):
            return json.loads(values[0])
        if kind == "boolean":
            return {"true": True, "false": False}[values[0].lower()]
        return _NUMBERS.get(kind, str)(values[0])
    except (ValueError, KeyError):
        raise InvalidInput(f"{flag} takes a {kind}, not '{values[0]}'") from None


def make_call(aws: AwsSession, credentials: RoleCredentials, wanted: ReadCall) -> str:
    """Call AWS with the role's credentials; return the size of the answer. Raise `ServiceError`."""
    client = aws.client_of(wanted.service, credentials)
    answer = call(getattr(client, xform_name(wanted.operation)), **wanted.parameters)
    for value in answer.values():
        with suppress(AttributeError):
            value.close()  # A stream, whose content is not needed.
    counted = [f"{len(value)} {key}" for key, value in answer.items() if isinstance(value, list)]
    return counted[0] if counted else "answered"


def why_not(operation: OperationModel) -> str:
    """Why irsa does not call an operation with a role's credentials; '' if it does."""
    service = operation.service_model
    if not READING.match(operation.name):
        return "only read operations are tried (get, list, describe, head)"
    if reason := _EXCEPTIONS.get(f"{service.service_name} {operation.name}"):
        return reason
    if "none" in (operation.auth_type, service.signature_version) or service.signature_version == "bearer":
        return "it does not use the role's credentials, so it proves nothing about them"
    return ""
