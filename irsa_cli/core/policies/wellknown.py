"""Well-known policies: the permissions of common controllers, from files in `data/`.

The wishes of a user are read and checked in `wellknown_uses`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from itertools import chain
from typing import Any

from irsa_cli.core.policies.policy import Document, Values, WellKnown
from irsa_cli.core.values.arn import iam_arn
from irsa_cli.core.values.errors import InvalidInput
from irsa_cli.core.values.names import did_you_mean

EKSCTL = (
    "imageBuilder",
    "autoScaler",
    "awsLoadBalancerController",
    "externalDNS",
    "certManager",
    "ebsCSIController",
    "efsCSIController",
)
"""The policies that eksctl has under the same names."""


@dataclass(frozen=True)
class Parameter:
    """A parameter that narrows a policy."""

    name: str
    description: str
    pattern: str
    default: tuple[str, ...] = ()
    many: bool = False


@dataclass(frozen=True)
class WellKnownPolicy:
    """A policy; `managed` are names (with path) of AWS's own, `source` is the page of its actions.

    In `statements`, `${name}` stands for a parameter and `${partition}` for the partition.
    """

    name: str
    title: str
    service_account: str
    source: str
    version: str
    date: str
    notes: tuple[str, ...]
    parameters: Mapping[str, Parameter]
    managed: tuple[str, ...]
    statements: tuple[Mapping[str, Any], ...]

    @property
    def required(self) -> tuple[str, ...]:
        """The parameters without which the policy means nothing."""
        optional = {statement.get("when") for statement in self.statements}
        needed = [parameter.name for parameter in self.parameters.values() if not parameter.default]
        return tuple(name for name in needed if name not in optional)


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """The names of all policies: eksctl's first, then the others by the alphabet."""
    folder = files(__package__).joinpath("data")
    in_data = {file.name.removesuffix(".json") for file in folder.iterdir()}
    return (*EKSCTL, *sorted(in_data.difference(EKSCTL), key=str.lower))


@lru_cache(maxsize=64)
def get(name: str) -> WellKnownPolicy:
    """The policy of that name; raises `InvalidInput` when there is none."""
    if name not in names():
        hint = did_you_mean(name, names()) or f"there are {', '.join(names())}"
        raise InvalidInput(f"there is no well-known policy '{name}'", reason=hint)
    data = json.loads((files(__package__) / "data" / f"{name}.json").read_text(encoding="utf-8"))
    parameters = {
        key: Parameter(key, **{**fields, "default": tuple(fields.get("default", ()))})
        for key, fields in data.pop("parameters", {}).items()
    }
    lists: dict[str, Any] = {key: tuple(data.pop(key, ())) for key in ("notes", "managed", "statements")}
    service_account = data.pop("serviceAccount")
    return WellKnownPolicy(name, service_account=service_account, parameters=parameters, **lists, **data)


def check_required(known: WellKnownPolicy, given: Collection[str]) -> None:
    for name in known.required:
        if name not in given:
            reason = known.parameters[name].description
            raise InvalidInput(f"{known.name} needs the parameter {name}", reason=reason)


_PLACE = re.compile(r"\$\{([a-zA-Z]+)\}")
# How the data say that a statement is there only when a parameter is given.
_WHEN = "when"


@dataclass(frozen=True)
class Scope:
    """The place where a policy is used; an empty field must be given as a parameter."""

    partition: str
    region: str = ""
    account: str = ""
    cluster: str = ""

    @property
    def values(self) -> Values:
        """The parameters that this fills."""
        known = {"region": self.region, "account": self.account, "clusterName": self.cluster}
        return {name: (value,) for name, value in known.items() if value}


@dataclass(frozen=True)
class Resolved:
    """The policies of the role: managed ones by ARN, inline ones by name."""

    policies: tuple[str, ...] = ()
    inline: Mapping[str, Document] = field(default_factory=dict)


def resolve(uses: Iterable[WellKnown], scope: Scope) -> Resolved:
    """All these policies together; raises `InvalidInput` for a parameter that is missing."""
    policies: dict[str, None] = {}
    inline: dict[str, Document] = {}
    for use in uses:
        policy = get(use.name)
        for managed in policy.managed:
            policies[iam_arn(scope.partition, "aws", f"policy/{managed}")] = None
        values = _filled(policy, {"partition": (scope.partition,), **scope.values, **use.parameters})
        statements = list(_statements(policy, use, values))
        if statements:
            inline[use.name] = {"Version": "2012-10-17", "Statement": statements}
    return Resolved(tuple(policies), inline)


def _statements(policy: WellKnownPolicy, use: WellKnown, values: Values) -> Iterator[Document]:
    """The policy's statements for these parameters, with their values."""
    for statement in policy.statements:
        if statement.get(_WHEN) in (None, *use.parameters):
            elements = {key: value for key, value in statement.items() if key != _WHEN}
            yield {key: _put(value, values) for key, value in elements.items()}


def joined(own: Resolved, uses: Iterable[WellKnown], scope: Scope) -> Resolved:
    """A role's own policies and the well-known ones; raises `InvalidInput` for a name with two texts."""
    well_known = resolve(uses, scope)
    twice = own.inline.keys() & well_known.inline.keys()
    if twice:
        raise InvalidInput(f"an inline policy has the same name as the well-known policy {min(twice)}")
    policies = dict.fromkeys((*own.policies, *well_known.policies))
    return Resolved(tuple(policies), {**own.inline, **well_known.inline})


def _filled(known: WellKnownPolicy, given: Values) -> Values:
    """All parameters: given (or from the scope), else defaults, which may refer to others."""
    check_required(known, given)
    values = dict(given)
    for name, parameter in known.parameters.items():
        if name not in values:
            values[name] = tuple(_with_first(text, values) for text in parameter.default)
    return values


def _put(value: Any, values: Values) -> Any:
    """The value with its places filled; in a list, a text becomes one for each value of its parameter."""
    if isinstance(value, Mapping):
        return {_with_first(key, values): _put(element, values) for key, element in value.items()}
    if isinstance(value, list):
        return list(chain.from_iterable(_texts(text, values) for text in value))
    if isinstance(value, str):
        return _with_first(value, values)
    return value


def _texts(text: str, values: Values) -> Iterator[str]:
    for place in _PLACE.finditer(text):
        of_place = values[place[1]]
        if len(of_place) != 1:
            for value in of_place:
                yield from _texts(text[: place.start()] + value + text[place.end() :], values)
            return
    yield _with_first(text, values)


def _with_first(text: str, values: Values) -> str:
    """The text with the first value of each parameter in its place."""
    return _PLACE.sub(lambda place: values[place[1]][0], text)
