"""A role's permissions by IAM's simulation of its policies, and the names of actions.

Names are checked by botocore's operations, and `actions.json` for the differences in IAM. Neither list is
complete, so only a likely typo is an error; unknown names lead to a note.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NoReturn

import botocore.session

from irsa_cli.aws.errors import pages
from irsa_cli.core.values.arn import role_arn
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.names import near

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_iam.type_defs import ContextEntryTypeDef

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
    for item in actions:
        groups.setdefault(_region(item.partition(":")[0], caller), []).append(item)
    asked: dict[str, Any] = {"PolicySourceArn": caller.role_arn}
    asked |= {"ResourceArns": list(resources)} if resources else {}
    found = [
        one
        for region, group in groups.items()
        for page in pages(
            iam.simulate_principal_policy,
            "Marker",
            ActionNames=group,
            ContextEntries=caller.entries(region),
            **asked,
        )
        for item in page.get("EvaluationResults", [])
        for one in _results(item)
    ]
    return sorted(dict.fromkeys(found), key=lambda item: actions.index(item.action))


def _results(item: Mapping[str, Any]) -> Iterator[Simulated]:
    """The decision, or one for each resource with its own missing keys.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
    """
    name = item["EvalActionName"]
    for one in item.get("ResourceSpecificResults", []):
        missing = (*item.get("MissingContextValues", []), *one.get("MissingContextValues", []))
        yield Simulated(name, one["EvalResourceName"], one["EvalResourceDecision"], missing)
    if not item.get("ResourceSpecificResults"):
        missing = tuple(item.get("MissingContextValues", []))
        yield Simulated(name, item.get("EvalResourceName", "*"), item["EvalDecision"], missing)


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
    parts = table["services"].get(service, service).split()
    if service in f"{table['others']} {table['unsure']}".split():
        return unsure
    if meant := _meant(service, models, table):
        raise InvalidInput(f'"{service}" is not a service in IAM. Did you mean {meant}:{name}?')
    found = [loader.load_service_model(part, "service-2") for part in parts if part in models]
    known = {one for model in found for one in model["operations"]} | {
        *table["more"].get(service, "").split()
    }
    instead = {key.lower(): value for key, value in table["instead"].get(service, {}).items()}
    real = {one.lower(): one for one in sorted(known) if one.lower() not in instead}
    if name.lower() in real:
        return ""
    slips = difflib.get_close_matches(name.lower(), real, 1, SLIP)
    if meant := instead.get(name.lower()) or next(map(real.__getitem__, slips), ""):
        _refuse(action, str(found[0]["metadata"]["serviceId"]), meant)
    if len(found) < len(parts):
        return unsure
    similar = near(name, [*real.values()])
    more = f"; similar: {', '.join(f'{service}:{one}' for one in similar)}" if similar else ""
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
    article = "an" if title[0] in ("AEFHILMNORSX" if spelled else "AEIO") else "a"
    raise InvalidInput(f'"{action}" is not {article} {title} action. Did you mean {service}:{meant}?')
