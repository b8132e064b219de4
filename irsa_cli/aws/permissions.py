"""A role's permissions: real calls with its credentials, or IAM's simulation of its policies.

Real calls are limited by name to operations that read; those that only return credentials, tokens or
presigned URLs count. irsa keeps only an answer's size.

Names of actions are checked by botocore's operations, and `actions.json` for the differences in IAM. Neither
list is complete, so only a likely typo is an error; unknown names lead to a note.
"""

from __future__ import annotations

import difflib
import json
import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NoReturn

import botocore.exceptions
import botocore.session
import botocore.validate
from botocore import xform_name
from botocore.model import OperationModel, Shape

from irsa_cli.aws.errors import call, pages
from irsa_cli.aws.session import AwsSession
from irsa_cli.core.objects.aws import RoleCredentials
from irsa_cli.core.values.arn import role_arn
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.names import near

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_iam.type_defs import ContextEntryTypeDef

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
    names = {xform_name(operation_name, "-"): operation_name for operation_name in model.operation_names}
    if name not in names:
        raise InvalidInput(
            f"{service} has no operation '{name}'", reason="use the AWS CLI's name, such as list-buckets"
        )
    operation = model.operation_model(names[name])
    reason = why_not(operation)
    if reason:
        raise InvalidInput(f"irsa does not call {service} {name}", reason=reason)
    return ReadCall(text, service, operation.name, _parameters(operation, words[2:]))


def _parameters(operation: OperationModel, words: Sequence[str]) -> dict[str, Any]:
    shape = operation.input_shape
    members = {xform_name(name, "-"): name for name in shape.members} if shape else {}
    parameters: dict[str, Any] = {}
    for flag, values in _flags(words):
        plain = flag.removeprefix("--")
        name = members.get(plain) or members.get(plain.removeprefix("no-"))
        if name is None or shape is None:
            raise InvalidInput(f"{operation.name} has no parameter '{flag}'")
        parameters[name] = _value(shape.members[name], values, flag)
    if shape is not None:
        report = botocore.validate.ParamValidator().validate(parameters, shape)
        if report.has_errors():
            raise InvalidInput(f"invalid parameters of {operation.name}", reason=report.generate_report())
    return parameters


def _flags(words: Sequence[str]) -> list[tuple[str, list[str]]]:
    flags: list[tuple[str, list[str]]] = []
    for word in words:
        if word.startswith("--"):
            flags.append((word, []))
        elif flags:
            flags[-1][1].append(word)
        else:
            raise InvalidInput(f"'{word}' belongs to no parameter", reason="parameters are --NAME VALUE")
    return flags


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


def make_call(aws: AwsSession, credentials: RoleCredentials, request: ReadCall) -> str:
    """Call AWS with the role's credentials; return the size of the answer. Raise `ServiceError`."""
    client = aws.client_of(request.service, credentials)
    answer = call(getattr(client, xform_name(request.operation)), **request.parameters)
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
    reason = _EXCEPTIONS.get(f"{service.service_name} {operation.name}")
    if reason:
        return reason
    if "none" in (operation.auth_type, service.signature_version) or service.signature_version == "bearer":
        return "it does not use the role's credentials, so it proves nothing about them"
    return ""


_ACTION = re.compile(r"[a-z0-9-]+:[A-Za-z0-9]+", re.ASCII)


def action(text: str) -> str:
    """Check that a text is an action without wildcards."""
    if not _ACTION.fullmatch(text):
        raise InvalidInput(f"'{text}' is not SERVICE:ACTION", reason="for example: s3:ListAllMyBuckets")
    return text


def resource(text: str) -> str:
    """Check that a text is the ARN of a resource, or `*`."""
    if text != "*" and (not text.startswith("arn:") or text.count(":") < 5):
        raise InvalidInput(f"'{text}' is not an ARN", reason="for example: arn:aws:s3:::bucket/key")
    return text


@dataclass(frozen=True)
class Simulated:
    """IAM's decision about one action; `missing` are condition keys that its policies need."""

    action: str
    resource: str
    decision: str
    missing: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        return self.decision == "allowed"


@dataclass(frozen=True)
class Caller:
    """A pod as seen by its role's policies; `provider` is '' for a chained role."""

    role_arn: str
    region: str
    provider: str = ""

    def entries(self, region: str) -> list[ContextEntryTypeDef]:
        """The condition keys with the same value for all calls in a region ('' if unknown).

        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
        """
        texts = {
            "aws:PrincipalAccount": role_arn(self.role_arn).account,
            "aws:PrincipalArn": self.role_arn,
            "aws:PrincipalType": "AssumedRole",
            "aws:RequestedRegion": region,
            # Missing in the session of a chained role.
            "aws:FederatedProvider": self.provider,
        }
        now = datetime.now(timezone.utc)
        return [
            *(_entry(name, "string", value) for name, value in texts.items() if value),
            _entry("aws:SecureTransport", "boolean", "true"),
            _entry("aws:ViaAWSService", "boolean", "false"),
            _entry("aws:CurrentTime", "date", f"{now:%Y-%m-%dT%H:%M:%SZ}"),
        ]


