"""What a role may do, by really calling AWS with its credentials.

Calls are limited to operations that read: by their names, but for those whose names don't tell. What only
hands out credentials, tokens or presigned addresses counts as reading: it changes nothing, and irsa neither
shows nor keeps them. Nothing of what calls answer is kept but how much it was. By simulation:
`irsa_cli.aws.permissions.simulation`.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import botocore.exceptions
import botocore.session
import botocore.validate
from botocore import xform_name

from irsa_cli.aws.errors import call
from irsa_cli.core.values.errors import InvalidInput

if TYPE_CHECKING:
    from botocore.model import OperationModel, Shape

    from irsa_cli.aws.session import AwsSession
    from irsa_cli.core.objects.credentials import RoleCredentials

READING = re.compile(r"(Get|List|Describe|Head)[A-Z0-9]")
"""How the names of operations begin that change nothing."""

_IDENTITY = "it registers an identity"
_KEYS = "it makes a key and a token"
_EXCEPTIONS = {
    ("cognito-identity", "GetId"): _IDENTITY,
    ("cognito-identity", "GetOpenIdTokenForDeveloperIdentity"): _IDENTITY,
    ("cognito-idp", "GetUserAttributeVerificationCode"): "it sends a message to the user",
    ("inspector", "GetAssessmentReport"): "it starts the making of a report",
    ("iot", "DescribeEndpoint"): "it makes the account's endpoint when there is none",
    ("payment-cryptography", "GetParametersForExport"): _KEYS,
    ("payment-cryptography", "GetParametersForImport"): _KEYS,
    ("redshift", "GetClusterCredentials"): "it may make a database user",
    ("sagemaker", "GetScalingConfigurationRecommendation"): "it starts a job",
    ("stepfunctions", "GetActivityTask"): "it takes a task from the workers that wait for one",
    ("taxsettings", "GetTaxRegistrationDocument"): "it writes to a bucket",
    ("xray", "GetSamplingTargets"): "it reports what was sampled",
}
"""Operations that change something by their documentation, each in the API reference of its service."""
_ALIASES = {"s3api": "s3"}
_NUMBERS = {"integer": int, "long": int, "float": float, "double": float}


@dataclass(frozen=True)
class ReadCall:
    """A call that reads, as it was written on the command line and as botocore takes it."""

    text: str
    service: str
    operation: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


def read_call(text: str) -> ReadCall:
    """Read a call in the AWS CLI's form: `SERVICE OPERATION [--parameter value ...]`.

    Values of lists may be repeated or JSON, those of structures are JSON; nothing is read from files or
    addresses. Raises `InvalidInput` when it is no such call, or one that may change something.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InvalidInput(f"'{text}' can't be read", reason=str(error)) from None
    if len(words) < 2 or words[0].startswith("-") or words[1].startswith("-"):
        raise InvalidInput(f"'{text}' is not SERVICE OPERATION", reason="for example: s3 list-buckets")
    service = _ALIASES.get(words[0], words[0])
    operation = _operation(service, words[1])
    parameters = _parameters(operation, words[2:])
    return ReadCall(text, service, operation.name, parameters)


def _operation(service: str, name: str) -> OperationModel:
    session = botocore.session.get_session()
    try:
        model = session.get_service_model(service)
    except botocore.exceptions.UnknownServiceError:
        raise InvalidInput(f"there is no service '{service}'", reason="botocore knows none") from None
    names = {xform_name(item, "-"): item for item in model.operation_names}
    if name not in names:
        raise InvalidInput(
            f"{service} has no operation '{name}'", reason="name it as its API does, such as list-buckets"
        )
    operation = model.operation_model(names[name])
    if reason := why_not(operation):
        raise InvalidInput(f"{service} {name} is not called", reason=reason)
    return operation


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
            raise InvalidInput(f"{operation.name} can't be called so", reason=report.generate_report())
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
        raise InvalidInput(f"{flag} takes a {kind}, and not '{values[0]}'") from None


def make_call(aws: AwsSession, credentials: RoleCredentials, wanted: ReadCall) -> str:
    """Make the call with the role's credentials; returns how much came back. Raises `ServiceError`."""
    client = aws.client_of(wanted.service, credentials)
    answer = call(getattr(client, xform_name(wanted.operation)), **wanted.parameters)
    for value in answer.values():
        with suppress(AttributeError):
            value.close()  # A stream: what is in it is nobody's business here.
    counted = [f"{len(value)} {key}" for key, value in answer.items() if isinstance(value, list)]
    return counted[0] if counted else "answered"


def why_not(operation: OperationModel) -> str:
    """Why an operation is not to be called with a role's credentials; '' when there is nothing against it."""
    service = operation.service_model
    if not READING.match(operation.name):
        return "it may change something: its name does not begin with get, list, describe or head"
    if (service.service_name, operation.name) in _EXCEPTIONS:
        return _EXCEPTIONS[service.service_name, operation.name]
    if "none" in (operation.auth_type, service.signature_version) or service.signature_version == "bearer":
        return "it is not authorized by the role's credentials, and proves nothing about them"
    return ""