def _entry(name: str, kind: Any, value: str) -> ContextEntryTypeDef:
    return {"ContextKeyName": name, "ContextKeyType": kind, "ContextKeyValues": [value]}


def simulate(
    iam: IAMClient, caller: Caller, actions: Sequence[str], resources: Sequence[str]
) -> list[Simulated]:
    """Simulate the role's policies and boundary for each action and resource; raise `ServiceError`.

    It ignores resource policies, session policies and most condition keys.
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
    """
    groups: dict[str, list[str]] = {}
    for name in actions:
        groups.setdefault(_region(name.partition(":")[0], caller), []).append(name)
    subject: dict[str, Any] = {"PolicySourceArn": caller.role_arn}
    if resources:
        subject["ResourceArns"] = list(resources)
    results: dict[Simulated, None] = {}
    for region, group in groups.items():
        subject["ContextEntries"] = caller.entries(region)
        for page in pages(iam.simulate_principal_policy, "Marker", ActionNames=group, **subject):
            for evaluation in page.get("EvaluationResults", []):
                results.update(dict.fromkeys(_results(evaluation)))
    return sorted(results, key=lambda result: actions.index(result.action))


def _results(result: Mapping[str, Any]) -> Iterator[Simulated]:
    """The decision, or one for each resource with its own missing keys.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
    """
    name = result["EvalActionName"]
    for of_resource in result.get("ResourceSpecificResults", []):
        missing = (*result.get("MissingContextValues", []), *of_resource.get("MissingContextValues", []))
        yield Simulated(name, of_resource["EvalResourceName"], of_resource["EvalResourceDecision"], missing)
    if not result.get("ResourceSpecificResults"):
        missing = tuple(result.get("MissingContextValues", []))
        yield Simulated(name, result.get("EvalResourceName", "*"), result["EvalDecision"], missing)


_resolver = cache(lambda: botocore.session.get_session().get_component("endpoint_resolver"))
"""The endpoint data of botocore, read once."""


def _region(service: str, caller: Caller) -> str:
    """The region of a service's endpoint; '' if unknown. Some services have a single endpoint.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-requestedregion
    """
    resolver = _resolver()
    only = (resolver.construct_endpoint(service, caller.region) or {}).get("credentialScope", {})
    if "region" in only:
        return str(only["region"])
    known = resolver.get_available_endpoints(service, role_arn(caller.role_arn).partition)
    return caller.region if caller.region in known else ""


SLIP = 0.9
"""The difflib ratio from which a name counts as a typo of another."""


def check_action(action: str) -> str:
    """Raise `InvalidInput` for a typo; return a note for an unknown action, else ''."""
    from botocore.loaders import Loader

    table: dict[str, Any] = json.loads((files(__package__) / "actions.json").read_text(encoding="utf-8"))
    loader = Loader()
    service, _, name = action.partition(":")
    service = service.lower()
    unsure = f'"{action}" was not checked: irsa has no list of {service} actions'
    models = frozenset(loader.list_available_services("service-2"))
    names = table["services"].get(service, service).split()
    if service in f"{table['others']} {table['unsure']}".split():
        return unsure
    meant = _meant(service, models, table)
    if meant:
        raise InvalidInput(f'"{service}" is not a service in IAM. Did you mean {meant}:{name}?')
    loaded = [loader.load_service_model(known, "service-2") for known in names if known in models]
    known = set(table["more"].get(service, "").split())
    for description in loaded:
        known |= description["operations"].keys()
    instead = {key.lower(): value for key, value in table["instead"].get(service, {}).items()}
    real = {operation.lower(): operation for operation in sorted(known) if operation.lower() not in instead}
    if name.lower() in real:
        return ""
    slips = difflib.get_close_matches(name.lower(), real, 1, SLIP)
    meant = instead.get(name.lower()) or (real[slips[0]] if slips else "")
    if meant:
        _refuse(action, str(loaded[0]["metadata"]["serviceId"]), meant)
    if len(loaded) < len(names):
        return unsure
    similar = [f"{service}:{operation}" for operation in near(name, [*real.values()])]
    more = f"; similar: {', '.join(similar)}" if similar else ""
    return f'"{action}" is not in irsa\'s list of {service} actions{more}'


def _meant(service: str, models: Collection[str], table: Mapping[str, Any]) -> str:
    """IAM's name for a service by its name in botocore or by a typo; '' if it is IAM's name."""
    services: Mapping[str, str] = table["services"]
    if service in services:
        return ""
    owner = next((prefix for prefix, names in services.items() if service in names.split()), "")
    if owner or service in models:
        return owner
    return next(iter(difflib.get_close_matches(service, {*models, *services}, 1, SLIP)), "")


def _refuse(action: str, title: str, meant: str) -> NoReturn:
    """Raise the error for a typo, with the intended action."""
    service = action.partition(":")[0]
    spelled = title[:2].isupper() or title[1:2].isdigit()
    vowels = "AEFHILMNORSX" if spelled else "AEIO"
    article = "an" if title[0] in vowels else "a"
    raise InvalidInput(f'"{action}" is not {article} {title} action. Did you mean {service}:{meant}?')
